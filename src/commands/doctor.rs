//! `doctor`: a report on this machine and build, and a check that they compute correctly.

use std::{fs, panic::catch_unwind, thread::available_parallelism};

use metadrift_agents::{
    backend::{self, BackendChoice},
    batch::{Batch, MetaBatch},
    device::Device,
    layout::{Head, Layout},
    objective::{ClippedLoss, InnerLoss, Objective, OuterLoss},
    params::{POLICY, Params, RATES},
};
use serde::Serialize;
use serde_json::json;

use crate::{
    cli::Format,
    commands::print_as,
    device::{self, DeviceChoice},
    failure::{Coded, Result, code},
};

/// The error if the program computes wrong results on this machine.
#[derive(Debug, thiserror::Error)]
#[error("this program is not usable here: {0}")]
pub struct Unusable(String);

impl Coded for Unusable {
    fn code(&self) -> u8 {
        code::DEVICE
    }
}

/// One line of the report: a name, and a finding or a reason for its absence.
#[derive(Serialize)]
struct Line {
    name: &'static str,
    /// False if the item is missing; the report then shows a dash.
    found: bool,
    text: String,
}

impl Line {
    fn of(name: &'static str, outcome: Result<String, String>) -> Line {
        let found = outcome.is_ok();
        Line { name, found, text: outcome.unwrap_or_else(|reason| reason) }
    }
}

/// Runs the command.
///
/// # Errors
/// [`Unusable`] if gradients on the CPU are wrong, and if the output cannot be written.
pub fn run(format: Format) -> Result<()> {
    let on_cpu = self_check(Device::Cpu);
    let mut lines = vec![
        Line::of("metadrift", Ok(env!("CARGO_PKG_VERSION").into())),
        Line::of("libtorch", libtorch()),
        Line::of("gradients", on_cpu.clone()),
    ];
    lines.extend(cuda());
    lines.push(Line::of("cores", available_parallelism().map(|n| n.to_string()).map_err(|e| e.to_string())));
    lines.extend(processor());
    lines.push(Line::of("memory", memory()));
    lines.push(Line::of("disk", disk()));
    let ready = if on_cpu.is_ok() { "\nReady: metadrift train cartpole-flip\n" } else { "" };
    print_as(format, &json!({ "ready": on_cpu.is_ok(), "checks": lines }), || report(&lines) + ready)?;
    on_cpu.map(|_| ()).map_err(|reason| Unusable(reason).into())
}

fn report(lines: &[Line]) -> String {
    let mark = |found| if found { "OK" } else { "–" };
    lines.iter().map(|line| format!("{:<10} {:<2}  {}\n", line.name, mark(line.found), line.text)).collect()
}

/// Version and place of the libtorch that is loaded.
fn libtorch() -> Result<String, String> {
    if !cfg!(feature = "torch") {
        return Err("not in this program, which needs none on a CPU; `./x setup --torch` adds it".into());
    }
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let place = mapped(&maps, "libtorch_cpu.so").unwrap_or("a place that this system does not tell");
    Ok(format!("{}, loaded from {place}", device::LIBTORCH_VERSION))
}

/// Path that a library was loaded from, by the kernel's list of mappings.
fn mapped<'a>(maps: &'a str, library: &str) -> Option<&'a str> {
    let paths = maps.lines().filter_map(|line| line.find('/').map(|start| &line[start..]));
    paths.into_iter().find(|path| path.rsplit('/').next().is_some_and(|name| name.starts_with(library)))
}

/// GPUs, with a check of the first one.
fn cuda() -> Vec<Line> {
    match device::open(DeviceChoice::Cuda(None)) {
        Ok(gpu) => {
            let count = device::gpus().unwrap_or(0);
            let devices = if count == 1 { "1 device".into() } else { format!("{count} devices") };
            vec![Line::of("cuda", Ok(devices)), Line::of("on cuda:0", self_check(gpu))]
        }
        Err(error) => {
            let text = error.to_string();
            let reason = text.strip_prefix("--device cuda: ").unwrap_or(&text);
            vec![Line::of("cuda", Err(reason.to_owned()))]
        }
    }
}

/// The vector instructions that kernels are compiled for. AVX2 and AVX-512 give the same bytes; others differ in the
/// last digits.
#[cfg(target_arch = "x86_64")]
fn processor() -> Vec<Line> {
    let feature = |name, found, width: u32| {
        let text = format!("{width}-bit vectors in environments, policies and gradients");
        Line::of(name, if found { Ok(text) } else { Err(format!("no {text}: slower, other last digits without AVX2")) })
    };
    vec![
        feature("avx2", is_x86_feature_detected!("avx2"), 256),
        feature("avx512f", is_x86_feature_detected!("avx512f"), 512),
    ]
}

/// The vector instructions on other architectures, which have one code path.
#[cfg(not(target_arch = "x86_64"))]
fn processor() -> Vec<Line> {
    vec![Line::of("vectors", Ok(format!("those that every {} has", std::env::consts::ARCH)))]
}

fn memory() -> Result<String, String> {
    let text = fs::read_to_string("/proc/meminfo").map_err(|e| format!("/proc/meminfo: {e}"))?;
    let bytes = |key| meminfo(&text, key).ok_or_else(|| format!("/proc/meminfo has no {key}"));
    Ok(format!("{} of {} available", gigabytes(bytes("MemAvailable")?), gigabytes(bytes("MemTotal")?)))
}

/// A value of `/proc/meminfo` (B).
fn meminfo(text: &str, key: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    let kilobytes: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

/// Free space in the current folder, where runs are stored by default.
#[cfg(target_os = "linux")]
fn disk() -> Result<String, String> {
    // SAFETY: an all-zero statvfs is a valid one; the path ends in NUL and the struct outlives the call.
    let (result, stat) = unsafe {
        let mut stat: libc::statvfs = std::mem::zeroed();
        (libc::statvfs(c".".as_ptr(), &mut stat), stat)
    };
    if result != 0 {
        return Err(std::io::Error::last_os_error().to_string());
    }
    let size = |blocks| gigabytes(stat.f_frsize.saturating_mul(blocks));
    Ok(format!("{} of {} free in the current folder", size(stat.f_bavail), size(stat.f_blocks)))
}

#[cfg(not(target_os = "linux"))]
fn disk() -> Result<String, String> {
    Err("not known on this system".into())
}

fn gigabytes(bytes: u64) -> String {
    format!("{:.1} GB", bytes as f64 / 1e9)
}

/// Checks a product by libtorch, if it is there, against its known value, and a meta-gradient on `device`.
fn self_check(device: Device) -> Result<String, String> {
    let check = || {
        #[cfg(feature = "torch")]
        metadrift_agents::tch_backend::product(device)?;
        meta_gradient(device)?;
        let product = if cfg!(feature = "torch") { "matrix product and " } else { "" };
        Ok(format!("{product}meta-gradient OK"))
    };
    catch_unwind(check).unwrap_or_else(|_| Err("libtorch failed, see above".into()))
}

/// Checks that the second-order meta-gradient is finite and not zero, for a policy with four hidden units on made-up experience.
fn meta_gradient(device: Device) -> Result<(), String> {
    let layout = Layout::new(2, &[4], Head::Categorical(2));
    let mut angle = 0.0f32;
    let theta = layout.init(0.0, || {
        angle += 1.0;
        angle.sin()
    });
    let experience = Batch {
        obs: vec![1.0, 0.5, -0.5, 1.0, 0.25, -1.0, -1.0, -0.25],
        action: vec![0.0, 1.0, 1.0, 0.0],
        log_prob: vec![0.5f32.ln(); 4],
        advantage: vec![1.0, -1.0, 0.5, -0.5],
        ..Batch::default()
    };
    let data = MetaBatch { supports: vec![vec![experience.clone()]], query: vec![experience], ..MetaBatch::default() };
    let outer = OuterLoss::Clipped(ClippedLoss { clip_eps: 0.2, ent_coef: 0.0 });
    let objective = Objective { inner: InnerLoss::LVC, outer, kl_coef: 0.0, first_order: false, learn_rates: false };
    let rates = vec![0.1; layout.num_params()];
    let at = Params::new([(POLICY, theta), (RATES, rates)]);
    let choice = if cfg!(feature = "torch") { BackendChoice::Tch } else { BackendChoice::Native };
    let backend = backend::open(choice, layout, device, 0, 1).map_err(|error| error.to_string())?;
    let (gradient, _) = backend.problem(at.part(POLICY), &data).gradient(&at, &objective);
    let norm = gradient.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
    if norm.is_finite() && norm > 0.0 { Ok(()) } else { Err(format!("a meta-gradient has norm {norm}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradients_work_here() {
        let text = self_check(Device::Cpu).unwrap();
        assert!(text.contains("OK"), "{text}");
    }

    #[test]
    fn an_unusable_libtorch_has_the_exit_code_of_a_device() {
        let error = Unusable("a matrix product is wrong".into());
        assert_eq!(error.code(), crate::failure::code::DEVICE);
    }

    #[test]
    fn the_kernel_files_are_read_by_key_and_by_name() {
        let text = "MemTotal:       16000000 kB\nMemFree: 5 kB\nMemAvailable:    8000000 kB\nHugePages_Total: 0\n";
        assert_eq!(meminfo(text, "MemAvailable"), Some(8_192_000_000));
        assert_eq!(meminfo(text, "Mem"), None);
        assert_eq!(meminfo(text, "HugePages_Total"), None);
        let maps = "7f00-7f01 r--p 0 0:1 2 /a/libtorch_cpu.so.old/libc.so.6\n7f02-7f03 r-xp 0 0:1 2  /my libs/libtorch_cpu.so\n7f04-7f05 rw-p 0 0:0 0\n";
        assert_eq!(mapped(maps, "libtorch_cpu.so"), Some("/my libs/libtorch_cpu.so"));
        assert_eq!(mapped(maps, "libtorch_cuda.so"), None);
    }

    #[test]
    fn the_report_is_aligned_and_marks_what_is_missing() {
        let lines = [Line::of("cuda", Err("none".into())), Line::of("cores", Ok("2".into()))];
        assert_eq!(report(&lines), "cuda       –   none\ncores      OK  2\n");
    }
}
