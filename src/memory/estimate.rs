//! Estimates of the memory for training, evaluation, audits and pictures.

use metadrift_agents::{
    backend::{BackendChoice, NoBackend},
    device::Device,
    memory::{ADVANTAGE, Sizes, Taken},
    source::Demand,
};
use metadrift_envs::{EnvSpec, channels};

use super::Need;
use crate::{config::Experiment, life::Life, registry};

/// Memory of an environment's lane (B): state, parameters and their drifts, random streams.
const LANE: u128 = 1600;
/// Memory of a lane's histories per number of an observation (B).
const LANE_OBS: u128 = 16;
/// Memory of a task with its drifts, without its lanes (B).
const TASK: u128 = 2048;

/// Memory of a lane of the environment (B).
fn lane(config: &Experiment) -> u128 {
    LANE + LANE_OBS * registry::policy(config).obs_dim() as u128
}

/// Backend and threads of the gradients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arithmetic {
    graph: bool,
    on_gpu: bool,
    threads: u128,
}

impl Arithmetic {
    /// The arithmetic of the backend that `choice` selects on `device`.
    ///
    /// # Errors
    /// If the backend is not available.
    pub fn of(config: &Experiment, choice: BackendChoice, device: Device, threads: usize) -> Result<Self, NoBackend> {
        let graph = choice.resolve(device, config.maml.tasks_per_chunk)? == BackendChoice::Tch;
        Ok(Arithmetic { graph, on_gpu: device != Device::Cpu, threads: threads as u128 })
    }

    fn sizes(self, config: &Experiment) -> Sizes {
        let layout = registry::policy(config);
        let obs = layout.obs_dim() as u128;
        let act = config.head().act_dim() as u128;
        let Arithmetic { graph, on_gpu, threads } = self;
        Sizes {
            row: 4 * (2 * obs + act + 3) + 2,
            sample: 4 * (obs + act + 2),
            hidden: 4 * config.policy.hidden.iter().map(|width| *width as u128).sum::<u128>(),
            params: 4 * layout.num_params() as u128,
            obs_dim: layout.obs_dim(),
            graph,
            on_gpu,
            threads,
        }
    }
}

/// The size of a training run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Training {
    /// Largest number of environment steps of an iteration.
    pub steps: u128,
    /// Peak memory.
    pub need: Need,
    /// Memory that stays during evaluations (B).
    stays: u128,
}

impl Training {
    /// The size of `config`: its source of experience, and its learner.
    pub fn of(config: &Experiment, arithmetic: Arithmetic) -> Self {
        let sizes = arithmetic.sizes(config);
        let lane = lane(config);
        let (steps, stays, in_hand) = match config.demand() {
            Demand::Tasks { tasks, lanes, steps, phases, .. } => {
                let (tasks, lanes) = (tasks as u128, lanes as u128);
                let rows = tasks * lanes * steps as u128;
                let in_hand = sizes.threads.min(tasks) * lanes * lane;
                (rows * phases as u128, rows * sizes.row + tasks * TASK, in_hand)
            }
            Demand::Examples { tasks, shots, .. } => {
                let rows = tasks as u128 * (shots.support + shots.query) as u128;
                (rows, rows * (sizes.row + sizes.sample), 0)
            }
            Demand::Lives { lanes, steps, .. } => {
                let rows = lanes as u128 * steps as u128;
                (rows, rows * sizes.row, lanes as u128 * (lane + TASK))
            }
            Demand::Lanes { lanes, steps, .. } => {
                let rows = lanes as u128 * steps as u128;
                // the checkpoint also holds every lane
                (rows, rows * sizes.row + lanes as u128 * (3 * lane + TASK), 0)
            }
        };
        let Taken { data, networks, keys } = (config.learner.memory)(config.settings(), &sizes);
        let need = Need { bytes: stays + in_hand + data + networks, keys };
        Training { steps, need, stays: stays + networks }
    }

    /// The need of the run together with the evaluation that `[evaluation]` asks for at its end.
    pub fn and_evaluation(self, config: &Experiment, arithmetic: Arithmetic) -> Need {
        let asked = &config.evaluation;
        let evaluation = evaluation(config, asked.tasks, asked.episodes, arithmetic);
        let at_end = Need { bytes: self.stays + evaluation.bytes, ..evaluation };
        if at_end.bytes > self.need.bytes { at_end } else { self.need }
    }
}

/// The need of an evaluation of `tasks` tasks with `episodes` lanes each.
pub fn evaluation(config: &Experiment, tasks: usize, episodes: usize, arithmetic: Arithmetic) -> Need {
    let sizes = arithmetic.sizes(config);
    let (tasks, lanes) = (tasks as u128, episodes as u128);
    let per_task = lanes * Life::evaluation(config).phase_steps as u128;
    let data = tasks * per_task * (sizes.row + sizes.sample);
    let through_graph = sizes.graph && !sizes.on_gpu;
    let pass = if through_graph { 6 * (sizes.hidden + sizes.sample) } else { sizes.sample };
    let in_hand = sizes.threads.min(tasks) * (per_task * pass.max(ADVANTAGE) + lanes * lane(config));
    let networks = sizes.networks(sizes.params, tasks) + tasks * TASK;
    let keys = "the number of tasks or episodes (--tasks, --episodes; evaluation.tasks, .episodes, .steps)";
    Need { bytes: data + in_hand + networks, keys }
}

/// The need of an audit, of one split after the other, with `tasks` tasks and `lanes` lanes per task.
pub fn audit(config: &Experiment, tasks: usize, lanes: usize) -> Need {
    let bytes = tasks as u128 * (TASK + lanes as u128 * lane(config));
    Need { bytes, keys: "--tasks or --lanes" }
}

/// The need of a film of `steps` steps: all values of every channel, and everything else it shows of a step.
pub fn film(spec: &EnvSpec, steps: u64) -> Need {
    let moment = 8 * channels(spec).len() as u128 + 256;
    Need {
        bytes: u128::from(steps) * moment,
        keys: "task.horizon, evaluation.steps, evaluation.adapt_steps or the number of steps",
    }
}

/// The need of one number for each of `ticks` ticks of `tasks` tasks.
pub fn series(tasks: u32, ticks: u64) -> Need {
    let bytes = 10 * u128::from(tasks) * u128::from(ticks);
    Need { bytes, keys: "task.horizon, rollout.num_steps, rollout.episodes_per_env or maml.inner_steps" }
}
