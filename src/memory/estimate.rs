//! Estimates of the memory that training, evaluation, audits and pictures take.

use metadrift_agents::device::Device;
use metadrift_agents::{
    backend::{BackendChoice, NoBackend},
    layout::Layout,
};
use metadrift_envs::{EnvSpec, channels};

use super::Need;
use crate::{
    config::{Config, ConfigError, Learner},
    life::Life,
    registry,
};

/// An environment's lane (B): state, parameters and their drifts, random streams.
const LANE: u128 = 1600;
/// Per number of an observation, a lane's histories (B).
const LANE_OBS: u128 = 16;
/// A task with its drifts, beside its lanes (B).
const TASK: u128 = 2048;
/// Per sample of the task in hand, what the estimate of its advantages takes (B).
const ADVANTAGE: u128 = 200;
/// The size of a network's parameters is taken this many times, whatever the data: optimiser, checkpoint, its text.
const COPIES: u128 = 20;
/// The same for each thread: networks made ready, gradients, work space.
const COPIES_PER_THREAD: u128 = 10;
/// The same for each task: as it was collected with, adapted, its gradients.
const COPIES_PER_TASK: u128 = 4;

/// Sizes that the estimates of one configuration have in common (B).
struct Sizes {
    /// A row of a rollout: two observations, action, log-probability, reward, step in the episode, two flags.
    row: u128,
    /// The learner's copy of a sample: observation, action, log-probability, advantage.
    sample: u128,
    /// Activations of the hidden layers for one sample.
    hidden: u128,
    /// A lane of the environment.
    lane: u128,
    /// The policy's parameters.
    params: u128,
}

impl Sizes {
    fn of(config: &Config) -> Result<Self, ConfigError> {
        let spec = config.env()?.spec();
        let layout = registry::layout(spec, &config.task.settings(), &config.policy.hidden);
        let (obs, act) = (layout.obs_dim() as u128, spec.act_dim() as u128);
        Ok(Sizes {
            row: 4 * (2 * obs + act + 3) + 2,
            sample: 4 * (obs + act + 2),
            hidden: 4 * config.policy.hidden.iter().map(|width| *width as u128).sum::<u128>(),
            lane: LANE + LANE_OBS * obs,
            params: 4 * layout.num_params() as u128,
        })
    }

    /// Networks, whatever the data.
    fn networks(&self, tasks: u128, threads: u128) -> u128 {
        self.params * (COPIES + COPIES_PER_THREAD * threads + COPIES_PER_TASK * tasks)
    }
}

/// The arithmetic of the gradients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arithmetic {
    /// Through a graph, by libtorch, which keeps the activations of every pass.
    graph: bool,
    /// The graph lies in a GPU's memory.
    on_gpu: bool,
    threads: u128,
}

impl Arithmetic {
    /// Of the backend that `choice` leads to on `device`.
    ///
    /// # Errors
    /// If the backend cannot be had.
    pub fn of(config: &Config, choice: BackendChoice, device: Device, threads: usize) -> Result<Self, NoBackend> {
        let graph = choice.resolve(device, config.maml.tasks_per_chunk)? == BackendChoice::Tch;
        Ok(Arithmetic { graph, on_gpu: device != Device::Cpu, threads: threads as u128 })
    }
}

/// The size of a training run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Training {
    /// Most environment steps of an iteration.
    pub steps: u128,
    /// Memory at its peak.
    pub need: Need,
    /// What of it stays while the run is evaluated (B).
    stays: u128,
}

impl Training {
    /// Of `config`.
    ///
    /// # Errors
    /// If the environment does not exist.
    pub fn of(config: &Config, arithmetic: Arithmetic) -> Result<Self, ConfigError> {
        match config.learner {
            Learner::Maml => Self::meta(config, arithmetic),
            Learner::Ppo => Self::plain(config, arithmetic.threads),
        }
    }

    fn meta(config: &Config, Arithmetic { graph, on_gpu, threads }: Arithmetic) -> Result<Self, ConfigError> {
        let (sizes, r, maml) = (Sizes::of(config)?, &config.rollout, &config.maml);
        let (tasks, lanes) = (r.num_tasks as u128, r.num_envs as u128);
        let (per_task, inner) = (lanes * config.num_steps()? as u128, maml.inner_steps as u128);
        let (phases, at_once) = (inner + 1, threads.min(tasks));
        let kept = if graph {
            // of every pass through the graph, which the second derivative doubles
            let chunk = if on_gpu { 0 } else { (maml.tasks_per_chunk.max(1) as u128).min(tasks) };
            9 * phases * chunk * (sizes.hidden + sizes.sample)
        } else {
            2 * inner * (sizes.hidden + sizes.sample) // values and derivatives, for the Hessian
        };
        let rows = tasks * per_task;
        let rollout = rows * sizes.row;
        // the native backend has its own copy of every sample
        let data = 2 * phases * rows * sizes.sample;
        let in_hand = at_once * (per_task * kept.max(ADVANTAGE) + lanes * sizes.lane);
        let networks = sizes.networks(tasks, threads) + tasks * TASK;
        let keys = "rollout.num_tasks, rollout.num_envs, rollout.num_steps, maml.inner_steps or policy.hidden";
        let need = Need { bytes: rollout + data + in_hand + networks, keys };
        Ok(Training { steps: rows * phases, need, stays: rollout + networks })
    }

    fn plain(config: &Config, threads: u128) -> Result<Self, ConfigError> {
        let (sizes, lanes) = (Sizes::of(config)?, config.rollout.num_envs as u128);
        let samples = lanes * config.num_steps()? as u128;
        let spec = config.env()?.spec();
        let obs_dim = registry::layout(spec, &config.task.settings(), &[]).obs_dim();
        let value = Layout::value(obs_dim, &config.ppo_learner.value_hidden);
        let networks = Sizes { params: sizes.params + 4 * value.num_params() as u128, ..sizes }.networks(1, threads);
        let widest = sizes.hidden.max(4 * config.ppo_learner.value_hidden.iter().map(|w| *w as u128).sum::<u128>());
        let minibatch = samples.min(config.ppo_learner.minibatch as u128) * (8 * widest + 2 * sizes.sample);
        // an order of the samples for every epoch; a lane is stored with the checkpoint, too
        let data = samples * (sizes.row + 2 * sizes.sample + 16 + 4 * config.ppo.outer_epochs as u128);
        let keys = "rollout.num_envs, rollout.num_steps, ppo.outer_epochs, ppo_learner.minibatch or policy.hidden";
        let lanes = lanes * (3 * sizes.lane + TASK);
        let need = Need { bytes: data + minibatch + lanes + networks, keys };
        Ok(Training { steps: samples, need, stays: samples * sizes.row + lanes + networks })
    }

    /// The same with the evaluation that `[evaluation]` asks for at its end.
    ///
    /// # Errors
    /// If the environment does not exist.
    pub fn and_evaluation(self, config: &Config, arithmetic: Arithmetic) -> Result<Need, ConfigError> {
        let asked = &config.evaluation;
        let evaluation = evaluation(config, asked.tasks, asked.episodes(), arithmetic)?;
        let at_end = Need { bytes: self.stays + evaluation.bytes, ..evaluation };
        Ok(if at_end.bytes > self.need.bytes { at_end } else { self.need })
    }
}

/// An evaluation of `tasks` tasks with `episodes` lanes each.
///
/// # Errors
/// If the environment does not exist.
pub fn evaluation(
    config: &Config,
    tasks: usize,
    episodes: usize,
    Arithmetic { graph, on_gpu, threads }: Arithmetic,
) -> Result<Need, ConfigError> {
    let (sizes, life) = (Sizes::of(config)?, Life::evaluation(config)?);
    let (tasks, lanes) = (tasks as u128, episodes as u128);
    let per_task = lanes * life.phase_steps as u128;
    let data = tasks * per_task * (sizes.row + sizes.sample);
    let pass = if graph && !on_gpu { 6 * (sizes.hidden + sizes.sample) } else { sizes.sample };
    let in_hand = threads.min(tasks) * (per_task * pass.max(ADVANTAGE) + lanes * sizes.lane);
    let networks = sizes.networks(tasks, threads) + tasks * TASK;
    let keys = "the number of tasks or episodes (--tasks, --episodes; evaluation.tasks, .episodes, .steps)";
    Ok(Need { bytes: data + in_hand + networks, keys })
}

/// An audit of all three splits at once, `tasks` tasks with `lanes` lanes each.
///
/// # Errors
/// If the environment does not exist.
pub fn audit(config: &Config, tasks: usize, lanes: usize) -> Result<Need, ConfigError> {
    let (sizes, tasks, lanes) = (Sizes::of(config)?, tasks as u128, lanes as u128);
    Ok(Need { bytes: 3 * tasks * (TASK + lanes * sizes.lane), keys: "--tasks or --lanes" })
}

/// All values of every channel over `steps` steps, with what else a film shows of a step.
pub fn film(spec: &EnvSpec, steps: u64) -> Need {
    let moment = 8 * channels(spec).len() as u128 + 256;
    Need { bytes: u128::from(steps) * moment, keys: "task.horizon or the number of steps" }
}

/// One number for each of `ticks` ticks of `tasks` tasks.
pub fn series(tasks: u32, ticks: u64) -> Need {
    let bytes = 10 * u128::from(tasks) * u128::from(ticks);
    Need { bytes, keys: "task.horizon, rollout.num_steps, rollout.episodes_per_env or maml.inner_steps" }
}
