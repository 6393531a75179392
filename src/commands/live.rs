//! `live RUN`

mod text;

use std::{fs, io::Write, path::Path};

use indicatif::ProgressBar;
use metadrift_agents::{
    agent::{Adapts, Agent},
    backend::BackendChoice,
    device::Device,
    learners::{Kind, recipes},
    stop,
};
use metadrift_envs::NotifyLevel;
use serde_json::json;

use crate::{
    checkpoint::Which,
    cli::{DetectorName, Format, LearningArgs, LiveArgs, Switch, TestName},
    commands::{learners, print},
    config::{Config, ConfigError, Experiment},
    device,
    failure::{During, Result, WrongUsage},
    live::{
        self, Learning, Lived, Policy, Protocol,
        detector::{Detection, Watch},
        event::Event,
        log,
        metrics::{self, Subject, Summary},
    },
    message, output, presets, registry,
    run_dir::task_digests,
    train,
    trained::Trained,
};

/// Runs the command.
///
/// # Errors
/// If the run has no valid checkpoint, its policy does not fit the preset, or an option does not fit the policy.
pub fn run(args: &LiveArgs) -> Result<()> {
    if let Some(file) = &args.verify {
        return verify(file);
    }
    if let Some(log) = &args.log {
        output::check(log)?;
        if log.is_file() {
            let message = format!("{} is there already: a log is not written over; choose another name", log.display());
            return Err(WrongUsage(message).into());
        }
    }
    let device = device::open(args.compute.device)?;
    let computing = (device, args.compute.backend);
    let (config, agent) = subject(args, computing)?;
    config.check_control()?;
    let reference =
        args.reference.as_ref().map(|run| opened(run, Which::Last, Some(&config), computing)).transpose()?;
    let reference = reference.map(|(_, agent)| agent);
    let learning = learning(&args.learning, &config, &*agent)?;
    let (lives, episodes, seed) = (args.lives as usize, args.episodes, args.seed);
    let protocol = Protocol { split: args.split, lives, episodes, seed };
    let learns = learning.unwrap_or(Learning { guard: None, ..Learning::default() });
    let policies = (Policy::Learning(&*agent, learns), reference.as_deref());
    let mut lived = Vec::with_capacity(lives);
    let ended = stop::catch(|| all(args, &config, policies, &protocol, &mut lived));
    let subject = Subject { preset: &config.name, learner: config.learner.name };
    let summary = (!lived.is_empty()).then(|| metrics::score(&subject, &protocol, learning.as_ref(), &lived));
    if let (Some(file), Some(summary)) = (&args.log, &summary) {
        keep(file, &config, summary, &lived)?;
    }
    let Ok(done) = ended else {
        message::say(&format!("stopped early, after {} of {lives} lives: there is no result", lived.len()));
        return Ok(());
    };
    done?;
    let summary = summary.expect("a life was asked for");
    match args.format {
        Format::Json => {
            let last = json!({ "summary": summary, "run": args.run });
            Ok(print(&(serde_json::to_string(&last)? + "\n"))?)
        }
        Format::Text => Ok(print(&text::of(&summary, &lived))?),
    }
}

/// Lives all lives, and prints their episodes if programs are to read them.
fn all(
    args: &LiveArgs,
    config: &Experiment,
    policies: (Policy<'_>, Option<&dyn Agent>),
    protocol: &Protocol,
    lived: &mut Vec<Lived>,
) -> Result<()> {
    // hidden unless on a terminal
    let bar = ProgressBar::new(protocol.lives as u64);
    let mut printed = Ok(());
    live::live(config, policies, protocol, (args.compute.num_actors(), args.log.is_some()), |life| {
        if args.format == Format::Json && printed.is_ok() {
            printed = lines(&life);
        }
        // what was printed takes much room
        lived.push(Lived { courses: Vec::new(), ..life });
        bar.inc(1);
    })?;
    bar.finish_and_clear();
    printed
}

/// Prints the episodes of a life, one object a line.
fn lines(life: &Lived) -> Result<()> {
    let mut text = Vec::new();
    for (episode, slot) in life.slots.iter().enumerate() {
        serde_json::to_writer(&mut text, &Event::new(life, episode, slot))?;
        writeln!(text).expect("memory takes all");
    }
    Ok(print(&String::from_utf8(text).expect("JSON is text"))?)
}

/// Writes the log.
fn keep(file: &Path, config: &Experiment, summary: &Summary, lived: &[Lived]) -> Result<()> {
    let run = json!({
        "version": env!("CARGO_PKG_VERSION"), "preset": config.name, "learner": config.learner.name,
        "tasks": task_digests(config)?, "lives": summary.protocol, "learning": summary.learning,
    });
    let text = log::text(&run, lived.iter().flat_map(|life| &life.log))?;
    output::write(file, text.as_bytes())
}

/// Checks a log.
fn verify(file: &Path) -> Result<()> {
    let name = file.display().to_string();
    let text = fs::read_to_string(file).during(|| format!("cannot read {name}"))?;
    let entries = log::verify(&name, &text)?;
    Ok(print(&format!("{name}: {entries} adaptations, as they were written\n"))?)
}

/// Device and arithmetic.
type Computing = (Device, Option<BackendChoice>);

/// The world and the policy that lives in it. Lives are spread over threads, so that an agent computes by one.
fn subject(args: &LiveArgs, computing: Computing) -> Result<(Experiment, Box<dyn Agent>)> {
    match (&args.run, &args.preset) {
        (Some(run), Some(preset)) => {
            let world = presets::load_control(preset, &[])?;
            opened(run, args.checkpoint, Some(&world), computing)
        }
        (Some(run), None) => opened(run, args.checkpoint, None, computing),
        (None, preset) => {
            let name = args.learner.as_ref().expect("the parser asks for one");
            let preset = preset.as_ref().expect("the parser asks for it");
            if Kind::from_name(name).is_none() && recipes::find(name).is_none() {
                return Err(learners::unknown(name).into());
            }
            let config = presets::load_control(preset, &[format!("learner={name}")])?;
            let learner = train::learner(&config, computing.0, computing.1.unwrap_or_default(), 1)?;
            let agent = learner.agent();
            Ok((config, agent))
        }
    }
}

/// The policy of a run, in its own world or in that of `world`.
fn opened(
    run: &Path,
    which: Which,
    world: Option<&Experiment>,
    (device, backend): Computing,
) -> Result<(Experiment, Box<dyn Agent>)> {
    let Trained { config, agent, dir, .. } = Trained::open(run, which, device, backend, 1)?;
    let Some(world) = world else { return Ok((config, agent)) };
    config.check_control()?;
    let moved = Experiment::new(Config {
        name: world.name.clone(),
        task: world.task.clone(),
        evaluation: (**world).evaluation.clone(),
        ..(*config).clone()
    })?;
    let (of_run, of_world) = (config.env().spec().name, moved.env().spec().name);
    let (has, sees) = (agent.policies().layout.obs_dim(), registry::policy(&moved).obs_dim());
    if of_run != of_world || has != sees {
        let message = format!(
            "{}: its policy is for {of_run} with {has} readings, but {} has {of_world} with {sees}",
            dir.display(),
            world.name
        );
        return Err(WrongUsage(message).into());
    }
    Ok((moved, agent))
}

/// The way of learning that the options ask for; `None` for a policy that does not learn by gradient.
fn learning(args: &LearningArgs, config: &Experiment, agent: &dyn Agent) -> Result<Option<Learning>> {
    let given = [
        ("--every", args.every.is_some()),
        ("--steps", args.steps.is_some()),
        ("--anchor", args.anchor.is_some()),
        ("--window", args.window.is_some()),
        ("--half-life", args.half_life.is_some()),
        ("--importance", args.importance.is_some()),
        ("--detector", args.detector.is_some()),
        ("--test", args.test.is_some()),
        ("--threshold", args.threshold.is_some()),
        ("--guard", args.guard == Some(Switch::On)),
        ("--level", args.level.is_some()),
    ];
    if agent.adapts() != Adapts::ByGradient {
        let Some((option, _)) = given.into_iter().find(|(_, given)| *given) else { return Ok(None) };
        let learner = config.learner.name;
        let why = "adapts while it acts, by its memory, and takes no gradient steps";
        return Err(WrongUsage(format!("{option} has no effect: {learner} {why}")).into());
    }
    let least = config.horizon().div_ceil(250);
    if let Some(every) = args.every.filter(|every| *every < least) {
        return Err(WrongUsage(format!("--every {every} must be at least {least} ticks on this preset")).into());
    }
    if args.level.is_some() && args.guard == Some(Switch::Off) {
        return Err(WrongUsage("--level has no effect with --guard off".into()).into());
    }
    let detector = detector(args, config)?;
    let usual = Learning::default();
    let guard = args.guard != Some(Switch::Off);
    Ok(Some(Learning {
        every: args.every.unwrap_or(usual.every),
        steps: args.steps.map_or(usual.steps, usize::from),
        anchor: args.anchor.map_or(usual.anchor, |share| share as f32),
        window: args.window.unwrap_or(usual.window),
        half_life: args.half_life.unwrap_or(usual.half_life),
        importance: args.importance.map_or(usual.importance, |choice| choice == Switch::On),
        detector,
        guard: guard.then(|| args.level.or(usual.guard)).flatten(),
    }))
}

/// The detector that the options ask for.
fn detector(args: &LearningArgs, config: &Experiment) -> Result<Option<Detection>> {
    let watch = args.detector.and_then(DetectorName::watch);
    if !matches!(watch, Some(Watch::Returns | Watch::Prediction)) && (args.test.is_some() || args.threshold.is_some()) {
        let why = "--test and --threshold have no effect: there is no quantity to test with this --detector";
        return Err(WrongUsage(why.into()).into());
    }
    if watch == Some(Watch::Notified) && config.task.settings().notify.level == NotifyLevel::None {
        let none = format!("{} has no notifications: set task.notify.level in a file of your own", config.name);
        return Err(ConfigError::NotFound(none).into());
    }
    Ok(watch.map(|watch| {
        let usual = Detection::of(watch);
        Detection {
            test: args.test.map_or(usual.test, TestName::test),
            threshold: args.threshold.unwrap_or(usual.threshold),
            ..usual
        }
    }))
}
