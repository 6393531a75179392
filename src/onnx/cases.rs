//! Cases for consumers of the graphs: inputs, and the outputs that the program itself has for them.

use metadrift_agents::{
    agent::Agent,
    host_policy::HostPolicy,
    layout::{Core, Head, LOG_STD, Layout},
    recurrent::RecurrentPolicy,
    rollout::Rollout,
    window::near,
};
use metadrift_envs::{ActionSpace, Split};
use serde_json::{Map, Value, json};

use crate::{
    adapt::{self, Columns},
    config::Experiment,
    evaluate::{Protocol, support},
    failure::Result,
    rollout::scale,
};

/// Observations in a case of a policy.
const ROWS: usize = 64;
/// Steps of a recurrent policy.
const STEPS: usize = 20;

/// A tensor of numbers.
fn tensor<T: Into<f64> + Copy>(dims: &[usize], data: &[T]) -> Value {
    let data: Vec<f64> = data.iter().map(|number| (*number).into()).collect();
    json!({ "dims": dims, "data": data })
}

/// The episodes of the first held-out task of the training distribution, by the evaluation's protocol.
fn episodes(config: &Experiment, agent: &dyn Agent) -> Result<Rollout> {
    let protocol = Protocol::of(config, Split::InDist);
    let task = config.tasks(Split::InDist).sample(protocol.seed, protocol.draw, 0);
    Ok(support(config, agent, 1, &protocol, &[task], 0)?)
}

/// A case of one call for a network, and of one call for each step for a recurrent policy.
///
/// # Errors
/// If an output of the policy is not finite.
pub(super) fn of_policy(config: &Experiment, agent: &dyn Agent, rate_limit: Option<f32>) -> Result<Vec<u8>> {
    let data = episodes(config, agent)?;
    let policies = agent.policies();
    let (layout, params) = (policies.layout, &policies.params[0][..]);
    let space = config.env().spec().action;
    let task = data.task(0);
    let mut cases = if let Core::Recurrent { .. } = layout.core() {
        recurrent(layout, params, &data, space)
    } else {
        let rows: Vec<usize> = task.rows().take(ROWS).collect();
        let obs: Vec<f32> = rows.iter().flat_map(|row| task.obs_at(task.obs, *row)).copied().collect();
        let policy = HostPolicy::new(layout, params);
        let mut out = vec![0.0; rows.len() * policy.outputs()];
        policy.forward(&obs, &mut out, &mut policy.scratch());
        let inputs = json!({ "obs": tensor(&[rows.len(), layout.obs_dim()], &obs) });
        let outputs = outputs(layout, params, (&out, rows.len()), space);
        vec![json!({ "inputs": inputs, "outputs": outputs })]
    };
    if let Some(rate) = rate_limit {
        cases.iter_mut().for_each(|case| limit(case, rate));
    }
    Ok(serde_json::to_vec(&cases)?)
}

/// Adds a command in force to the inputs of a case, some other row's action, and limits the change from it.
fn limit(case: &mut Value, rate: f32) {
    let action = case["outputs"]["action"].clone();
    let number = |value: &Value| value.as_f64().expect("a number") as f32;
    let wanted: Vec<f32> = action["data"].as_array().into_iter().flatten().map(number).collect();
    let before: Vec<f32> = wanted.iter().rev().copied().collect();
    let given: Vec<f64> = wanted.iter().zip(&before).map(|(wanted, last)| near(*wanted, *last, rate).into()).collect();
    case["inputs"]["command_before"] = json!({ "dims": action["dims"], "data": before });
    case["outputs"]["action"]["data"] = json!(given);
}

/// The outputs of a policy's graph by those of its head, `[outputs, n]`.
fn outputs(layout: &Layout, params: &[f32], (out, n): (&[f32], usize), space: ActionSpace) -> Map<String, Value> {
    let at = |k: usize, row: usize| out[k * n + row];
    let mut found = Map::new();
    let mut put = |name: &str, dims: &[usize], data: Vec<f32>| found.insert(name.to_owned(), tensor(dims, &data));
    match (layout.head(), space) {
        (Head::Categorical(count), _) => {
            let best = |row: &usize| (1..count).fold(0, |best, k| if at(k, *row) > at(best, *row) { k } else { best });
            put("action", &[n], (0..n).map(|row| best(&row) as f32).collect());
            let shares = |row: usize| {
                let most = (0..count).map(|k| at(k, row)).fold(f32::NEG_INFINITY, f32::max);
                let parts: Vec<f32> = (0..count).map(|k| (at(k, row) - most).exp()).collect();
                let total: f32 = parts.iter().sum();
                parts.into_iter().map(move |part| part / total)
            };
            put("probabilities", &[n, count], (0..n).flat_map(shares).collect());
        }
        (Head::Gaussian(dim) | Head::StateGaussian(dim), ActionSpace::Box { bound, .. }) => {
            let bound = bound as f32;
            let places = || (0..n).flat_map(|row| (0..dim).map(move |k| (k, row)));
            let mean = |(k, row)| at(k, row) * bound;
            let free = layout.log_std().map_or_else(Vec::new, |range| params[range].to_vec());
            let log_std = |k: usize, row: usize| match layout.head() {
                Head::StateGaussian(_) => at(dim + k, row).clamp(LOG_STD[0] as f32, LOG_STD[1] as f32),
                _ => free[k],
            };
            put("action", &[n, dim], places().map(|at| mean(at).clamp(-bound, bound)).collect());
            put("mean", &[n, dim], places().map(mean).collect());
            put("std", &[n, dim], places().map(|(k, row)| log_std(k, row).exp() * bound).collect());
        }
        (_, ActionSpace::Discrete(_)) => unreachable!("a continuous policy in an environment of choices"),
    }
    found
}

/// The first steps of all lanes under a recurrent policy; the actions are those of the episodes.
fn recurrent(layout: &Layout, params: &[f32], data: &Rollout, space: ActionSpace) -> Vec<Value> {
    let Core::Recurrent { hidden, .. } = layout.core() else { unreachable!("a recurrent policy") };
    let task = data.task(0);
    let (lanes, shown) = (task.envs, layout.head().shown());
    let mut policy = RecurrentPolicy::new(layout, params, lanes);
    let mut cases = Vec::new();
    let steps = task.valid_steps.iter().map(|steps| *steps as usize).min().unwrap_or(0).min(STEPS);
    for t in 0..steps {
        let rows = t * lanes..(t + 1) * lanes;
        let memories: Vec<Vec<f32>> = (0..lanes).map(|lane| policy.memory(lane)).collect();
        let part = |from: usize, to: usize| memories.iter().flat_map(|m| m[from..to].to_vec()).collect::<Vec<f32>>();
        let obs = &task.obs[rows.start * layout.obs_dim()..rows.end * layout.obs_dim()];
        let inputs = json!({
            "obs": tensor(&[lanes, layout.obs_dim()], obs),
            "state": tensor(&[lanes, hidden], &part(0, hidden)),
            "action_before": tensor(&[lanes, shown], &part(hidden, hidden + shown)),
            "reward_before": tensor(&[lanes, 1], &part(hidden + shown, hidden + shown + 1)),
            "ended_before": tensor(&[lanes, 1], &part(hidden + shown + 1, hidden + shown + 2)),
        });
        policy.observe(obs);
        let mut outputs = outputs(layout, params, (policy.out(), lanes), space);
        let state: Vec<f32> = (0..lanes).flat_map(|lane| policy.memory(lane)[..hidden].to_vec()).collect();
        outputs.insert("state_out".to_owned(), tensor(&[lanes, hidden], &state));
        cases.push(json!({ "inputs": inputs, "outputs": outputs }));
        let act_dim = task.act_dim();
        let action = &task.action[rows.start * act_dim..rows.end * act_dim];
        let ended = |lane: usize| task.terminated[rows.start + lane] || task.truncated[rows.start + lane];
        policy.outcome(action, &task.reward[rows.clone()], ended);
    }
    cases
}

/// A case of one adaptation, on the episodes as a log has them.
///
/// # Errors
/// If an adapted parameter is not finite.
pub(super) fn of_step(config: &Experiment, agent: &dyn Agent) -> Result<Vec<u8>> {
    let spec = config.env().spec();
    let text = adapt::write(&episodes(config, agent)?, &Columns::of(config), adapt::periods(config)[0])?;
    let log = adapt::logged(config, agent, ("the case", &text))?;
    let mut agent = agent.duplicate();
    agent.adapt(&log.data)?;
    let data = log.data.task(0);
    let (lanes, steps, dims, act_dim) = (data.envs, data.reward.len() / data.envs, data.obs_dim(), data.act_dim());
    let places = || (0..lanes).flat_map(|lane| (0..steps).map(move |t| t * lanes + lane));
    let wide = |column: &[f32], width: usize| {
        places().flat_map(|row| column[row * width..(row + 1) * width].to_vec()).collect::<Vec<f32>>()
    };
    let last: Vec<usize> = (0..lanes).map(|lane| data.row(data.valid_steps[lane] as usize - 1, lane)).collect();
    let last_obs: Vec<f32> = last.iter().flat_map(|row| data.obs_at(data.next_obs, *row)).copied().collect();
    let unit = scale(spec);
    let action: Vec<f32> = wide(data.action, act_dim).into_iter().map(|action| action * unit).collect();
    let terminated: Vec<u8> = last.iter().map(|row| u8::from(data.terminated[*row])).collect();
    let inputs = json!({
        "obs": tensor(&[lanes, steps, dims], &wide(data.obs, dims)),
        "last_obs": tensor(&[lanes, dims], &last_obs),
        "action": tensor(&[lanes, steps, act_dim], &action),
        "reward": tensor(&[lanes, steps], &wide(data.reward, 1)),
        "length": tensor(&[lanes], data.valid_steps),
        "terminated": tensor(&[lanes], &terminated),
    });
    let adapted = &agent.policies().params[0];
    let outputs = json!({ "adapted": tensor(&[adapted.len()], adapted) });
    Ok(serde_json::to_vec(&[json!({ "inputs": inputs, "outputs": outputs })])?)
}
