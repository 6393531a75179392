//! The place of a new run: its folder, its name, and the folder of its event files.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use super::{
    error::{RunDirError, io_error},
    manifest,
};

/// The folder under `runs` for the event files of all runs whose folder the program chose. They lie beside the runs,
/// not in them: TensorBoard follows links, and would show the newest run a second time, as `latest`.
const EVENTS: &str = "tb";
/// The link to the newest run of a preset.
const LATEST: &str = "latest";

/// The place of a new run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Exactly this folder.
    Folder(PathBuf),
    /// `runs/PRESET/NAME`.
    Named(String),
    /// `runs/PRESET/` and a unique name, made of the time, the seed and these `key=value` settings.
    Fresh(Vec<String>),
}

impl Place {
    /// The folder under `root`, if it is known in advance.
    pub fn folder(&self, root: &Path, preset: &str) -> Option<PathBuf> {
        match self {
            Place::Folder(dir) => Some(dir.clone()),
            Place::Named(name) => Some(root.join(preset).join(name)),
            Place::Fresh(_) => None,
        }
    }

    /// Makes the folder; one that the user chose may exist.
    pub(super) fn make(&self, root: &Path, preset: &str, seed: u64) -> Result<PathBuf, RunDirError> {
        let named = if let Place::Named(name) = self { name.as_str() } else { "fresh" };
        let legal = is_legal(preset) && preset != EVENTS && is_legal(named) && named != LATEST;
        if !legal && !matches!(self, Place::Folder(_)) {
            return Err(RunDirError::BadName { preset: preset.to_owned(), name: named.to_owned() });
        }
        let outer = self.folder(root, preset).unwrap_or_else(|| root.join(preset));
        fs::create_dir_all(&outer).map_err(io_error("create", &outer))?;
        match self {
            Place::Fresh(sets) => make_fresh(&outer, seed, sets),
            Place::Folder(_) | Place::Named(_) => Ok(outer),
        }
    }

    /// The folder of the event files of the run in folder `run`, which was made at this place.
    pub(super) fn events(&self, root: &Path, preset: &str, run: &Path) -> PathBuf {
        match self {
            Place::Folder(dir) => dir.join("tb"),
            Place::Named(_) | Place::Fresh(_) => events_of(root, preset, run),
        }
    }
}

/// Says whether `name` is a valid name of a folder.
fn is_legal(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.=,+".contains(c);
    !name.is_empty() && name.len() <= LONGEST_NAME && !name.starts_with(['.', '-']) && name.chars().all(allowed)
}

/// Longest name of a run (B).
const LONGEST_NAME: usize = 200;

/// Makes a new folder in `parent`.
fn make_fresh(parent: &Path, seed: u64, sets: &[String]) -> Result<PathBuf, RunDirError> {
    let now = SystemTime::now();
    let mut attempt = 0;
    loop {
        let path = parent.join(fresh_name(now, seed, sets, attempt));
        match fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < 1_000 => attempt += 1,
            Err(error) => return Err(io_error("create", &path)(error)),
        }
    }
}

/// `2026-11-23_1412-s7-inner_lr=0.3-3fa9`: the minute (UTC), the seed, the settings, and four digits from the clock, the
/// process and the attempt.
fn fresh_name(now: SystemTime, seed: u64, sets: &[String], attempt: u32) -> String {
    let time = manifest::rfc3339(now);
    let nanoseconds = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
    let mixed = (nanoseconds ^ u64::from(std::process::id()) << 32).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48;
    let digits = (mixed as u32 + attempt) & 0xffff;
    let settings = settings(sets);
    format!("{}_{}{}-s{seed}-{settings}{digits:04x}", &time[..10], &time[11..13], &time[14..16])
}

/// Longest value of a setting and longest list of settings in a name (characters).
const LONGEST: (usize, usize) = (16, 80);

/// `inner_lr=0.3,horizon=100-`: the settings by the last part of their keys, or by their whole keys where two share it.
fn settings(sets: &[String]) -> String {
    let pairs: Vec<(&str, &str)> = sets.iter().filter_map(|set| set.split_once('=')).collect();
    let last = |key: &str| key.trim().rsplit('.').next().unwrap_or_default().to_owned();
    let mut text = String::new();
    for (key, value) in pairs.iter().filter(|(key, _)| key.trim() != "seed") {
        let alone = pairs.iter().filter(|(other, _)| last(other) == last(key)).count() == 1;
        let key = if alone { last(key) } else { key.trim().to_owned() };
        text += &format!("{}{}={}", if text.is_empty() { "" } else { "," }, tame(&key), tame(value));
    }
    let short: String = text.chars().take(LONGEST.1).collect();
    if short.is_empty() { short } else { short + "-" }
}

/// The text, shortened, with `-` in place of characters that a file name should not have.
fn tame(text: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_.+-".contains(c);
    let words = text.split(|c| !allowed(c)).filter(|word| !word.is_empty());
    let joined: String = words.collect::<Vec<_>>().join("-").chars().take(LONGEST.0).collect();
    joined.trim_end_matches('-').to_owned()
}

/// The folder of the event files of a run in `root/<preset>/<name>`.
fn events_of(root: &Path, preset: &str, run: &Path) -> PathBuf {
    root.join(EVENTS).join(preset).join(run.file_name().unwrap_or_default())
}

/// The folder of the event files of an existing run: in its own folder, or beside it if the program chose the place.
pub(super) fn find_events(run: &Path) -> PathBuf {
    let inside = run.join("tb");
    let beside = run.parent().and_then(|parent| Some(events_of(parent.parent()?, parent.file_name()?.to_str()?, run)));
    beside.filter(|beside| !inside.exists() && beside.exists()).unwrap_or(inside)
}

/// Points the link `latest` beside the run to it, in one step: a reader finds the old run or the new one.
pub(super) fn link_latest(run: &Path) -> io::Result<()> {
    let name = run.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let temporary = run.with_file_name(format!(".latest-{}", std::process::id()));
    let _ = fs::remove_file(&temporary);
    #[cfg(unix)]
    std::os::unix::fs::symlink(name, &temporary)?;
    #[cfg(not(unix))]
    fs::write(&temporary, name.to_string_lossy().as_bytes())?;
    fs::rename(&temporary, run.with_file_name(LATEST)).inspect_err(|_| drop(fs::remove_file(&temporary)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(sets: &[&str]) -> String {
        settings(&sets.iter().map(|set| (*set).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_name_says_the_settings() {
        assert_eq!(named(&[]), "");
        assert_eq!(named(&["seed=3"]), "");
        assert_eq!(named(&["maml.inner_lr = 0.3", "seed=3", "task.horizon=100"]), "inner_lr=0.3,horizon=100-");
        assert_eq!(named(&["a.low=1", "b.low=2"]), "a.low=1,b.low=2-");
        assert_eq!(named(&["policy.hidden=[64, 64]"]), "hidden=64-64-");
        let law = r#"task.vary.mass={law="uniform",low=0.5,high=2}"#;
        assert_eq!(named(&[law]), "mass=law-uniform-low-");
        assert_eq!(named(&["x=../../etc/passwd\n\u{1b}"]), "x=..-..-etc-passwd-");
        assert!(named(&[&format!("{}=1", "k".repeat(300))]).len() <= 81);
    }

    #[test]
    fn names_that_lead_elsewhere_are_not_legal() {
        for name in ["", ".", "..", "a/b", "-q", ".x", "a b", "a\n", "ä"] {
            assert!(!is_legal(name), "{name:?}");
        }
        assert!(is_legal("inner_lr=0.3,s0+new"));
    }
}
