//! Injected faults, for the tests of recovery.

pub mod forged;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use metadrift_envs::{Purpose, Stream, StreamRng};
use rand::Rng;

/// The number of faults in the environment variable `name`, else `usual`.
pub fn count(name: &str, usual: u32) -> u32 {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name} = {text}")))
}

/// The random numbers of fault `index` of test `test`.
pub fn random(test: u32, index: u32) -> StreamRng {
    Stream::new(20_261_125, Purpose::Init).iteration(test).task(index).rng()
}

/// A number below `n`.
pub fn below(rng: &mut StreamRng, n: usize) -> usize {
    ((u64::from(rng.next_u32()) * n as u64) >> 32) as usize
}

/// A file operation that fails.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// Number of the operation, from 1; 0 for none.
    pub at: usize,
    /// The error; 0 ends the process.
    pub errno: i32,
    /// True if all later ones fail, too.
    pub stays: bool,
}

/// Makes operations on paths that contain `text` fail in `command`; their number is written to `counts`.
pub fn inject(command: &mut Command, fault: Fault, text: &str, counts: &Path) {
    let number = |flag: bool| if flag { "1" } else { "0" };
    command.env("LD_PRELOAD", library()).env("FAULT_MATCH", text).env("FAULT_COUNT", counts);
    command.env("FAULT_AT", fault.at.to_string()).env("FAULT_ERRNO", fault.errno.to_string());
    command.env("FAULT_STAYS", number(fault.stays));
}

/// The library of faults, compiled once per process.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fault-{}.so", std::process::id()));
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/faults/fault.c");
        let options = ["-O1", "-shared", "-fPIC", "-Wall", "-Werror", source, "-ldl", "-o"];
        let built = Command::new("cc").args(options).arg(&library).status().expect("cc compiles the faults");
        assert!(built.success());
        library
    })
}

/// Bytes with another digit somewhere, or with one to four mistakes: bits flipped, pieces removed, doubled, or filled with
/// noise.
pub fn damaged(bytes: &[u8], rng: &mut StreamRng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let digits: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at].is_ascii_digit()).collect();
    if below(rng, 2) == 0 && !digits.is_empty() {
        bytes[digits[below(rng, digits.len())]] = b'0' + below(rng, 10) as u8;
        return bytes;
    }
    for _ in 0..=below(rng, 4) {
        let at = below(rng, bytes.len() + 1);
        let end = (at + 1 + below(rng, 40)).min(bytes.len());
        match below(rng, 7) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..end)),
            2 => bytes.splice(at..at, [rng.next_u32() as u8; 3]).for_each(drop),
            3 => {
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece).for_each(drop);
            }
            4 => bytes[at..end].iter_mut().for_each(|byte| *byte = rng.next_u32() as u8),
            5 => bytes[at..end].iter_mut().filter(|byte| byte.is_ascii_digit()).for_each(|byte| *byte = b'9'),
            _ => bytes[at..end].iter_mut().take(1).for_each(|byte| *byte ^= 1 << below(rng, 8)),
        }
    }
    bytes
}

/// Every file below a folder with its bytes, the lock aside.
pub fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if entry.file_name() != ".lock" {
                files.insert(path.strip_prefix(dir).unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    files
}
