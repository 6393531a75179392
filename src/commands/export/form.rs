//! The policy of a run, for the runtime.

use metadrift_agents::{
    agent::Agent,
    deployed::NotDeployed,
    runtime::{Adaptation, Form},
    window::Commands,
};
use metadrift_envs::Split;

use crate::{
    config::{ConfigError, Experiment},
    evaluate::Protocol,
    failure::{Coded, Result, WrongUsage, code},
    life::Life,
    rollout::window,
};

impl Coded for NotDeployed {
    fn code(&self) -> u8 {
        code::CONFIG
    }
}

/// The policy of `agent`, trained by `config`, for the runtime, with a rate limit of its commands.
///
/// # Errors
/// If the runtime does not have what the policy needs, or the policy cannot have such a limit.
pub(super) fn form(config: &Experiment, agent: &dyn Agent, rate_limit: Option<f32>) -> Result<Form> {
    if config.family().is_some() {
        let message = format!("{} has tasks of examples: there is no policy to act with", config.name);
        return Err(ConfigError::NotFound(message).into());
    }
    let deployed = agent.deployed()?;
    let spec = config.env().spec();
    let protocol = Protocol::of(config, Split::InDist);
    let adaptation = deployed.descent.map(|descent| Adaptation {
        loss: descent.loss,
        gamma: descent.gamma,
        gae_lambda: descent.gae_lambda,
        rates: descent.rates,
        // the runtime has a lane for each episode
        episodes: protocol.whole_episodes(config),
        horizon: Life::evaluation(config).horizon as usize,
        steps: agent.adapts().steps(protocol.adapt_steps),
    });
    let commands = window::commands(spec);
    if rate_limit.is_some() {
        check_rate_limit(commands, deployed.layout.window())?;
    }
    Ok(Form {
        layout: deployed.layout,
        readings: spec.obs_dim(),
        commands,
        rate_limit,
        params: deployed.params,
        adaptation,
    })
}

/// Refuses a rate limit for commands without a size, and for a policy that sees its own commands.
fn check_rate_limit(commands: Commands, window: usize) -> Result<()> {
    let reason = match commands {
        Commands::Choices(_) => "the commands are choices, which have no size and no rate",
        Commands::Vector { .. } if window > 0 => {
            "the policy sees its last commands, and in training there was no such limit to them; learners that see none are \
             maml and its recipes, reptile and ppo with policy.window = 0"
        }
        Commands::Vector { .. } => return Ok(()),
    };
    Err(WrongUsage(format!("--rate-limit: {reason}")).into())
}
