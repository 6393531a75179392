//! Provenance of a run's results: the program's build, the machine, the tasks. If all of these are the same, so are the
//! bytes.

use std::{collections::BTreeMap, ffi::OsString, fs, sync::OnceLock};

use metadrift_agents::{native, settings::Shots};
use metadrift_envs::Split;
use serde::{Deserialize, Serialize};

use super::own::sha256;
use crate::{
    config::{ConfigError, Experiment},
    examples::{self, Family},
};

/// The build of the program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// The git commit it was built from, with `-dirty` if files were changed since; none if it was built without git.
    pub commit: Option<String>,
    /// Version of the compiler.
    pub rustc: String,
}

impl Build {
    /// The build of this program.
    pub fn here() -> Self {
        Self { commit: option_env!("METADRIFT_COMMIT").map(str::to_owned), rustc: env!("METADRIFT_RUSTC").to_owned() }
    }
}

/// The machine on which a run trains.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Its name; empty if the system does not tell.
    pub host: String,
    /// Model of the processor; the architecture if the system does not tell.
    pub processor: String,
    /// The instructions that environments, policies and the native backend use: `avx512`, `avx2` or `portable`.
    pub instructions: String,
}

impl Machine {
    /// This machine.
    pub fn here() -> Self {
        let processor = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| model(&text).map(str::to_owned));
        Self {
            host: host(),
            processor: processor.unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            instructions: native::instructions().to_owned(),
        }
    }
}

/// The command line of the program, if it is not the process's own.
static COMMAND_LINE: OnceLock<Vec<OsString>> = OnceLock::new();

/// Names the command line of the program; the first call counts.
pub fn set_command_line(arguments: Vec<OsString>) {
    let _ = COMMAND_LINE.set(arguments);
}

/// The command line of the program; invalid UTF-8 in it is replaced.
pub fn command_line() -> Vec<String> {
    let arguments = COMMAND_LINE.get().cloned().unwrap_or_else(|| std::env::args_os().collect());
    arguments.into_iter().map(|argument| argument.to_string_lossy().into_owned()).collect()
}

/// Name of this machine; empty if the system does not tell.
pub(crate) fn host() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

/// The first `model name` in the kernel's list of processors.
fn model(cpuinfo: &str) -> Option<&str> {
    let named = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    named.split_once(':').map(|(_, model)| model.trim())
}

/// Number of tasks of a split behind [`task_digests`].
pub(crate) const DIGESTED: u32 = 16;

/// SHA-256 of the first tasks of each split by the run's seed: two runs with the same digest have the same tasks.
///
/// # Errors
/// If the configuration does not hold together.
pub fn task_digests(config: &Experiment) -> Result<BTreeMap<String, String>, ConfigError> {
    if let Some((family, examples)) = config.family().zip(config.examples.as_ref()) {
        return Ok(example_digests(&**family, examples.shots(), config.seed));
    }
    let spec = config.env().spec();
    let mut digests = BTreeMap::new();
    for split in Split::ALL {
        let distribution = config.tasks(split);
        let digest = |index| distribution.sample(config.seed, 0, index).digest(spec).to_le_bytes();
        let bytes: Vec<u8> = (0..DIGESTED).flat_map(digest).collect();
        digests.insert(split.to_string(), sha256(&bytes));
    }
    Ok(digests)
}

/// [`task_digests`] of tasks of examples.
fn example_digests(family: &dyn Family, shots: Shots, seed: u64) -> BTreeMap<String, String> {
    let digest = |split: Split| {
        let bytes = |index| {
            let task = examples::draw(family, shots, (seed, split), (0, index));
            task.inputs.iter().chain(&task.labels).flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>()
        };
        (split.to_string(), sha256(&(0..DIGESTED).flat_map(bytes).collect::<Vec<u8>>()))
    };
    // data may have no tasks of a split
    Split::ALL.into_iter().filter(|split| family.check(*split, shots).is_ok()).map(digest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_is_the_first_model_that_is_named() {
        let text = "processor\t: 0\nmodel\t\t: 85\nmodel name\t: Xeon: a model\nmodel name\t: another\n";
        assert_eq!(model(text), Some("Xeon: a model"));
        assert_eq!(model("processor : 0\n"), None);
    }
}
