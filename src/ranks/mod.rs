//! A training that several processes share, started by `mpirun` or `srun`: `--distributed`.
//!
//! `metadrift_agents::team` divides the work; here are MPI as its means of exchange, the checks that all ranks compute the
//! same, and the ends of a run. Rank 0 alone touches the run folder: it hands configuration and state to the others, and reports
//! for all. [docs/cluster.md](../../docs/cluster.md) is for users.

mod error;
mod follower;
mod greeting;
mod launch;
mod mpi;
mod watchdog;

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    process::ExitCode,
    thread,
    time::Duration,
};

use metadrift_agents::{
    agent::Agent,
    backend::BackendChoice,
    device::Device,
    source::Demand,
    stop::{self, Stopped},
    team::{self, Broken, Departure, Parted, Traffic},
};

pub use error::RanksError;
pub use follower::follow;

use greeting::{cores, greet, groups, listed};
use launch::Launch;
use mpi::Mpi;
use watchdog::Watched;

use crate::{
    checkpoint::Checkpoint,
    config::Experiment,
    device,
    failure::{Coded, Failure, Result, WorkerPanic, code},
    message,
    rollout::GROUP,
    run_dir::sha256,
    session::RunOptions,
    train::Trainer,
};

/// This process among the ranks.
#[derive(Clone, Copy, Debug)]
pub struct Rank {
    /// Its number; rank 0 reports for all.
    pub number: usize,
    /// Threads that it can use without those of other ranks on its machine.
    pub cores: usize,
}

/// Does `work` as one of the ranks that a launcher started. An exchange that lasts longer than `limit` ends all of them. If a
/// rank fails, all end with its exit code, and rank 0 tells the reason.
///
/// # Errors
/// If there is no launcher or no library that belongs to it. Other errors are told here, and are exit codes.
pub fn run(limit: Duration, work: impl FnOnce(Rank) -> Result<ExitCode>) -> Result<ExitCode> {
    let launch = Launch::find(|name| std::env::var(name).ok()).ok_or(RanksError::NoLauncher)?;
    watchdog::watch(limit);
    let mpi = match watchdog::during(|| Mpi::start(&launch)) {
        Ok(mpi) => mpi,
        // every process finds the same: the first one tells it, before launchers end it because another one failed
        Err(error) if launch.rank.is_some_and(|rank| rank > 0) => {
            thread::sleep(Duration::from_secs(1));
            return Ok(ExitCode::from(error.code()));
        }
        Err(error) => return Err(error.into()),
    };
    watchdog::started(mpi);
    let member = team::join(Box::new(Watched(mpi)));
    let rank = team::rank();
    if rank > 0 {
        message::set_prefix(&format!("rank {rank}: "));
    }
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let peers = greet()?;
        let place = Rank { number: rank, cores: cores(&peers, rank) };
        watchdog::met(peers);
        let code = work(place)?;
        close();
        Ok(code)
    }));
    let ended = match outcome {
        Ok(Ok(code)) => Ok(code),
        Ok(Err(failure)) => end(failure),
        Err(payload) => match departed(payload) {
            Ok(signal) => {
                close();
                Ok(code::of_signal(signal))
            }
            Err(failure) => end(failure),
        },
    };
    drop(member);
    ended
}

/// The signal of an unwinding by which this rank, or another one, stops; otherwise the failure that it stands for. A rank
/// that stops tells the others.
///
/// # Errors
/// The failure.
pub fn departed(payload: Box<dyn Any + Send>) -> Result<i32> {
    let parted = match (payload.downcast_ref::<Stopped>(), payload.downcast_ref::<Parted>()) {
        (Some(Stopped(signal)), _) => match team::leave(&Departure::Stopped(*signal)) {
            Some(parted) => parted,
            None => return Ok(*signal),
        },
        (None, Some(parted)) => parted.clone(),
        (None, None) => {
            return Err(match payload.downcast_ref::<Broken>() {
                Some(Broken(reason)) => RanksError::Broken(reason.clone()).into(),
                None => WorkerPanic::new(payload.as_ref()).into(),
            });
        }
    };
    match parted.failure() {
        Some((rank, code, message)) => Err(RanksError::Peer { rank, code, message: message.to_owned() }.into()),
        None => Ok(parted.signal().expect("a departure without failure is a stop")),
    }
}

/// Does `work`, in which all ranks take part; a panic, here or on another rank, becomes an error.
///
/// # Errors
/// Those of `work`, and failures of other ranks; [`Stopped`] if a signal asks this rank, or another one, to stop.
pub fn together<T>(work: impl FnOnce() -> Result<T>) -> Result<Result<T, Stopped>> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => done.map(Ok),
        Err(payload) => departed(payload).map(|signal| Err(Stopped(signal))),
    }
}

/// Ends this rank after `failure`, of which the others learn. Rank 0 tells the reason: that of the lowest rank that failed.
///
/// # Errors
/// The failure, if it came after the ranks had parted.
fn end(failure: Failure) -> Result<ExitCode> {
    if !team::exists() {
        return Err(failure);
    }
    let (code, message) = (failure.code(), message::of_error(&failure));
    let told = catch_unwind(AssertUnwindSafe(|| {
        let parted = team::leave(&Departure::Failed { code, message: message.clone() });
        let (code, message) = match parted.as_ref().and_then(Parted::failure) {
            Some((rank, code, message)) if rank > 0 => (code, format!("rank {rank}: {message}")),
            Some((_, code, message)) => (code, message.to_owned()),
            // this rank already heard of it from another one
            None => (code, message.clone()),
        };
        if team::rank() == 0 {
            message::say(&format!("error: {message}"));
        }
        close();
        ExitCode::from(code)
    }));
    told.or_else(|_| {
        message::say(&format!("error: {message}"));
        watchdog::end()
    })
}

/// Lets the ranks part once all of them have come here; each is then a process of its own.
///
/// # Panics
/// As [`team::share`].
pub fn close() {
    if !team::exists() {
        return;
    }
    team::every(0u8);
    team::quit();
    if let Err(reason) = watchdog::finalize() {
        message::warn(&format!("MPI did not end well: {reason}"));
    }
}

/// Refuses an experiment that the ranks cannot share.
///
/// # Errors
/// If there are more ranks than units of work, or the backend is not the native one.
pub fn check(config: &Experiment, options: &RunOptions) -> Result<()> {
    let device = device::open(options.device)?;
    let choice = options.backend.unwrap_or_default();
    if choice.resolve(device, config.maml.tasks_per_chunk)? != BackendChoice::Native {
        return Err(RanksError::Backend.into());
    }
    let groups = |lanes: usize| lanes.div_ceil(GROUP);
    let (most, units, keys) = match config.demand() {
        Demand::Tasks { tasks, .. } | Demand::Examples { tasks, .. } => {
            (tasks, format!("{tasks} tasks"), "rollout.num_tasks")
        }
        Demand::Lives { lanes, .. } | Demand::Lanes { lanes, .. } => {
            (groups(lanes), format!("{lanes} lanes in groups of {GROUP}"), "the number of lanes")
        }
    };
    let size = team::size();
    if size > most {
        return Err(RanksError::TooMany { size, units, most, keys }.into());
    }
    Ok(())
}

/// Refuses an evaluation that the ranks cannot share: each has read configuration and checkpoint itself.
///
/// # Errors
/// If they differ, or the backend is not the native one.
///
/// # Panics
/// As [`team::share`].
pub fn check_read(config: &Experiment, (agent, iteration): (&dyn Agent, u64)) -> Result<(), RanksError> {
    if !team::is_member() {
        return Ok(());
    }
    if agent.computes_by() != BackendChoice::Native {
        return Err(RanksError::Backend);
    }
    let mut agent = agent.duplicate();
    agent.begin(1);
    let tensors = vec![("policy".to_owned(), agent.policies().params[0].clone())];
    let state = serde_json::Value::String(config.to_toml());
    alike(digest(&Checkpoint { step: iteration, tensors, state }), "runs or checkpoints")
}

/// Compares the configuration that every rank has read. Does nothing without other ranks.
///
/// # Errors
/// If they differ.
pub fn check_config(config: &Experiment) -> Result<(), RanksError> {
    alike(sha256(config.to_toml().as_bytes()), "configurations")
}

/// Compares the digests of what every rank has read.
fn alike(mine: String, what: &str) -> Result<(), RanksError> {
    let all = team::every(mine);
    let groups = groups(all.iter());
    if groups.len() > 1 {
        let each: Vec<String> = groups.iter().map(|(_, ranks)| listed(ranks)).collect();
        return Err(RanksError::Differ(format!("the ranks have read different {what}: {}", each.join(" against "))));
    }
    Ok(())
}

/// Hands the configuration and the state of `trainer` to the other ranks; `origin` is the file of the former.
///
/// # Panics
/// As [`team::share`].
pub fn hand_out(trainer: &mut Trainer, origin: &Path) {
    let Checkpoint { step, tensors, state } = trainer.checkpoint();
    let config = (origin.display().to_string(), trainer.config().to_toml());
    team::first(Some((config, (step, tensors, state.to_string()))));
}

/// The trainer that rank 0 hands out.
///
/// # Errors
/// If its configuration cannot be used here.
///
/// # Panics
/// As [`team::share`].
fn receive(options: &RunOptions) -> Result<Trainer> {
    type Sent = ((String, String), (u64, Vec<(String, Vec<f32>)>, String));
    let ((origin, config), (step, tensors, state)): Sent = team::first(None);
    let config = Experiment::parse(&origin, &config, &[])?;
    let mut trainer = Trainer::new(config, Device::Cpu, BackendChoice::Native, options.actors)?;
    trainer.restore(&Checkpoint { step, tensors, state: serde_json::from_str(&state)? })?;
    Ok(trainer)
}

/// The end of an iteration, on which all ranks agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// A signal that asks one of them to stop.
    pub signal: Option<i32>,
    /// True if the time of rank 0 is up.
    pub time_up: bool,
}

/// Agrees with the other ranks on the end of an iteration, after which all must be in the same state.
///
/// # Errors
/// If they are not.
///
/// # Panics
/// As [`team::share`].
pub fn agree(trainer: &mut Trainer, time_up: bool) -> Result<Agreed, RanksError> {
    let all = team::every((digest(&trainer.checkpoint()), stop::requested().unwrap_or(0), time_up));
    let groups = groups(all.iter().map(|(digest, ..)| digest));
    if groups.len() > 1 {
        let each: Vec<String> = groups.iter().map(|(_, ranks)| listed(ranks)).collect();
        return Err(RanksError::Results { iteration: trainer.iteration(), groups: each.join(" against ") });
    }
    let signal = all.iter().map(|(_, signal, _)| *signal).find(|signal| *signal != 0);
    Ok(Agreed { signal, time_up: all[0].2 })
}

/// The exchanges of a training of `iterations` iterations and `seconds` seconds, in words.
pub fn traffic(iterations: u64, seconds: f64) -> String {
    let Traffic { exchanges, bytes, time } = team::traffic();
    let iterations = iterations.max(1) as f64;
    format!(
        "{} ranks: {:.0} exchanges an iteration, {:.2} MB, {:.1} ms of {:.1} ms with waiting",
        team::size(),
        exchanges as f64 / iterations,
        bytes as f64 / iterations / 1e6,
        1e3 * time.as_secs_f64() / iterations,
        1e3 * seconds / iterations
    )
}

/// Digest of a state.
fn digest(checkpoint: &Checkpoint) -> String {
    let mut bytes = checkpoint.state.to_string().into_bytes();
    for (name, values) in &checkpoint.tensors {
        bytes.extend_from_slice(name.as_bytes());
        values.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
    }
    sha256(&bytes)
}
