//! The policy as a graph.

use metadrift_agents::layout::{Core, Head, Layout};
use metadrift_envs::ActionSpace;

use super::{
    graph::{Graph, Name},
    network::{blocks, most_likely, normal, outputs},
    proto::{
        Dim::{Any, Fixed},
        Kind,
    },
};

/// The graph of the policy `params` `[num_params]` in an environment with the actions `space`, with a limit of the change of a
/// command.
pub fn policy(layout: &Layout, params: &[f32], space: ActionSpace, rate_limit: Option<f32>) -> Vec<u8> {
    let mut g = Graph::new("");
    let dims = [Any("n"), Fixed(layout.obs_dim())];
    let obs = g.input("obs", Kind::Float, &dims, "observations, in the order of spec.json");
    let (out, flat) = if let Core::Recurrent { .. } = layout.core() {
        recurrent(&mut g, layout, params, &obs)
    } else {
        let flat = g.default_input("params", params, "parameters: by default those of the run");
        (outputs(&mut g, layout, &flat, &obs), flat)
    };
    act(&mut g, layout, (&flat, &out), (space, rate_limit));
    g.encode("policy", "most likely actions and their distribution")
}

/// The outputs of the head and the parameters of a recurrent policy; its memory goes in and out.
fn recurrent(g: &mut Graph, layout: &Layout, params: &[f32], obs: &Name) -> (Name, Name) {
    let Core::Recurrent { hidden, .. } = layout.core() else { unreachable!("a recurrent policy") };
    let shown = layout.head().shown();
    let wide = |width: usize| [Any("n"), Fixed(width)];
    let before = "of the step before, as the policy drew it: a 1 for the choice, or the unit action; 0 in the first";
    let action = g.input("action_before", Kind::Float, &wide(shown), before);
    let reward = g.input("reward_before", Kind::Float, &wide(1), "of the step before; 0 in the first");
    let ended = g.input("ended_before", Kind::Float, &wide(1), "1 if an episode ended with the step before, else 0");
    let memory = g.input("state", Kind::Float, &wide(hidden), "memory: 0 at first, then state_out of the step before");
    let flat = g.default_input("params", params, "parameters: by default those of the run");
    let parts = blocks(g, layout, &flat);
    let x = g.concat(&[obs, &action, &reward, &ended], 1);
    let affine = |g: &mut Graph, x: &Name, at: usize| {
        let product = g.matmul(x, &parts[at]);
        g.add(&product, &parts[at + 1])
    };
    let e = affine(g, &x, 0);
    let e = g.op("Tanh", &[&e]);
    let (input, recall) = (affine(g, &e, 2), affine(g, &memory, 4));
    let gate = |g: &mut Graph, from: &Name, k: i64| g.slice(from, (k * hidden as i64, (k + 1) * hidden as i64), 1);
    let opened = |g: &mut Graph, k: i64| {
        let (a, b) = (gate(g, &input, k), gate(g, &recall, k));
        let sum = g.add(&a, &b);
        g.op("Sigmoid", &[&sum])
    };
    let (reset, keep) = (opened(g, 0), opened(g, 1));
    let (new, old) = (gate(g, &input, 2), gate(g, &recall, 2));
    let old = g.mul(&reset, &old);
    let new = g.add(&new, &old);
    let new = g.op("Tanh", &[&new]);
    let apart = g.sub(&memory, &new);
    let kept = g.mul(&keep, &apart);
    let state = g.add(&new, &kept);
    g.output(&state, "state_out", Kind::Float, &wide(hidden), "memory for the next step");
    let out = affine(g, &state, 6);
    // the value stands behind the policy's outputs
    (g.slice(&out, (0, layout.head().outputs() as i64), 1), flat)
}

/// Adds the outputs: the command within the actuator's limits, and the distribution that actions are drawn from.
fn act(g: &mut Graph, layout: &Layout, (flat, out): (&Name, &Name), (space, rate_limit): (ActionSpace, Option<f32>)) {
    match (layout.head(), space) {
        (Head::Categorical(count), _) => {
            let action = most_likely(g, out);
            g.output(&action, "action", Kind::Int, &[Any("n")], "index of the most likely action");
            let shares = g.with("Softmax", &[out], &[("axis", super::proto::Attribute::Int(1))]);
            g.output(&shares, "probabilities", Kind::Float, &[Any("n"), Fixed(count)], "of each action");
        }
        (Head::Gaussian(dim) | Head::StateGaussian(dim), ActionSpace::Box { bound, .. }) => {
            let (mean, log_std) = normal(g, layout, flat, out);
            let [unit, low] = [bound as f32, -(bound as f32)].map(|number| g.float(number));
            let mean = g.mul(&mean, &unit);
            let mut action = g.op("Clip", &[&mean, &low, &unit]);
            let wide = [Any("n"), Fixed(dim)];
            if let Some(rate) = rate_limit {
                let before = g.input("command_before", Kind::Float, &wide, "the command in force; 0 at first");
                let rate = g.float(rate);
                let [least, most] = [g.sub(&before, &rate), g.add(&before, &rate)];
                let raised = g.op("Max", &[&action, &least]);
                action = g.op("Min", &[&raised, &most]);
            }
            g.output(&action, "action", Kind::Float, &wide, "most likely command, within the actuator's limits");
            g.output(&mean, "mean", Kind::Float, &wide, "of the normal distribution, in the unit of a command");
            let std = g.op("Exp", &[&log_std]);
            let std = g.mul(&std, &unit);
            // one row for each observation
            let zero = g.float(0.0);
            let zeros = g.mul(&mean, &zero);
            let std = g.add(&zeros, &std);
            g.output(&std, "std", Kind::Float, &wide, "standard deviations, in the unit of a command");
        }
        (_, ActionSpace::Discrete(_)) => unreachable!("a continuous policy in an environment of choices"),
    }
}
