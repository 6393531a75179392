//! `selftest`: whether a device and backend compute what the reference does, libtorch's autograd on the CPU.

use anyhow::Result;
use metadrift_agents::{
    backend::{Backend, BackendChoice},
    batch::MetaBatch,
    objective::Objective,
};
use metadrift_envs::{EnvKind, Purpose, Split, Stream, Task};
use rand_distr::{Distribution, StandardNormal};
use serde_json::json;
use tch::Device;

use crate::{
    cli::{Format, SelftestArgs},
    commands::{env::CheckFailed, print, print_as},
    config::Config,
    device,
    life::Life,
    message, presets, registry,
    rollout::{Collection, Phase, Rollout, Shape, collect_all},
    stats::mean,
    train::Trainer,
};

/// Largest relative difference of two meta-gradients in f32.
const TOLERANCE: f64 = 1e-4;

/// Iterations at the end of a training that its result is the mean of.
const LAST: usize = 5;

/// Runs the command.
///
/// # Errors
/// If the device is not there, and if something differs: exit code 6.
pub fn run(args: &SelftestArgs) -> Result<()> {
    let device = device::open(args.compute.device)?;
    let (choice, threads) = (args.compute.backend.unwrap_or_default(), args.compute.num_actors());
    let format = args.output.format;
    let mut checks = Vec::new();
    let mut report = |name: &str, detail: String, good: bool| {
        checks.push(json!({ "name": name, "detail": detail, "passed": good }));
        match format {
            Format::Text => print(&format!("{}  {name}: {detail}\n", if good { "ok    " } else { "FAILED" })),
            Format::Json => Ok(()),
        }
    };
    for env in [EnvKind::CartPole, EnvKind::Pendulum] {
        for inner_steps in 1..=3 {
            let (difference, name) = difference(env, inner_steps, device, choice, threads)?;
            let what = format!("meta-gradient, {}, {inner_steps} inner steps", env.spec().name);
            let detail = format!("{name} on {} differs by {difference:.1e}", device::name(device));
            report(&what, detail, difference <= TOLERANCE)?;
        }
    }
    if args.iterations > 0 {
        let reference = trained(args.iterations, Device::Cpu, BackendChoice::Tch, threads)?;
        let reached = trained(args.iterations, device, choice, threads)?;
        // other roundings lead to other runs; what must not differ is how good they get
        let detail = format!("{reached:.1} after {} iterations, the reference {reference:.1}", args.iterations);
        report("training of cartpole-flip", detail, reached >= 0.9 * reference)?;
    }
    let (count, failed) = (checks.len(), checks.iter().filter(|check| check["passed"] == false).count());
    if format == Format::Json {
        print_as(format, &json!({ "passed": failed == 0, "checks": checks }), String::new)?;
    }
    if failed > 0 {
        return Err(CheckFailed { name: device::name(device), failed, count }.into());
    }
    Ok(())
}

/// How far, relative to its length, the meta-gradient on `device` is from the reference; and the backend's name.
fn difference(
    env: EnvKind,
    inner_steps: usize,
    device: Device,
    choice: BackendChoice,
    threads: usize,
) -> Result<(f64, String)> {
    let text = format!(
        "name = \"selftest\"\n[task]\nenv = \"{}\"\nhorizon = 100\n[task.vary]\nactuator_gain = {{ law = \"uniform\", \
         low = -1.0, high = 1.0 }}\n[rollout]\nnum_tasks = 8\nnum_envs = 10\nepisodes_per_env = 0\n",
        env.spec().name
    );
    let config = Config::parse("selftest", &text, &[])?;
    let life = Life::training(&config)?;
    let layout = registry::layout(env.spec(), &config.task.settings(), &config.policy.hidden);
    let mut rng = Stream::new(1, Purpose::Init).rng();
    let mut normal = || -> f32 { StandardNormal.sample(&mut rng) };
    let collected: Vec<f32> = layout.init(-0.5, &mut normal).iter().map(|p| p + 0.05 * normal()).collect();
    let tasks = config.tasks(Split::Train)?;
    let tasks: Vec<Task> = (0..8).map(|index| tasks.sample(1, 0, index)).collect();
    let shape = Shape { tasks: 8, steps: 100, envs: 10, obs_dim: layout.obs_dim(), act_dim: env.spec().act_dim() };
    let mut rollout = Rollout::new(shape);
    let mut phases = Vec::new();
    for k in 0..=inner_steps {
        let collection = Collection { env, horizon: 100, layout: &layout, num_actors: threads };
        let phase = Phase::training(1, 0, life.start(0, k), life.episodes);
        collect_all(&collection, &tasks, &vec![collected.clone(); 8], &phase, &mut rollout)?;
        phases.push(rollout.batches(0.99, 0.95, threads).0);
    }
    let query = phases.pop().expect("one phase more than inner steps");
    let data = MetaBatch { supports: phases, query };
    let theta: Vec<f32> = collected.iter().map(|p| p + 0.02 * normal()).collect();
    let rates = vec![0.1; theta.len()];
    let objective = Objective { clip_eps: 0.2, kl_coef: 0.1, ent_coef: 0.01, first_order: false, learn_rates: true };
    let gradient = |choice, device| -> Result<(Vec<f32>, String)> {
        let backend = Backend::new(choice, layout.clone(), device, 0, threads)?;
        let mut ready = backend.prepare(&collected, &data);
        let (by_theta, by_rates, _) = backend.meta_gradient(&theta, &rates, &mut ready, &objective);
        Ok(([by_theta, by_rates].concat(), format!("{:?}", backend.choice()).to_lowercase()))
    };
    let (expected, _) = gradient(BackendChoice::Tch, Device::Cpu)?;
    let (found, name) = gradient(choice, device)?;
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
    let apart = norm(&mut found.iter().zip(&expected).map(|(a, b)| f64::from(a - b)));
    Ok((apart / norm(&mut expected.iter().map(|x| f64::from(*x))), name))
}

/// Mean return after adaptation over the last iterations of a short training of `cartpole-flip`.
fn trained(iterations: u32, device: Device, choice: BackendChoice, threads: usize) -> Result<f64> {
    let config = presets::load("cartpole-flip", &[])?;
    let mut trainer = Trainer::new(config, device, choice, threads)?;
    let mut returns = Vec::new();
    for iteration in 1..=iterations {
        returns.push(trainer.iterate()?.return_post);
        if iteration % 10 == 0 || iteration == iterations {
            let name = format!("{choice:?}").to_lowercase();
            message::say(&format!(
                "[selftest] {name} on {}: iteration {iteration} of {iterations}",
                device::name(device)
            ));
        }
    }
    Ok(mean(&returns[returns.len().saturating_sub(LAST)..]))
}
