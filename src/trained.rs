//! A run opened for reading: its configuration, and the policy of one of its checkpoints.

use std::{
    fs,
    path::{Path, PathBuf},
};

use metadrift_agents::{agent::Agent, backend::BackendChoice, device::Device};

use crate::{
    checkpoint::{self, Checkpoint, Which},
    config::Experiment,
    failure::Result,
    message,
    run_dir::{Manifest, refuse_links},
    session::{read_config_with, warn_of_changes},
    train,
};

/// A run as it was when it was opened. Nothing in its folder is changed.
pub struct Trained {
    /// The folder without links: results stored with the run go there even if `latest` moves on meanwhile.
    pub dir: PathBuf,
    /// The experiment that was trained.
    pub config: Experiment,
    /// The policy as it is deployed.
    pub agent: Box<dyn Agent>,
    /// Number of training iterations of the policy.
    pub iteration: u64,
    /// The checkpoint itself.
    pub checkpoint: Checkpoint,
}

impl Trained {
    /// Opens the run in folder `path` at the checkpoint `which`. `backend` replaces the backend of its training.
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
        Self::open_with(path, which, device, (backend, actors), None)
    }

    /// [`Trained::open`] with the data of its examples in folder `data`, if one is given.
    ///
    /// # Errors
    /// As [`Trained::open`]; if the data are not those of the run's training.
    pub fn open_with(
        path: &Path,
        which: Which,
        device: Device,
        (backend, actors): (Option<BackendChoice>, usize),
        data: Option<&Path>,
    ) -> Result<Self> {
        // `read_config` names a folder that is missing
        let dir = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        refuse_links(&dir)?;
        let config = read_config_with(&dir, data)?;
        warn_of_changes(&dir)?;
        let (checkpoint, skipped) = checkpoint::choose(&dir.join("checkpoints"), which)?;
        skipped.iter().for_each(|s| message::warn(&format!("skipped a damaged checkpoint: {s}")));
        let backend = backend.map_or_else(|| Manifest::backend_of(&dir), Ok)?;
        let mut learner = train::learner(&config, device, backend, actors)?;
        learner.load(&checkpoint.state())?;
        let mut agent = learner.agent();
        agent.go_on(&checkpoint.state())?;
        Ok(Trained { dir, config, agent, iteration: checkpoint.step, checkpoint })
    }
}
