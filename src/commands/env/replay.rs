//! `env replay`: recorded actions run through the dynamics in `f64`, one JSON line in, one out.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufRead, BufReader, Read, Write},
    path::Path,
};

use metadrift_envs::{
    ActionSpace, EnvKind, EnvSpec, Initial, IntegratorKind as Integrator, ParamSpec, TaskError, Trajectory, channels,
    replay_kind,
};
use serde::{Deserialize, Serialize};

use super::find;
use crate::{
    config::nearest,
    failure::{Coded, Result, code},
};

/// Longest line that is read (bytes), for about ten million steps.
const MAX_LINE: u64 = 256 << 20;

/// The error if action sequences cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The file cannot be read.
    #[error("cannot read {file}")]
    Unreadable {
        /// Its name.
        file: String,
        /// The operating system's error.
        source: io::Error,
    },
    /// A line cannot be replayed.
    #[error("{file}, line {line}: {fault}")]
    Line {
        /// Name of the file.
        file: String,
        /// Number of the line, from 1.
        line: u64,
        /// The fault of the line.
        fault: Fault,
    },
}

impl Coded for ReplayError {
    fn code(&self) -> u8 {
        match self {
            ReplayError::Line { fault: Fault::BadValue(_), .. } => code::CONFIG,
            _ => code::FILE,
        }
    }
}

/// A fault of a line.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum Fault {
    /// The line is not JSON or has the wrong shape; the text names the column.
    #[error("{0}")]
    Malformed(String),
    /// A name or value is not legal in the environment; the text names it and the legal ones.
    #[error("{0}")]
    BadValue(String),
}

impl From<TaskError> for Fault {
    fn from(error: TaskError) -> Self {
        Fault::BadValue(error.to_string())
    }
}

/// A line of the input; further keys are ignored.
#[derive(Deserialize)]
struct Request {
    env: String,
    params: Option<BTreeMap<String, f64>>,
    integrator: Option<String>,
    initial_state: InitialState,
    actions: Vec<f64>,
}

/// Initial state of a replay: numbers, or a seed as in Gymnasium.
#[derive(Deserialize)]
#[serde(untagged, expecting = "initial_state: expected an array of numbers or {\"seed\": whole number, 0 to 2^64 - 1}")]
enum InitialState {
    State(Vec<f64>),
    Seed(Seed),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Seed {
    seed: u64,
}

/// A line of the output.
#[derive(Serialize)]
struct Answer {
    states: Vec<Vec<f64>>,
    /// The `f32` values, written as the equal `f64`, so that a reader need not round.
    observations: Vec<Vec<f64>>,
    rewards: Vec<f64>,
    terminated: Vec<bool>,
}

/// Replays the file at `path`; `-` is standard input.
///
/// # Errors
/// [`ReplayError`] at the first line that cannot be replayed, after the answers to those before it; an
/// [`io::Error`] if the output cannot be written. A reader that has seen enough is no error.
pub fn run(path: &Path) -> Result<()> {
    let out = io::stdout().lock();
    if path == Path::new("-") {
        return replay_lines("standard input", io::stdin().lock(), out);
    }
    let name = path.display().to_string();
    let file = File::open(path).map_err(|source| ReplayError::Unreadable { file: name.clone(), source })?;
    replay_lines(&name, BufReader::new(file), out)
}

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Answers line by line, each as soon as it is read.
fn replay_lines(file: &str, mut input: impl BufRead, mut out: impl Write) -> Result<()> {
    let mut text = Vec::new();
    for line in 1.. {
        text.clear();
        let read = input.by_ref().take(MAX_LINE).read_until(b'\n', &mut text);
        let read = read.map_err(|source| ReplayError::Unreadable { file: file.to_owned(), source })?;
        if read == 0 {
            break;
        }
        if read as u64 == MAX_LINE {
            let fault = Fault::Malformed(format!("longer than {} MiB", MAX_LINE >> 20));
            return Err(ReplayError::Line { file: file.to_owned(), line, fault }.into());
        }
        // some editors begin a file with a byte order mark
        let text = if line == 1 { text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text) } else { &text };
        if text.trim_ascii().is_empty() {
            continue;
        }
        let answer = answer(text).map_err(|fault| ReplayError::Line { file: file.to_owned(), line, fault })?;
        let mut json = serde_json::to_vec(&answer)?;
        json.push(b'\n');
        match out.write_all(&json).and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
            other => other?,
        }
    }
    Ok(())
}

/// Replays one line.
fn answer(text: &[u8]) -> Result<Answer, Fault> {
    let request: Request = serde_json::from_slice(text.trim_ascii_end()).map_err(|error| unparsable(text, &error))?;
    let kind = find(&request.env, "env")?;
    let spec = kind.spec();
    let params = request.params.unwrap_or_default();
    let params: Vec<(&str, f64)> = params.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    params.iter().try_for_each(|(name, value)| check_fault(spec, name, *value))?;
    let integrator = request.integrator.as_deref().map(integrator).transpose()?;
    check_actions(spec, &request.actions)?;
    let initial = match &request.initial_state {
        InitialState::State(state) => Initial::State(state),
        InitialState::Seed(Seed { seed }) => Initial::Seed(*seed),
    };
    let trajectory = replay_kind(kind, integrator, &params, initial, &request.actions);
    let trajectory = trajectory.map_err(|error| match error {
        TaskError::UnknownChannel { name, .. } => unknown_param(kind, &name),
        TaskError::OutOfRange { .. } | TaskError::NotFinite { .. } => Fault::BadValue(format!("params.{error}")),
        other => other.into(),
    })?;
    check_finite(&trajectory)?;
    let observations = trajectory.observations.iter().map(|obs| obs.iter().map(|x| f64::from(*x)).collect());
    Ok(Answer {
        observations: observations.collect(),
        states: trajectory.states,
        rewards: trajectory.rewards,
        terminated: trajectory.terminated,
    })
}

/// The parser's error with its column; NaN and numbers that are too large count as bad values rather than bad JSON.
fn unparsable(text: &[u8], error: &serde_json::Error) -> Fault {
    let message = error.to_string();
    let what = message.rsplit_once(" at line ").map_or(message.as_str(), |(what, _)| what);
    let column = error.column();
    let from = text.get(column.saturating_sub(2)..).unwrap_or_default();
    let from = from.strip_prefix(b"-").or(from.get(1..)).unwrap_or_default();
    if from.starts_with(b"NaN") || from.starts_with(b"Infinity") {
        return Fault::BadValue(format!("column {column}: every number must be finite"));
    }
    if what.starts_with("number out of range") {
        return Fault::BadValue(format!(
            "column {column}: a number too large for 64 bits; every number must be finite"
        ));
    }
    Fault::Malformed(format!("column {column}: {what}"))
}

fn integrator(name: &str) -> Result<Integrator, Fault> {
    let found = Integrator::ALL.iter().find(|(of, _)| *of == name);
    found.map(|(_, integrator)| *integrator).ok_or_else(|| {
        let names = Integrator::ALL.map(|(name, _)| name);
        let near = suggestion(name, names.into_iter());
        Fault::BadValue(format!("integrator: there is no `{name}`{near} ({})", names.join(", ")))
    })
}

fn unknown_param(kind: EnvKind, name: &str) -> Fault {
    let spec = kind.spec();
    let known: Vec<&str> = spec.params.iter().map(|param| param.name).collect();
    let near = suggestion(name, known.iter().copied());
    let all = if known.is_empty() { "it has none".to_owned() } else { known.join(", ") };
    Fault::BadValue(format!("params: {} has no parameter `{name}`{near} ({all})", spec.name))
}

fn suggestion<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    nearest(name, known).map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

/// Refuses faults of actuator and sensors, which a replay would ignore.
fn check_fault(spec: &EnvSpec, name: &str, value: f64) -> Result<(), Fault> {
    let is_param = |param: &ParamSpec| param.name == name;
    let channel = channels(spec).into_iter().find(|channel| channel.name == name);
    match channel {
        Some(channel) if !spec.params.iter().any(is_param) && value != channel.default => {
            Err(Fault::BadValue(format!(
                "params.{name}: a replay has a healthy actuator and healthy sensors; only {} is possible",
                channel.default
            )))
        }
        _ => Ok(()),
    }
}

fn check_actions(spec: &EnvSpec, actions: &[f64]) -> Result<(), Fault> {
    let Some(step) = actions.iter().position(|action| !spec.action.contains(*action)) else {
        return Ok(());
    };
    let legal = match spec.action {
        ActionSpace::Discrete(count) => format!("a whole number in [0, {}]", count - 1),
        ActionSpace::Box { .. } => "a finite number".to_owned(),
    };
    let action = actions[step];
    Err(Fault::BadValue(format!("actions[{step}]: {action} is not an action of {}: {legal}", spec.name)))
}

/// Refuses results that are not finite: JSON would turn them into `null`.
fn check_finite(trajectory: &Trajectory) -> Result<(), Fault> {
    for step in 0..trajectory.states.len() {
        let state = trajectory.states[step].iter().all(|x| x.is_finite());
        let observation = trajectory.observations[step].iter().all(|x| x.is_finite());
        let what = match (state, observation, trajectory.rewards[step].is_finite()) {
            (false, ..) => "the state",
            (_, false, _) => "the observation (f32)",
            (_, _, false) => "the reward",
            _ => continue,
        };
        let problem = format!("{what} after step {} is not finite: initial_state or params are too extreme", step + 1);
        return Err(Fault::BadValue(problem));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
