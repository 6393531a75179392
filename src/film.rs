//! Films of a task as GIFs: of the controller with full knowledge, and of a policy before and after adaptation.

use std::ops::Range;

use metadrift_agents::{agent::Agent, stop};
use metadrift_envs::{Clocks, Purpose, Stream, Task, channel_index};

use crate::{
    config::Experiment,
    control::{
        Controlled, Random,
        episodes::{self, Stretch},
        privileged,
    },
    evaluate::{Change, Protocol, adapt, changes},
    failure::Result,
    life::Life,
    memory,
    render::{
        Canvas, decimal, frames,
        scene::{Moment, Painter, SIZE},
        strip,
    },
    rollout::{
        Actions, actor,
        steps::{Actor, Memories},
    },
};

/// Largest number of frames of a film.
const FRAMES: usize = 600;

/// Ticks of a film before a sudden change, and after the recovery from it.
const AROUND: (usize, usize) = (75, 150);

/// The room that a film may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// Any, at 25 frames a second.
    Any,
    /// That in a page or a log: 1 MiB, and half of the frames.
    Small,
}

/// Largest small film (B).
const SMALL: usize = 1 << 20;

/// A film.
#[derive(Clone, Debug, PartialEq)]
pub struct Gif {
    /// The file.
    pub bytes: Vec<u8>,
    /// Width and height (pixels).
    pub size: (u16, u16),
    /// Number of frames.
    pub frames: usize,
    /// The panels, from the left: title and outcome.
    pub told: Vec<(String, String)>,
}

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

/// A film of the oracle or, if the environment has none, of random actions.
///
/// # Errors
/// If there is not enough memory.
pub fn unlearned(config: &Experiment, task: &Task, seed: u64) -> Result<Gif> {
    let env = config.env();
    let tasks = std::slice::from_ref(task);
    let title = |who: &str| format!("{who} on {}, task {}/{}", config.name, task.id.split, task.id.index);
    let taken = match privileged::controller(env) {
        Some(known) => {
            let mut actor = Controlled::new(env, (tasks, 1), |_, _| known.clone());
            take(config, task, seed, (whole(config), 0), title("oracle"), &mut actor)?
        }
        None => {
            let mut actor = Controlled::new(env, (tasks, 1), |_, _| Random::new(env.spec().action, seed, 0));
            take(config, task, seed, (whole(config), 0), title("random actions"), &mut actor)?
        }
    };
    encode(config, task, &cut(task, vec![taken]), Room::Any)
}

/// All phases of a life.
fn whole(config: &Experiment) -> Range<usize> {
    0..Life::evaluation(config).phases
}

/// A film of a policy on `task` with and without the adaptation of `protocol`: the same ticks, from the same initial state.
/// One that does not adapt between phases is filmed alone, under `name`.
///
/// # Errors
/// If there is not enough memory, or an adapted policy is not finite.
pub fn before_and_after(
    config: &Experiment,
    (name, agent): (&str, &dyn Agent),
    task: &Task,
    (protocol, actors): (&Protocol, usize),
    room: Room,
) -> Result<Gif> {
    let steps = agent.adapts().steps(protocol.adapt_steps);
    let protocol = Protocol { tasks: 1, adapt_steps: steps, ..*protocol };
    let phases = if steps == 0 { whole(config) } else { steps..steps + 1 };
    let film = |title: String, agent: &dyn Agent| {
        let policies = agent.policies();
        let policy = (policies.layout, &policies.params[0][..]);
        let place = || format!("the film `{title}`");
        let stream = Stream::new(protocol.seed, Purpose::EvaluationAction);
        let of = (config.env().spec(), 1);
        let mut actor = actor(policy, of, Actions::Deterministic, stream, &place, &Memories::new());
        take(config, task, protocol.seed, (phases.clone(), policies.layout.window()), title.clone(), &mut *actor)
    };
    let mut unadapted = agent.duplicate();
    unadapted.begin(1);
    let taken = if steps == 0 {
        vec![film(name.to_owned(), &*unadapted)?]
    } else {
        let adapted = adapt(config, agent, actors, &protocol, std::slice::from_ref(task))?;
        vec![film("without adaptation".into(), &*unadapted)?, film("after adaptation".into(), &*adapted)?]
    };
    encode(config, task, &cut(task, taken), room)
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

/// The films side by side as a GIF, as near to real time as the format allows. Frames are left out until it has its room.
fn encode(config: &Experiment, task: &Task, films: &[Film], room: Room) -> Result<Gif> {
    let env = config.env();
    let step = ["tau", "dt"].into_iter().find_map(|name| channel_index(env.spec(), name).ok());
    let step = step.map_or(0.05, |channel| task.values[channel]);
    let longest = films.iter().map(|film| film.moments.len()).max().unwrap_or(0);
    // browsers show no more than 50 frames a second; 25 are enough
    let mut stride = ((0.04 / step).round() as usize).max(longest.div_ceil(FRAMES)).max(1);
    if room == Room::Small {
        stride *= 2;
    }
    let painter = Painter::new(env, shown(config, task));
    let size = ((SIZE.0 * films.len()) as u16, SIZE.1 as u16);
    let told = films.iter().map(|film| (film.title.clone(), film.told.clone())).collect();
    loop {
        let delay = ((step * stride as f64 * 100.0).round() as u16).max(2);
        let ticks: Vec<usize> = (0..longest).step_by(stride).chain([longest - 1]).collect();
        let bytes = pictures(&painter, films, size, (&ticks, delay))?;
        if room == Room::Any || bytes.len() <= SMALL || stride >= longest {
            return Ok(Gif { bytes, size, frames: ticks.len(), told });
        }
        stride *= 2;
    }
}

/// The films at the ticks that have a frame, each of which stays for `delay` (s / 100).
fn pictures(painter: &Painter, films: &[Film], size: (u16, u16), (ticks, delay): (&[usize], u16)) -> Result<Vec<u8>> {
    let mut encoder = gif::Encoder::new(Vec::new(), size.0, size.1, &[])?;
    encoder.set_repeat(gif::Repeat::Infinite)?;
    let mut before = None;
    for (at, tick) in ticks.iter().enumerate() {
        stop::check();
        let mut canvas = Canvas::new(size.0.into(), size.1.into(), [255; 3]);
        for (place, film) in films.iter().enumerate() {
            let now = *tick.min(&(film.moments.len() - 1));
            canvas.paste(&painter.paint(&film.moments[now], &film.title), place * SIZE.0);
            if !film.changes.is_empty() {
                strip::draw(&mut canvas, place * SIZE.0, SIZE.0, (&film.changes, film.moments.len()), now);
            }
        }
        let mut frame = frames::next(before.as_ref(), &canvas);
        before = Some(canvas);
        frame.delay = if at + 1 == ticks.len() { 150 } else { delay };
        encoder.write_frame(&frame)?;
    }
    Ok(encoder.into_inner()?)
}

/// The channels that distinguish this task: those that drift, then those with another value than their default.
fn shown(config: &Experiment, task: &Task) -> Vec<usize> {
    let drifting: Vec<usize> = task.drifts.iter().map(|drift| drift.channel).collect();
    let spec = metadrift_envs::channels(config.env().spec());
    let unusual = (0..spec.len()).filter(|k| spec[*k].default != task.values[*k] && !drifting.contains(k));
    drifting.iter().copied().chain(unusual).collect()
}
