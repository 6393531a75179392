//! `record PRESET [--run RUN] --out FILE.gif`

use std::path::Path;

use metadrift_envs::Task;

use crate::{
    cli::RecordArgs,
    commands::print,
    config::{ConfigError, Experiment},
    device,
    evaluate::{Protocol, REPORTED},
    failure::{Result, WrongUsage},
    film::{self, Gif, Room},
    memory::{self, Arithmetic},
    output, presets, registry,
    trained::Trained,
};

/// Runs the command.
///
/// # Errors
/// On an unknown preset, a run without a valid checkpoint or of another environment, and a file that cannot be written.
pub fn run(args: &RecordArgs) -> Result<()> {
    if args.out.extension().is_none_or(|ending| !ending.eq_ignore_ascii_case("gif")) {
        let message = format!("--out {}: films are GIFs, so the name must end in .gif", args.out.display());
        return Err(WrongUsage(message).into());
    }
    output::check(&args.out)?;
    let config = presets::load_control(&args.what, &[])?;
    let task = config.tasks(args.split).sample(args.seed, 0, args.task);
    let film = match &args.run {
        Some(run) => learned(&config, run, &task, args)?,
        None => film::unlearned(&config, &task, args.seed)?,
    };
    output::write(&args.out, &film.bytes)?;
    let told: String = film.told.iter().map(|(title, told)| format!("{title}: {told}\n")).collect();
    Ok(print(&format!("{}: {} frames\n{told}", args.out.display(), film.frames))?)
}

/// The meta-policy of a run on the task with and without adaptation.
fn learned(config: &Experiment, run: &Path, task: &Task, args: &RecordArgs) -> Result<Gif> {
    let actors = args.compute.num_actors();
    let device = device::open(args.compute.device)?;
    let Trained { config: trained, agent, .. } =
        Trained::open(run, args.checkpoint, device, args.compute.backend, actors)?;
    trained.check_control()?;
    check_same_world(&trained, config, run)?;
    let arithmetic = Arithmetic::of(&trained, agent.computes_by(), device, actors)?;
    memory::evaluation(config, 1, trained.evaluation.episodes, arithmetic).check()?;
    let protocol = Protocol {
        split: args.split,
        tasks: 1,
        episodes: trained.evaluation.episodes,
        adapt_steps: trained.evaluation.adapt_steps,
        seed: args.seed,
        draw: REPORTED,
    };
    film::before_and_after(config, (&trained.name, &*agent), task, (&protocol, actors), Room::Any)
}

/// Refuses a run that was trained on another environment, or on other observations, than those of `config`.
pub(super) fn check_same_world(trained: &Experiment, config: &Experiment, run: &Path) -> Result<(), ConfigError> {
    let run = run.display();
    if trained.task.env != config.task.env {
        let message = format!("{run} was trained on {}, not on {}", trained.task.env, config.task.env);
        return Err(ConfigError::NotFound(message));
    }
    let [seen, shown] = [trained, config].map(registry::own_obs_dim);
    if seen == shown {
        return Ok(());
    }
    Err(ConfigError::NotFound(format!(
        "{run} was trained on observations of {seen} numbers, those of {} have {shown}: task.observe_actions and \
         task.notify must be the same",
        config.name
    )))
}
