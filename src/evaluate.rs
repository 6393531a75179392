//! Returns on tasks never trained on, after 0, 1, … K adaptation steps.

use metadrift_agents::{
    maml::{Diverged, Maml},
    stop,
};
use metadrift_envs::{Purpose, Split, Task};

use crate::{
    audit,
    config::{Config, ConfigError},
    life::Life,
    rollout::{Actions, Collection, Phase, Rollout, Shape, collect_all},
};

mod report;

pub use report::{Evaluation, Point, Score};

/// What to evaluate on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocol {
    /// Which tasks; never `Train`.
    pub split: Split,
    /// How many.
    pub tasks: usize,
    /// Lanes per task and adaptation step: with one episode per lane, the episodes an adaptation may use.
    pub episodes: usize,
    /// Adaptation steps, K.
    pub adapt_steps: usize,
    /// Seed of tasks, initial states, actions and bootstrap.
    pub seed: u64,
    /// Iteration of the task draws: [`REPORTED`] or [`VALIDATION`].
    pub draw: u32,
}

/// Draws of the tasks that results are reported on.
pub const REPORTED: u32 = 0;

/// Draws of the tasks that choose a checkpoint during training: held out, and never those of a report.
pub const VALIDATION: u32 = 2;

impl Protocol {
    /// The protocol that `[evaluation]` asks for, on reported tasks of seed 0.
    pub fn of(config: &Config, split: Split) -> Self {
        let asked = &config.evaluation;
        Protocol {
            split,
            tasks: asked.tasks,
            episodes: asked.episodes(),
            adapt_steps: asked.adapt_steps(),
            seed: 0,
            draw: REPORTED,
        }
    }

    /// Name of a file for the result, without its ending: the split, and what differs from `[evaluation]`.
    pub fn file_stem(&self, config: &Config) -> String {
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

/// Why there is no evaluation.
#[derive(Debug, thiserror::Error)]
pub enum EvaluationError {
    /// The configuration does not hold together.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The policy broke down.
    #[error(transparent)]
    Diverged(#[from] Diverged),
}

/// Evaluates `learner`: the same collection and the same adaptation as in training, on held-out tasks. Changes nothing.
///
/// # Errors
/// If the configuration does not hold together, or an adapted policy is not finite.
pub fn evaluate(
    config: &Config,
    learner: &Maml,
    actors: usize,
    protocol: &Protocol,
) -> Result<Evaluation, EvaluationError> {
    let distribution = config.tasks(protocol.split)?;
    let draw = |index| {
        stop::check();
        distribution.sample(protocol.seed, protocol.draw, index as u32)
    };
    let tasks: Vec<Task> = (0..protocol.tasks).map(draw).collect();
    let audit = audit::of(config);
    let audit = audit.as_ref().and_then(|audit| audit.split(protocol.split));
    let mut lives = Lives::new(config, learner, actors, protocol, &tasks)?;
    let unadapted = vec![learner.meta_params.clone(); tasks.len()];
    let mut params = unadapted.clone();
    let mut curve = Vec::new();
    for k in 0..=protocol.adapt_steps {
        let mut score = |actions| -> Result<Score, Diverged> {
            let control = if k == 0 { None } else { Some(lives.live(k, &unadapted, actions)?) };
            Ok(Score::new(lives.live(k, &params, actions)?, control, protocol.seed))
        };
        // the sampled episodes of the adapted policy last: the next step adapts on them
        let (deterministic, stochastic) = (score(Actions::Deterministic)?, score(Actions::Sampled)?);
        let scores = audit.and_then(|audit| audit.phase(k));
        let normalised = scores.and_then(|scores| scores.normalised(deterministic.summary.mean));
        curve.push(Point { adapt_steps: k, stochastic, deterministic, normalised });
        if k < protocol.adapt_steps {
            params = lives.adapt(&params)?;
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

/// The parameters that the protocol's adaptation leads to on each of `tasks`, `[tasks][num_params]`.
///
/// # Errors
/// As [`evaluate`].
pub fn adapt(
    config: &Config,
    learner: &Maml,
    actors: usize,
    protocol: &Protocol,
    tasks: &[Task],
) -> Result<Vec<Vec<f32>>, EvaluationError> {
    let mut lives = Lives::new(config, learner, actors, protocol, tasks)?;
    let mut params = vec![learner.meta_params.clone(); tasks.len()];
    for k in 0..protocol.adapt_steps {
        lives.live(k, &params, Actions::Sampled)?;
        params = lives.adapt(&params)?;
    }
    Ok(params)
}

/// The lives of the evaluated tasks, phase by phase.
struct Lives<'a> {
    config: &'a Config,
    learner: &'a Maml,
    collection: Collection<'a>,
    protocol: &'a Protocol,
    life: Life,
    tasks: &'a [Task],
    /// The phase that was lived last.
    rollout: Rollout,
}

impl<'a> Lives<'a> {
    fn new(
        config: &'a Config,
        learner: &'a Maml,
        actors: usize,
        protocol: &'a Protocol,
        tasks: &'a [Task],
    ) -> Result<Self, ConfigError> {
        let (env, life, layout) = (config.env()?, Life::evaluation(config)?, learner.layout());
        let shape = Shape {
            tasks: tasks.len(),
            steps: life.phase_steps,
            envs: protocol.episodes,
            obs_dim: layout.obs_dim(),
            act_dim: env.spec().act_dim(),
        };
        let collection = Collection { env, horizon: life.horizon, layout, num_actors: actors };
        let rollout = Rollout::new(shape).with_own_obs(env.spec().obs_dim());
        Ok(Lives { config, learner, collection, protocol, life, tasks, rollout })
    }

    /// Phase `k` of every task with its parameters, `[tasks][num_params]`; returns per episode, `[tasks]`. Two calls for
    /// the same phase see the same ticks and initial states.
    fn live(&mut self, k: usize, params: &[Vec<f32>], actions: Actions) -> Result<Vec<f64>, Diverged> {
        let phase = Phase {
            resets: Purpose::EvaluationReset,
            draws: Purpose::EvaluationAction,
            actions,
            ..Phase::training(self.protocol.seed, self.protocol.draw, self.life.start(0, k), self.life.episodes)
        };
        collect_all(&self.collection, self.tasks, params, &phase, &mut self.rollout)?;
        Ok(self.rollout.returns(self.life.horizon))
    }

    /// One adaptation step from `params` on the phase that was lived last.
    fn adapt(&self, params: &[Vec<f32>]) -> Result<Vec<Vec<f32>>, Diverged> {
        let ppo = &self.config.ppo;
        let (support, _) = self.rollout.batches(ppo.gamma, ppo.gae_lambda, self.collection.num_actors);
        self.learner.adapt(params, &support)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_what_is_not_as_usual() {
        let config = Config::parse("x", "name = \"x\"\ntask.env = \"cartpole\"\n", &[]).unwrap();
        let usual = Protocol::of(&config, Split::Ood);
        assert_eq!(usual.file_stem(&config), "ood");
        let other = Protocol { tasks: 50, adapt_steps: 3, seed: 7, ..usual };
        assert_eq!(other.file_stem(&config), "ood-tasks50-adapt3-seed7");
    }
}
