//! A training run in memory: a learner and the source of its experience.

use std::time::Instant;

use metadrift_agents::{
    agent::Agent,
    backend::{BackendChoice, NoBackend},
    device::Device,
    layout::Core,
    learner::{Ground, Learner},
    report::Diverged,
    source::{Demand, Source},
    state::{Misfit, State},
};
use metadrift_envs::Split;

pub use metadrift_agents::report::Report;

use crate::{
    checkpoint::Checkpoint,
    config::Experiment,
    control::observer,
    examples::Examples,
    failure,
    guard::{Fall, Guard},
    life::Life,
    registry,
    rollout::{Lanes, Lives, TaskLives},
};

/// The learner that a configuration asks for, at its beginning, with fresh parameters from the seed.
///
/// # Errors
/// If the backend is not available.
pub fn learner(
    config: &Experiment,
    device: Device,
    backend: BackendChoice,
    threads: usize,
) -> Result<Box<dyn Learner>, NoBackend> {
    let layout = registry::policy(config);
    let channels = match layout.core() {
        Core::Model => observer::spreads(config.tasks(Split::Train), config.seed, &Life::training(config)),
        _ => Vec::new(),
    };
    let channels = channels.iter().map(|spread| spread.to_numbers()).collect();
    let ground = Ground { layout, device, backend, threads, channels };
    (config.learner.build)(config.settings(), ground)
}

/// Seconds of an environment step of training, by one iteration on one thread of this machine.
///
/// # Errors
/// If the backend is not available, or the iteration diverges.
pub fn pace(config: &Experiment) -> failure::Result<f64> {
    let mut trainer = Trainer::new(config.clone(), Device::Cpu, BackendChoice::Native, 1)?;
    let began = Instant::now();
    trainer.iterate()?;
    Ok(began.elapsed().as_secs_f64() / trainer.env_steps().max(1) as f64)
}

/// The training run that a configuration asks for; a [`Checkpoint`] holds its state between iterations.
pub struct Trainer {
    config: Experiment,
    learner: Box<dyn Learner>,
    source: Box<dyn Source>,
    iteration: u64,
    guard: Guard,
    /// Factor that the learner's steps have now.
    pace: f64,
}

impl Trainer {
    /// A run at its beginning, with fresh parameters from the seed.
    ///
    /// # Errors
    /// If the backend is not available.
    pub fn new(
        config: Experiment,
        device: Device,
        backend: BackendChoice,
        num_actors: usize,
    ) -> Result<Self, NoBackend> {
        let learner = learner(&config, device, backend, num_actors)?;
        let source: Box<dyn Source> = match config.demand() {
            Demand::Tasks { .. } => Box::new(TaskLives::new(&config, num_actors)),
            Demand::Examples { .. } => Box::new(Examples::new(&config)),
            Demand::Lives { .. } => Box::new(Lives::new(&config, num_actors)),
            Demand::Lanes { .. } => Box::new(Lanes::new(&config, num_actors)),
        };
        let guard = Guard::new(config.checkpoint.tries);
        Ok(Trainer { config, learner, source, iteration: 0, guard, pace: 1.0 })
    }

    /// Runs one iteration.
    ///
    /// # Errors
    /// If a loss, gradient or parameter is not finite; no parameter has then taken that value.
    pub fn iterate(&mut self) -> Result<Report, Diverged> {
        let index = u32::try_from(self.iteration).expect("the configuration limits the iterations");
        let report = self.learner.iterate(&mut *self.source, index)?;
        self.iteration += 1;
        Ok(report)
    }

    /// Shows the report of the latest iteration to the guard against collapse. After a fall, the learner is in its best
    /// state and takes smaller steps.
    pub fn watch(&mut self, report: &Report) -> Option<Fall> {
        let save = || {
            let mut state = State::default();
            self.learner.save(&mut state);
            state
        };
        let (fall, best) = self.guard.watch(self.iteration, report.return_post, save)?;
        self.learner.load(&best).expect("a learner takes its own state");
        self.keep_pace();
        Some(fall)
    }

    /// Gives the learner's steps the factor of the guard.
    fn keep_pace(&mut self) {
        let pace = self.guard.pace();
        if pace != self.pace {
            self.scale_steps(pace / self.pace);
            self.pace = pace;
        }
    }

    /// Multiplies the size of the learner's steps by `factor`, a power of two.
    pub fn scale_steps(&mut self, factor: f64) {
        self.learner.scale_steps(factor);
    }

    /// The mean return at which the run stops, if there is one.
    pub fn goal(&self) -> Option<f64> {
        self.learner.goal()
    }

    /// True if the run has reached that return.
    pub fn solved(&self) -> bool {
        self.learner.solved()
    }

    /// The share of the run that is done, 0 to 1.
    pub fn done(&self) -> f64 {
        let iteration = u32::try_from(self.iteration).expect("the configuration limits the iterations");
        self.config.settings().plan().done(iteration, self.env_steps())
    }

    /// True if the planned iterations, or environment steps, are done.
    pub fn is_over(&self) -> bool {
        self.config.settings().plan().is_over(self.iteration, self.env_steps())
    }

    /// The configuration.
    pub fn config(&self) -> &Experiment {
        &self.config
    }

    /// The policy as it is deployed, with everything learned so far.
    pub fn agent(&self) -> Box<dyn Agent> {
        self.learner.agent()
    }

    /// Number of iterations done.
    pub fn iteration(&self) -> u64 {
        self.iteration
    }

    /// Number of environment steps taken.
    pub fn env_steps(&self) -> u64 {
        self.source.env_steps()
    }

    /// The state from which the run can be resumed exactly.
    pub fn checkpoint(&mut self) -> Checkpoint {
        let mut state = State::default();
        self.learner.save(&mut state);
        self.source.save(&mut state);
        self.guard.save(&mut state);
        Checkpoint::of(self.iteration, state)
    }

    /// Restores a checkpoint of a run with the same configuration, earlier or later.
    ///
    /// # Errors
    /// If it belongs to another policy or learner; the error names the part that does not fit.
    pub fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), Misfit> {
        let state = checkpoint.state();
        let guard = self.guard.loaded(&state)?;
        let mut before = State::default();
        self.source.save(&mut before);
        self.source.load(&state)?;
        if let Err(misfit) = self.learner.load(&state) {
            self.source.load(&before).expect("a source takes its own state");
            return Err(misfit);
        }
        (self.iteration, self.guard) = (checkpoint.step, guard);
        self.keep_pace();
        Ok(())
    }
}
