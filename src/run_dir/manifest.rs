//! `manifest.json`: the record of a run, its environment and its end.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use metadrift_agents::backend::BackendChoice;
use serde::{Deserialize, Serialize};

use super::{Build, Machine, RunDirError, read_own, sha256, write_atomic};

pub(super) const FILE: &str = "manifest.json";
const SCHEMA: u32 = 1;
const MAX_BYTES: u64 = 1 << 20;

/// The record of a run, its environment and its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this file's format.
    pub schema: u32,
    /// Version of metadrift.
    pub version: String,
    /// Version of libtorch.
    pub libtorch: String,
    /// The seed of the run.
    pub seed: u64,
    /// The command line that started it.
    pub command: Vec<String>,
    /// Device of the tensors: `cpu`, `cuda:0`.
    pub device: String,
    /// Arithmetic of the learner.
    pub backend: BackendChoice,
    /// Threads that step environments and compute gradients.
    pub actors: usize,
    /// SHA-256 of every config.toml that the program wrote into the run, the newest last; empty in runs of older versions.
    /// A digest is stored before its file is written, so that a kill between the two leaves a known file.
    #[serde(default)]
    pub configs: Vec<String>,
    /// The build of the program that ran last; like all fields below, empty in runs of older versions.
    #[serde(default)]
    pub build: Build,
    /// The machine of the last process.
    #[serde(default)]
    pub machine: Machine,
    /// Digests of the tasks of each split, see [`super::task_digests`].
    #[serde(default)]
    pub tasks: BTreeMap<String, String>,
    /// Time spent in iterations so far, resumes included (s).
    #[serde(default)]
    pub seconds: f64,
    /// State of the run.
    pub state: RunState,
    /// Time of its first start (RFC 3339, UTC).
    pub started: String,
    /// Time of its last stop (RFC 3339, UTC).
    pub finished: Option<String>,
}

/// State of a run. A run that was killed stays `Running`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// Training, or killed while training.
    Running,
    /// All iterations are done.
    Finished,
    /// Stopped by a signal and saved.
    Interrupted,
    /// Stopped by an error.
    Failed {
        /// The error.
        message: String,
    },
}

impl Manifest {
    /// A run that starts now; the caller fills in the rest.
    pub fn new(libtorch: impl Into<String>, seed: u64, command: Vec<String>) -> Self {
        Self {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            libtorch: libtorch.into(),
            seed,
            command,
            device: "cpu".to_owned(),
            backend: BackendChoice::Auto,
            actors: 1,
            configs: Vec::new(),
            build: Build::here(),
            machine: Machine::here(),
            tasks: BTreeMap::new(),
            seconds: 0.0,
            state: RunState::Running,
            started: rfc3339(SystemTime::now()),
            finished: None,
        }
    }

    /// Sets the state; any but `Running` also sets the time it stopped.
    pub fn set_state(&mut self, state: RunState) {
        self.finished = (state != RunState::Running).then(|| rfc3339(SystemTime::now()));
        self.state = state;
    }

    /// Writes `manifest.json` into the run folder, whole or not at all.
    pub fn write(&self, dir: &Path) -> Result<(), RunDirError> {
        let path = dir.join(FILE);
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| RunDirError::BadManifest { path: path.clone(), reason: error.to_string() })?;
        write_atomic(&path, (text + "\n").as_bytes())
    }

    /// Reads the `manifest.json` of a run folder.
    pub fn read(dir: &Path) -> Result<Self, RunDirError> {
        let path = dir.join(FILE);
        let bad = |reason: String| RunDirError::BadManifest { path: path.clone(), reason };
        let text = read_own(&path, MAX_BYTES)?;
        let value: serde_json::Value = serde_json::from_slice(&text).map_err(|error| bad(error.to_string()))?;
        match value.get("schema").and_then(serde_json::Value::as_u64) {
            Some(schema) if schema > u64::from(SCHEMA) => return Err(RunDirError::NewerManifest { path, schema }),
            Some(schema) if schema == u64::from(SCHEMA) => {}
            _ => return Err(bad(format!("it names no schema that this version reads ({SCHEMA})"))),
        }
        serde_json::from_value(value).map_err(|error| bad(error.to_string()))
    }

    /// Reads the `manifest.json` of a run folder; none if there is no such file, which only informs.
    pub fn read_if_there(dir: &Path) -> Result<Option<Self>, RunDirError> {
        match fs::symlink_metadata(dir.join(FILE)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            _ => Self::read(dir).map(Some),
        }
    }

    /// The arithmetic of the run in `dir`; the program's choice if its manifest does not say.
    pub fn backend_of(dir: &Path) -> Result<BackendChoice, RunDirError> {
        Ok(Self::read_if_there(dir)?.map_or(BackendChoice::Auto, |manifest| manifest.backend))
    }

    /// Records `text` as a config.toml that the program wrote.
    pub fn knows(&mut self, text: &[u8]) {
        let digest = sha256(text);
        self.configs.retain(|known| *known != digest);
        self.configs.push(digest);
    }

    /// Says whether the program wrote this config.toml; true if no digest is known.
    pub fn wrote(&self, text: &[u8]) -> bool {
        self.configs.is_empty() || self.configs.contains(&sha256(text))
    }
}

/// `2026-11-23T14:12:09Z`. A time before 1970 is shown as 1970.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (year, month, day) = date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Year, month and day of a day counted from 1970-01-01, in eras of 400 years that begin on a 1 March.
fn date(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468; // since 0000-03-01
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn dates_are_right_at_the_edges() {
        let known = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_795_443_129, "2026-11-23T14:12:09Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ];
        for (seconds, text) in known {
            assert_eq!(rfc3339(UNIX_EPOCH + Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn every_day_of_400_years_follows_the_one_before() {
        let lengths = |leap| [31, 28 + u64::from(leap), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..146_097 {
            assert_eq!(date(days), (year, month, day));
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            day += 1;
            if day > lengths(leap)[month as usize - 1] {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
    }
}
