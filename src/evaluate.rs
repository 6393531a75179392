//! Evaluation on held-out tasks, after 0, 1, … K adaptation steps.

use metadrift_agents::{
    agent::Agent,
    report::Diverged,
    rollout::{Rollout, Shape},
    source::Policies,
    stop,
};
use metadrift_envs::{Purpose, Split, Task};

use crate::{
    audit,
    config::Experiment,
    life::Life,
    registry,
    rollout::{Actions, Collection, Phase, collect_all},
};

mod report;

pub use report::{Evaluation, Point, Score};

/// The tasks and the effort of an evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocol {
    /// The split of the tasks; never `Train`.
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
/// itself stays unchanged.
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
    let audit = audit::of(config);
    let audit = audit.as_ref().and_then(|audit| audit.split(protocol.split));
    let mut lives = Lives::new(config, actors, protocol, &tasks);
    let mut agent = agent.duplicate();
    agent.begin(tasks.len());
    let unadapted = agent.duplicate();
    let mut curve = Vec::new();
    for k in 0..=protocol.adapt_steps {
        let mut score = |actions| -> Result<Score, Diverged> {
            let control = if k == 0 { None } else { Some(lives.live(k, unadapted.policies(), actions)?) };
            Ok(Score::new(lives.live(k, agent.policies(), actions)?, control, protocol.seed))
        };
        // the sampled episodes of the adapted policy come last: the next step adapts on them
        let deterministic = score(Actions::Deterministic)?;
        let stochastic = score(Actions::Sampled)?;
        let scores = audit.and_then(|audit| audit.phase(k));
        let normalised = scores.and_then(|scores| scores.normalised(deterministic.summary.mean));
        curve.push(Point { adapt_steps: k, stochastic, deterministic, normalised });
        if k < protocol.adapt_steps {
            agent.adapt(&lives.rollout)?;
        }
    }
    Ok(Evaluation {
        preset: config.name.clone(),
        iteration: None,
        split: protocol.split.name(),
        seed: protocol.seed,
        tasks: protocol.tasks,
        episodes: protocol.episodes,
        fingerprints: tasks.iter().map(|task| format!("{:016x}", task.fingerprint())).collect(),
        curve,
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
    let mut lives = Lives::new(config, actors, protocol, tasks);
    let mut agent = agent.duplicate();
    agent.begin(tasks.len());
    for k in 0..protocol.adapt_steps {
        lives.live(k, agent.policies(), Actions::Sampled)?;
        agent.adapt(&lives.rollout)?;
    }
    Ok(agent)
}

/// The lives of the evaluated tasks, phase by phase.
struct Lives<'a> {
    collection: Collection,
    protocol: &'a Protocol,
    life: Life,
    tasks: &'a [Task],
    /// The data of the latest phase.
    rollout: Rollout,
}

impl<'a> Lives<'a> {
    fn new(config: &Experiment, actors: usize, protocol: &'a Protocol, tasks: &'a [Task]) -> Self {
        let env = config.env();
        let life = Life::evaluation(config);
        let shape = Shape {
            tasks: tasks.len(),
            steps: life.phase_steps,
            envs: protocol.episodes,
            obs_dim: registry::policy(config).obs_dim(),
            act_dim: env.spec().act_dim(),
        };
        let collection = Collection { env, horizon: life.horizon, num_actors: actors };
        let rollout = Rollout::new(shape, life.horizon).with_own_obs(env.spec().obs_dim());
        Lives { collection, protocol, life, tasks, rollout }
    }

    /// Runs phase `k` of every task with its policy; gives the mean return per episode, `[tasks]`. Two calls for the
    /// same phase see the same ticks and initial states.
    fn live(&mut self, k: usize, policies: Policies<'_>, actions: Actions) -> Result<Vec<f64>, Diverged> {
        let phase = Phase {
            resets: Purpose::EvaluationReset,
            draws: Purpose::EvaluationAction,
            actions,
            ..Phase::training(self.protocol.seed, self.protocol.draw, self.life.start(0, k), self.life.episodes)
        };
        collect_all(&self.collection, self.tasks, policies, &phase, &mut self.rollout)?;
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
