//! A policy's network in a graph: parts of the flat parameters, and the way forward through them.

use metadrift_agents::layout::{Activation, Core, Head, LOG_STD, Layout};

use super::graph::{Graph, Name};

/// The blocks of a flat vector as matrices, `[blocks]`.
pub fn blocks(g: &mut Graph, layout: &Layout, flat: &Name) -> Vec<Name> {
    let mut parts = Vec::new();
    for block in layout.blocks() {
        let part = g.slice(flat, (block.range.start as i64, block.range.end as i64), 0);
        parts.push(g.reshape(&part, &block.dims.map(|dim| dim as i64)));
    }
    parts
}

/// The blocks with the products of their factors added (context parameters and changes of low rank).
pub fn summed(g: &mut Graph, layout: &Layout, blocks: &[Name]) -> Vec<Name> {
    let mut sums = blocks.to_vec();
    for [to, left, right] in layout.products() {
        let product = g.matmul(&blocks[left], &blocks[right]);
        sums[to] = g.add(&sums[to], &product);
    }
    sums
}

/// The observations `[n, obs_dim]` as the network sees them.
pub fn normalised(g: &mut Graph, layout: &Layout, obs: &Name) -> Name {
    let Some(normalizer) = layout.normalizer() else { return obs.clone() };
    let [mean, factor] = normalizer.numbers();
    let (mean, factor) = (g.floats(&[mean.len()], mean), g.floats(&[factor.len()], factor));
    let centred = g.sub(obs, &mean);
    g.mul(&centred, &factor)
}

/// The input of each layer of a perceptron, and its outputs `[n, out]` behind them; `parts` are its summed blocks.
pub fn forward(g: &mut Graph, layout: &Layout, parts: &[Name], x: &Name) -> Vec<Name> {
    let layers = layout.num_layers();
    let op = match layout.activation() {
        Activation::Tanh => "Tanh",
        Activation::Relu => "Relu",
    };
    let mut values = vec![x.clone()];
    for layer in 0..layers {
        let product = g.matmul(&values[layer], &parts[2 * layer]);
        let sum = g.add(&product, &parts[2 * layer + 1]);
        values.push(if layer + 1 < layers { g.op(op, &[&sum]) } else { sum });
    }
    values
}

/// The outputs of the head `[n, outputs]` for observations `[n, obs_dim]`: of a perceptron, or of an encoder of the last
/// transitions and the perceptron behind it.
pub fn outputs(g: &mut Graph, layout: &Layout, flat: &Name, obs: &Name) -> Name {
    let obs = normalised(g, layout, obs);
    let Core::Context { own, code } = layout.core() else {
        let parts = blocks(g, layout, flat);
        let parts = summed(g, layout, &parts);
        return forward(g, layout, &parts, &obs).pop().expect("outputs");
    };
    let parts = blocks(g, layout, flat);
    let [encoder, policy] = layout.parts() else { unreachable!("an encoder and a policy") };
    let (of_encoder, of_policy) = parts.split_at(encoder.blocks().len());
    let first = g.slice(&obs, (0, own as i64), 1);
    let past = g.slice(&obs, (own as i64, layout.obs_dim() as i64), 1);
    let z = forward(g, encoder, of_encoder, &past).pop().expect("outputs");
    let z = g.op("Tanh", &[&z]);
    // every value of the observation times the code
    let (left, right) = (g.unsqueeze(&first, &[2]), g.unsqueeze(&z, &[1]));
    let products = g.mul(&left, &right);
    let products = g.reshape(&products, &[-1, (own * code) as i64]);
    let seen = g.concat(&[&first, &z, &products], 1);
    forward(g, policy, of_policy, &seen).pop().expect("outputs")
}

/// Means `[n, dim]` and log standard deviations (`[1, dim]` or `[n, dim]`) of a continuous head with outputs `out`.
pub fn normal(g: &mut Graph, layout: &Layout, flat: &Name, out: &Name) -> (Name, Name) {
    match layout.head() {
        Head::StateGaussian(dim) => {
            let mean = g.slice(out, (0, dim as i64), 1);
            let log_std = g.slice(out, (dim as i64, 2 * dim as i64), 1);
            let [low, high] = LOG_STD.map(|end| g.float(end as f32));
            (mean, g.op("Clip", &[&log_std, &low, &high]))
        }
        Head::Gaussian(dim) => {
            let range = layout.log_std().expect("a Gaussian head has log standard deviations");
            let log_std = g.slice(flat, (range.start as i64, range.end as i64), 0);
            (out.clone(), g.reshape(&log_std, &[1, dim as i64]))
        }
        Head::Categorical(_) => unreachable!("no normal distribution"),
    }
}

/// The most likely of some choices with logits `[n, choices]`, `[n]`.
pub fn most_likely(g: &mut Graph, logits: &Name) -> Name {
    use super::proto::Attribute::Int;
    g.with("ArgMax", &[logits], &[("axis", Int(1)), ("keepdims", Int(0))])
}
