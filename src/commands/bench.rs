//! `bench`: the speed of this machine.

mod env_step;
mod meta_iteration;
mod policy;
mod rl2;
mod runtime;
mod scaling;
mod subject;
mod time_to_result;

use std::time::{Duration, Instant};

use metadrift_agents::{device::Device, stop};
use serde::Serialize;

use self::subject::{SUBJECTS, subjects};
use crate::{
    cli::{BenchArgs, BenchPart, Format},
    commands::print,
    device,
    failure::Result,
    message,
};

/// Lanes of a batch.
const LANES: [usize; 4] = [1, 64, 1024, 16384];
/// Measurements of each rate.
const REPEATS: usize = 5;
/// Ticks of a deployed policy in each repeat.
const TICKS: usize = 200_000;
/// Approximate duration of a measurement.
const REPEAT_TIME: Duration = Duration::from_millis(60);

/// One figure.
#[derive(Debug, PartialEq, Serialize)]
struct Row {
    /// Part: `env_step`, `policy`, `meta_iteration`, `runtime`, `rl2`, `scaling`, `time_to_result`, `memory`.
    bench: &'static str,
    env: &'static str,
    /// Number of lanes, or of the units that `variant` names.
    n: usize,
    threads: usize,
    variant: &'static str,
    /// Median of the repeats.
    value: f64,
    unit: &'static str,
    /// Smallest of the repeats.
    min: f64,
    /// Largest of the repeats.
    max: f64,
}

impl Row {
    /// The figure for `repeats`, at least one.
    fn new(
        (bench, env, variant, unit): (&'static str, &'static str, &'static str, &'static str),
        n: usize,
        threads: usize,
        mut repeats: Vec<f64>,
    ) -> Row {
        repeats.sort_by(f64::total_cmp);
        let (min, max) = (repeats[0], repeats[repeats.len() - 1]);
        Row { bench, env, n, threads, variant, value: repeats[repeats.len() / 2], unit, min, max }
    }

    fn to_text(&self, width: usize) -> String {
        let Row { bench, env, n, threads, variant, value, unit, min, max } = self;
        let [value, min, max] = [value, min, max].map(|x| short(*x));
        format!(
            "{bench:<15} {env:<width$} {n:>6} {threads:>7}  {variant:<10} {value:>9} {unit:<13} {min:>9} {max:>9}\n"
        )
    }
}

/// Runs the command.
///
/// # Errors
/// If the device is not there, and if the output cannot be written.
pub fn run(args: &BenchArgs) -> Result<()> {
    let device = device::open(args.compute.device)?;
    if cfg!(debug_assertions) {
        message::warn("this is not a release build; for figures that count: cargo run --release -- bench");
    }
    let width = subjects().map(|subject| subject.name().len()).fold(9, usize::max);
    if args.format == Format::Text {
        let env = "env";
        print(&format!(
            "bench           {env:<width$}      n threads  variant       median unit                min       max\n"
        ))?;
    }
    let show = |rows: Vec<Row>| rows.iter().try_for_each(|row| print_row(row, args.format, width));
    let usual = [BenchPart::EnvStep, BenchPart::Policy, BenchPart::MetaIteration];
    let parts = if args.only.is_empty() { &usual[..] } else { &args.only };
    let threads = args.compute.num_actors();
    for part in parts {
        measure(*part, args, device, &show)?;
    }
    if let Some(bytes) = peak_memory() {
        show(vec![Row::new(("memory", "-", "peak", "MB"), 0, threads, vec![bytes as f64 / 1e6])])?;
    }
    Ok(())
}

/// Measures one part and shows its rows.
fn measure(part: BenchPart, args: &BenchArgs, device: Device, show: &impl Fn(Vec<Row>) -> Result<()>) -> Result<()> {
    let threads = args.compute.num_actors();
    let backend = args.compute.backend;
    match part {
        BenchPart::EnvStep => {
            for subject in subjects() {
                message::say(&format!("[bench] {}: environment steps, 1 thread", subject.name()));
                show(env_step::measure(&subject, &LANES, REPEAT_TIME)?)?;
            }
        }
        BenchPart::Policy => {
            message::say("[bench] policy inferences, 1 thread");
            show(policy::measure(&LANES, REPEAT_TIME))?;
        }
        BenchPart::MetaIteration => {
            for subject in subjects() {
                message::say(&format!("[bench] {}: meta-iterations on {}", subject.name(), place(device, threads)));
                show(meta_iteration::measure(&subject, device, backend, threads)?)?;
            }
        }
        BenchPart::Runtime => {
            message::say("[bench] a deployed policy 64-64, 1 thread");
            SUBJECTS.iter().try_for_each(|subject| show(runtime::measure(subject, TICKS)))?;
        }
        BenchPart::Rl2 => {
            message::say(&format!("[bench] training of RL² on {}", place(Device::Cpu, threads)));
            show(rl2::measure(threads)?)?;
        }
        BenchPart::Tasks => {
            message::say(&format!("[bench] meta-iterations by number of tasks on {}", place(device, threads)));
            scaling::tasks(&SUBJECTS[0], device, backend, threads, &args.tasks, show)?;
        }
        BenchPart::Scaling => {
            message::say(&format!("[bench] meta-iterations by size on {}", place(device, threads)));
            scaling::sizes(&SUBJECTS[0], device, backend, threads, show)?;
        }
        BenchPart::TimeToResult => {
            for result in time_to_result::RESULTS {
                message::say(&format!("[bench] training {} on {}", result.0, place(device, threads)));
                show(vec![time_to_result::measure(result, device, backend, threads)?])?;
            }
        }
    }
    Ok(())
}

/// Peak memory of this process (bytes), if the system reports it.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| 1024 * kib)
}

fn place(device: Device, threads: usize) -> String {
    format!("{}, {threads} thread{}", device, if threads == 1 { "" } else { "s" })
}

fn print_row(row: &Row, format: Format, width: usize) -> Result<()> {
    Ok(print(&match format {
        Format::Text => row.to_text(width),
        Format::Json => serde_json::to_string(row)? + "\n",
    })?)
}

/// Units of work per second, over [`REPEATS`] repeats of about `time` each; `work` does `units` of them.
fn rates(units: usize, time: Duration, mut work: impl FnMut()) -> Vec<f64> {
    let mut seconds = |calls: u64| {
        stop::check();
        let start = Instant::now();
        (0..calls).for_each(|_| work());
        start.elapsed().as_secs_f64().max(1e-9)
    };
    // doubling warms up caches and clock; the last round is long enough for an estimate of the rate
    let mut calls = 1;
    let pace = loop {
        let taken = seconds(calls);
        if taken >= 0.25 * time.as_secs_f64() {
            break taken / calls as f64;
        }
        calls *= 2;
    };
    let calls = (time.as_secs_f64() / pace).ceil() as u64;
    (0..REPEATS).map(|_| calls as f64 * units as f64 / seconds(calls)).collect()
}

/// Four significant digits, with M or k for large numbers.
fn short(value: f64) -> String {
    let (scaled, unit) = match value {
        v if v >= 1e6 => (v / 1e6, " M"),
        v if v >= 1e4 => (v / 1e3, " k"),
        v => (v, ""),
    };
    let decimals = (3 - scaled.abs().max(1e-3).log10().floor() as i32).clamp(0, 4) as usize;
    format!("{scaled:.decimals$}{unit}")
}

#[cfg(test)]
mod tests {
    use metadrift_envs::{EnvKind, Navigation, ProbeConstant, dynamics};

    use super::{subject::Subject, *};

    #[test]
    fn a_row_has_the_median_and_the_extremes() {
        let row = Row::new(("policy", "cartpole", "forward", "inferences/s"), 64, 1, vec![3.0, 1.0, 2.5]);
        let json = serde_json::to_value(&row).unwrap();
        let expected = serde_json::json!({
            "bench": "policy", "env": "cartpole", "n": 64, "threads": 1, "variant": "forward",
            "value": 2.5, "unit": "inferences/s", "min": 1.0, "max": 3.0,
        });
        assert_eq!(json, expected);
    }

    #[test]
    fn numbers_are_short() {
        let cases = [(123_456_789.0, "123.5 M"), (45_678.0, "45.68 k"), (1.23456, "1.235"), (0.0123, "0.0123")];
        for (value, text) in cases {
            assert_eq!(short(value), text);
        }
    }

    #[test]
    fn rates_count_units_per_second() {
        let nap = Duration::from_millis(2);
        let rates = rates(10, nap, || std::thread::sleep(nap));
        assert!(rates.len() == REPEATS && rates.iter().all(|rate| *rate > 0.0 && *rate <= 5_000.0), "{rates:?}");
    }

    #[test]
    fn every_section_measures_something() {
        let quick = Duration::from_micros(50);
        // one of another crate, and one without a parameter
        let own = [dynamics::<Navigation>(), dynamics::<ProbeConstant>()].map(|own| Subject::of(EnvKind::Own(own)));
        for subject in SUBJECTS.iter().chain(&own) {
            let rows = env_step::measure(subject, &[1, 20], quick).unwrap();
            assert_eq!(rows.len(), 2 * env_step::VARIANTS.len());
            assert!(rows.iter().all(|row| row.value > 0.0 && row.unit == "steps/s"), "{rows:?}");
        }
        let rows = policy::measure(&[1, 20], quick);
        assert!(rows.len() == 2 && rows.iter().all(|row| row.min > 0.0), "{rows:?}");
        let rows = runtime::measure(&SUBJECTS[0], 1000);
        assert!(rows.len() == 5 && rows.iter().all(|row| row.min > 0.0), "{rows:?}");
        assert!(rows[1].value <= rows[2].value && rows[2].value <= rows[3].value, "{rows:?}");
    }
}
