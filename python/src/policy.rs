//! Trained policies on numpy arrays: one for each lane, which learn together.

use std::path::PathBuf;

use metadrift::{checkpoint::Which, commands::export};
use metadrift_runtime::{Adapter, End, Fault, Form, uniforms, window::Commands};
use pyo3::{prelude::*, types::PyBytes};

use crate::{
    arrays::Array,
    refusal::{of, untimely, wrong},
};

/// Number of steps by which the room for recorded ones grows.
const ROOM: usize = 1024;

/// A policy with what it has recorded.
struct Lane {
    policy: metadrift_runtime::Policy,
    /// The steps that it learns from; none if it takes no gradient steps.
    adapter: Option<Adapter>,
    /// True if its last action was drawn.
    drew: bool,
}

/// Copies of a policy that act side by side, and adapt as one.
#[pyclass]
pub(crate) struct Policy {
    form: Form,
    lanes: Vec<Lane>,
    /// The adapter that takes the steps.
    adapter: Option<Adapter>,
    seed: u64,
    /// Number of actions asked for so far: each has random numbers of its own.
    ticks: u64,
}

impl Lane {
    /// Takes in an outcome, and records it if the command was drawn.
    fn outcome(&mut self, reward: f32, obs: &[f32], end: End) -> Result<(), Fault> {
        let Lane { policy, adapter, drew } = self;
        match adapter.as_mut().filter(|_| *drew) {
            Some(adapter) => {
                if adapter.recorded() == adapter.room() {
                    adapter.grow(ROOM);
                }
                adapter.record(policy, reward, obs, end)
            }
            None => policy.outcome(reward, obs, end),
        }
    }
}

/// The exception for a fault: of the call's time, or of its arguments.
fn refused(fault: Fault) -> PyErr {
    match fault {
        Fault::NoAction | Fault::NoSteps => untimely(fault),
        _ => wrong(fault),
    }
}

impl Policy {
    fn new(form: Form, lanes: usize, seed: u64) -> PyResult<Self> {
        if lanes == 0 {
            return Err(wrong("lanes: 0 must be at least 1"));
        }
        let lane = || -> Result<Lane, Fault> {
            let policy = metadrift_runtime::Policy::new(form.clone());
            let adapter = policy.adaptation().map(|_| Adapter::new(&policy, ROOM)).transpose()?;
            Ok(Lane { policy, adapter, drew: false })
        };
        let all = (0..lanes).map(|_| lane()).collect::<Result<Vec<_>, _>>().map_err(wrong)?;
        let adapter = form.adaptation.is_some().then(|| Adapter::new(&all[0].policy, 0)).transpose().map_err(wrong)?;
        Ok(Policy { form, lanes: all, adapter, seed, ticks: 0 })
    }
}

#[pymethods]
impl Policy {
    /// The policy of a file.
    #[staticmethod]
    fn of_file(bytes: &[u8], lanes: usize, seed: u64) -> PyResult<Self> {
        Policy::new(Form::from_bytes(bytes).map_err(wrong)?, lanes, seed)
    }

    /// The policy of a run's checkpoint.
    #[staticmethod]
    fn of_run(py: Python<'_>, run: PathBuf, checkpoint: &str, lanes: usize, seed: u64) -> PyResult<Self> {
        let which: Which =
            checkpoint.parse().map_err(|reason| wrong(format!("checkpoint: `{checkpoint}` is {reason}")))?;
        let form = py.detach(|| export::policy(&run, which)).map_err(of)?;
        Policy::new(form, lanes, seed)
    }

    /// Number of lanes, of values of an observation and of a command.
    #[getter]
    fn shape(&self) -> (usize, usize, usize) {
        let policy = &self.lanes[0].policy;
        (self.lanes.len(), policy.obs_dim(), policy.act_dim())
    }

    /// The number of choices, or 0; the bound of commands, or 0.
    #[getter]
    fn commands(&self) -> (usize, f32) {
        match self.form.commands {
            Commands::Choices(count) => (count, 0.0),
            Commands::Vector { bound, .. } => (0, bound),
        }
    }

    /// Episodes and longest episode of an adaptation step in training, and the number of steps; none without gradient steps.
    #[getter]
    fn adaptation(&self) -> Option<(usize, usize, usize)> {
        self.form.adaptation.as_ref().map(|adaptation| (adaptation.episodes, adaptation.horizon, adaptation.steps))
    }

    /// True if it adapts while it acts.
    #[getter]
    fn remembers(&self) -> bool {
        self.lanes[0].policy.remembers()
    }

    /// Parameters as they are now, `[num_params]`, the bytes of each as the machine orders them.
    #[getter]
    fn params<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let now = self.adapter.as_ref().map_or(self.lanes[0].policy.start(), Adapter::params);
        PyBytes::new(py, &now.iter().flat_map(|parameter| parameter.to_ne_bytes()).collect::<Vec<u8>>())
    }

    /// Number of recorded steps.
    #[getter]
    fn recorded(&self) -> usize {
        self.lanes.iter().filter_map(|lane| lane.adapter.as_ref()).map(Adapter::recorded).sum()
    }

    /// Writes the command of each lane for `obs` `[lanes, obs_dim]` to `command` `[lanes, act_dim]`: the most likely one, or
    /// one drawn by `numbers` `[lanes, 4]`, or by the policy's own if there are none.
    fn act(
        &mut self,
        py: Python<'_>,
        obs: &Bound<'_, PyAny>,
        command: &Bound<'_, PyAny>,
        draws: bool,
        numbers: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let (count, obs_dim, act_dim) = self.shape();
        let (obs, mut command) = (Array::new(obs, count * obs_dim)?, Array::writable(command, count * act_dim)?);
        let numbers = numbers.map(|numbers| Array::new(numbers, 4 * count)).transpose()?;
        let steps = obs.get(py).chunks_exact(obs_dim).zip(command.get_mut(py).chunks_exact_mut(act_dim));
        for (at, (lane, (obs, command))) in self.lanes.iter_mut().zip(steps).enumerate() {
            let acted = if draws {
                let own = uniforms(self.seed, self.ticks * count as u64 + at as u64);
                let given = |all: &Array<f32>| std::array::from_fn(|k| all.get(py)[4 * at + k]);
                lane.policy.sample(obs, numbers.as_ref().map_or(own, given), command)
            } else {
                lane.policy.act(obs, command)
            };
            lane.drew = draws && acted.is_ok();
            acted.map_err(wrong)?;
        }
        self.ticks += 1;
        Ok(())
    }

    /// Takes in the outcomes of the last commands: `reward` `[lanes]`, the observation after it `[lanes, obs_dim]`, and
    /// whether the episode ended for good or was stopped, bytes `[lanes]`. Steps whose command was drawn are recorded.
    fn outcome(
        &mut self,
        py: Python<'_>,
        reward: &Bound<'_, PyAny>,
        obs: &Bound<'_, PyAny>,
        terminated: &Bound<'_, PyAny>,
        truncated: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let (count, obs_dim, _) = self.shape();
        let (reward, obs) = (Array::new(reward, count)?, Array::new(obs, count * obs_dim)?);
        let (terminated, truncated) = (Array::<u8>::new(terminated, count)?, Array::<u8>::new(truncated, count)?);
        for (at, (lane, obs)) in self.lanes.iter_mut().zip(obs.get(py).chunks_exact(obs_dim)).enumerate() {
            let end = match (terminated.get(py)[at], truncated.get(py)[at]) {
                (0, 0) => End::Going,
                (0, _) => End::Stopped,
                _ => End::Terminated,
            };
            lane.outcome(reward.get(py)[at], obs, end).map_err(refused)?;
        }
        Ok(())
    }

    /// Takes one step of adaptation on the recorded steps of all lanes, and forgets these: episodes, steps, mean return, and
    /// length of the change.
    fn adapt(&mut self, py: Python<'_>) -> PyResult<(usize, usize, f64, f64)> {
        let Policy { lanes, adapter, .. } = self;
        let adapter = adapter.as_mut().ok_or_else(|| wrong(Fault::NoGradient))?;
        let adapted = py.detach(|| {
            lanes.iter_mut().filter_map(|lane| lane.adapter.as_mut()).for_each(|own| adapter.append(own));
            let adapted = adapter.adapt(&mut lanes[0].policy)?;
            lanes[1..].iter_mut().try_for_each(|lane| lane.policy.set_params(adapter.params()))?;
            Ok(adapted)
        });
        let adapted =
            adapted.map_err(|fault: Fault| if fault == Fault::NoSteps { untimely(fault) } else { wrong(fault) })?;
        Ok((adapted.episodes, adapted.samples, adapted.mean_return, adapted.step_norm))
    }

    /// Forgets what it remembers, and the recorded steps; parameters stay.
    fn begin(&mut self) {
        for lane in &mut self.lanes {
            lane.policy.begin();
            lane.adapter.iter_mut().for_each(Adapter::clear);
        }
    }

    /// Takes all adaptation back, and forgets everything.
    fn reset(&mut self) -> PyResult<()> {
        self.begin();
        let Policy { lanes, adapter, .. } = self;
        if let Some(adapter) = adapter {
            for lane in lanes {
                adapter.reset(&mut lane.policy);
            }
        }
        Ok(())
    }
}
