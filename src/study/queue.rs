//! The missing cells of a study, shared by the threads of this process and by other processes on the same folder.
//!
//! Who makes the cells of a training has a claim, a file below `workers/` that names the process. It is made under a lock, and
//! taken over from a process that is gone.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    thread::sleep,
    time::Duration,
};

use metadrift_agents::stop;
use serde_json::Value;

use super::{
    cell::{CellResult, FILE, Stored},
    outline::{self, Outline},
    plan::Plan,
    run::{State, clear, states},
};
use crate::{
    failure::{During, Result, WrongUsage},
    files, message,
    sharing::{Lease, Lock},
};

/// Name of the folder of processes and claims in a study's folder.
const WORKERS: &str = "workers";
/// Ending of a claim's name.
const CLAIM: &str = ".claim";
/// Time between two looks at what other processes do.
const POLL: Duration = Duration::from_millis(500);

/// The cells that are left to make.
pub struct Queue<'a> {
    plan: &'a Plan,
    out: &'a Path,
    lease: Lease,
    /// Those of one training together, in the order of the study.
    left: Mutex<Vec<Vec<usize>>>,
    /// Indices of the cells that are not finished at first.
    pub missing: Vec<usize>,
    /// True if it was told that another process is waited for.
    told: AtomicBool,
}

/// The cells of a training, taken by this process until this is dropped.
pub(super) struct Claim {
    path: PathBuf,
    /// The cells.
    pub cells: Vec<usize>,
}

impl Drop for Claim {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

impl<'a> Queue<'a> {
    /// Opens the study in folder `out`, or begins it, and looks for cells that are missing. Damaged results are removed, and said.
    ///
    /// # Errors
    /// If the folder has cells of another study, another process makes another study there, or nothing can be written.
    pub fn open(plan: &'a Plan, outline: &Outline, out: &'a Path) -> Result<Self> {
        let cells = out.join("cells");
        fs::create_dir_all(&cells).during(|| format!("cannot create {}", cells.display()))?;
        let lease = Lease::take(&out.join(WORKERS))?;
        let mut queue =
            Queue { plan, out, lease, left: Mutex::default(), missing: Vec::new(), told: AtomicBool::default() };
        let _lock = queue.lock()?;
        let other = Outline::read(out).ok().flatten().filter(|there| there.digest != outline.digest);
        if let (Some(other), Some(process)) = (other, queue.any_other()?) {
            let message = format!(
                "{}: the process {process} makes the study {} there, which differs; wait until it ends, or choose another --out",
                out.display(),
                other.study
            );
            return Err(WrongUsage(message).into());
        }
        let State { finished, damaged } = states(plan, out)?;
        clear(plan, out, &damaged)?;
        outline.write(out)?;
        queue.missing = (0..finished.len()).filter(|at| finished[*at].is_none()).collect();
        queue.left = Mutex::new(groups(plan, &queue.missing));
        Ok(queue)
    }

    fn lock(&self) -> Result<Lock> {
        let path = self.out.join(outline::FILE);
        Lock::take(&path).during(|| format!("cannot make a link beside {}, which locks it", path.display()))
    }

    fn left(&self) -> MutexGuard<'_, Vec<Vec<usize>>> {
        self.left.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The next cells to make; none if all are finished. Waits for those that other processes make, and tells `done` of them.
    pub(super) fn next(&self, done: &(dyn Fn(usize, &CellResult) + Sync)) -> Result<Option<Claim>> {
        loop {
            stop::check();
            let mut left = self.left();
            self.drop_finished(&mut left, done);
            if left.is_empty() {
                return Ok(None);
            }
            // a look without the lock first, so that those who wait do not keep others from working
            if left.iter().any(|group| self.holder(group).is_none()) {
                let _lock = self.lock()?;
                self.drop_finished(&mut left, done);
                if let Some(at) = left.iter().position(|group| self.holder(group).is_none()) {
                    let path = self.claim(&left[at]);
                    let worker = self.lease.worker(&self.plan.cells[left[at][0]].name, 1).to_string() + "\n";
                    files::replace(&path, worker.as_bytes()).during(|| format!("cannot write {}", path.display()))?;
                    return Ok(Some(Claim { path, cells: left.remove(at) }));
                }
            } else if let Some(process) = left.iter().find_map(|group| self.holder(group))
                && !self.told.swap(true, Ordering::Relaxed)
            {
                message::say(&format!("waits for cells of other processes, such as {process}"));
            }
            drop(left);
            sleep(POLL);
        }
    }

    /// Drops the cells that other processes have finished.
    fn drop_finished(&self, left: &mut Vec<Vec<usize>>, done: &(dyn Fn(usize, &CellResult) + Sync)) {
        for group in left.iter_mut() {
            group.retain(|at| {
                let cell = &self.plan.cells[*at];
                if !cell.folder(self.out).join(FILE).exists() {
                    return true;
                }
                let Stored::Finished(result) = self.plan.stored(cell, self.out) else { return true };
                done(*at, &result);
                false
            });
        }
        left.retain(|group| !group.is_empty());
    }

    /// The claim on the cells of a training.
    fn claim(&self, group: &[usize]) -> PathBuf {
        let training = self.plan.cells[group[0]].trained_by;
        self.out.join(WORKERS).join(format!("{}{CLAIM}", self.plan.cells[training].name))
    }

    /// The process that makes these cells, if one does.
    fn holder(&self, group: &[usize]) -> Option<String> {
        self.living(&self.claim(group))
    }

    /// The process that a claim names, unless it is gone.
    fn living(&self, claim: &Path) -> Option<String> {
        let worker: Value = serde_json::from_slice(&fs::read(claim).ok()?).ok()?;
        let name = worker["process"].as_str()?.to_owned();
        (!self.lease.is_gone(&worker)).then_some(name)
    }

    /// A process that makes cells in this folder, if there is one.
    fn any_other(&self) -> Result<Option<String>> {
        let folder = self.out.join(WORKERS);
        let listed = fs::read_dir(&folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let listed = listed.during(|| format!("cannot read {}", folder.display()))?;
        let mut claims = listed.iter().map(fs::DirEntry::path).filter(|path| path.to_string_lossy().ends_with(CLAIM));
        Ok(claims.find_map(|claim| self.living(&claim)))
    }
}

/// The missing cells, those of one training together, in the order of the study.
fn groups(plan: &Plan, missing: &[usize]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for &at in missing {
        let with = |group: &&mut Vec<usize>| plan.cells[group[0]].trained_by == plan.cells[at].trained_by;
        match groups.iter_mut().find(with) {
            Some(group) => group.push(at),
            None => groups.push(vec![at]),
        }
    }
    groups
}
