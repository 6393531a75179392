//! Lanes of the tasks of a preset or file, stepped together on numpy arrays.

use metadrift::presets;
use metadrift_envs::{
    ActionSpace, Autoreset, Clocks, EnvKind, Lanes as Batch, Purpose, Split, StepError, StepView, Stream, Task,
    TaskDistribution, channels, obs_bounds, rng::MAX_INDEX,
};
use pyo3::prelude::*;

use crate::{
    arrays::Array,
    refusal::{of, untimely, wrong},
};

/// The tasks that lanes draw from, and for how long they keep them.
struct Draws {
    env: EnvKind,
    tasks: TaskDistribution,
    /// Time limit of an episode (steps).
    horizon: u32,
    lanes: usize,
    lanes_per_task: usize,
    /// Episodes after which a lane draws its next task; none if it keeps its task until it is started again.
    episodes: Option<u32>,
    autoreset: Autoreset,
    /// The channels in which tasks may differ, ascending.
    varied: Vec<usize>,
}

impl Draws {
    /// Task `number` of a lane: a function of the seed, so that other lanes change nothing.
    fn task(&self, seed: u64, lane: usize, number: u32) -> Task {
        // streams end after 2^24 tasks: they then repeat from the first one
        self.tasks.sample(seed, number % MAX_INDEX, (lane / self.lanes_per_task) as u32)
    }

    /// Number of episodes of a task, if lanes draw others.
    fn renewed_after(&self) -> Option<u32> {
        // tasks that differ in nothing are one task
        self.episodes.filter(|_| !self.varied.is_empty())
    }

    /// A batch at the start of the episodes of `tasks`, one for each lane; `round` numbers the batches of a seed.
    fn batch(&self, seed: u64, round: u32, tasks: &[Task]) -> Box<dyn Batch> {
        let stream = Stream::new(seed, Purpose::Reset).iteration(round % MAX_INDEX);
        let dynamics = self.env.dynamics();
        let mut batch = if self.renewed_after().is_some() {
            dynamics.renewable(tasks, &self.tasks, self.horizon, stream)
        } else {
            let shared: Vec<(&Task, usize)> =
                tasks.chunks(self.lanes_per_task).map(|lanes| (&lanes[0], lanes.len())).collect();
            dynamics.batch(&shared, self.horizon, stream, Clocks::default())
        };
        batch.set_autoreset(self.autoreset);
        batch
    }
}

/// A batch with the tasks of its lanes.
struct Running {
    batch: Box<dyn Batch>,
    seed: u64,
    round: u32,
    /// The task of each lane, its number among those of the lane, and the episodes begun in it.
    tasks: Vec<Task>,
    drawn: Vec<u32>,
    begun: Vec<u32>,
    /// The ends of the last step, and lanes in which either is true, `[lanes]`.
    terminated: Vec<bool>,
    truncated: Vec<bool>,
    ended: Vec<bool>,
    /// Observations of the last step before resets, `[lanes, obs_dim]`.
    last: Vec<f32>,
}

/// The arrays that lanes read and write in every step.
struct Arrays {
    /// `[lanes * act_dim]`
    actions: Array<f32>,
    /// `[lanes, obs_dim]`
    obs: Array<f32>,
    /// `[lanes]`
    reward: Array<f32>,
    /// `[lanes]`, 0 or 1
    terminated: Array<u8>,
    truncated: Array<u8>,
}

impl Running {
    /// Lanes at the start of the tasks with these numbers, `[lanes]`.
    fn new(draws: &Draws, seed: u64, round: u32, drawn: Vec<u32>) -> Self {
        let tasks: Vec<Task> = drawn.iter().enumerate().map(|(lane, number)| draws.task(seed, lane, *number)).collect();
        let batch = draws.batch(seed, round, &tasks);
        let last = if draws.autoreset == Autoreset::SameStep { batch.obs().to_vec() } else { Vec::new() };
        let none = vec![false; draws.lanes];
        let (terminated, truncated, ended) = (none.clone(), none.clone(), none);
        let begun = vec![1; draws.lanes];
        Running { batch, seed, round, tasks, drawn, begun, terminated, truncated, ended, last }
    }

    /// Gives other tasks to the lanes in which the last step began an episode; `obs` shows it where that is the step's own
    /// observation.
    fn renew(&mut self, draws: &Draws, obs: &mut [f32]) {
        let width = obs.len() / draws.lanes;
        for lane in 0..draws.lanes {
            let ends = self.terminated[lane] | self.truncated[lane];
            let begins = match draws.autoreset {
                Autoreset::SameStep => ends,
                Autoreset::NextStep => self.ended[lane],
                Autoreset::Disabled => false,
            };
            self.ended[lane] = ends;
            if begins && self.next_episode(draws, lane) && draws.autoreset == Autoreset::NextStep {
                let row = lane * width..(lane + 1) * width;
                obs[row.clone()].copy_from_slice(&self.batch.obs()[row]);
            }
        }
    }

    /// Counts an episode that begins in `lane`; begins it on another task, and returns true, if the old one is done.
    fn next_episode(&mut self, draws: &Draws, lane: usize) -> bool {
        self.begun[lane] += 1;
        let renewed = draws.renewed_after().is_some_and(|episodes| self.begun[lane] > episodes);
        if renewed {
            self.drawn[lane] += 1;
            self.begun[lane] = 1;
            self.tasks[lane] = draws.task(self.seed, lane, self.drawn[lane]);
            self.batch.renew(lane, &self.tasks[lane]);
        }
        renewed
    }
}

/// Lanes of the tasks of a preset or file.
#[pyclass]
pub(crate) struct Lanes {
    draws: Draws,
    arrays: Option<Arrays>,
    running: Option<Running>,
}

#[pymethods]
impl Lanes {
    #[new]
    fn new(
        tasks: &str,
        overrides: Vec<String>,
        split: &str,
        lanes: usize,
        lanes_per_task: usize,
        episodes: Option<u32>,
        autoreset: &str,
    ) -> PyResult<Self> {
        let experiment = presets::load_control(tasks, &overrides).map_err(of)?;
        let split: Split = split.parse().map_err(of)?;
        let legal = |name: &str, number: usize| match (1..MAX_INDEX as usize).contains(&number) {
            true => Ok(()),
            false => Err(wrong(format!("{name}: {number} must be 1 to {}", MAX_INDEX - 1))),
        };
        legal("num_envs", lanes)?;
        legal("lanes_per_task", lanes_per_task)?;
        if episodes == Some(0) {
            return Err(wrong("episodes_per_task: 0 must be at least 1, or None for a task that stays"));
        }
        if episodes.is_some() && lanes_per_task > 1 {
            let reason = "lanes_per_task: lanes that share a task keep it; pass episodes_per_task=None as well";
            return Err(wrong(reason));
        }
        let autoreset = match autoreset {
            "NextStep" => Autoreset::NextStep,
            "SameStep" => Autoreset::SameStep,
            "Disabled" => Autoreset::Disabled,
            other => return Err(wrong(format!("autoreset_mode: `{other}` is none of NextStep, SameStep, Disabled"))),
        };
        let tasks = experiment.tasks(split).clone();
        let mut varied = tasks.touched();
        varied.sort_unstable();
        varied.dedup();
        let (env, horizon) = (experiment.env(), experiment.horizon());
        let draws = Draws { env, tasks, horizon, lanes, lanes_per_task, episodes, autoreset, varied };
        Ok(Lanes { draws, arrays: None, running: None })
    }

    /// Time limit of an episode (steps).
    #[getter]
    fn horizon(&self) -> u32 {
        self.draws.horizon
    }

    /// Least and largest values of the numbers of an observation.
    #[getter]
    fn bounds(&self) -> Vec<[f32; 2]> {
        obs_bounds(self.draws.env, &self.draws.tasks)
    }

    /// The number of choices, or 0; the length of an action; its bound, or 0.
    #[getter]
    fn actions(&self) -> (usize, usize, f64) {
        match self.draws.env.spec().action {
            ActionSpace::Discrete(count) => (count, 1, 0.0),
            ActionSpace::Box { dim, bound } => (0, dim, bound),
        }
    }

    /// Names of the channels in which tasks may differ.
    #[getter]
    fn varied(&self) -> Vec<String> {
        let all = channels(self.draws.env.spec());
        self.draws.varied.iter().map(|channel| all[*channel].name.clone()).collect()
    }

    /// Takes the arrays of all steps: `actions` `[lanes * act_dim]`, `obs` `[lanes, obs_dim]`, `reward` `[lanes]`, and the ends
    /// `[lanes]` as bytes.
    fn bind(
        &mut self,
        actions: &Bound<'_, PyAny>,
        obs: &Bound<'_, PyAny>,
        reward: &Bound<'_, PyAny>,
        terminated: &Bound<'_, PyAny>,
        truncated: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let lanes = self.draws.lanes;
        self.arrays = Some(Arrays {
            actions: Array::new(actions, lanes * self.draws.env.spec().act_dim())?,
            obs: Array::writable(obs, lanes * self.bounds().len())?,
            reward: Array::writable(reward, lanes)?,
            terminated: Array::writable(terminated, lanes)?,
            truncated: Array::writable(truncated, lanes)?,
        });
        Ok(())
    }

    /// Begins the lives of new tasks: the first ones of `seed`, or the next ones if it is none. Writes the observations.
    fn start(&mut self, py: Python<'_>, seed: Option<u64>) -> PyResult<()> {
        let Lanes { draws, arrays, running } = self;
        let arrays = arrays.as_mut().ok_or_else(unready)?;
        let (seed, round, drawn) = match (seed, running.take()) {
            (Some(seed), _) => (seed, 0, vec![0; draws.lanes]),
            (None, Some(old)) => (old.seed, old.round + 1, old.drawn.iter().map(|number| number + 1).collect()),
            (None, None) => return Err(untimely("the first reset has no seed")),
        };
        let begun = Running::new(draws, seed, round, drawn);
        arrays.obs.get_mut(py).copy_from_slice(begun.batch.obs());
        *running = Some(begun);
        Ok(())
    }

    /// Begins episodes in the lanes marked by a byte that is not 0, `[lanes]`. Writes the observations.
    fn restart(&mut self, py: Python<'_>, mask: &Bound<'_, PyAny>) -> PyResult<()> {
        let Lanes { draws, arrays, running } = self;
        let (arrays, running) = (arrays.as_mut().ok_or_else(unready)?, running.as_mut().ok_or_else(unready)?);
        let mask = Array::<u8>::new(mask, draws.lanes)?;
        let mut same: Vec<bool> = mask.get(py).iter().map(|marked| *marked != 0).collect();
        for (lane, same) in same.iter_mut().enumerate().filter(|(_, marked)| **marked) {
            running.ended[lane] = false;
            *same = !running.next_episode(draws, lane);
        }
        running.batch.reset_lanes(&same);
        arrays.obs.get_mut(py).copy_from_slice(running.batch.obs());
        Ok(())
    }

    /// Steps every lane once, from `actions` to the other arrays. Returns true if an episode has ended.
    fn step(&mut self, py: Python<'_>) -> PyResult<bool> {
        let Lanes { draws, arrays, running } = self;
        let (arrays, running) = (arrays.as_mut().ok_or_else(unready)?, running.as_mut().ok_or_else(unready)?);
        let Arrays { actions, obs, reward, terminated, truncated } = arrays;
        let obs = obs.get_mut(py);
        let same_step = draws.autoreset == Autoreset::SameStep;
        let view = StepView {
            next_obs: if same_step { &mut running.last } else { &mut *obs },
            reward: reward.get_mut(py),
            terminated: &mut running.terminated,
            truncated: &mut running.truncated,
        };
        running.batch.try_step(actions.get(py), view).map_err(|error| match error {
            StepError::Action { .. } => wrong(error),
            StepError::Finished { .. } => untimely(error),
        })?;
        if draws.renewed_after().is_some() {
            running.renew(draws, obs);
        }
        if same_step {
            obs.copy_from_slice(running.batch.obs());
        }
        let mut any = 0;
        for (to, from) in [(terminated, &running.terminated), (truncated, &running.truncated)] {
            for (to, from) in to.get_mut(py).iter_mut().zip(from) {
                *to = u8::from(*from);
                any |= *to;
            }
        }
        Ok(any != 0)
    }

    /// Writes the observations of the last step before its resets, `[lanes, obs_dim]`; autoreset is SameStep.
    fn last(&self, py: Python<'_>, out: &Bound<'_, PyAny>) -> PyResult<()> {
        let running = self.running.as_ref().ok_or_else(unready)?;
        Array::writable(out, running.last.len())?.get_mut(py).copy_from_slice(&running.last);
        Ok(())
    }

    /// Writes the values that the varied channels have in the next step, `[lanes, varied]`.
    fn parameters(&self, py: Python<'_>, out: &Bound<'_, PyAny>) -> PyResult<()> {
        let running = self.running.as_ref().ok_or_else(unready)?;
        let varied = &self.draws.varied;
        let mut out = Array::<f64>::writable(out, self.draws.lanes * varied.len())?;
        for (lane, row) in out.get_mut(py).chunks_exact_mut(varied.len().max(1)).enumerate() {
            let values = running.tasks[lane].values_on(&running.batch.clocks(lane));
            row.iter_mut().zip(varied).for_each(|(to, channel)| *to = values[*channel]);
        }
        Ok(())
    }
}

fn unready() -> PyErr {
    untimely("there is no episode yet: call reset before the first step")
}
