//! `study.json`: the study that the cells of a folder belong to, written before the first of them.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::plan::Plan;
use crate::{
    failure::{During, Result},
    message::quoted,
    output,
    run_dir::read_own,
};

/// Name of the file in the study's folder.
pub(super) const FILE: &str = "study.json";
/// Largest file that is read (B).
const MAX_BYTES: u64 = 64 << 20;

/// The cells of a study and its file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outline {
    /// The study's name.
    pub study: String,
    /// One line on what it asks.
    pub description: String,
    /// SHA-256 of everything that its results depend on.
    pub digest: String,
    /// Names of its cells, which are their folders.
    pub cells: Vec<String>,
    /// The study as the command named it: one of the program, or a file.
    pub origin: String,
    /// The text of its file.
    pub text: String,
}

impl Outline {
    /// The outline of a plan that was read from `text`, which `origin` names.
    pub fn of(plan: &Plan, origin: &str, text: String) -> Self {
        let (study, description) = (plan.file.name.clone(), plan.file.description.clone());
        let (cells, origin) = (plan.cells.iter().map(|cell| cell.name.clone()).collect(), origin.to_owned());
        Outline { study, description, digest: plan.digest(), cells, origin, text }
    }

    /// The command that makes the study in folder `dir`, or goes on with it.
    pub fn command(&self, dir: &Path) -> String {
        format!("metadrift study {} --out {}", quoted(&self.origin), quoted(dir))
    }

    /// Writes it into the study's folder.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, out: &Path) -> Result<()> {
        output::write(&out.join(FILE), (serde_json::to_string_pretty(self)? + "\n").as_bytes())
    }

    /// The outline in a folder; none if there is no such file.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read(dir: &Path) -> Result<Option<Self>> {
        let path = dir.join(FILE);
        if std::fs::symlink_metadata(&path).is_err() {
            return Ok(None);
        }
        let found = serde_json::from_slice(&read_own(&path, MAX_BYTES)?);
        found.map(Some).map_err(std::io::Error::from).during(|| format!("cannot read {}", path.display()))
    }
}
