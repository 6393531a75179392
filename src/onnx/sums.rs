//! Sums over the steps of episodes, for the baseline.

use super::{
    baseline::{Data, Sizes, of_state, of_time},
    graph::{Graph, Name},
    proto::Kind,
};

/// Features before they are standardised, 0 behind the end, `[L, T, all]`, and those of the last observations, `[L, state]`.
pub(super) fn raw_features(g: &mut Graph, data: &Data, sizes: Sizes) -> (Name, Name) {
    let mask = g.unsqueeze(&data.weight, &[2]);
    let sum = g.mul(&data.obs, &mask);
    let sum = g.reduce("ReduceSum", &sum, &[0, 1]);
    let mean = g.div(&sum, &data.count);
    let centred = g.sub(&data.obs, &mean);
    let valid = g.mul(&centred, &mask);
    let squares = g.mul(&valid, &valid);
    let squares = g.reduce("ReduceSum", &squares, &[0, 1]);
    let variance = g.div(&squares, &data.count);
    let deviation = g.op("Sqrt", &[&variance]);
    // an observation that does not change but by rounding counts for nothing
    let size = g.op("Abs", &[&mean]);
    let (tiny, zero, one) = (g.double(1e-6), g.double(0.0), g.double(1.0));
    let least = g.mul(&tiny, &size);
    let changes = g.op("Greater", &[&deviation, &least]);
    let safe = g.choose(&changes, &deviation, &one);
    let inverse = g.div(&one, &safe);
    let scale = g.choose(&changes, &inverse, &zero);
    let (low, high) = (g.double(-10.0), g.double(10.0));
    let standard = |g: &mut Graph, centred: &Name| {
        let x = g.mul(centred, &scale);
        g.op("Clip", &[&x, &low, &high])
    };
    let x = standard(g, &centred);
    let (state, squares) = of_state(g, &x, data, 2);
    let time = of_time(g, data);
    let time = g.unsqueeze(&time, &[0]);
    // the same polynomials in every lane
    let time = g.mul(&time, &mask);
    let mut parts = vec![&state, &time];
    if sizes.all > sizes.simple {
        parts.push(&squares);
    }
    let all = g.concat(&parts, 2);
    let all = g.mul(&all, &mask);
    let last = g.sub(&data.last_obs, &mean);
    let last = standard(g, &last);
    (all, of_state(g, &last, data, 1).0)
}

/// One over the standard deviation of each feature, 0 for one that does not change, and 1 for the constant, `[all]`; `keep` is 0
/// for the constant and 1 for the others.
pub(super) fn scale(g: &mut Graph, (raw, centred): (&Name, &Name), data: &Data, keep: &Name) -> Name {
    let mean_square = |g: &mut Graph, of: &Name| {
        let squares = g.mul(of, of);
        let sum = g.reduce("ReduceSum", &squares, &[0, 1]);
        g.div(&sum, &data.count)
    };
    let (square, variance) = (mean_square(g, raw), mean_square(g, centred));
    let (tiny, zero, one) = (g.double(1e-12), g.double(0.0), g.double(1.0));
    let least = g.mul(&tiny, &square);
    let changes = g.op("Greater", &[&variance, &least]);
    let safe = g.choose(&changes, &variance, &one);
    let deviation = g.op("Sqrt", &[&safe]);
    let inverse = g.div(&one, &deviation);
    let scale = g.choose(&changes, &inverse, &zero);
    let scale = g.mul(&scale, keep);
    let constant = g.sub(&one, keep);
    g.add(&scale, &constant)
}

/// The discount from each step to the end of its episode, 0 behind it, `[L, T, 1]`.
pub(super) fn discount_to_end(g: &mut Graph, data: &Data) -> Name {
    let length = g.cast(&data.length, Kind::Double);
    let length = g.unsqueeze(&length, &[1]);
    let left = g.sub(&length, &data.time);
    let zero = g.double(0.0);
    let left = g.op("Max", &[&left, &zero]);
    let gamma = g.double(data.gamma);
    let discount = g.op("Pow", &[&gamma, &left]);
    let discount = g.mul(&discount, &data.weight);
    g.unsqueeze(&discount, &[2])
}

/// Sums of `x` `[L, T]` from each step to the last one, discounted by `decay` a step: a product with a triangular matrix.
pub(super) fn to_go(g: &mut Graph, data: &Data, x: &Name, decay: f64) -> Name {
    let (from, to) = (g.unsqueeze(&data.time, &[0]), g.unsqueeze(&data.time, &[1]));
    // [k, t]: k - t
    let ahead = g.sub(&to, &from);
    let (zero, decay) = (g.double(0.0), g.double(decay));
    let steps = g.op("Max", &[&ahead, &zero]);
    let power = g.op("Pow", &[&decay, &steps]);
    let is_ahead = g.op("GreaterOrEqual", &[&ahead, &zero]);
    let power = g.choose(&is_ahead, &power, &zero);
    g.matmul(x, &power)
}

/// 1 where an episode belongs to a fold, `[4, L]`: each takes whole episodes, by the number of steps before them.
pub(super) fn folds(g: &mut Graph, data: &Data) -> Name {
    use super::proto::Attribute::Int;
    let axis = g.int(0);
    let before = g.with("CumSum", &[&data.length, &axis], &[("exclusive", Int(1))]);
    let (four, all) = (g.int(4), g.cast(&data.count, Kind::Int));
    let before = g.mul(&before, &four);
    let fold = g.div(&before, &all);
    let fold = g.unsqueeze(&fold, &[0]);
    let numbers = g.ints(&[0, 1, 2, 3]);
    let numbers = g.unsqueeze(&numbers, &[1]);
    let is_in = g.op("Equal", &[&fold, &numbers]);
    g.cast(&is_in, Kind::Double)
}

/// Products of features, features times `rewards` `[L, T]`, and numbers of steps of each fold.
pub(super) fn fold_sums(
    g: &mut Graph,
    data: &Data,
    (features, size): (&Name, usize),
    folds: &Name,
    rewards: &Name,
) -> [Name; 3] {
    let flat = g.reshape(features, &[-1, size as i64]);
    // [folds, L, T] -> [folds, 1, L T]
    let member = g.unsqueeze(folds, &[2]);
    let member = g.mul(&member, &data.weight);
    let member = g.reshape(&member, &[4, 1, -1]);
    let turned = g.transpose(&flat, &[1, 0]);
    let turned = g.mul(&turned, &member);
    let gram = g.matmul(&turned, &flat);
    let rewards = g.reshape(rewards, &[-1, 1]);
    let target = g.matmul(&turned, &rewards);
    let samples = g.reduce("ReduceSum", &member, &[1, 2]);
    [gram, target, g.reshape(&samples, &[4, 1, 1])]
}

/// The smallest and the largest value that the rewards make possible, `[]` each: the smallest or largest reward for ever, and
/// 0 if an episode terminated.
pub(super) fn range(g: &mut Graph, data: &Data) -> [Name; 2] {
    let zero = g.double(0.0);
    let valid = g.op("Greater", &[&data.weight, &zero]);
    let rest = g.double(1.0 - data.gamma);
    let one = g.double(1.0);
    let alive = g.reduce("ReduceMin", &data.alive, &[]);
    let terminated = g.op("Less", &[&alive, &one]);
    [("ReduceMin", "Min", f64::INFINITY), ("ReduceMax", "Max", f64::NEG_INFINITY)].map(|(reduce, join, none)| {
        let none = g.double(none);
        let rewards = g.choose(&valid, &data.reward, &none);
        let end = g.reduce(reduce, &rewards, &[]);
        let end = g.div(&end, &rest);
        let with_zero = g.op(join, &[&end, &zero]);
        g.choose(&terminated, &with_zero, &end)
    })
}
