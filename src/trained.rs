//! A run opened for reading: its configuration, and the policy of one of its checkpoints.

use std::fs;
use std::path::{Path, PathBuf};

use metadrift_agents::{agent::Agent, backend::BackendChoice, device::Device};

use crate::{
    checkpoint::{self, Which},
    config::Experiment,
    failure::Result,
    message,
    run_dir::{Manifest, refuse_links},
    session::{read_config, warn_of_changes},
    train,
};

/// A run as it was when it was opened. Nothing in its folder is changed.
pub struct Trained {
    /// The folder without links: what is stored with the run lands there even if `latest` moves on meanwhile.
    pub dir: PathBuf,
    /// The experiment that was trained.
    pub config: Experiment,
    /// The policy as it is deployed.
    pub agent: Box<dyn Agent>,
    /// Iterations it was trained for.
    pub iteration: u64,
}

impl Trained {
    /// Opens the run in folder `path` at the checkpoint `which`. `backend` replaces the arithmetic it was learned by.
    ///
    /// # Errors
    /// If there is no run, or no such checkpoint that can be used.
    pub fn open(
        path: &Path,
        which: Which,
        device: Device,
        backend: Option<BackendChoice>,
        actors: usize,
    ) -> Result<Self> {
        // one that is not there is named by `read_config`
        let dir = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        refuse_links(&dir)?;
        let config = read_config(&dir)?;
        warn_of_changes(&dir)?;
        let (checkpoint, skipped) = checkpoint::choose(&dir.join("checkpoints"), which)?;
        skipped.iter().for_each(|s| message::warn(&format!("skipped a damaged checkpoint: {s}")));
        let backend = backend.map_or_else(|| Manifest::backend_of(&dir), Ok)?;
        let mut learner = train::learner(&config, device, backend, actors)?;
        learner.load(&checkpoint.state())?;
        Ok(Trained { dir, config, agent: learner.agent(), iteration: checkpoint.step })
    }
}
