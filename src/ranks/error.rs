//! Reasons why ranks cannot train together.

use super::mpi::VARIABLE;
use crate::failure::{Coded, code};

/// A reason why the ranks of a distributed training do not work together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RanksError {
    /// No launcher started this process.
    #[error(
        "--distributed: no launcher started this process. Start it with `mpirun -n 2 metadrift train ... --distributed`, \
         or with srun; one machine needs neither, as a process uses all its cores"
    )]
    NoLauncher,
    /// No MPI library can be used.
    #[error("--distributed: {0}. {VARIABLE}=/path/to/libmpi.so.40 names the library of the launcher")]
    Library(String),
    /// The library does not belong to the launcher, so that every process believes it is alone.
    #[error(
        "--distributed: {launcher} started {launched} processes, but {library} knows of {size}: it belongs to another \
         launcher. {VARIABLE}=/path/to/libmpi.so.40 names the right one; srun may need --mpi=pmix"
    )]
    OtherLauncher {
        /// The launcher.
        launcher: &'static str,
        /// Number of processes it started.
        launched: usize,
        /// The library and its version.
        library: String,
        /// Number of ranks it knows of.
        size: usize,
    },
    /// Ranks that cannot compute the same bytes; the text names them.
    #[error("--distributed: {0}")]
    Differ(String),
    /// There are ranks without work.
    #[error("--distributed: {size} ranks cannot share {units}: start at most {most}, or raise {keys}")]
    TooMany {
        /// Number of ranks.
        size: usize,
        /// The units of work in words.
        units: String,
        /// Their number.
        most: usize,
        /// Settings that raise it.
        keys: &'static str,
    },
    /// The backend adds up tasks in an order that depends on their distribution.
    #[error("--distributed: the ranks compute with the native backend alone; leave out --backend and --device")]
    Backend,
    /// After an iteration, ranks have different results.
    #[error(
        "after iteration {iteration} the ranks have different results: {groups}. Their machines do not compute the same; \
         the last checkpoint is from an iteration in which they agreed"
    )]
    Results {
        /// Number of iterations done.
        iteration: u64,
        /// The ranks that agree with each other.
        groups: String,
    },
    /// Another rank failed.
    #[error("rank {rank}: {message}")]
    Peer {
        /// Its number.
        rank: usize,
        /// Its exit code.
        code: u8,
        /// Its message.
        message: String,
    },
    /// The exchange between ranks failed.
    #[error("the exchange between ranks failed: {0}")]
    Broken(String),
}

impl Coded for RanksError {
    fn code(&self) -> u8 {
        match self {
            RanksError::NoLauncher | RanksError::TooMany { .. } | RanksError::Backend => code::USAGE,
            RanksError::Peer { code, .. } => *code,
            _ => code::RANKS,
        }
    }
}
