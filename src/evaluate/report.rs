//! The result of an evaluation: JSON, a table for people, one row per task as CSV, scalars for the log.

use std::fmt::Write as _;

use metadrift_agents::agent::Adapts;
use serde::Serialize;

use super::{DecisionTime, LifeScore};
use crate::{
    audit::SHORT_MEMORY,
    control::windowed::WINDOW,
    stats::{Censored, Difference, Summary},
};

/// The result, in the shape of its JSON form.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// Name of the configuration.
    pub preset: String,
    /// Number of training iterations of the policy, if it comes from a run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iteration: Option<u64>,
    /// The split: `in-dist` or `ood`.
    pub split: &'static str,
    /// Seed, as in [`Protocol`](super::Protocol).
    pub seed: u64,
    /// Number of tasks, as in [`Protocol`](super::Protocol).
    pub tasks: usize,
    /// Number of lanes per task, as in [`Protocol`](super::Protocol).
    pub lanes: usize,
    /// Fingerprint of each task, `[tasks]`: runs are compared on tasks of equal fingerprints.
    pub fingerprints: Vec<String>,
    /// One point per phase of a life, between which a policy may take gradient steps.
    pub curve: Vec<Point>,
    /// The first episodes of a life; a phase without time for a whole episode has none.
    pub episodes: Vec<Episode>,
    /// Performance around changes, if the world moves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub life: Option<LifeScore>,
    /// Time of a decision, if it was measured (µs).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision_us: Option<DecisionTime>,
    /// Normalised score, as in [`Point`], of the best law that looks back on its last transitions, in the last phase.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub windowed: Option<f64>,
}

/// Returns in one episode of a life, over tasks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Episode {
    /// Its number within the life.
    pub episode: usize,
    /// With sampled actions.
    pub stochastic: Summary,
    /// With the most likely actions.
    pub deterministic: Summary,
    /// As in [`Point`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub normalised: Option<f64>,
}

/// Place of a phase in a life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum At {
    /// Number of gradient steps taken before.
    AdaptSteps(usize),
    /// Number of the phase, for a policy that adapts by its memory.
    Phase(usize),
}

impl At {
    /// Phase `k` of a life.
    pub fn new(adapts: Adapts, k: usize) -> At {
        match adapts {
            Adapts::ByGradient | Adapts::AtOnce => At::AdaptSteps(k),
            Adapts::ByMemory => At::Phase(k),
        }
    }

    /// Number of phases before.
    pub fn number(self) -> usize {
        let (At::AdaptSteps(k) | At::Phase(k)) = self;
        k
    }
}

/// Returns per episode in a phase of a life.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Point {
    /// The phase.
    #[serde(flatten)]
    pub at: At,
    /// Score with sampled actions, on the same episodes that the next step adapts on.
    pub stochastic: Score,
    /// Score with the most likely actions, from the same initial states.
    pub deterministic: Score,
    /// Share of the first episodes that succeed, with the most likely actions, where the environment says what that is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub success: Option<f64>,
    /// Normalised score with the most likely actions, 0 for the best fixed policy and 1 for the oracle, as measured for
    /// the preset on the same ticks; absent if the tasks are not the preset's or the gap is not significant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub normalised: Option<f64>,
    /// Mean return of the controller with full knowledge in this phase, as measured for the preset; absent where it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oracle: Option<f64>,
    /// Mean return of the best fixed law in this phase, as measured for the preset; absent where it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fixed: Option<f64>,
}

/// Returns per episode of the adapted policy, and of the unadapted one on the same ticks from the same initial states:
/// the policy before any gradient step, or without memory of the phases before.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Score {
    /// Summary of the adapted policy's returns over tasks.
    #[serde(flatten)]
    pub summary: Summary,
    /// Difference adapted minus unadapted, by task.
    pub gain: Difference,
    /// Returns of the adapted policy, `[tasks]`.
    pub returns: Vec<f64>,
    /// Returns of the unadapted policy, `[tasks]`.
    pub unadapted: Vec<f64>,
}

impl Score {
    /// The score of `returns`, `[tasks]`, compared with `unadapted`; before the first adaptation, with themselves.
    pub(super) fn new(returns: Vec<f64>, unadapted: Option<Vec<f64>>, seed: u64) -> Self {
        let unadapted = unadapted.unwrap_or_else(|| returns.clone());
        let summary = Summary::of(&returns, seed);
        let gain = Difference::paired(&returns, &unadapted, seed);
        Score { summary, gain, returns, unadapted }
    }
}

/// One of the two kinds of action, with its name for people and files.
type Way = (&'static str, fn(&Point) -> &Score);
const WAYS: [Way; 2] = [("most likely", |point| &point.deterministic), ("sampled", |point| &point.stochastic)];

impl Evaluation {
    /// The result as a table for people, at most 80 columns wide.
    pub fn to_text(&self) -> String {
        let mut text = format!(
            "{}: {} {} tasks, {} lanes each, seed {}\n",
            self.preset, self.tasks, self.split, self.lanes, self.seed
        );
        if let Some(iteration) = self.iteration {
            let _ = writeln!(text, "policy after iteration {iteration}");
        }
        for (name, score) in WAYS {
            let _ = writeln!(
                text,
                "\n{name} actions\n{:>5} {:>8} {:>18} {:>8} {:>9} {:>8} {:>18}",
                if self.remembers() { "phase" } else { "steps" },
                "mean",
                "95 % interval",
                "iqm",
                "worst 10%",
                "gain",
                "95 % interval"
            );
            for point in &self.curve {
                let Score { summary: s, gain, .. } = score(point);
                let interval = |[low, high]: [f64; 2]| format!("[{low:.1}, {high:.1}]");
                let mean = s.mean;
                let within = interval(s.ci95);
                let _ = write!(
                    text,
                    "{:>5} {mean:>8.1} {within:>18} {:>8.1} {:>9.1}",
                    point.at.number(),
                    s.iqm,
                    s.worst_decile
                );
                let _ = match point.at.number() {
                    0 => writeln!(text),
                    _ => writeln!(text, " {:>+8.1} {:>18}", gain.mean, interval(gain.ci95)),
                };
            }
        }
        if self.curve.len() > 1 {
            text += if self.remembers() {
                "\ngain: over the same policy, memory and window wiped; same ticks, states at first\n"
            } else {
                "\ngain: over the unadapted policy on the same ticks and from the same states\n"
            };
        }
        if self.remembers() {
            text += &self.by_episode();
        }
        text + &self.successes() + &self.normalised() + &self.changes() + &self.harm() + &self.decisions()
    }

    /// One line with the time of a decision, if it was measured.
    fn decisions(&self) -> String {
        self.decision_us.map_or(String::new(), |DecisionTime { median, p90 }| {
            format!("a decision takes {median:.1} µs (median), {p90:.1} (90 %), for one system alone\n")
        })
    }

    /// True if the policy adapts by its memory.
    fn remembers(&self) -> bool {
        self.curve.iter().any(|point| matches!(point.at, At::Phase(_)))
    }

    /// A table of the first episodes of a life, for policies that adapt while they act.
    fn by_episode(&self) -> String {
        let mut text = format!("\n{:>7} {:>12} {:>9} {:>9}\n", "episode", "most likely", "worst 10%", "sampled");
        for Episode { episode, stochastic, deterministic, .. } in self.episodes.iter().take(10) {
            let (mean, worst, sampled) = (deterministic.mean, deterministic.worst_decile, stochastic.mean);
            let _ = writeln!(text, "{episode:>7} {mean:>12.1} {worst:>9.1} {sampled:>9.1}");
        }
        text + "\n"
    }

    /// Two lines on sudden changes of the world, if there were any.
    fn changes(&self) -> String {
        let Some(LifeScore { changes, before_change, after_change, recovery_ticks: Some(ticks), .. }) = &self.life
        else {
            return String::new();
        };
        let Censored { median, p90, censored } = ticks;
        let time = |ticks: &Option<usize>| ticks.map_or("never".to_owned(), |ticks| ticks.to_string());
        let reward = |mean: &Option<f64>| mean.map_or(String::new(), |mean| format!("{mean:.2}"));
        format!(
            "{changes} sudden changes: reward per tick {} before and {} after them\n\
             recovery, most likely actions: {} ticks (median), {} (90 %), {censored} censored\n",
            reward(before_change),
            reward(after_change),
            time(median),
            time(p90),
        )
    }

    /// One line with the shares of episodes that succeed.
    fn successes(&self) -> String {
        let share = |point: &Point| Some(format!("{:.1}", 100.0 * point.success?));
        let shares: Vec<String> = self.curve.iter().filter_map(share).collect();
        match shares.is_empty() {
            true => String::new(),
            false => format!("success, most likely actions: {} % of first episodes\n", shares.join(", ")),
        }
    }

    /// One line with the normalised scores, from the smallest number of steps that has one.
    fn normalised(&self) -> String {
        let score = |point: &Point| Some(format!("{:.2}", point.normalised?));
        let scores: Vec<String> = self.curve.iter().filter_map(score).collect();
        if scores.is_empty() {
            return String::new();
        }
        let line = format!("normalised score (0 = best fixed policy, 1 = oracle): {}\n", scores.join(", "));
        line + &self.windowed.map_or(String::new(), |score| {
            let enough = if score >= SHORT_MEMORY { ": a short memory is enough here" } else { "" };
            format!("that of a law with the last {WINDOW} transitions: {score:.2}{enough}\n")
        })
    }

    /// One line for each number of steps after which the policy is worse than without adaptation.
    fn harm(&self) -> String {
        let mut text = String::new();
        for point in self.curve.iter().filter(|point| point.deterministic.gain.is_negative()) {
            let Difference { mean, ci95: [low, high] } = point.deterministic.gain;
            let _ = writeln!(
                text,
                "harm: adaptation lowers the return by {:.1} [{:.1}, {:.1}] {}",
                -mean,
                -high,
                -low,
                after(point.at)
            );
        }
        text
    }

    /// The result as CSV: one row per task, number of adaptation steps and kind of action.
    pub fn to_csv(&self) -> String {
        let mut text = "split,task,fingerprint,adapt_steps,actions,return,unadapted,iteration\n".to_owned();
        let iteration = self.iteration.map_or(String::new(), |iteration| iteration.to_string());
        for point in &self.curve {
            for (name, score) in WAYS {
                let Score { returns, unadapted, .. } = score(point);
                for (task, (fingerprint, (adapted, unadapted))) in
                    self.fingerprints.iter().zip(returns.iter().zip(unadapted)).enumerate()
                {
                    let split = self.split;
                    let k = point.at.number();
                    let _ = writeln!(text, "{split},{task},{fingerprint},{k},{name},{adapted},{unadapted},{iteration}");
                }
            }
        }
        text
    }

    /// Names and values for the log, `eval/<split>/...`; with the most likely actions unless the name says otherwise.
    pub fn scalars(&self) -> Vec<(String, f64)> {
        let mut all = Vec::new();
        for Point { at, stochastic, deterministic, success, normalised, oracle, fixed } in &self.curve {
            let k = at.number();
            let mut add = |name: &str, value| all.push((format!("eval/{}/{name}_k{k}", self.split), value));
            let Summary { mean, iqm, worst_decile, ci95: [low, high] } = deterministic.summary;
            add("return", mean);
            add("return_low", low);
            add("return_high", high);
            add("iqm", iqm);
            add("worst_decile", worst_decile);
            add("sampled", stochastic.summary.mean);
            if k > 0 {
                add("gain", deterministic.gain.mean);
            }
            for (name, value) in
                [("success", success), ("normalised", normalised), ("oracle", oracle), ("fixed", fixed)]
            {
                value.iter().for_each(|value| add(name, *value));
            }
        }
        all
    }

    /// Names and returns, one for each task, for the log, `eval/<split>/returns_k<k>`, with the most likely actions.
    pub fn distributions(&self) -> Vec<(String, Vec<f64>)> {
        let tag = |point: &Point| format!("eval/{}/returns_k{}", self.split, point.at.number());
        self.curve.iter().map(|point| (tag(point), point.deterministic.returns.clone())).collect()
    }
}

fn after(at: At) -> String {
    match at {
        At::AdaptSteps(1) => "after 1 step".to_owned(),
        At::AdaptSteps(k) => format!("after {k} steps"),
        At::Phase(k) => format!("in phase {k}"),
    }
}

#[cfg(test)]
mod tests;
