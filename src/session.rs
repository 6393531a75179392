//! A training run in its folder: start or resume, log, save, stop on request.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use metadrift_agents::{
    device::Device,
    stop::{self, Stopped},
    team,
};

use crate::{
    checkpoint::{self, Which},
    config::Experiment,
    device,
    failure::{Collapsed, Result},
    guard::Fall,
    logging::{At, Logger, Outcome, Progress},
    message, ranks,
    run_dir::{Build, Machine, Manifest, Place, RunDir, RunState, command_line, task_digests, write_atomic},
    train::Trainer,
};

mod conclusion;
mod diagnosis;
pub mod kept;
mod options;
mod shown;
mod step;
mod stored;
mod validation;

pub use options::{Ended, RunOptions};
pub use step::iterate;
pub use stored::{read_config, read_config_with, warn_of_changes};
pub use validation::{Best, LAST, is_due, judge, validate};

use diagnosis::Diagnosis;
use shown::{headline, hparams, progress_line, slowness};
use stored::{extended, to_resume};
use validation::BEST;

/// The folder of all runs for which the user chooses no folder.
pub const RUNS: &str = "runs";

/// A run under way: its trainer, its folder, its manifest.
pub struct Session {
    trainer: Trainer,
    run: RunDir,
    manifest: Manifest,
    options: RunOptions,
    /// Position at which the run was resumed; `None` for a new run.
    resumed: Option<At>,
    /// The checkpoint with the best score on held-out tasks, once one was evaluated.
    best: Option<Best>,
    /// Duration of the previous iteration; before the first one it is unknown and counts as long.
    last_iteration: Duration,
    /// Training time in [`Session::run`] (s).
    seconds: f64,
}

impl Session {
    /// Starts a new run in a new folder at `place`.
    ///
    /// # Errors
    /// If the folder is taken, the device is not available, or nothing can be written.
    pub fn begin(config: Experiment, place: &Place, options: RunOptions) -> Result<Self> {
        let device = device::open(options.device)?;
        let asked = options.backend.unwrap_or_default();
        let mut trainer = Trainer::new(config, device, asked, options.actors)?;
        let config = trainer.config();
        let run = RunDir::create(Path::new(RUNS), &config.name, place, config.seed)?;
        let mut manifest = Manifest::new(device::LIBTORCH_VERSION, config.seed, command_line());
        let text = describe(&mut manifest, &trainer, device, &options);
        manifest.tasks = task_digests(config)?;
        manifest.write(run.path())?;
        write_atomic(&run.config(), text.as_bytes())?;
        // saved before the first iteration, so that a run killed at any moment can be resumed
        checkpoint::save(&run.checkpoints(), &trainer.checkpoint())?;
        Ok(Session {
            trainer,
            run,
            manifest,
            options,
            resumed: None,
            best: None,
            last_iteration: Duration::MAX,
            seconds: 0.0,
        })
    }

    /// Resumes the run in folder `dir` from its checkpoint `which`; `iterations` extends or shortens it.
    ///
    /// # Errors
    /// If there is no run, no valid checkpoint, or another process uses the folder.
    pub fn resume(dir: &Path, which: Which, iterations: Option<u64>, options: RunOptions) -> Result<Self> {
        let run = RunDir::open(dir)?;
        let mut config = read_config_with(run.path(), options.data.as_deref())?;
        warn_of_changes(run.path())?;
        checkpoint::remove_leftovers(&run.checkpoints())?;
        let chosen = to_resume(&run, which)?;
        if let Some(iterations) = iterations {
            config = extended(&config, iterations, chosen.step)?;
        }
        let device = device::open(options.device)?;
        // the manifest only informs; a run can continue without one
        let known = Manifest::read_if_there(run.path())?;
        let mut manifest =
            known.unwrap_or_else(|| Manifest::new(device::LIBTORCH_VERSION, config.seed, command_line()));
        let backend = options.backend.unwrap_or(manifest.backend);
        let mut trainer = Trainer::new(config, device, backend, options.actors)?;
        trainer.restore(&chosen)?;
        // nothing in the folder has changed so far; everything after the checkpoint is computed again
        for aside in checkpoint::set_aside_after(&run.checkpoints(), chosen.step)? {
            message::warn(&format!("set aside: {}", aside.display()));
        }
        let text = describe(&mut manifest, &trainer, device, &options);
        (manifest.build, manifest.machine) = (Build::here(), Machine::here());
        manifest.version = env!("CARGO_PKG_VERSION").to_owned();
        manifest.set_state(RunState::Running);
        manifest.write(run.path())?;
        write_atomic(&run.config(), text.as_bytes())?;
        let resumed = Some(At { iteration: trainer.iteration(), env_steps: trainer.env_steps() });
        let best = Best::of(&chosen.state);
        Ok(Session { trainer, run, manifest, options, resumed, best, last_iteration: Duration::MAX, seconds: 0.0 })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.run.path()
    }

    /// The folder as people write it.
    pub fn shown_path(&self) -> PathBuf {
        self.run.shown()
    }

    /// True if everything that was planned was done before this process began.
    pub fn has_nothing_to_do(&self) -> bool {
        self.resumed.is_some_and(|at| at.iteration == self.trainer.iteration()) && self.trainer.is_over()
    }

    /// True if only warnings, errors and results are printed.
    pub fn is_quiet(&self) -> bool {
        self.options.quiet
    }

    /// Number of threads of the run.
    pub fn num_actors(&self) -> usize {
        self.options.actors
    }

    /// The trainer in its current state.
    pub fn trainer(&self) -> &Trainer {
        &self.trainer
    }

    /// Training time in [`Session::run`] (s).
    pub fn seconds(&self) -> f64 {
        self.seconds
    }

    /// Trains to the end, or until a signal, the time limit or an error; saves in every case but the last.
    ///
    /// # Errors
    /// On divergence (the last good checkpoint stays), a worker's panic, or a disk that takes no checkpoint. The
    /// manifest then records it.
    pub fn run(&mut self) -> Result<Ended> {
        let config = self.trainer.config().clone();
        let progress =
            Progress::new(config.iterations, (self.trainer.iteration(), self.trainer.done()), self.options.quiet);
        self.run.warnings().iter().for_each(|w| progress.warn(w));
        progress.note(&headline(self));
        if let Some(reason) = slowness(self.trainer.agent().computes_by(), self.options.backend, &config) {
            progress.warn(reason);
        }
        let mut logger = Logger::open(
            self.run.path(),
            self.run.tb(),
            self.resumed,
            config.log.x_axis,
            config.evaluation.every > 0,
            progress.reporter(),
        );
        // also after a kill right behind the first checkpoint
        if self.resumed.is_none_or(|at| at.iteration == 0) {
            logger.text("config", &format!("```toml\n{}```\n", config.to_toml()));
            logger.hparams(&hparams(&config));
        }
        if team::is_member() {
            ranks::hand_out(&mut self.trainer, &self.run.config());
        }
        let first = self.trainer.iteration();
        let ended = self.train(&config, &mut logger, &progress);
        if ended.is_ok() && team::is_member() {
            progress.note(&ranks::traffic(self.trainer.iteration() - first, self.seconds));
        }
        let (outcome, state) = match &ended {
            Ok(Ended::Finished | Ended::Solved) => (Outcome::Finished, RunState::Finished),
            Ok(_) => (Outcome::Interrupted, RunState::Interrupted),
            Err(error) => (Outcome::Failed, RunState::Failed { message: message::of_error(error) }),
        };
        logger.finish(outcome);
        progress.finish();
        self.manifest.seconds += self.seconds;
        self.manifest.set_state(state);
        let written = self.run.check().and_then(|()| self.manifest.write(self.run.path()));
        let ended = ended?;
        written?;
        Ok(ended)
    }

    fn train(&mut self, config: &Experiment, logger: &mut Logger, progress: &Progress) -> Result<Ended> {
        let began = Instant::now();
        let mut diagnosis = Diagnosis::new(config.head());
        let mut said = false;
        let limit = self.options.max_time;
        let time_up = || limit.is_some_and(|limit| began.elapsed() >= limit);
        while !self.trainer.is_over() && !self.trainer.solved() && !self.is_far_enough() {
            let (report, agreed) = match iterate(&mut self.trainer, &mut self.last_iteration, time_up)? {
                Ok(done) => done,
                Err(Stopped(signal)) => {
                    self.save(config, logger)?;
                    return Ok(Ended::Signal(signal));
                }
            };
            let done = self.trainer.iteration();
            self.seconds = began.elapsed().as_secs_f64();
            let at = At { iteration: done, env_steps: self.trainer.env_steps() };
            logger.log(at, &report.metrics, &report.timing);
            progress.iteration(&progress_line((done, self.trainer.done()), &report));
            diagnosis.add(&report);
            if !report.informative && !std::mem::replace(&mut said, true) {
                progress.warn(&format!(
                    "iteration {done}: every action earned the same on every task, so rewards teach nothing (reported once)"
                ));
            }
            if let Some(fall) = self.trainer.watch(&report) {
                self.after(fall, config, logger, progress)?;
            }
            let improved = is_due(config, done) && self.validate(at, logger)?;
            // other ranks do not know what happens between two iterations
            let (signal, time_up) = match team::is_member() {
                true => (agreed.signal, agreed.time_up),
                false => (stop::requested(), time_up()),
            };
            let paused = (self.is_far_enough() && !self.trainer.is_over()).then_some(Ended::Paused);
            let stop = Ended::after(signal, self.trainer.solved(), time_up).or(paused);
            let planned = self.trainer.is_over() || done.is_multiple_of(config.checkpoint.every);
            if stop.is_some() || improved || planned {
                self.save(config, logger)?;
            }
            if let Some(ended) = stop {
                diagnosis.warnings().iter().for_each(|warning| progress.warn(warning));
                return Ok(ended);
            }
        }
        diagnosis.warnings().iter().for_each(|warning| progress.warn(warning));
        Ok(match (self.trainer.solved(), self.trainer.is_over()) {
            (true, _) => Ended::Solved,
            (false, true) => Ended::Finished,
            (false, false) => Ended::Paused,
        })
    }

    /// True if the iteration at which this process is to stop is done.
    fn is_far_enough(&self) -> bool {
        self.options.until.is_some_and(|until| self.trainer.iteration() >= until)
    }

    /// Reports a fall, after which the trainer is back in its best state; the last one ends the run.
    fn after(&mut self, fall: Fall, config: &Experiment, logger: &mut Logger, progress: &Progress) -> Result<()> {
        if fall.is_last() {
            self.save(config, logger)?;
            return Err(Collapsed(fall).into());
        }
        progress.warn(&format!("{fall} with half the step ({} of {} times)", fall.falls, fall.tries));
        Ok(())
    }

    /// Saves the state between two iterations.
    fn save(&mut self, config: &Experiment, logger: &mut Logger) -> Result<()> {
        logger.flush();
        let mut checkpoint = self.trainer.checkpoint();
        if let (Some(best), Some(state)) = (self.best, checkpoint.state.as_object_mut()) {
            state.insert(BEST.to_owned(), serde_json::to_value(best)?);
        }
        self.run.check()?;
        checkpoint::save(&self.run.checkpoints(), &checkpoint)?;
        let best = self.best.map(|best| best.step);
        checkpoint::prune(&self.run.checkpoints(), config.checkpoint.keep, checkpoint.step, best)?;
        Ok(())
    }

    /// Evaluates on held-out tasks and logs the result; says whether no earlier checkpoint did better.
    fn validate(&mut self, at: At, logger: &mut Logger) -> Result<bool> {
        let found = validate(&self.trainer, self.options.actors)?;
        let scalars: Vec<_> = found.scalars.iter().map(|(name, value)| (&name[..], *value)).collect();
        logger.evaluation(at, &scalars, &found.distributions);
        let improved = self.best.is_none_or(|best| found.candidate.score > best.score);
        self.best = if improved { Some(found.candidate) } else { self.best };
        Ok(improved)
    }
}

/// Records the options of the run in the manifest; returns the text of its configuration.
fn describe(manifest: &mut Manifest, trainer: &Trainer, device: Device, options: &RunOptions) -> String {
    let text = trainer.config().to_toml();
    (manifest.device, manifest.actors) = (device.to_string(), options.actors);
    manifest.backend = trainer.agent().computes_by();
    manifest.knows(text.as_bytes());
    text
}
