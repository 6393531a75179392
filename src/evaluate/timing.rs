//! The time that a policy takes to decide, as a controller of one system would feel it.

use std::time::{Duration, Instant};

use metadrift_agents::{agent::Agent, report::Diverged, rollout::Row, settings::Episodes};
use metadrift_envs::{Batch, Purpose, Stream};
use serde::Serialize;

use super::Protocol;
use crate::{
    config::Experiment,
    control::episodes::{self, Stretch},
    life::Life,
    rollout::{
        Actions, actor,
        steps::{Actor, Memories},
    },
};

/// Decisions before the clock runs, so that memory and caches are warm.
const WARM_UP: usize = 100;
/// Decisions that are timed.
const TIMED: usize = 2000;

/// Time of a decision for one lane with the most likely action: from an observation to the command, and the outcome's way
/// into the memory (µs); a window is part of the observation. It differs between machines and runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct DecisionTime {
    /// Half of the decisions are as fast.
    pub median: f64,
    /// Nine tenths are.
    pub p90: f64,
}

/// Times the decisions of `agent` in a life on the first task of the protocol.
///
/// # Errors
/// If an action is not finite.
pub fn decision_time(config: &Experiment, agent: &dyn Agent, protocol: &Protocol) -> Result<DecisionTime, Diverged> {
    let task = [config.tasks(protocol.split).sample(protocol.seed, protocol.draw, 0)];
    let env = config.env();
    let mut agent = agent.duplicate();
    agent.begin(1);
    let policies = agent.policies();
    let policy = (policies.layout, &policies.params[0][..]);
    let stream = Stream::new(protocol.seed, Purpose::EvaluationAction);
    let place = || "the timing of decisions".to_owned();
    let inner = actor(policy, (env.spec(), 1), Actions::Deterministic, stream, &place, &Memories::new());
    let mut timed = Timed { inner, times: Vec::new(), began: Duration::ZERO };
    // one endless phase, so that the memory goes on
    let life =
        Life { phase_steps: WARM_UP + TIMED, episodes: Episodes::Endless, phases: 1, ..Life::evaluation(config) };
    let stretch = Stretch { window: policies.layout.window(), ..Stretch::new(life, 0..1) };
    episodes::run(env, (&task, 1), &stretch, protocol.seed, &mut timed, |_| {})?;
    let mut times: Vec<f64> = timed.times[WARM_UP..].iter().map(|time| time.as_secs_f64() * 1e6).collect();
    times.sort_by(f64::total_cmp);
    Ok(DecisionTime { median: times[TIMED / 2], p90: times[TIMED * 9 / 10] })
}

/// An actor whose decisions are timed.
struct Timed<'a> {
    inner: Box<dyn Actor + 'a>,
    times: Vec<Duration>,
    /// Time of the decision whose outcome is still out.
    began: Duration,
}

impl Actor for Timed<'_> {
    fn act(&mut self, t: usize, env: &dyn Batch, live: &[usize], row: &mut Row<'_>) -> Result<(), Diverged> {
        let clock = Instant::now();
        let done = self.inner.act(t, env, live, row);
        self.began = clock.elapsed();
        done
    }

    fn commands(&self) -> &[f32] {
        self.inner.commands()
    }

    fn outcome(&mut self, row: &Row<'_>) {
        let clock = Instant::now();
        self.inner.outcome(row);
        self.times.push(self.began + clock.elapsed());
    }
}
