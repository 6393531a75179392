//! One adaptation step as a graph: episodes in, adapted parameters out.

use metadrift_agents::layout::{Activation, Head, LOG_STD, Layout};

use super::{
    baseline::{Data, EPISODES, SAMPLES_EACH, Sizes, values},
    graph::{Graph, Name},
    network::{blocks, forward, normal, normalised, summed},
    proto::{
        Attribute::Int,
        Dim::{Any, Fixed},
        Kind,
    },
    sums::to_go,
};

/// A gradient step of a policy.
pub struct Step<'a> {
    /// Shape of the policy.
    pub layout: &'a Layout,
    /// The policy before, `[num_params]`.
    pub params: &'a [f32],
    /// Step sizes, `[num_params]`.
    pub rates: &'a [f32],
    /// Number of values of an observation that are the environment's own.
    pub own_obs: usize,
    /// Discount factor.
    pub gamma: f64,
    /// Trace decay lambda.
    pub gae_lambda: f64,
    /// Factor from the policy's actions to those of the episodes.
    pub scale: f32,
}

/// The graph of `step`; `None` if its observations have more numbers than a baseline has features.
pub fn adapt(step: &Step<'_>) -> Option<Vec<u8>> {
    let layout = step.layout;
    let sizes = Sizes::of(layout.obs_dim(), step.own_obs)?;
    let mut g = Graph::new("");
    let wide = |width: usize| [Any("L"), Any("T"), Fixed(width)];
    let steps = "an episode in each row, in the order of spec.json; what stands behind its end is not read";
    let obs = g.input("obs", Kind::Float, &wide(layout.obs_dim()), steps);
    let ends = "observation after the last step";
    let last_obs = g.input("last_obs", Kind::Float, &[Any("L"), Fixed(layout.obs_dim())], ends);
    let drawn = "as the policy drew them: indices, or numbers in the unit of a command";
    let action = g.input("action", Kind::Float, &wide(layout.head().act_dim()), drawn);
    let reward = g.input("reward", Kind::Float, &[Any("L"), Any("T")], "rewards");
    let length = g.input("length", Kind::Int, &[Any("L")], "number of steps of each episode");
    let told = "true where nothing is earned after the end, false at a time limit";
    let terminated = g.input("terminated", Kind::Bool, &[Any("L")], told);
    let flat = g.default_input("params", step.params, "parameters of the policy that acted");
    let rates = g.default_input("rates", step.rates, "step size of each parameter");
    let data = data(&mut g, step, [&obs, &last_obs, &reward, &length, &terminated]);
    let guard = guard(&mut g, &data, sizes);
    let advantage = advantage(&mut g, step, &data, sizes, &terminated);
    let advantage = g.mul(&advantage, &guard);
    let advantage = g.cast(&advantage, Kind::Float);
    let advantage = g.reshape(&advantage, &[-1, 1]);
    let gradient = gradient(&mut g, step, (&flat, &obs, &action), &advantage);
    let moved = g.mul(&rates, &gradient);
    let adapted = g.sub(&flat, &moved);
    g.output(&adapted, "adapted", Kind::Float, &[Fixed(step.params.len())], "adapted parameters");
    Some(g.encode("adapt", "one adaptation step"))
}

/// The episodes as the baseline reads them.
fn data(g: &mut Graph, step: &Step<'_>, [obs, last_obs, reward, length, terminated]: [&Name; 5]) -> Data {
    let shape = g.op("Shape", &[reward]);
    let one = g.int(1);
    let steps = g.gather(&shape, &one, 0);
    let zero = g.int(0);
    let time = g.op("Range", &[&zero, &steps, &one]);
    let ends = g.unsqueeze(length, &[1]);
    let valid = g.op("Less", &[&time, &ends]);
    let weight = g.cast(&valid, Kind::Double);
    let longest = g.reduce("ReduceMax", length, &[]);
    let going = g.op("Not", &[terminated]);
    let (nothing, reward) = (g.double(0.0), g.cast(reward, Kind::Double));
    Data {
        obs: g.cast(obs, Kind::Double),
        last_obs: g.cast(last_obs, Kind::Double),
        reward: g.choose(&valid, &reward, &nothing),
        length: length.clone(),
        alive: g.cast(&going, Kind::Double),
        count: g.reduce("ReduceSum", &weight, &[]),
        weight,
        time: g.cast(&time, Kind::Double),
        longest: g.cast(&longest, Kind::Double),
        own_obs: step.own_obs,
        gamma: step.gamma,
    }
}

/// The number 1; too few episodes or steps, or a length that is none, are an error of the engine: a place out of bounds.
fn guard(g: &mut Graph, data: &Data, sizes: Sizes) -> Name {
    let shape = g.op("Shape", &[&data.weight]);
    let (zero, one) = (g.int(0), g.int(1));
    let (lanes, steps) = (g.gather(&shape, &zero, 0), g.gather(&shape, &one, 0));
    let episodes = g.int(EPISODES as i64);
    // as many samples as the program needs for all features
    let count = g.cast(&data.count, Kind::Int);
    let samples = g.int((SAMPLES_EACH * sizes.all) as i64);
    let shortest = g.reduce("ReduceMin", &data.length, &[]);
    let longest = g.reduce("ReduceMax", &data.length, &[]);
    let faults =
        [(&lanes, &episodes), (&count, &samples), (&shortest, &one), (&steps, &longest)].map(|(has, needs)| {
            let less = g.op("Less", &[has, needs]);
            g.cast(&less, Kind::Int)
        });
    let mut place = faults[0].clone();
    for fault in &faults[1..] {
        place = g.add(&place, fault);
    }
    let alone = g.doubles(&[1], &[1.0]);
    g.gather(&alone, &place, 0)
}

/// Advantages `[L, T]` with mean 0 and standard deviation 1, divided by the number of steps; 0 where every action earned the
/// same.
fn advantage(g: &mut Graph, step: &Step<'_>, data: &Data, sizes: Sizes, terminated: &Name) -> Name {
    let (value, after) = values(g, data, sizes);
    let gamma = g.double(step.gamma);
    let later = g.mul(&after, &gamma);
    let delta = g.add(&data.reward, &later);
    let delta = g.sub(&delta, &value);
    let delta = g.mul(&delta, &data.weight);
    let advantage = to_go(g, data, &delta, step.gamma * step.gae_lambda);
    let advantage = g.mul(&advantage, &data.weight);
    let sum = g.reduce("ReduceSum", &advantage, &[]);
    let mean = g.div(&sum, &data.count);
    let centred = g.sub(&advantage, &mean);
    let centred = g.mul(&centred, &data.weight);
    let squares = g.mul(&centred, &centred);
    let squares = g.reduce("ReduceSum", &squares, &[]);
    let variance = g.div(&squares, &data.count);
    let deviation = g.op("Sqrt", &[&variance]);
    let size = g.op("Abs", &[&data.reward]);
    let largest = g.reduce("ReduceMax", &size, &[]);
    let tiny = g.double(1e-6);
    let small = g.mul(&tiny, &largest);
    // a sum of as many rewards as the trace reaches over is not more exact
    let reach = g.double(1.0 / (1.0 - step.gamma * step.gae_lambda));
    let reach = g.op("Min", &[&reach, &data.longest]);
    let noise = g.mul(&small, &reach);
    let is_more = g.op("Greater", &[&deviation, &noise]);
    let differs = differs(g, data, &small, terminated);
    let tells = g.op("And", &[&is_more, &differs]);
    let (zero, one) = (g.double(0.0), g.double(1.0));
    let safe = g.choose(&is_more, &deviation, &one);
    let unit = g.div(&centred, &safe);
    let unit = g.choose(&tells, &unit, &zero);
    g.div(&unit, &data.count)
}

/// True if episodes differ in length, in their end, or in a reward by more than `small`.
fn differs(g: &mut Graph, data: &Data, small: &Name, terminated: &Name) -> Name {
    let first = |g: &mut Graph, of: &Name| g.slice(of, (0, 1), 0);
    let any = |g: &mut Graph, of: &Name| {
        let number = g.cast(of, Kind::Int);
        g.reduce("ReduceMax", &number, &[])
    };
    let of_first = first(g, &data.length);
    let same = g.op("Equal", &[&data.length, &of_first]);
    let lengths = g.op("Not", &[&same]);
    let of_first = first(g, terminated);
    let ends = g.op("Xor", &[terminated, &of_first]);
    let of_first = first(g, &data.reward);
    let apart = g.sub(&data.reward, &of_first);
    let apart = g.op("Abs", &[&apart]);
    let rewards = g.op("Greater", &[&apart, small]);
    let [a, b, c] = [&lengths, &ends, &rewards].map(|of| any(g, of));
    let sum = g.add(&a, &b);
    let sum = g.add(&sum, &c);
    g.cast(&sum, Kind::Bool)
}

/// The gradient of -sum(advantage * log-probability) by the parameters, `[num_params]`; `advantage` is `[L T, 1]`.
fn gradient(g: &mut Graph, step: &Step<'_>, (flat, obs, action): (&Name, &Name, &Name), advantage: &Name) -> Name {
    let layout = step.layout;
    let obs = g.reshape(obs, &[-1, layout.obs_dim() as i64]);
    let obs = normalised(g, layout, &obs);
    let raw = blocks(g, layout, flat);
    let parts = summed(g, layout, &raw);
    let values = forward(g, layout, &parts, &obs);
    let out = values.last().expect("outputs").clone();
    let action = g.reshape(action, &[-1, layout.head().act_dim() as i64]);
    let (mut delta, of_log_std) = slope(g, step, flat, (&out, &action), advantage);
    let mut found: Vec<Option<Name>> = vec![None; layout.blocks().len()];
    if layout.log_std().is_some() {
        *found.last_mut().expect("log_std is a block") = of_log_std;
    }
    for layer in (0..layout.num_layers()).rev() {
        let turned = g.transpose(&values[layer], &[1, 0]);
        found[2 * layer] = Some(g.matmul(&turned, &delta));
        found[2 * layer + 1] = Some(g.reduce("ReduceSum", &delta, &[0]));
        if layer > 0 {
            let weights = g.transpose(&parts[2 * layer], &[1, 0]);
            let back = g.matmul(&delta, &weights);
            let slope = activation_slope(g, layout.activation(), &values[layer]);
            delta = g.mul(&back, &slope);
        }
    }
    for [to, left, right] in layout.products() {
        let dims = layout.blocks()[to].dims.map(|dim| dim as i64);
        let by_sum = g.reshape(found[to].as_ref().expect("a block of the network"), &dims);
        let turned = g.transpose(&raw[right], &[1, 0]);
        found[left] = Some(g.matmul(&by_sum, &turned));
        let turned = g.transpose(&raw[left], &[1, 0]);
        found[right] = Some(g.matmul(&turned, &by_sum));
    }
    let found: Vec<Name> = found.into_iter().map(|block| g.reshape(&block.expect("all blocks"), &[-1])).collect();
    g.concat(&found.iter().collect::<Vec<_>>(), 0)
}

/// The derivative of an activation at its value.
fn activation_slope(g: &mut Graph, activation: Activation, value: &Name) -> Name {
    match activation {
        Activation::Tanh => {
            let square = g.mul(value, value);
            let one = g.float(1.0);
            g.sub(&one, &square)
        }
        Activation::Relu => {
            let zero = g.float(0.0);
            let is_on = g.op("Greater", &[value, &zero]);
            g.cast(&is_on, Kind::Float)
        }
    }
}

/// The derivatives of -sum(advantage * log-probability) by the outputs `[n, outputs]`, and by free log standard deviations.
fn slope(
    g: &mut Graph,
    step: &Step<'_>,
    flat: &Name,
    (out, action): (&Name, &Name),
    advantage: &Name,
) -> (Name, Option<Name>) {
    if let Head::Categorical(count) = step.layout.head() {
        let shares = g.with("Softmax", &[out], &[("axis", Int(1))]);
        let index = g.cast(action, Kind::Int);
        let index = g.reshape(&index, &[-1]);
        let (count, ends) = (g.int(count as i64), g.floats(&[2], &[0.0, 1.0]));
        let chosen = g.with("OneHot", &[&index, &count, &ends], &[("axis", Int(-1))]);
        let apart = g.sub(&shares, &chosen);
        return (g.mul(advantage, &apart), None);
    }
    let (mean, log_std) = normal(g, step.layout, flat, out);
    let unit = g.float(step.scale);
    let action = g.div(action, &unit);
    let distance = g.sub(&action, &mean);
    let std = g.op("Exp", &[&log_std]);
    let z = g.div(&distance, &std);
    let by_mean = g.div(&z, &std);
    let by_mean = g.mul(advantage, &by_mean);
    let by_mean = g.op("Neg", &[&by_mean]);
    let (one, square) = (g.float(1.0), g.mul(&z, &z));
    let by_log_std = g.sub(&one, &square);
    let by_log_std = g.mul(advantage, &by_log_std);
    if let Head::StateGaussian(dim) = step.layout.head() {
        // cut off, with slope 0 outside
        let free = g.slice(out, (dim as i64, 2 * dim as i64), 1);
        let [low, high] = LOG_STD.map(|end| g.float(end as f32));
        let (above, below) = (g.op("Greater", &[&free, &low]), g.op("Less", &[&free, &high]));
        let inside = g.op("And", &[&above, &below]);
        let inside = g.cast(&inside, Kind::Float);
        let by_log_std = g.mul(&by_log_std, &inside);
        return (g.concat(&[&by_mean, &by_log_std], 1), None);
    }
    (by_mean, Some(g.reduce("ReduceSum", &by_log_std, &[0])))
}
