//! A thread that ends a rank whose exchange does not end: a rank that hangs is noticed by nobody else.

use std::{
    fs,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use metadrift_agents::team::Transport;

use super::{greeting::Peer, mpi::Mpi};
use crate::{failure::code, message};

/// Time between two looks.
const LOOK: Duration = Duration::from_millis(100);
/// Time that MPI has to end all ranks before this one ends by itself.
const GRACE: Duration = Duration::from_secs(5);

/// Start of the watch.
static START: OnceLock<Instant> = OnceLock::new();
/// The time at which the call under way began (ms since the start, plus 1); 0 between calls.
static BEGAN: AtomicU64 = AtomicU64::new(0);
/// The library, once it has started.
static MPI: OnceLock<Mpi> = OnceLock::new();
/// All ranks, once they have introduced themselves.
static PEERS: OnceLock<Vec<Peer>> = OnceLock::new();

/// Time since the start of the watch (ms), plus 1.
fn now() -> u64 {
    START.get_or_init(Instant::now).elapsed().as_millis() as u64 + 1
}

/// Calls `work`, which waits for other ranks and does not unwind, under the eyes of the watchdog.
pub fn during<T>(work: impl FnOnce() -> T) -> T {
    BEGAN.store(now(), Ordering::Relaxed);
    let done = work();
    BEGAN.store(0, Ordering::Relaxed);
    done
}

/// Time since the call under way began, if one is.
fn waited() -> Option<Duration> {
    let began = BEGAN.load(Ordering::Relaxed);
    (began > 0).then(|| Duration::from_millis(now().saturating_sub(began)))
}

/// MPI under the eyes of the watchdog.
pub struct Watched(pub Mpi);

impl Transport for Watched {
    fn rank(&self) -> usize {
        self.0.rank()
    }

    fn size(&self) -> usize {
        self.0.size()
    }

    fn gather(&self, mine: &[u8], lengths: &[usize]) -> Result<Vec<u8>, String> {
        during(|| self.0.gather(mine, lengths))
    }
}

/// Watches this process to its end: if a call lasts longer than `limit`, it says so and ends all ranks.
pub fn watch(limit: Duration) {
    let watch = move || {
        loop {
            thread::sleep(LOOK);
            if let Some(waited) = waited().filter(|waited| *waited > limit) {
                let (rank, reason) = match (MPI.get().map(Transport::rank), PEERS.get()) {
                    (Some(rank), Some(peers)) => (format!("rank {rank}"), missing(rank, peers)),
                    (Some(rank), None) => (format!("rank {rank}"), "not all have arrived".to_owned()),
                    (None, _) => (format!("process {}", std::process::id()), "not all have started".to_owned()),
                };
                message::say(&format!(
                    "error: {rank} has waited {} s for other ranks (--rank-timeout): {reason}. All ranks end; a run that has \
                     begun goes on from its last checkpoint with `metadrift resume`",
                    waited.as_secs()
                ));
                end();
            }
        }
    };
    thread::Builder::new().name("watchdog".into()).spawn(watch).expect("a thread");
}

/// Tells the watchdog of the library, which has started.
pub fn started(mpi: Mpi) {
    MPI.get_or_init(|| mpi);
}

/// Tells the watchdog of all ranks, `[ranks]`.
pub fn met(peers: Vec<Peer>) {
    PEERS.get_or_init(|| peers);
}

/// Takes leave of the library, if it has started.
///
/// # Errors
/// In words.
pub fn finalize() -> Result<(), String> {
    MPI.get().map_or(Ok(()), |mpi| during(|| mpi.finalize()))
}

/// Ends all ranks: by MPI, or else by the end of this one, which a launcher notices.
pub fn end() -> ! {
    if let Some(mpi) = MPI.get().copied()
        && thread::Builder::new().name("abort".into()).spawn(move || mpi.abort(code::RANKS)).is_ok()
    {
        thread::sleep(GRACE);
    }
    // SAFETY: the process ends here; nothing of it is cleaned up, as MPI may hang in its own clean-up.
    unsafe { libc::_exit(code::RANKS.into()) }
}

/// The ranks that are the likely reason, in words: those on this machine that stand still or are gone, otherwise all others.
fn missing(rank: usize, peers: &[Peer]) -> String {
    let others = || peers.iter().enumerate().filter(|(other, _)| *other != rank);
    let here = others().filter(|(_, peer)| peer.host == peers[rank].host);
    let still: Vec<String> = here
        .filter_map(|(other, peer)| {
            let why = standing(peer.process)?;
            Some(format!("rank {other} (process {}) {why}", peer.process))
        })
        .collect();
    if !still.is_empty() {
        return still.join(", ");
    }
    let named = others().take(8).map(|(other, peer)| format!("rank {other} on {} ({})", peer.host, peer.process));
    let more = if peers.len() > 9 { ", ..." } else { "" };
    format!("one of {}{more} hangs or is gone", named.collect::<Vec<_>>().join(", "))
}

/// The reason why a process of this machine does not go on, as the kernel sees it; `None` if it may.
fn standing(process: u32) -> Option<&'static str> {
    let Ok(stat) = fs::read_to_string(format!("/proc/{process}/stat")) else { return Some("is gone") };
    // the state follows the name, which is in parentheses
    match stat.rsplit_once(") ")?.1.chars().next()? {
        'T' | 't' => Some("is stopped"),
        'Z' | 'X' => Some("is gone"),
        'D' => Some("waits for a disk or a device"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_that_stand_still_are_told_from_those_that_run() {
        use std::{
            io::{Read, Write},
            process::{Command, Stdio},
        };
        assert_eq!(standing(std::process::id()), None);
        // a process that starts waits for the disk, too: this one has answered, and waits for more
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.as_mut().unwrap().write_all(b"x").unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        let peers: Vec<Peer> =
            [std::process::id(), child.id()].map(|process| Peer { process, ..Peer::default() }).into();
        assert_eq!(missing(0, &peers), format!("one of rank 1 on  ({}) hangs or is gone", child.id()));
        // SAFETY: the signal goes to the child alone.
        unsafe { libc::kill(child.id() as i32, libc::SIGSTOP) };
        let end = Instant::now() + Duration::from_secs(10);
        while standing(child.id()).is_none() && Instant::now() < end {
            thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(missing(0, &peers), format!("rank 1 (process {}) is stopped", child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(standing(child.id()), Some("is gone"));
    }

    #[test]
    fn the_clock_runs_during_calls_alone() {
        assert_eq!(waited(), None);
        during(|| {
            thread::sleep(Duration::from_millis(20));
            assert!(waited().is_some_and(|waited| waited >= Duration::from_millis(19)));
        });
        assert_eq!(waited(), None);
    }
}
