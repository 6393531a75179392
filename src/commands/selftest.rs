//! `selftest`: a comparison of a device and backend with stored results of libtorch's autograd on a CPU.

mod problem;

use metadrift_agents::{
    backend::{self, BackendChoice},
    device::Device,
};
use serde_json::json;

use crate::{
    cli::{Format, SelftestArgs},
    commands::{env::CheckFailed, print, print_as},
    device,
    failure::Result,
    message, presets,
    stats::mean,
    train::Trainer,
};

use problem::{CASES, Problem, Reference, difference};

/// Largest relative difference of two meta-gradients in f32.
const TOLERANCE: f64 = 1e-4;

/// Number of last iterations whose mean is the result of a training.
const LAST: usize = 5;

/// Runs the command.
///
/// # Errors
/// If the device is not there, and if something differs: exit code 6.
pub fn run(args: &SelftestArgs) -> Result<()> {
    let device = device::open(args.compute.device)?;
    let choice = args.compute.backend.unwrap_or_default();
    let threads = args.compute.num_actors();
    let format = args.output.format;
    let mut checks = Vec::new();
    let mut report = |name: &str, detail: String, good: bool| {
        checks.push(json!({ "name": name, "detail": detail, "passed": good }));
        match format {
            Format::Text => print(&format!("{}  {name}: {detail}\n", if good { "ok    " } else { "FAILED" })),
            Format::Json => Ok(()),
        }
    };
    let reference = Reference::stored();
    for ((env, inner_steps), expected) in CASES.into_iter().zip(&reference.gradients) {
        let problem = Problem::new((env, inner_steps));
        let backend = backend::open(choice, problem.layout.clone(), device, 0, threads)?;
        let difference = difference(&problem.gradient(&backend), expected);
        let what = format!("meta-gradient, {}, {inner_steps} inner steps", env.spec().name);
        let name = format!("{:?}", backend.choice()).to_lowercase();
        report(&what, format!("{name} on {device} differs by {difference:.1e}"), difference <= TOLERANCE)?;
    }
    if args.iterations > 0 {
        let known = reference.returns.len().min(args.iterations as usize);
        let reference = last_mean(&reference.returns[..known]);
        let reached = last_mean(&trained(args.iterations, device, choice, threads)?);
        // other rounding leads to another run; only the quality of the result must agree
        let detail = format!("{reached:.1} after {} iterations, the reference {reference:.1}", args.iterations);
        report("training of cartpole-flip", detail, reached >= 0.9 * reference)?;
    }
    let count = checks.len();
    let failed = checks.iter().filter(|check| check["passed"] == false).count();
    if format == Format::Json {
        print_as(format, &json!({ "passed": failed == 0, "checks": checks }), String::new)?;
    }
    if failed > 0 {
        return Err(CheckFailed { name: device.to_string(), failed, count }.into());
    }
    Ok(())
}

/// Mean over the last iterations.
fn last_mean(returns: &[f64]) -> f64 {
    mean(&returns[returns.len().saturating_sub(LAST)..])
}

/// Mean return after adaptation in each iteration of a short training on `cartpole-flip`.
fn trained(iterations: u32, device: Device, choice: BackendChoice, threads: usize) -> Result<Vec<f64>> {
    let config = presets::load("cartpole-flip", &[])?;
    let mut trainer = Trainer::new(config, device, choice, threads)?;
    let mut returns = Vec::new();
    for iteration in 1..=iterations {
        returns.push(trainer.iterate()?.return_post);
        if iteration % 10 == 0 || iteration == iterations {
            let name = format!("{choice:?}").to_lowercase();
            message::say(&format!("[selftest] {name} on {device}: iteration {iteration} of {iterations}"));
        }
    }
    Ok(returns)
}

#[cfg(all(test, feature = "torch"))]
mod tests {
    use super::*;

    /// Writes the reference anew: `cargo test -p metadrift --features torch --lib write_reference -- --ignored`.
    #[test]
    #[ignore = "writes the reference anew, which takes minutes"]
    fn write_reference() {
        let gradient = |case| {
            let problem = Problem::new(case);
            let tch = backend::open(BackendChoice::Tch, problem.layout.clone(), Device::Cpu, 0, 1).unwrap();
            problem.gradient(&tch)
        };
        let returns = trained(60, Device::Cpu, BackendChoice::Tch, 2).unwrap();
        let reference = Reference { gradients: CASES.map(gradient).to_vec(), returns };
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/commands/selftest/reference.json");
        std::fs::write(path, serde_json::to_string(&reference).unwrap() + "\n").unwrap();
    }
}
