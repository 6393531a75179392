//! Export as ONNX: the policy, and one adaptation step, as graphs of ordinary operators (version 18), with cases that a
//! consumer can check itself with.
//!
//! ```text
//! policy.onnx        observations in, most likely actions and their distribution out; a recurrent policy's memory in and out
//! adapt.onnx         episodes in, adapted parameters out
//! policy.cases.json  [{ "inputs": { name: { dims, data } }, "outputs": { ... } }, ...]
//! adapt.cases.json
//! ```

mod adapt;
mod baseline;
mod cases;
mod fixed_point;
mod graph;
mod network;
mod policy;
mod proto;
mod solve;
mod sums;

use std::path::{Path, PathBuf};

use metadrift_agents::{
    agent::Agent,
    layout::{Core, Layout},
};

use crate::{
    adapt::check,
    failure::{Result, WrongUsage},
    output,
    rollout::scale,
    trained::Trained,
};

/// The files that [`write()`] wrote.
#[derive(Debug)]
pub struct Written {
    /// Their paths.
    pub files: Vec<PathBuf>,
    /// The reason why there is no `adapt.onnx`, if there is none.
    pub no_adaptation: Option<String>,
}

/// Writes the graphs of the policy of `run`, and their cases, into the folder `dir`, which exists. With a `rate_limit` a
/// component of the command changes by so much at most, from the one before, which is an input then.
///
/// # Errors
/// If the policy is no network, or a file cannot be written.
pub fn write(run: &Trained, dir: &Path, rate_limit: Option<f32>) -> Result<Written> {
    run.config.check_control()?;
    let mut agent = run.agent.duplicate();
    agent.begin(1);
    let (layout, params) = (agent.policies().layout.clone(), agent.policies().params[0].clone());
    if layout.core() == Core::Model {
        let name = run.config.learner.name;
        return Err(WrongUsage(format!("{name} has a model of its environment and no network to export")).into());
    }
    let spec = run.config.env().spec();
    let policy = policy::policy(&layout, &params, spec.action, rate_limit);
    let mut files = vec![
        ("policy.onnx", model(&policy)),
        ("policy.cases.json", cases::of_policy(&run.config, &*agent, rate_limit)?),
    ];
    let step = step(run, &*agent, &layout, &params);
    let no_adaptation = match step {
        Ok(graph) => {
            files.push(("adapt.onnx", model(&graph)));
            files.push(("adapt.cases.json", cases::of_step(&run.config, &*agent)?));
            None
        }
        Err(reason) => Some(reason),
    };
    for (name, bytes) in &files {
        output::write(&dir.join(name), bytes)?;
    }
    Ok(Written { files: files.iter().map(|(name, _)| dir.join(name)).collect(), no_adaptation })
}

fn model(graph: &[u8]) -> Vec<u8> {
    proto::model(graph, env!("CARGO_PKG_VERSION"))
}

/// The graph of the adaptation step, or the reason why there is none.
fn step(run: &Trained, agent: &dyn Agent, layout: &Layout, params: &[f32]) -> Result<Vec<u8>, String> {
    check(&run.config, agent).map_err(|reason| reason.to_string())?;
    let deployed = agent.deployed().map_err(|reason| reason.0.to_owned())?;
    let descent = deployed.descent.ok_or("it adapts while it acts, by a memory or a window")?;
    let spec = run.config.env().spec();
    let step = adapt::Step {
        layout,
        params,
        rates: &descent.rates,
        own_obs: spec.obs_dim(),
        gamma: descent.gamma,
        gae_lambda: descent.gae_lambda,
        scale: scale(spec),
    };
    adapt::adapt(&step).ok_or_else(|| "its observations have more numbers than the baseline has features".to_owned())
}
