//! The work of a search: trials are begun, go on and are judged, by several threads and processes at a time.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::sleep,
    time::Duration,
};

use metadrift_agents::{
    backend::BackendChoice,
    device::Device,
    stop::{self, Stopped},
    threads::run_jobs,
};
use serde_json::{Value, json};

use super::{
    halving::{self, Next},
    journal::{Journal, State, WORKER, record},
    objective,
    plan::{Plan, TuneError},
    progress::Progress,
    sampler,
    trial::{self, FAILURE, SCORES, Trial},
};
use crate::{
    config::Experiment,
    failure::{During, Failure, Result, code},
    memory::{Arithmetic, Training},
    message,
    session::kept::{self, End},
    sharing::Lease,
};

/// Name of the journal in a search's folder.
pub const JOURNAL: &str = "journal.log";
/// Name of the folder of trials in a search's folder.
const TRIALS: &str = "trials";
/// Time between two looks at what other processes do.
const POLL: Duration = Duration::from_millis(500);

/// A search under way in its folder.
pub struct Search<'a> {
    plan: &'a Plan,
    out: PathBuf,
    journal: Journal,
    study: u64,
    lease: Lease,
    /// Number of trials that this process took, which tells them apart.
    taken: AtomicU64,
    /// True if it was told that another process is waited for.
    told: AtomicBool,
}

/// A trial to work on up to its next rung.
struct Job {
    trial: Trial,
    point: Vec<f64>,
    rung: usize,
    name: String,
}

/// The end of a trial's way to a rung.
enum Judged {
    /// Its values, and true if there is nothing left to train.
    Values(Vec<f64>, bool),
    /// The reason why it has none.
    Failed(String),
}

impl<'a> Search<'a> {
    /// Opens the search in folder `out`, or begins it.
    ///
    /// # Errors
    /// If the folder has another search, or a journal that this version does not know, or nothing can be written.
    pub fn open(plan: &'a Plan, out: &Path) -> Result<Self> {
        fs::create_dir_all(out).during(|| format!("cannot create {}", out.display()))?;
        let path = out.join(JOURNAL);
        // trials begin after the journal does
        if out.join(TRIALS).exists() && fs::metadata(&path).map_or(0, |journal| journal.len()) == 0 {
            let problem =
                format!("{} has trials, but no {JOURNAL}, or an empty one: choose another --out", out.display());
            return Err(TuneError { origin: plan.file.name.clone(), problems: vec![problem] }.into());
        }
        let lease = Lease::take(&out.join("workers"))?;
        let journal = Journal::open(&path, lease.name())?;
        let study = journal.change(|replay| Ok(trial::study(plan, replay)?))?;
        Ok(Search {
            plan,
            out: out.to_owned(),
            journal,
            study,
            lease,
            taken: AtomicU64::new(0),
            told: AtomicBool::new(false),
        })
    }

    /// All trials as they are now.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub fn trials(&self) -> Result<Vec<Trial>> {
        Ok(trial::all(self.plan, &self.journal.read()?, self.study))
    }

    /// Works on trials until all are over, `jobs` at a time, and shows their ends. Returns early at a signal.
    ///
    /// # Errors
    /// The first error that is not one of a trial alone: a full disk, a damaged journal.
    pub fn run(&self, jobs: usize, progress: &Progress) -> Result<Result<(), Stopped>> {
        let actors = if jobs > 1 { 1 } else { std::thread::available_parallelism().map_or(1, usize::from) };
        let failed: Mutex<Option<Failure>> = Mutex::new(None);
        let failure = || failed.lock().expect("no thread panics with it");
        let work = |_| {
            while failure().is_none() {
                match self.step(actors, progress) {
                    Ok(true) => {}
                    Ok(false) => return,
                    Err(error) => drop(failure().get_or_insert(error)),
                }
            }
        };
        let ended = stop::catch(|| run_jobs((0..jobs).collect(), jobs, work));
        failed.into_inner().expect("no thread panics with it").map_or(Ok(ended), Err)
    }

    /// Does the next thing; false if there is nothing left.
    fn step(&self, actors: usize, progress: &Progress) -> Result<bool> {
        stop::check();
        // a look without the lock first, so that those who wait do not keep others from writing
        if self.next(&self.trials()?) == Next::Wait {
            self.tell_of_waiting()?;
            sleep(POLL);
            return Ok(true);
        }
        let name = format!("{}-{}", self.lease.name(), self.taken.fetch_add(1, Ordering::Relaxed));
        match self.journal.change(|replay| self.choose(&trial::all(self.plan, replay, self.study), &name))? {
            Next::Over => return Ok(false),
            Next::Wait => return Ok(true),
            Next::Begin | Next::GoOn(_) => {}
        }
        // whoever broke the lock may have been faster
        let mine = |trial: &Trial| trial.worker.as_ref().is_some_and(|worker| worker["job"] == name);
        let Some(trial) = self.trials()?.into_iter().find(mine) else { return Ok(true) };
        let Some(point) = trial.point.clone() else { return Ok(true) };
        let job = Job { rung: trial.scores.len(), point, name, trial };
        let judged = self.judge(&job, actors)?;
        self.journal
            .change(|replay| Ok((self.ended(&trial::all(self.plan, replay, self.study), &job, &judged), ())))?;
        progress.show(&self.trials()?, job.trial.number);
        Ok(true)
    }

    fn next(&self, trials: &[Trial]) -> Next {
        let is_gone = |trial: &Trial| trial.worker.as_ref().is_some_and(|worker| self.lease.is_gone(worker));
        halving::next(self.plan, trials, &is_gone)
    }

    /// Says once that another process is waited for.
    fn tell_of_waiting(&self) -> Result<()> {
        let trials = self.trials()?;
        let workers = trials.iter().filter(|trial| trial.state == State::Running).filter_map(|t| t.worker.as_ref());
        let other = workers.filter_map(|worker| worker["process"].as_str()).find(|name| *name != self.lease.name());
        if let Some(other) = other.filter(|_| !self.told.swap(true, Ordering::Relaxed)) {
            message::say(&format!("waits for trials of other processes, such as {other}"));
        }
        Ok(())
    }

    /// The next thing to do, and the records that say so.
    fn choose(&self, trials: &[Trial], name: &str) -> Result<(Vec<Value>, Next)> {
        let next = self.next(trials);
        let records = match next {
            Next::Begin => {
                let point = sampler::propose(self.plan, trials);
                let params = self.plan.parameters.iter().zip(&point);
                let params: Vec<_> = params
                    .map(|(parameter, value)| (parameter.key.as_str(), *value, parameter.distribution()))
                    .collect();
                vec![record::trial(self.study, &params, &self.lease.worker(name, 1))]
            }
            Next::GoOn(at) => {
                let trial = &trials[at];
                vec![record::attribute(trial.id, WORKER, self.lease.worker(name, trial.claim + 1))]
            }
            Next::Wait => Vec::new(),
            Next::Over => {
                let left = trials.iter().filter(|trial| trial.is_own && trial.state == State::Running);
                let values = |trial: &Trial| trial.scores.last().filter(|values| values.len() == 1).cloned();
                left.map(|trial| record::end(trial.id, State::Pruned, values(trial).as_deref())).collect()
            }
        };
        Ok((records, next))
    }

    /// Folder of a training of a trial.
    fn folder(&self, trial: u64, seed: u64) -> PathBuf {
        self.out.join(TRIALS).join(format!("{trial:04}")).join(format!("s{seed}"))
    }

    /// Trains a trial up to its next rung and evaluates it.
    fn judge(&self, job: &Job, actors: usize) -> Result<Judged> {
        let until = self.plan.rungs[job.rung];
        let (mut sums, mut is_over) = (vec![0.0; self.plan.directions.len()], true);
        for seed in &self.plan.file.seeds {
            let config = match self.plan.experiment(&job.point, *seed) {
                Ok(config) => config,
                Err(error) => return Ok(Judged::Failed(error.to_string())),
            };
            let (end, values) = match self.train(job, &config, until, actors) {
                Ok(found) => found,
                // of the trial alone: it diverged while it adapted, or needs too much memory
                Err(error) if [code::DIVERGED, code::CONFIG].contains(&error.code()) => {
                    return Ok(Judged::Failed(message::of_error(&error)));
                }
                Err(error) => return Err(error),
            };
            if matches!(end, End::Diverged | End::Collapsed) {
                return Ok(Judged::Failed(format!("the training with seed {seed} {}", end.word())));
            }
            is_over &= end == End::Finished;
            sums.iter_mut().zip(&values).for_each(|(sum, value)| *sum += value);
        }
        let values: Vec<f64> = sums.iter().map(|sum| sum / self.plan.file.seeds.len() as f64).collect();
        let sought = self.plan.file.objectives.iter().zip(&values);
        Ok(match sought.clone().find(|(_, value)| !value.is_finite()) {
            Some((objective, value)) => Judged::Failed(format!("{} is {value}", objective.metric)),
            None => Judged::Values(values, is_over),
        })
    }

    /// Trains one seed of a trial up to iteration `until`, and gives its values.
    fn train(&self, job: &Job, config: &Experiment, until: u64, actors: usize) -> Result<(End, Vec<f64>)> {
        let dir = self.folder(job.trial.number, config.seed);
        if let Some(reason) = kept::foreign(&dir, config) {
            return Err(TuneError { origin: self.plan.file.name.clone(), problems: vec![reason] }.into());
        }
        let arithmetic = Arithmetic::of(config, BackendChoice::Native, Device::Cpu, actors)?;
        Training::of(config, arithmetic).need.check()?;
        message::set_prefix(&format!("trial {}: ", job.trial.number));
        let end = kept::go_on(&dir, config, actors, Some(until));
        message::set_prefix("");
        let end = end?;
        let values = match end {
            End::Finished | End::Paused => objective::values(self.plan, config, &dir, actors)?,
            End::Diverged | End::Collapsed => Vec::new(),
        };
        Ok((end, values))
    }

    /// The records of what a job found; none if another process took its trial meanwhile.
    fn ended(&self, trials: &[Trial], job: &Job, judged: &Judged) -> Vec<Value> {
        let is_mine = |trial: &&Trial| trial.worker.as_ref().is_some_and(|worker| worker["job"] == job.name);
        let Some(trial) = trials.iter().find(is_mine).filter(|trial| trial.state == State::Running) else {
            return Vec::new();
        };
        let id = trial.id;
        match judged {
            Judged::Failed(reason) => {
                vec![record::attribute(id, FAILURE, json!(reason)), record::end(id, State::Fail, None)]
            }
            Judged::Values(values, is_over) => {
                let rungs = self.plan.rungs.iter().zip(trial.scores.iter().chain([values]));
                let scores = rungs.map(|(rung, values)| (rung.to_string(), json!(values)));
                let mut records = vec![record::attribute(id, SCORES, scores.collect::<serde_json::Map<_, _>>().into())];
                if let [value] = values[..] {
                    records.push(record::intermediate(id, self.plan.rungs[job.rung], value));
                }
                records.push(match *is_over || job.rung + 1 == self.plan.rungs.len() {
                    true => record::end(id, State::Complete, Some(values)),
                    false => record::attribute(id, WORKER, json!({ "claim": trial.claim + 1 })),
                });
                records
            }
        }
    }
}
