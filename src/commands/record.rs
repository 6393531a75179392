//! `record PRESET [--run RUN] --out FILE.gif`

use std::{ops::Range, path::Path};

use metadrift_agents::{agent::Agent, stop};
use metadrift_envs::{Clocks, Purpose, Stream, Task, channel_index};

use crate::{
    cli::RecordArgs,
    commands::print,
    config::{ConfigError, Experiment},
    control::{
        Controlled, Random,
        episodes::{self, Stretch},
        privileged,
    },
    device,
    evaluate::{Change, Protocol, REPORTED, adapt, changes},
    failure::{Result, WrongUsage},
    life::Life,
    memory::{self, Arithmetic},
    output, presets, registry,
    render::{
        Canvas, decimal,
        scene::{Moment, Painter, SIZE},
        strip,
    },
    rollout::{
        Actions, actor,
        steps::{Actor, Memories},
    },
    trained::Trained,
};

/// Largest number of frames of a film.
const FRAMES: usize = 600;

/// Ticks of a film before a sudden change, and after the recovery from it.
const AROUND: (usize, usize) = (75, 150);

/// One panel: a title, its moments, and the sudden changes among them.
struct Film {
    title: String,
    /// Its outcome in words.
    told: String,
    moments: Vec<Moment>,
    changes: Vec<Change>,
}

/// An actor's life in front of the camera, `[phases]`.
struct Take {
    title: String,
    phases: Vec<Phase>,
}

/// A phase of it, tick by tick; of every tick there are the reward, and whether the episode failed and whether it ended.
#[derive(Default)]
struct Phase {
    start: Clocks,
    moments: Vec<Moment>,
    ticks: Vec<(f64, bool, bool)>,
}

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
    let films = match &args.run {
        Some(run) => before_and_after(&config, run, &task, args)?,
        None => vec![unlearned(&config, &task, args)?],
    };
    let films = cut(&task, films);
    let (film, frames) = encode(&config, &task, &films)?;
    output::write(&args.out, &film)?;
    let told: String = films.iter().map(|film| format!("{}: {}\n", film.title, film.told)).collect();
    Ok(print(&format!("{}: {frames} frames\n{told}", args.out.display()))?)
}

/// The oracle or, if the environment has none, random actions.
fn unlearned(config: &Experiment, task: &Task, args: &RecordArgs) -> Result<Take> {
    let env = config.env();
    let tasks = std::slice::from_ref(task);
    let title = |who: &str| format!("{who} on {}, task {}/{}", config.name, args.split, args.task);
    match privileged::controller(env) {
        Some(known) => {
            let mut actor = Controlled::new(env, (tasks, 1), |_, _| known.clone());
            take(config, task, args.seed, (whole(config), 0), title("oracle"), &mut actor)
        }
        None => {
            let mut actor = Controlled::new(env, (tasks, 1), |_, _| Random::new(env.spec().action, args.seed, 0));
            take(config, task, args.seed, (whole(config), 0), title("random actions"), &mut actor)
        }
    }
}

/// All phases of a life.
fn whole(config: &Experiment) -> Range<usize> {
    0..Life::evaluation(config).phases
}

/// The meta-policy on the task with and without adaptation: the same ticks, from the same initial state.
fn before_and_after(config: &Experiment, run: &Path, task: &Task, args: &RecordArgs) -> Result<Vec<Take>> {
    let actors = args.compute.num_actors();
    let device = device::open(args.compute.device)?;
    let Trained { config: trained, agent, .. } =
        Trained::open(run, args.checkpoint, device, args.compute.backend, actors)?;
    trained.check_control()?;
    check_same_world(&trained, config, run)?;
    let arithmetic = Arithmetic::of(&trained, agent.computes_by(), device, actors)?;
    memory::evaluation(config, 1, trained.evaluation.episodes, arithmetic).check()?;
    let steps = agent.adapts().steps(trained.evaluation.adapt_steps);
    let protocol = Protocol {
        split: args.split,
        tasks: 1,
        episodes: trained.evaluation.episodes,
        adapt_steps: steps,
        seed: args.seed,
        draw: REPORTED,
    };
    let tasks = std::slice::from_ref(task);
    let phases = if steps == 0 { whole(config) } else { steps..steps + 1 };
    let film = |title: String, agent: &dyn Agent| {
        let policies = agent.policies();
        let policy = (policies.layout, &policies.params[0][..]);
        let place = || format!("the film `{title}`");
        let stream = Stream::new(args.seed, Purpose::EvaluationAction);
        let of = (config.env().spec(), 1);
        let mut actor = actor(policy, of, Actions::Deterministic, stream, &place, &Memories::new());
        take(config, task, args.seed, (phases.clone(), policies.layout.window()), title.clone(), &mut *actor)
    };
    let mut unadapted = agent.duplicate();
    unadapted.begin(1);
    if steps == 0 {
        return Ok(vec![film(trained.name.clone(), &*unadapted)?]);
    }
    let adapted = adapt(config, &*agent, actors, &protocol, tasks)?;
    Ok(vec![film("without adaptation".into(), &*unadapted)?, film("after adaptation".into(), &*adapted)?])
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

/// The task's life under an actor that sees the last `window` transitions.
fn take(
    config: &Experiment,
    task: &Task,
    seed: u64,
    (phases, window): (Range<usize>, usize),
    title: String,
    actor: &mut dyn Actor,
) -> Result<Take> {
    let life = Life::evaluation(config);
    memory::film(config.env().spec(), (life.phase_steps * phases.len()) as u64).check()?;
    let number = u64::from(task.id.index);
    let stretch = Stretch { window, first_task: number, ..Stretch::new(life, phases.clone()) };
    let begin = |phase| Phase { start: life.start(number, phase), ..Phase::default() };
    let mut taken: Vec<Phase> = phases.clone().map(begin).collect();
    let wide = |numbers: &[f32]| -> Vec<f64> { numbers.iter().copied().map(f64::from).collect() };
    let mut earned = 0.0;
    episodes::run(config.env(), (std::slice::from_ref(task), 1), &stretch, seed, actor, |tick| {
        let phase = &mut taken[tick.clocks.adapt_round as usize - phases.start];
        let over = tick.terminated || tick.truncated;
        earned = if tick.clocks.episode_step == 0 { 0.0 } else { earned } + f64::from(tick.reward);
        phase.ticks.push((tick.reward.into(), tick.terminated, over));
        phase.moments.push(Moment {
            state: wide(tick.state),
            values: tick.values.to_vec(),
            applied: wide(tick.applied),
            earned,
            step: tick.clocks.episode_step + 1,
            over,
        });
    })?;
    Ok(Take { title, phases: taken })
}

/// The ticks around the first sudden change under the last actor, the same of all; the first episode of each if nothing
/// changes suddenly.
fn cut(task: &Task, takes: Vec<Take>) -> Vec<Film> {
    let last = &takes[takes.len() - 1].phases;
    let first = last.iter().enumerate().find_map(|(at, phase)| Some((at, *phase.changes(task).first()?)));
    let film = |Take { title, mut phases }: Take| {
        let Some((at, change)) = first else {
            let phase = phases.swap_remove(0);
            let end = phase.ticks.iter().position(|tick| tick.2).map_or(phase.ticks.len(), |last| last + 1);
            return phase.film(title, 0..end, &[]);
        };
        let end = change.recovered.unwrap_or(change.at) + AROUND.1;
        let phase = phases.swap_remove(at);
        // an actor that rests before shows its last moment
        let ticks = change.at.saturating_sub(AROUND.0).min(phase.ticks.len() - 1)..end.min(phase.ticks.len());
        let changes = phase.changes(task);
        phase.film(title, ticks, &changes)
    };
    takes.into_iter().map(film).collect()
}

impl Phase {
    fn changes(&self, task: &Task) -> Vec<Change> {
        changes(task, self.start, &self.ticks)
    }

    /// The film of `ticks`, with those of `changes` that lie within.
    fn film(mut self, title: String, ticks: Range<usize>, changes: &[Change]) -> Film {
        let told = |change: &&Change| ticks.contains(&change.at);
        let told: Vec<String> = changes.iter().filter(told).map(|change| self.told(change)).collect();
        let changes = changes.iter().filter_map(|change| change.within(&ticks)).collect();
        let moments: Vec<Moment> = self.moments.drain(ticks).collect();
        // a film around a change has no whole episode
        let earned = moments.last().map_or(0.0, |moment| moment.earned);
        let told = if told.is_empty() { format!("return {}", decimal(earned, 1)) } else { told.join("; ") };
        Film { title, told, moments, changes }
    }

    /// A change in words, by the ticks of the life.
    fn told(&self, change: &Change) -> String {
        let after = change.recovered.map(|recovered| recovered - change.at);
        let recovery = after.map_or("not recovered".to_owned(), |ticks| format!("recovered after {ticks} ticks"));
        format!("change at tick {}, {recovery}", self.start.lifetime_step + change.at as u64)
    }
}

/// The films side by side as a GIF, as near to real time as the format allows, and the number of frames.
fn encode(config: &Experiment, task: &Task, films: &[Film]) -> Result<(Vec<u8>, usize)> {
    let env = config.env();
    let step = ["tau", "dt"].into_iter().find_map(|name| channel_index(env.spec(), name).ok());
    let step = step.map_or(0.05, |channel| task.values[channel]);
    let longest = films.iter().map(|film| film.moments.len()).max().unwrap_or(0);
    // browsers show no more than 50 frames a second; 25 are enough
    let stride = ((0.04 / step).round() as usize).max(longest.div_ceil(FRAMES)).max(1);
    let delay = ((step * stride as f64 * 100.0).round() as u16).max(2);
    let painter = Painter::new(env, shown(config, task));
    let size = ((SIZE.0 * films.len()) as u16, SIZE.1 as u16);
    let mut encoder = gif::Encoder::new(Vec::new(), size.0, size.1, &[])?;
    encoder.set_repeat(gif::Repeat::Infinite)?;
    let mut frames = 0;
    for tick in (0..longest).step_by(stride).chain([longest - 1]) {
        stop::check();
        let mut canvas = Canvas::new(size.0.into(), size.1.into(), [255; 3]);
        for (place, film) in films.iter().enumerate() {
            let moment = &film.moments[tick.min(film.moments.len() - 1)];
            canvas.paste(&painter.paint(moment, &film.title), place * SIZE.0);
            if !film.changes.is_empty() {
                let now = tick.min(film.moments.len() - 1);
                strip::draw(&mut canvas, place * SIZE.0, SIZE.0, (&film.changes, film.moments.len()), now);
            }
        }
        let mut frame = gif::Frame::from_rgb_speed(size.0, size.1, canvas.pixels(), 30);
        frame.delay = if tick == longest - 1 { 150 } else { delay };
        encoder.write_frame(&frame)?;
        frames += 1;
    }
    Ok((encoder.into_inner()?, frames))
}

/// The channels that distinguish this task: those that drift, then those with another value than their default.
fn shown(config: &Experiment, task: &Task) -> Vec<usize> {
    let drifting: Vec<usize> = task.drifts.iter().map(|drift| drift.channel).collect();
    let spec = metadrift_envs::channels(config.env().spec());
    let unusual = (0..spec.len()).filter(|k| spec[*k].default != task.values[*k] && !drifting.contains(k));
    drifting.iter().copied().chain(unusual).collect()
}
