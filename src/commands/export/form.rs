//! The policy of a run, for the runtime.

use metadrift_agents::{
    agent::Agent,
    deployed::NotDeployed,
    runtime::{Adaptation, Form},
};
use metadrift_envs::Split;

use crate::{
    config::{ConfigError, Experiment},
    evaluate::Protocol,
    failure::{Coded, Result, code},
    life::Life,
    rollout::window,
};

impl Coded for NotDeployed {
    fn code(&self) -> u8 {
        code::CONFIG
    }
}

/// The policy of `agent`, trained by `config`, for the runtime.
///
/// # Errors
/// If the runtime does not have what the policy needs.
pub(super) fn form(config: &Experiment, agent: &dyn Agent) -> Result<Form> {
    if config.family().is_some() {
        let message = format!("{} has tasks of examples: there is no policy to act with", config.name);
        return Err(ConfigError::NotFound(message).into());
    }
    let deployed = agent.deployed()?;
    let spec = config.env().spec();
    let life = Life::evaluation(config);
    let protocol = Protocol::of(config, Split::InDist);
    let whole = life.phase_steps / life.horizon as usize;
    let adaptation = deployed.descent.map(|descent| Adaptation {
        loss: descent.loss,
        gamma: descent.gamma,
        gae_lambda: descent.gae_lambda,
        rates: descent.rates,
        // the runtime has a lane for each episode
        episodes: protocol.episodes * whole.max(1),
        horizon: life.horizon as usize,
        steps: agent.adapts().steps(protocol.adapt_steps),
    });
    Ok(Form {
        layout: deployed.layout,
        readings: spec.obs_dim(),
        commands: window::commands(spec),
        params: deployed.params,
        adaptation,
    })
}
