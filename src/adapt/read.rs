//! A log of episodes as experience.

use std::collections::HashSet;

use csv::StringRecord;
use metadrift_agents::rollout::{Rollout, Shape};

use super::{
    columns::{Columns, TERMINATED, TRUNCATED},
    header,
};
use crate::failure::{Coded, code};

/// A fault of a log, with its place.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}, line {line}{}: {problem}", .column.as_ref().map_or_else(String::new, |name| format!(", column {name}")))]
pub struct LogError {
    /// Name of the file.
    pub file: String,
    /// Number of the line, from 1.
    pub line: u64,
    /// Name of the column, if the fault is of one cell.
    pub column: Option<String>,
    /// The fault, and its remedy.
    pub problem: String,
}

impl Coded for LogError {
    fn code(&self) -> u8 {
        code::FILE
    }
}

/// A log as it was read.
#[derive(Debug)]
pub struct Log {
    /// The steps, a lane for each episode; log-probabilities are 0.
    pub data: Rollout,
    /// Number of episodes.
    pub episodes: usize,
    /// Number of the line of each step, `[steps, episodes]`; 0 for padding.
    pub lines: Vec<u64>,
}

/// The form that a log must have.
#[derive(Clone, Copy, Debug)]
pub struct Form<'a> {
    /// Name of the file, for messages.
    pub file: &'a str,
    /// The columns.
    pub columns: &'a Columns,
    /// Shortest and longest time of a step (s).
    pub periods: [f64; 2],
    /// Number of values of an observation that are the environment's own.
    pub own_obs: usize,
    /// Time limit of an episode (steps).
    pub horizon: u32,
}

/// Reads the log `text`.
///
/// # Errors
/// [`LogError`], the first fault.
pub fn read(text: &[u8], form: &Form<'_>) -> Result<Log, LogError> {
    // so that lines are counted as an editor counts them
    let text: Vec<u8> = text.iter().copied().filter(|byte| *byte != b'\r').collect();
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(&text[..]);
    let mut rows = Rows { form, steps: Vec::new(), episodes: 0, open: None, known: HashSet::new() };
    let mut record = StringRecord::new();
    let mut line = 0;
    loop {
        let more = reader.read_record(&mut record).map_err(|error| {
            let at = error.position().map_or(line + 1, csv::Position::line);
            form.error(at, None, format!("it cannot be read as CSV: {error}"))
        })?;
        if !more {
            break;
        }
        let is_first = line == 0;
        line = record.position().map_or(line + 1, csv::Position::line);
        if is_first {
            header::check(&record, line, form)?;
        } else {
            rows.add(&record, line)?;
        }
    }
    if line == 0 {
        return Err(form.error(1, None, format!("it is empty; the first line is {}", form.columns.names.join(","))));
    }
    rows.finish(line)
}

impl Form<'_> {
    /// The error at a place.
    pub(super) fn error(&self, line: u64, column: Option<&str>, problem: String) -> LogError {
        LogError { file: self.file.to_owned(), line, column: column.map(str::to_owned), problem }
    }
}

/// A step, and the observation after it.
struct Step {
    line: u64,
    number: u32,
    obs: Vec<f32>,
    action: Vec<f32>,
    reward: f32,
    next_obs: Vec<f32>,
    terminated: bool,
    truncated: bool,
}

/// The episode that a row belongs to.
struct Open {
    id: u64,
    /// Time of the last row (s).
    time: f64,
    steps: u32,
}

/// The rows read so far.
struct Rows<'a> {
    form: &'a Form<'a>,
    steps: Vec<Step>,
    episodes: usize,
    /// The episode that has not ended yet.
    open: Option<Open>,
    /// Numbers of the episodes that have ended.
    known: HashSet<u64>,
}

impl Rows<'_> {
    fn add(&mut self, record: &StringRecord, line: u64) -> Result<(), LogError> {
        let Columns { names, obs_dim, act_dim, .. } = self.form.columns;
        if record.len() != names.len() {
            let problem = format!("it has {} cells where the first line has {}", record.len(), names.len());
            return Err(self.form.error(line, None, problem));
        }
        let cells = Cells { form: self.form, record, line };
        self.place(&cells)?;
        let obs: Vec<f32> = (2..2 + obs_dim).map(|at| cells.number(at)).collect::<Result<_, _>>()?;
        let open = self.open.as_mut().expect("the row has an episode");
        if open.steps > 0 {
            let before = self.steps.last_mut().expect("a step of this episode");
            before.next_obs.clone_from(&obs);
        }
        let end = names.len() - 1;
        let ended = match &record[end] {
            "" => None,
            TERMINATED => Some(true),
            TRUNCATED => Some(false),
            other => {
                return Err(cells.error(end, format!("`{other}` is neither {TERMINATED} nor {TRUNCATED} nor empty")));
            }
        };
        let Some(terminated) = ended else {
            let action = (0..*act_dim).map(|k| cells.action(2 + obs_dim + k)).collect::<Result<_, _>>()?;
            let reward = cells.number(end - 1)?;
            let number = open.steps;
            open.steps += 1;
            let (next_obs, terminated, truncated) = (Vec::new(), false, false);
            self.steps.push(Step { line, number, obs, action, reward, next_obs, terminated, truncated });
            return Ok(());
        };
        if let Some(at) = (2 + obs_dim..end).find(|at| !record[*at].is_empty()) {
            let problem = "the row that ends an episode has the last observation, and no action and no reward";
            return Err(cells.error(at, problem.to_owned()));
        }
        if open.steps == 0 {
            return Err(cells.error(0, format!("episode {} ends without a step", open.id)));
        }
        let last = self.steps.last_mut().expect("a step of this episode");
        (last.terminated, last.truncated) = (terminated, !terminated);
        self.known.insert(open.id);
        self.open = None;
        self.episodes += 1;
        Ok(())
    }

    /// Checks episode and time of a row, and opens a new episode.
    fn place(&mut self, cells: &Cells<'_>) -> Result<(), LogError> {
        let id: u64 = cells.record[0].parse().map_err(|_| cells.error(0, cells.wrong(0, "a whole number")))?;
        let time = cells.record[1].parse::<f64>().ok().filter(|time| time.is_finite());
        let time = time.ok_or_else(|| cells.error(1, cells.wrong(1, "a finite number")))?;
        match &mut self.open {
            Some(open) if open.id == id => {
                check_time(cells, time - open.time)?;
                open.time = time;
            }
            Some(open) => {
                let problem = format!("episode {id} begins, but episode {} has no end; {ENDS}", open.id);
                return Err(cells.error(0, problem));
            }
            None if self.known.contains(&id) => {
                return Err(
                    cells.error(0, format!("episode {id} goes on after its end; its rows must follow each other"))
                );
            }
            None => self.open = Some(Open { id, time, steps: 0 }),
        }
        Ok(())
    }

    fn finish(self, line: u64) -> Result<Log, LogError> {
        if let Some(open) = self.open {
            return Err(self.form.error(line, Some("end"), format!("episode {} has no end; {ENDS}", open.id)));
        }
        if self.steps.is_empty() {
            return Err(self.form.error(line, None, "there is no episode in it".to_owned()));
        }
        let Columns { obs_dim, act_dim, .. } = *self.form.columns;
        let longest = self.steps.iter().map(|step| step.number as usize + 1).max().unwrap_or(0);
        if longest * self.episodes > MOST {
            let problem =
                format!("{} episodes of up to {longest} steps are too many at once; divide the log", self.episodes);
            return Err(self.form.error(line, None, problem));
        }
        let shape = Shape { tasks: 1, steps: longest, envs: self.episodes, obs_dim, act_dim };
        let mut data = Rollout::new(shape, self.form.horizon).with_own_obs(self.form.own_obs);
        let mut lines = vec![0; longest * self.episodes];
        let mut slabs = data.slabs();
        let mut lane = 0;
        for step in self.steps {
            let number = step.number as usize;
            let row = slabs[0].row(number);
            row.obs[lane * obs_dim..][..obs_dim].copy_from_slice(&step.obs);
            row.next_obs[lane * obs_dim..][..obs_dim].copy_from_slice(&step.next_obs);
            row.action[lane * act_dim..][..act_dim].copy_from_slice(&step.action);
            (row.reward[lane], row.episode_step[lane]) = (step.reward, step.number);
            (row.terminated[lane], row.truncated[lane]) = (step.terminated, step.truncated);
            lines[number * self.episodes + lane] = step.line;
            slabs[0].valid_steps[lane] = step.number + 1;
            lane += usize::from(step.terminated || step.truncated);
        }
        drop(slabs);
        Ok(Log { data, episodes: self.episodes, lines })
    }
}

/// The form of an end, for messages.
const ENDS: &str = "its last row has the last observation, no action, no reward, and `terminated` or `truncated` in \
                    column end";

/// Most steps of all episodes, if all were as long as the longest: more would not fit into the memory of small machines.
const MOST: usize = 1 << 25;

/// Share of a step by which its time may differ: clocks jitter.
const JITTER: f64 = 0.1;

/// Refuses a step of another length than those of the preset.
fn check_time(cells: &Cells<'_>, step: f64) -> Result<(), LogError> {
    let [shortest, longest] = cells.form.periods;
    if (shortest * (1.0 - JITTER)..=longest * (1.0 + JITTER)).contains(&step) {
        return Ok(());
    }
    let usual = if shortest == longest { format!("{shortest}") } else { format!("{shortest} to {longest}") };
    let what = if step > longest { "a gap, or another sample period" } else { "another sample period" };
    // no more digits than a reader needs
    let step = (step * 1e9).round() / 1e9;
    let problem = format!("{step} after the row before, where a step takes {usual}: {what}; logs are not resampled");
    Err(cells.error(1, problem))
}

/// The cells of a row.
struct Cells<'a> {
    form: &'a Form<'a>,
    record: &'a StringRecord,
    line: u64,
}

impl Cells<'_> {
    fn error(&self, at: usize, problem: String) -> LogError {
        self.form.error(self.line, Some(&self.form.columns.names[at]), problem)
    }

    fn wrong(&self, at: usize, expected: &str) -> String {
        match &self.record[at] {
            "" => format!("it is empty where {expected} is expected"),
            cell => format!("`{cell}` is not {expected}"),
        }
    }

    /// The finite number in cell `at`.
    fn number(&self, at: usize) -> Result<f32, LogError> {
        let number = self.record[at].parse::<f32>().ok().filter(|number| number.is_finite());
        number.ok_or_else(|| self.error(at, self.wrong(at, "a finite number")))
    }

    /// The action in cell `at`, in the policy's unit.
    fn action(&self, at: usize) -> Result<f32, LogError> {
        let Columns { space, scale, .. } = self.form.columns;
        let number = self.record[at].parse::<f64>().ok().filter(|number| space.contains(*number));
        let [low, high] = space.ends();
        let legal = match space {
            metadrift_envs::ActionSpace::Discrete(_) => format!("a whole number from {low} to {high}"),
            metadrift_envs::ActionSpace::Box { .. } => "a finite number".to_owned(),
        };
        let number = number.ok_or_else(|| self.error(at, self.wrong(at, &legal)))?;
        // a short text of an f32 is read as one: by way of f64 it could be rounded twice
        if *scale == 1.0 { self.number(at) } else { Ok((number / scale) as f32) }
    }
}

#[cfg(test)]
mod tests;
