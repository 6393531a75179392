//! Fork-join over a queue of jobs: the only way in which work is spread over cores.

use crossbeam::channel;

use crate::stop;

/// Runs `work` on every job, on up to `threads` scoped threads that take jobs off a closed queue; returns when all are
/// done. A job carries a `&mut` to the place of its result, so there is nothing to collect and no lock.
///
/// # Panics
/// With the payload of the first worker that panicked or was [stopped](stop::check), once the others have finished; it
/// never hangs.
pub fn run_jobs<J: Send>(jobs: Vec<J>, threads: usize, work: impl Fn(J) + Sync) {
    run_jobs_with(jobs, threads, &mut Vec::new(), || (), |(), job| work(job));
}

/// [`run_jobs`] with one work space per thread: one of `spaces` or a `new` one that stays there, which the thread's
/// jobs use one after the other.
///
/// # Panics
/// As [`run_jobs`].
pub fn run_jobs_with<J: Send, S: Send>(
    jobs: Vec<J>,
    threads: usize,
    spaces: &mut Vec<S>,
    new: impl Fn() -> S,
    work: impl Fn(&mut S, J) + Sync,
) {
    let workers = threads.min(jobs.len()).max(1);
    let work = |space: &mut S, job: J| {
        stop::check();
        work(space, job);
    };
    spaces.resize_with(spaces.len().max(workers), new);
    if workers == 1 {
        return jobs.into_iter().for_each(|job| work(&mut spaces[0], job));
    }
    let (sender, queue) = channel::bounded(jobs.len());
    for job in jobs {
        sender.send(job).unwrap_or_else(|_| unreachable!("the receiver lives on this stack"));
    }
    drop(sender);
    std::thread::scope(|scope| {
        let mut handles = Vec::with_capacity(workers);
        for space in spaces.iter_mut().take(workers) {
            let queue = queue.clone();
            let work = &work;
            handles.push(scope.spawn(move || queue.into_iter().for_each(|job| work(space, job))));
        }
        let mut panic = None;
        for handle in handles {
            panic = panic.or(handle.join().err());
        }
        if let Some(payload) = panic {
            std::panic::resume_unwind(payload);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_job_runs_once_for_any_number_of_threads() {
        for threads in [0, 1, 2, 3, 8] {
            let mut done = vec![0; 20];
            run_jobs(done.iter_mut().enumerate().collect(), threads, |(i, d): (usize, &mut usize)| *d += i + 1);
            assert_eq!(done, (1..=20).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_panic_reaches_the_caller_with_its_message() {
        for threads in [1, 2, 8] {
            let run = || run_jobs((0..20).collect(), threads, |i| assert_ne!(i, 7, "job seven broke"));
            let payload = std::panic::catch_unwind(run).unwrap_err();
            assert!(payload.downcast_ref::<String>().unwrap().contains("job seven broke"));
        }
    }
}
