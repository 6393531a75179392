//! Evaluation on held-out tasks, after 0, 1, … K adaptation steps.

use metadrift_agents::{
    agent::Agent,
    report::Diverged,
    rollout::{Rollout, Shape},
    source::Policies,
    stop, team,
};
use metadrift_envs::{Purpose, Split, Task};

use crate::{
    audit,
    config::Experiment,
    life::Life,
    rollout::{Actions, Collection, Phase, continue_rank, steps::Memories},
    stats::{Summary, mean},
};

mod held_out;
mod recovery;
mod report;
mod success;
mod support;
mod timing;

pub use held_out::{HeldOut, held_out};
pub use recovery::{Change, LifeScore, changes, jumps, recovered};
use recovery::{Recoveries, Seen};
pub use report::{At, Episode, Evaluation, Point, Score};
pub use support::support;
pub use timing::{DecisionTime, decision_time};

/// The tasks and the effort of an evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocol {
    /// The split of the tasks.
    pub split: Split,
    /// Number of tasks.
    pub tasks: usize,
    /// Lanes per task and adaptation step: with one episode per lane, the number of episodes per adaptation step.
    pub episodes: usize,
    /// Number of adaptation steps, K.
    pub adapt_steps: usize,
    /// Seed of tasks, initial states, actions and bootstrap.
    pub seed: u64,
    /// Iteration of the task draws: [`REPORTED`] or [`VALIDATION`].
    pub draw: u32,
}

/// Iteration of the task draws for reports.
pub const REPORTED: u32 = 0;

/// Iteration of the task draws for the choice of a checkpoint during training: held out, and never those of a report.
pub const VALIDATION: u32 = 2;

impl Protocol {
    /// The protocol that `[evaluation]` asks for, on reported tasks of seed 0.
    pub fn of(config: &Experiment, split: Split) -> Self {
        let asked = &config.evaluation;
        Protocol {
            split,
            tasks: asked.tasks,
            episodes: asked.episodes,
            adapt_steps: asked.adapt_steps,
            seed: 0,
            draw: REPORTED,
        }
    }

    /// Number of whole episodes that an adaptation learns from where none ends early: a lane may have several.
    pub fn whole_episodes(&self, config: &Experiment) -> usize {
        let life = Life::evaluation(config);
        self.episodes * (life.phase_steps / life.horizon as usize).max(1)
    }

    /// Name of the result's file, without extension: the split, and every deviation from `[evaluation]`.
    pub fn file_stem(&self, config: &Experiment) -> String {
        let usual = Protocol::of(config, self.split);
        let parts = [
            ("tasks", self.tasks as u64, usual.tasks as u64),
            ("episodes", self.episodes as u64, usual.episodes as u64),
            ("adapt", self.adapt_steps as u64, usual.adapt_steps as u64),
            ("seed", self.seed, usual.seed),
        ];
        let differing = parts.iter().filter(|(_, value, usual)| value != usual);
        self.split.name().to_owned() + &differing.map(|(name, value, _)| format!("-{name}{value}")).collect::<String>()
    }
}

/// Evaluates `agent` with the same collection and the same adaptation as in training, on held-out tasks. The agent
/// itself stays unchanged. Ranks that call it together share the tasks, and all have the result.
///
/// # Errors
/// If an adapted policy is not finite.
pub fn evaluate(
    config: &Experiment,
    agent: &dyn Agent,
    actors: usize,
    protocol: &Protocol,
) -> Result<Evaluation, Diverged> {
    let distribution = config.tasks(protocol.split);
    let draw = |index| {
        stop::check();
        distribution.sample(protocol.seed, protocol.draw, index as u32)
    };
    let tasks: Vec<Task> = (0..protocol.tasks).map(draw).collect();
    evaluate_on(config, agent, actors, protocol, &tasks)
}

/// [`evaluate`] on `tasks` in place of those that the protocol draws.
///
/// # Errors
/// As [`evaluate`].
pub fn evaluate_on(
    config: &Experiment,
    agent: &dyn Agent,
    actors: usize,
    protocol: &Protocol,
    tasks: &[Task],
) -> Result<Evaluation, Diverged> {
    // too few to share: every rank evaluates all of them
    let _alone = (tasks.len() < team::size()).then(team::alone);
    let audits = audit::of(config);
    let audit = audits.as_ref().and_then(|audit| audit.split(protocol.split));
    let mut lives = Lives::new(config, obs_dim(agent), actors, protocol, tasks);
    let mut agent = agent.duplicate();
    agent.begin(tasks.len());
    let unadapted = agent.duplicate();
    let mut curve = Vec::new();
    let mut episodes = Vec::new();
    let mut recoveries = tasks.iter().any(|task| !task.drifts.is_empty()).then(Recoveries::default);
    for k in 0..=protocol.adapt_steps {
        // the sampled episodes of the adapted policy come last: the next step adapts on them
        let (deterministic, greedy) = lives.score(k, &*agent, &*unadapted, Actions::Deterministic)?;
        let success = success::share(config.env().spec(), lives.life.horizon, &lives.rollout);
        if let Some(recoveries) = &mut recoveries {
            lives.look(k, recoveries);
        }
        let (stochastic, sampled) = lives.score(k, &*agent, &*unadapted, Actions::Sampled)?;
        let scores = audit.and_then(|audit| audit.phase(k));
        let normalised = scores.and_then(|scores| scores.normalised(deterministic.summary.mean));
        for (deterministic, stochastic) in greedy.iter().zip(&sampled) {
            let normalised = scores.and_then(|scores| scores.normalised(mean(deterministic)));
            let [deterministic, stochastic] =
                [deterministic, stochastic].map(|returns| Summary::of(returns, protocol.seed));
            episodes.push(Episode { episode: episodes.len(), stochastic, deterministic, normalised });
        }
        let (oracle, fixed) = (scores.and_then(|scores| scores.oracle), scores.map(|scores| scores.fixed));
        let at = At::new(agent.adapts(), k);
        curve.push(Point { at, stochastic, deterministic, success, normalised, oracle, fixed });
        if k < protocol.adapt_steps {
            agent.adapt(&lives.rollout)?;
        }
    }
    Ok(Evaluation {
        preset: config.name.clone(),
        iteration: None,
        split: protocol.split.name(),
        seed: protocol.seed,
        tasks: tasks.len(),
        lanes: protocol.episodes,
        fingerprints: tasks.iter().map(|task| format!("{:016x}", task.fingerprint())).collect(),
        curve,
        episodes,
        life: recoveries.map(|recoveries| recoveries.score()),
        decision_us: None,
        windowed: audit.and_then(|audit| audit.last().normalised(audit.last().windowed)),
    })
}

/// The agent after the protocol's adaptation to `tasks`.
///
/// # Errors
/// As [`evaluate`].
pub fn adapt(
    config: &Experiment,
    agent: &dyn Agent,
    actors: usize,
    protocol: &Protocol,
    tasks: &[Task],
) -> Result<Box<dyn Agent>, Diverged> {
    let mut lives = Lives::new(config, obs_dim(agent), actors, protocol, tasks);
    let mut agent = agent.duplicate();
    agent.begin(tasks.len());
    for k in 0..protocol.adapt_steps {
        lives.live(k, agent.policies(), Actions::Sampled, true)?;
        agent.adapt(&lives.rollout)?;
    }
    Ok(agent)
}

/// Environment steps of an evaluation, at most: likeliest and sampled actions, and those of the unadapted policy.
pub(crate) fn evaluation_steps(config: &Experiment, protocol: &Protocol) -> u64 {
    let phases = 2 * (2 * protocol.adapt_steps as u64 + 1);
    (protocol.tasks * protocol.episodes) as u64 * Life::evaluation(config).phase_steps as u64 * phases
}

/// Length of the observations of `agent`.
fn obs_dim(agent: &dyn Agent) -> usize {
    agent.policies().layout.obs_dim()
}

/// The lives of the evaluated tasks, phase by phase.
struct Lives<'a> {
    collection: Collection,
    protocol: &'a Protocol,
    life: Life,
    tasks: &'a [Task],
    /// The data of the latest phase, of this rank's tasks.
    rollout: Rollout,
    /// Memories of the policy that takes its most likely actions, and of the one that draws them, `[2][tasks]`.
    memories: [Vec<Memories>; 2],
}

impl<'a> Lives<'a> {
    fn new(config: &Experiment, obs_dim: usize, actors: usize, protocol: &'a Protocol, tasks: &'a [Task]) -> Self {
        let env = config.env();
        let life = Life::evaluation(config);
        let shape = Shape {
            tasks: tasks.len(),
            steps: life.phase_steps,
            envs: protocol.episodes,
            obs_dim,
            act_dim: env.spec().act_dim(),
        };
        let collection = Collection { env, horizon: life.horizon, num_actors: actors };
        let rollout = Rollout::new(shape, life.horizon).with_own_obs(env.spec().obs_dim()).of_rank();
        let memories = [(); 2].map(|()| vec![Memories::new(); tasks.len()]);
        Lives { collection, protocol, life, tasks, rollout, memories }
    }

    /// Returns of the first, second, … episode of the phase that was lived last, `[episodes, tasks]`: of as many as there
    /// are if all last to the time limit.
    fn by_episode(&self) -> Vec<Vec<f64>> {
        let episodes = self.life.phase_steps / self.life.horizon as usize;
        (0..episodes).map(|index| self.rollout.returns_of(index)).collect()
    }

    /// The score of `agent` in phase `k`, compared with `unadapted`, which remembers no phase before, and the returns of
    /// its episodes, `[episodes, tasks]`.
    fn score(
        &mut self,
        k: usize,
        agent: &dyn Agent,
        unadapted: &dyn Agent,
        actions: Actions,
    ) -> Result<(Score, Vec<Vec<f64>>), Diverged> {
        let control = if k == 0 { None } else { Some(self.live(k, unadapted.policies(), actions, false)?) };
        let score = Score::new(self.live(k, agent.policies(), actions, true)?, control, self.protocol.seed);
        Ok((score, self.by_episode()))
    }

    /// Adds the phase that was lived last, number `k`.
    fn look(&self, k: usize, recoveries: &mut Recoveries) {
        let mine = &self.tasks[team::block(self.tasks.len())];
        let seen = mine.iter().zip(self.rollout.tasks()).map(|(task, data)| {
            stop::check();
            Seen::of(task, self.life.start(u64::from(task.id.index), k), &data)
        });
        // the sums are in task order
        team::every(seen.collect::<Vec<_>>()).iter().flatten().for_each(|seen| recoveries.add(seen));
    }

    /// Runs phase `k` of every task with its policy, which goes on from its memories of the phases before if it
    /// `remembers`; gives the mean return per episode, `[tasks]`. Two calls for the same phase see the same ticks and
    /// initial states.
    fn live(
        &mut self,
        k: usize,
        policies: Policies<'_>,
        actions: Actions,
        remembers: bool,
    ) -> Result<Vec<f64>, Diverged> {
        let kept = &mut self.memories[usize::from(actions == Actions::Sampled)];
        let mut none = Vec::new();
        if !remembers {
            none = vec![Memories::new(); self.tasks.len()];
        }
        let memories = if remembers { kept } else { &mut none };
        let phase = Phase {
            resets: Purpose::EvaluationReset,
            draws: Purpose::EvaluationAction,
            actions,
            ..Phase::training(self.protocol.seed, self.protocol.draw, self.life.start(0, k), self.life.episodes)
        };
        continue_rank(&self.collection, self.tasks, policies, &phase, memories, &mut self.rollout)?;
        Ok(self.rollout.returns())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_what_is_not_as_usual() {
        let config = Experiment::parse("x", "name = \"x\"\ntask.env = \"cartpole\"\n", &[]).unwrap();
        let usual = Protocol::of(&config, Split::Ood);
        assert_eq!(usual.file_stem(&config), "ood");
        let other = Protocol { tasks: 50, adapt_steps: 3, seed: 7, ..usual };
        assert_eq!(other.file_stem(&config), "ood-tasks50-adapt3-seed7");
    }
}
