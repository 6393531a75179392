//! The first exchange: what every rank must know of the others.

use std::{collections::BTreeMap, fs};

use metadrift_agents::{native, team};

use super::error::RanksError;
use crate::run_dir::{Build, command_line, host};

/// A rank, as it introduces itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// Version, commit, compiler and size of its program.
    pub program: String,
    /// Instructions of its kernels.
    pub instructions: String,
    /// Its arguments.
    pub arguments: String,
    /// Its machine.
    pub host: String,
    /// Its process there.
    pub process: u32,
    /// The processors that it may run on, as bits.
    pub processors: Vec<u64>,
}

impl Peer {
    fn here() -> Self {
        let Build { commit, rustc } = Build::here();
        let bytes = std::env::current_exe().and_then(fs::metadata).map_or(0, |file| file.len());
        let commit = commit.unwrap_or_else(|| "no commit".into());
        Peer {
            program: format!("{} ({commit}, {rustc}, {bytes} bytes)", env!("CARGO_PKG_VERSION")),
            instructions: native::instructions().to_owned(),
            arguments: command_line().into_iter().skip(1).collect::<Vec<_>>().join(" "),
            host: host(),
            process: std::process::id(),
            processors: processors(),
        }
    }
}

/// Introduces all ranks to each other, `[ranks]`.
///
/// # Errors
/// If they run different programs, have different instructions, or were started with different arguments.
pub fn greet() -> Result<Vec<Peer>, RanksError> {
    let Peer { program, instructions, arguments, host, process, processors } = Peer::here();
    let all = team::every(((program, instructions, arguments), (host, process, processors)));
    let peer = |((program, instructions, arguments), (host, process, processors))| Peer {
        program,
        instructions,
        arguments,
        host,
        process,
        processors,
    };
    let peers: Vec<Peer> = all.into_iter().map(peer).collect();
    match differences(&peers) {
        Some(text) => Err(RanksError::Differ(text)),
        None => Ok(peers),
    }
}

/// The first difference between the ranks that matters, in words.
fn differences(peers: &[Peer]) -> Option<String> {
    type Property = (&'static str, fn(&Peer) -> &String);
    let properties: [Property; 3] = [
        ("the ranks run different programs", |peer| &peer.program),
        ("the ranks' processors have different instructions, so results would differ", |peer| &peer.instructions),
        ("the ranks were started with different arguments", |peer| &peer.arguments),
    ];
    properties.iter().find_map(|(words, of)| {
        let groups = groups(peers.iter().map(of));
        let each = groups.iter().map(|(value, ranks)| format!("{} `{value}`", listed(ranks)));
        (groups.len() > 1).then(|| format!("{words}: {}", each.collect::<Vec<_>>().join(", ")))
    })
}

/// The ranks with each value, in the order of their lowest ranks.
pub fn groups<T: Ord>(values: impl Iterator<Item = T>) -> Vec<(T, Vec<usize>)> {
    let mut groups: BTreeMap<T, Vec<usize>> = BTreeMap::new();
    values.enumerate().for_each(|(rank, value)| groups.entry(value).or_default().push(rank));
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, ranks)| ranks[0]);
    groups
}

/// Ranks in words: `rank 3`, `ranks 0, 1 and 4`, `ranks 0, 1, 2 and 37 more`.
pub fn listed(ranks: &[usize]) -> String {
    let shown = |ranks: &[usize]| ranks.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match ranks {
        [one] => format!("rank {one}"),
        [.., last] if ranks.len() <= 8 => format!("ranks {} and {last}", shown(&ranks[..ranks.len() - 1])),
        _ => format!("ranks {} and {} more", shown(&ranks[..ranks.len().min(3)]), ranks.len().saturating_sub(3)),
    }
}

/// Threads for each rank on the machine of rank `rank`: all processors that it may run on, divided among those that may run
/// on the same.
pub fn cores(peers: &[Peer], rank: usize) -> usize {
    let here = &peers[rank];
    let count = here.processors.iter().map(|word| word.count_ones() as usize).sum::<usize>();
    let sharing = peers.iter().filter(|peer| peer.host == here.host && peer.processors == here.processors).count();
    (count / sharing).max(1)
}

/// The processors that this process may run on, as bits.
fn processors() -> Vec<u64> {
    // SAFETY: an all-zero set is a valid place for the mask, which is only read.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        if libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set) != 0 {
            return Vec::new();
        }
        let bit = |at: usize| u64::from(libc::CPU_ISSET(at, &set)) << (at % 64);
        (0..libc::CPU_SETSIZE as usize / 64).map(|word| (0..64).map(|at| bit(64 * word + at)).sum()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peers(of: impl Fn(usize) -> Peer) -> Vec<Peer> {
        (0..4).map(of).collect()
    }

    #[test]
    fn differences_name_the_ranks_and_both_values() {
        assert_eq!(differences(&peers(|_| Peer::default())), None);
        let hosts = peers(|rank| Peer { host: format!("node{rank}"), process: rank as u32, ..Peer::default() });
        assert_eq!(differences(&hosts), None);
        let isa = |rank| if rank == 2 { "avx2" } else { "avx512" }.to_owned();
        let text = differences(&peers(|rank| Peer { instructions: isa(rank), ..Peer::default() })).unwrap();
        assert!(text.ends_with("results would differ: ranks 0, 1 and 3 `avx512`, rank 2 `avx2`"), "{text}");
        assert_eq!(listed(&(0..40).collect::<Vec<_>>()), "ranks 0, 1, 2 and 37 more");
    }

    #[test]
    fn cores_are_divided_among_ranks_that_share_them() {
        let on = |host: &str, processors: u64| Peer {
            host: host.to_owned(),
            processors: vec![processors],
            ..Peer::default()
        };
        // two ranks that share eight cores, two bound to four each, one alone on a machine of two, one on a full core
        let all = [on("a", 0xff), on("a", 0xff), on("b", 0x0f), on("b", 0xf0), on("c", 0x03), on("d", 1), on("d", 1)];
        assert_eq!((0..7).map(|rank| cores(&all, rank)).collect::<Vec<_>>(), [4, 4, 4, 4, 2, 1, 1]);
    }
}
