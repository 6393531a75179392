//! The work of a study: the cells that are missing, several at a time, each saved as soon as it is done.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Mutex,
};

use metadrift_agents::{
    agent::Agent,
    backend::BackendChoice,
    device::Device,
    stop::{self, Stopped},
    threads::run_jobs,
};

use super::{
    cell::{CellResult, FILE, Stored, leaves_a_run},
    lives,
    methods::{Length, Made},
    plan::{Cell, Plan, StudyError},
    queue::Queue,
    scores, specialists,
};
use crate::{
    config::Experiment,
    failure::{During, Failure, Result},
    message,
    session::kept::{self, End},
    train,
};

/// The state of a study's cells on the disk.
#[derive(Debug, Default)]
pub struct State {
    /// Results of the finished cells, by cell.
    pub finished: Vec<Option<CellResult>>,
    /// Cells whose results are damaged, with the reasons.
    pub damaged: Vec<(usize, String)>,
}

/// Looks for the results of a study's cells in its folder.
///
/// # Errors
/// [`StudyError`] with every cell that belongs to another study or to another version of a preset.
pub fn states(plan: &Plan, out: &Path) -> Result<State> {
    let mut state = State::default();
    let mut foreign = Vec::new();
    for (at, cell) in plan.cells.iter().enumerate() {
        let stored = plan.stored(cell, out);
        state.finished.push(None);
        match stored {
            Stored::Finished(found) => state.finished[at] = Some(*found),
            Stored::Damaged(reason) => state.damaged.push((at, reason)),
            Stored::Foreign(reason) => foreign.push(format!("{}: {reason}", cell.folder(out).display())),
            Stored::Missing => {
                let runs = runs(plan, cell, out)?;
                foreign.extend(runs.iter().filter_map(|(dir, asked)| kept::foreign(dir, asked)));
            }
        }
    }
    if foreign.is_empty() {
        return Ok(state);
    }
    foreign.push("choose another --out, or remove these cells, which are then made anew".to_owned());
    Err(StudyError { origin: out.display().to_string(), problems: foreign }.into())
}

/// Folder and configuration of each training of a cell.
fn runs(plan: &Plan, cell: &Cell, out: &Path) -> Result<Vec<(PathBuf, Experiment)>> {
    let own = cell.training.iter().filter(|_| leaves_a_run(cell));
    let own = own.map(|(config, _)| (cell.folder(out).join("run"), config.clone()));
    let of_specialists = specialists::trainings(plan, cell, out)?.into_iter();
    Ok(own.chain(of_specialists.map(|training| (training.dir, training.config))).collect())
}

/// Makes the cells that are missing, `jobs` at a time, and tells `done` of each, those of other processes included. Returns
/// early at a signal.
///
/// # Errors
/// The first error of a cell: a full disk, a folder that cannot be written. A training that diverges or collapses is no
/// error: its last good policy is evaluated, and its result says so.
pub fn run(
    plan: &Plan,
    out: &Path,
    queue: &Queue<'_>,
    jobs: usize,
    done: &(dyn Fn(usize, &CellResult) + Sync),
) -> Result<Result<(), Stopped>> {
    let actors = if jobs > 1 { 1 } else { std::thread::available_parallelism().map_or(1, usize::from) };
    let failed: Mutex<Option<Failure>> = Mutex::new(None);
    let failure = || failed.lock().expect("no thread panics with it");
    let work = |_| {
        while failure().is_none() {
            let made = queue
                .next(done)
                .and_then(|claim| claim.as_ref().map(|claim| make(plan, out, &claim.cells, actors, done)).transpose());
            match made {
                Ok(Some(())) => {}
                Ok(None) => return,
                Err(error) => drop(failure().get_or_insert(error)),
            }
        }
    };
    let ended = stop::catch(|| run_jobs((0..jobs).collect(), jobs, work));
    failed.into_inner().expect("no thread panics with it").map_or(Ok(ended), Err)
}

/// Makes the cells of one training.
fn make(
    plan: &Plan,
    out: &Path,
    group: &[usize],
    actors: usize,
    done: &(dyn Fn(usize, &CellResult) + Sync),
) -> Result<()> {
    let first = &plan.cells[group[0]];
    let trained = match &first.training {
        None | Some((_, Length::Each)) => None,
        Some((_, Length::None)) => Some(untrained(first, actors)?),
        Some(_) => {
            let cell = &plan.cells[first.trained_by];
            let (config, _) = cell.training.as_ref().expect("the caller looked");
            Some(trained_in(&cell.folder(out).join("run"), &cell.name, config, actors)?)
        }
    };
    for &at in group {
        let cell = &plan.cells[at];
        let (ended, mut evaluations) = match (&plan.methods[cell.place.0].made, &trained) {
            (Made::Law(law), _) => (("none", 0, 0), scores::of_law(plan, cell, *law)),
            (Made::Policy(_), Some(Policy { agent, ended, iterations, env_steps })) => {
                ((*ended, *iterations, *env_steps), scores::of_agent(plan, cell, &**agent, actors)?)
            }
            (Made::Policy(_), None) => specialists::evaluated(plan, cell, out, actors)?,
        };
        evaluations.extend(lives::of_cell(plan, cell, trained.as_ref().map(|policy| &*policy.agent), actors)?);
        let result = CellResult::new((plan.settings(cell), plan.task_digests(cell)), ended, evaluations);
        let folder = cell.folder(out);
        fs::create_dir_all(&folder).during(|| format!("cannot create {}", folder.display()))?;
        result.clone().store(cell, out)?;
        done(at, &result);
    }
    Ok(())
}

/// The end of a training, its iterations and its environment steps.
pub(super) type Summary = (&'static str, u64, u64);

/// A policy to be evaluated.
pub(super) struct Policy {
    pub agent: Box<dyn Agent>,
    pub ended: &'static str,
    pub iterations: u64,
    pub env_steps: u64,
}

/// The first weights of a cell's policy.
fn untrained(cell: &Cell, actors: usize) -> Result<Policy> {
    let (config, _) = cell.training.as_ref().expect("the caller looked");
    let learner = train::learner(config, Device::Cpu, BackendChoice::Native, actors)?;
    Ok(Policy { agent: learner.agent(), ended: "none", iterations: 0, env_steps: 0 })
}

/// Trains a policy in folder `dir`, or goes on with its training; one that is done is only opened. Warnings begin with the
/// name of its cell.
pub(super) fn trained_in(dir: &Path, cell: &str, config: &Experiment, actors: usize) -> Result<Policy> {
    message::set_prefix(&format!("{cell}: "));
    let policy = train_or_open(dir, config, actors);
    message::set_prefix("");
    policy
}

fn train_or_open(dir: &Path, config: &Experiment, actors: usize) -> Result<Policy> {
    let ended = kept::go_on(dir, config, actors, None)?;
    if ended != End::Finished {
        message::warn(&format!("the training {}; its last good policy is evaluated", ended.word()));
    }
    let policy = kept::policy(dir, actors)?;
    let env_steps = policy.checkpoint.state().value("env_steps")?;
    Ok(Policy { agent: policy.agent, ended: ended.word(), iterations: policy.iteration, env_steps })
}

/// Removes the damaged results of a study, and says so.
///
/// # Errors
/// If one cannot be removed.
pub(super) fn clear(plan: &Plan, out: &Path, damaged: &[(usize, String)]) -> Result<()> {
    for (at, reason) in damaged {
        let path = plan.cells[*at].folder(out).join(FILE);
        message::warn(&format!("{}: its result is damaged and is made anew ({reason})", plan.cells[*at].name));
        fs::remove_file(&path).during(|| format!("cannot remove {}", path.display()))?;
    }
    Ok(())
}
