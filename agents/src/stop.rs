//! A request to stop that every long computation notices within milliseconds.
//!
//! The request is one flag of the process, because it comes from a signal. [`check`] unwinds the stack with
//! [`Stopped`], so that no signature between the innermost loop and the caller that saves the run has to carry it.
//! Loops that may take seconds call [`check`]; so does [`run_jobs`](crate::threads::run_jobs) before every job.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::atomic::{AtomicI32, AtomicU32, Ordering},
};

static REQUESTED: AtomicI32 = AtomicI32::new(0);
/// Number of guards that hold the request back.
static HELD: AtomicU32 = AtomicU32::new(0);

/// The payload of [`check`]'s unwinding: the signal that caused it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped(pub i32);

/// Asks the computations of this process to stop because of `signal`. Safe to call from a signal handler.
pub fn request(signal: i32) {
    REQUESTED.store(signal, Ordering::Relaxed);
}

/// The signal of the request, if there is one.
pub fn requested() -> Option<i32> {
    Some(REQUESTED.load(Ordering::Relaxed)).filter(|signal| *signal != 0)
}

/// Returns, or unwinds with [`Stopped`] if a stop was requested and is not [held](hold) back. The panic hook is not
/// called.
#[inline]
pub fn check() {
    if let Some(signal) = requested().filter(|_| HELD.load(Ordering::Relaxed) == 0) {
        resume_unwind(Box::new(Stopped(signal)));
    }
}

/// A guard: while it lives, [`check`] does nothing on any thread, so that some work is done as a whole.
#[derive(Debug)]
#[must_use = "dropped at once, it holds nothing"]
pub struct Hold(());

/// Holds [`check`] back until the last guard is gone.
pub fn hold() -> Hold {
    HELD.fetch_add(1, Ordering::Relaxed);
    Hold(())
}

impl Drop for Hold {
    fn drop(&mut self) {
        HELD.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Calls `work`; an unwinding by [`check`] ends here, any other goes on.
///
/// # Errors
/// [`Stopped`] if `work` was stopped. Its data are then as unfinished as after a panic.
pub fn catch<T>(work: impl FnOnce() -> T) -> Result<T, Stopped> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| match payload.downcast::<Stopped>() {
        Ok(stopped) => *stopped,
        Err(panic) => resume_unwind(panic),
    })
}
