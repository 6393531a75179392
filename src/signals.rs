//! SIGINT, SIGTERM and SIGHUP become a request to stop; a second one ends the process at once.

use std::{
    io,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use metadrift_agents::stop;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    low_level,
};

/// Time after the first signal within which others belong to it (ms): `timeout` and service managers send two in a row.
const SAME: u64 = 100;

/// Start of the watch.
static BEGAN: OnceLock<Instant> = OnceLock::new();
/// Time of the first signal (ms since the start of the watch, plus 1); 0 before it.
static FIRST: AtomicU64 = AtomicU64::new(0);

/// Installs handlers: a signal asks the computations to stop (see [`stop::check`]), and the next one ends the process.
/// SIGHUP stays ignored if it was, as under `nohup`.
///
/// # Errors
/// If the system accepts no handlers.
pub fn watch() -> io::Result<()> {
    BEGAN.get_or_init(Instant::now);
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        if signal == SIGHUP && is_ignored(SIGHUP) {
            continue;
        }
        // SAFETY: the handler reads a clock and atomics and may exit; all of it is safe within a signal handler.
        unsafe { low_level::register(signal, move || take(signal)) }?;
    }
    Ok(())
}

fn take(signal: i32) {
    let now = 1 + BEGAN.get().map_or(0, |began| began.elapsed().as_millis() as u64);
    match FIRST.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => stop::request(signal),
        Err(first) if now - first >= SAME => low_level::exit(128 + signal),
        Err(_) => {}
    }
}

fn is_ignored(signal: i32) -> bool {
    // SAFETY: an all-zero sigaction is a valid place for the current one, which is only read.
    unsafe {
        let mut current: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, std::ptr::null(), &mut current) == 0 && current.sa_sigaction == libc::SIG_IGN
    }
}

/// Turns the growth of a file beyond its limit into an error of the write (EFBIG), instead of the end of the process.
pub fn ignore_file_size_limit() {
    // SAFETY: ignoring a signal installs no handler.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}
