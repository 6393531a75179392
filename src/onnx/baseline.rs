//! The linear baseline of an adaptation as a graph: features, cross-validation, and values that agree across time limits. It
//! follows `metadrift_agents::baseline` step by step.

use super::{
    fixed_point::fixed_point,
    graph::{Graph, Name},
    proto::{Attribute::Int, Kind},
    solve::solve,
    sums::{discount_to_end, fold_sums, folds, range, raw_features, scale, to_go},
};

/// Folds of the cross-validation.
const FOLDS: usize = 4;
/// Ridges that it chooses from.
const RIDGES: [f64; 4] = [1e-8, 1e-3, 1e-2, 1e-1];
/// Place of the usual ridge.
const USUAL: i64 = 2;
/// Largest number of features, and those of the time among them.
const MOST: usize = 128;
const TIME: usize = 3;
/// Samples that each feature needs, and episodes that products of squares need.
pub const SAMPLES_EACH: usize = 4;
pub const EPISODES: usize = 8;

/// The episodes in a graph, one in each lane, `L` lanes of `T` steps at most; all numbers are `f64`.
pub struct Data {
    /// `[L, T, obs_dim]`
    pub obs: Name,
    /// `[L, obs_dim]`
    pub last_obs: Name,
    /// `[L, T]`, 0 behind the end.
    pub reward: Name,
    /// Steps of each episode, whole numbers `[L]`.
    pub length: Name,
    /// 1 where an episode did not terminate, `[L]`.
    pub alive: Name,
    /// 1 for steps, 0 behind the end, `[L, T]`.
    pub weight: Name,
    /// 0, 1, ... `[T]`
    pub time: Name,
    /// Number of steps in all, `[]`.
    pub count: Name,
    /// Length of the longest episode, `[]`.
    pub longest: Name,
    pub own_obs: usize,
    pub gamma: f64,
}

/// Numbers of features: of the state, of the state and the time, and of all.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    pub state: usize,
    pub simple: usize,
    pub all: usize,
}

impl Sizes {
    /// The features for observations of `obs_dim` numbers, of which `own` are the environment's; `None` if there are so many
    /// that the program would leave some out.
    pub fn of(obs_dim: usize, own: usize) -> Option<Sizes> {
        let pairs = own * (own + 1) / 2;
        let state = 1 + obs_dim + pairs;
        let squares = if state + TIME + pairs <= MOST { pairs } else { 0 };
        (state + TIME <= MOST).then_some(Sizes { state, simple: state + TIME, all: state + TIME + squares })
    }
}

/// Values before every step, 0 behind the end, `[L, T]`, and after it.
pub fn values(g: &mut Graph, data: &Data, sizes: Sizes) -> (Name, Name) {
    let equations = Equations::new(g, data, sizes);
    let usual = g.double(RIDGES[USUAL as usize]);
    let rough = fixed_point(g, &equations, &usual);
    let ends = equations.ends(g, &rough);
    let simple = vec![sizes.simple; 4];
    let chosen = equations.best(g, &simple, &ends);
    let ridges = g.doubles(&[RIDGES.len()], &RIDGES);
    let ridge = g.gather(&ridges, &chosen, 0);
    let end_weights = fixed_point(g, &equations, &ridge);
    let ends = equations.ends(g, &end_weights);
    let counts: Vec<usize> = if sizes.all > sizes.simple { [simple, vec![sizes.all; 4]].concat() } else { simple };
    let chosen = equations.best(g, &counts, &ends);
    let weights = equations.of_choice(g, &counts, &chosen, &ends);
    let fitted = g.matmul(&equations.features, &weights);
    let fitted = g.reduce("ReduceSum", &fitted, &[2]);
    let value = equations.clamp(g, &fitted);
    let value = g.mul(&value, &data.weight);
    // the value after a step is that before the next one, or at the end that of the last observation
    let later = g.slice(&value, (1, i64::MAX), 1);
    let first = g.slice(&value, (0, 1), 1);
    let later = g.concat(&[&later, &first], 1);
    let one = g.int(1);
    let (time, length) = (g.cast(&data.time, Kind::Int), g.unsqueeze(&data.length, &[1]));
    let next = g.add(&time, &one);
    let is_last = g.op("Equal", &[&next, &length]);
    let ends = g.unsqueeze(&ends, &[1]);
    let after = g.choose(&is_last, &ends, &later);
    let after = g.mul(&after, &data.weight);
    (value, after)
}

/// Features of observations `[.., obs_dim]` that are standardised already: 1, each, and products of the environment's own;
/// the second result are those of squares.
pub(super) fn of_state(g: &mut Graph, x: &Name, data: &Data, axis: i64) -> (Name, Name) {
    let pairs: Vec<(i64, i64)> = (0..data.own_obs as i64).flat_map(|i| (0..=i).map(move |j| (i, j))).collect();
    let left = g.ints(&pairs.iter().map(|pair| pair.0).collect::<Vec<_>>());
    let right = g.ints(&pairs.iter().map(|pair| pair.1).collect::<Vec<_>>());
    let product = |g: &mut Graph, of: &Name| {
        let (a, b) = (g.gather(of, &left, axis), g.gather(of, &right, axis));
        g.mul(&a, &b)
    };
    let products = product(g, x);
    let (zero, one) = (g.double(0.0), g.double(1.0));
    let first = g.slice(x, (0, 1), axis);
    let first = g.mul(&first, &zero);
    let ones = g.add(&first, &one);
    let square = g.mul(x, x);
    let square = g.sub(&square, &one);
    let squares = product(g, &square);
    (g.concat(&[&ones, x, &products], axis), squares)
}

/// Polynomials of the step, Legendre's, `[T, 3]`.
pub(super) fn of_time(g: &mut Graph, data: &Data) -> Name {
    let two = g.double(2.0);
    let scale = g.div(&two, &data.longest);
    let x = g.mul(&data.time, &scale);
    let one = g.double(1.0);
    let x = g.sub(&x, &one);
    let x = g.op("Min", &[&x, &one]);
    let square = g.mul(&x, &x);
    let (three, five, half) = (g.double(3.0), g.double(5.0), g.double(0.5));
    let second = g.mul(&three, &square);
    let second = g.sub(&second, &one);
    let second = g.mul(&second, &half);
    let third = g.mul(&five, &square);
    let third = g.sub(&third, &three);
    let third = g.mul(&third, &x);
    let third = g.mul(&third, &half);
    let all = [x, second, third].map(|part| g.unsqueeze(&part, &[1]));
    g.concat(&[&all[0], &all[1], &all[2]], 1)
}

/// The regression of discounted rewards in standardised features.
pub(super) struct Equations<'a> {
    pub(super) data: &'a Data,
    pub(super) sizes: Sizes,
    /// `[L, T, all]`, 0 behind the end.
    features: Name,
    /// Features of the last observation, 0 where an episode terminated, `[L, state]`.
    pub(super) last: Name,
    /// Sum of features times the discount to the end, `[L, all]`.
    pub(super) tail: Name,
    /// 1 where an episode belongs to a fold, `[folds, L]`.
    folds: Name,
    /// Products of features in each fold, `[folds, all, all]`, features times discounted rewards, `[folds, all, 1]`, and
    /// numbers of steps, `[folds, 1, 1]`.
    pub(super) gram: Name,
    pub(super) target: Name,
    samples: Name,
    /// Smallest and largest possible value, `[]`.
    range: [Name; 2],
}

impl<'a> Equations<'a> {
    fn new(g: &mut Graph, data: &'a Data, sizes: Sizes) -> Self {
        let (raw, last) = raw_features(g, data, sizes);
        // mean 0 and variance 1, but for the constant
        let total = g.reduce("ReduceSum", &raw, &[0, 1]);
        let mean = g.div(&total, &data.count);
        let keep: Vec<f64> = (0..sizes.all).map(|k| f64::from(u8::from(k > 0))).collect();
        let keep = g.doubles(&[sizes.all], &keep);
        let mean = g.mul(&mean, &keep);
        let mask = g.unsqueeze(&data.weight, &[2]);
        let centred = g.sub(&raw, &mean);
        let centred = g.mul(&centred, &mask);
        let scale = scale(g, (&raw, &centred), data, &keep);
        let features = g.mul(&centred, &scale);
        let state = |g: &mut Graph, of: &Name| g.slice(of, (0, sizes.state as i64), 0);
        let (mean, scale) = (state(g, &mean), state(g, &scale));
        let last = g.sub(&last, &mean);
        let last = g.mul(&last, &scale);
        let alive = g.unsqueeze(&data.alive, &[1]);
        let last = g.mul(&last, &alive);
        let discount = discount_to_end(g, data);
        let tail = g.mul(&features, &discount);
        let tail = g.reduce("ReduceSum", &tail, &[1]);
        let folds = folds(g, data);
        let rewards = to_go(g, data, &data.reward, data.gamma);
        let [gram, target, samples] = fold_sums(g, data, (&features, sizes.all), &folds, &rewards);
        Equations { data, sizes, features, last, tail, folds, gram, target, samples, range: range(g, data) }
    }

    /// `value` within the possible range.
    fn clamp(&self, g: &mut Graph, value: &Name) -> Name {
        let value = g.op("Max", &[value, &self.range[0]]);
        g.op("Min", &[&value, &self.range[1]])
    }

    /// Values at the ends `[L]` by weights `[state, 1]`; 0 where an episode terminated.
    pub(super) fn ends(&self, g: &mut Graph, weights: &Name) -> Name {
        let value = g.matmul(&self.last, weights);
        let value = g.reshape(&value, &[-1]);
        let value = self.clamp(g, &value);
        g.mul(&value, &self.data.alive)
    }

    /// The sum over folds, `[all, ..]`.
    pub(super) fn summed(&self, g: &mut Graph, of_folds: &Name) -> Name {
        g.reduce("ReduceSum", of_folds, &[0])
    }

    /// Features times targets of each fold if episodes end with the values `ends` `[L]`, `[folds, all, 1]`.
    fn targets(&self, g: &mut Graph, ends: &Name) -> Name {
        let ends = g.unsqueeze(ends, &[1]);
        let tails = g.mul(&self.tail, &ends);
        let tails = g.matmul(&self.folds, &tails);
        let tails = g.unsqueeze(&tails, &[2]);
        g.add(&self.target, &tails)
    }

    /// The place of the choice with the smallest error on left-out folds, a whole number `[]`; choice k has the first
    /// `counts[k]` features and ridge k mod 4.
    fn best(&self, g: &mut Graph, counts: &[usize], ends: &Name) -> Name {
        let size = self.sizes.all as i64;
        let target = self.targets(g, ends);
        let rest = |g: &mut Graph, of: &Name| {
            let all = g.reduce("ReduceSum", of, &[0]);
            g.sub(&all, of)
        };
        let (gram, right) = (rest(g, &self.gram), rest(g, &target));
        let samples = g.sub(&self.data.count, &self.samples);
        let (system, right) = self.systems(g, counts, (&gram, &right, &samples));
        let system = g.reshape(&system, &[-1, size, size]);
        let right = g.reshape(&right, &[-1, size, 1]);
        let weights = solve(g, &system, &right, self.sizes.all);
        let weights = g.reshape(&weights, &[counts.len() as i64, FOLDS as i64, size, 1]);
        let turned = g.transpose(&weights, &[0, 1, 3, 2]);
        let fitted = g.matmul(&self.gram, &weights);
        let twice = g.add(&target, &target);
        let apart = g.sub(&fitted, &twice);
        let loss = g.matmul(&turned, &apart);
        let loss = g.reduce("ReduceSum", &loss, &[1, 2, 3]);
        let best = g.with("ArgMin", &[&loss], &[("axis", Int(0)), ("keepdims", Int(0))]);
        // with all episodes in one fold nothing can be left out
        let zero = g.double(0.0);
        let filled = g.op("Greater", &[&self.samples, &zero]);
        let filled = g.cast(&filled, Kind::Int);
        let filled = g.reduce("ReduceSum", &filled, &[]);
        let (two, usual) = (g.int(2), g.int(USUAL));
        let few = g.op("Less", &[&filled, &two]);
        g.choose(&few, &usual, &best)
    }

    /// Matrices `[choices, folds, all, all]` and right sides of regressions with choices as in [`best`](Self::best); features
    /// beyond a choice's number have the weight 0. `sums` are Gram matrices, targets and numbers of steps, by fold.
    fn systems(&self, g: &mut Graph, counts: &[usize], sums: (&Name, &Name, &Name)) -> (Name, Name) {
        let (size, choices) = (self.sizes.all, counts.len());
        let flag = |yes: bool| f64::from(u8::from(yes));
        let ridges: Vec<f64> = (0..choices).map(|k| RIDGES[k % RIDGES.len()]).collect();
        let ridge = g.doubles(&[choices, 1, 1, 1], &ridges);
        let is_in: Vec<f64> = (0..choices * size).map(|at| flag(at % size < counts[at / size])).collect();
        let column = g.doubles(&[choices, 1, size, 1], &is_in);
        let row = g.doubles(&[choices, 1, 1, size], &is_in);
        let diagonal: Vec<f64> = (0..size * size).map(|at| flag(at / size == at % size)).collect();
        let diagonal = g.doubles(&[size, size], &diagonal);
        // the constant is not penalised
        let free: Vec<f64> = (0..size).map(|at| flag(at > 0)).collect();
        let free = g.doubles(&[size], &free);
        let (gram, target, samples) = sums;
        let system = g.mul(gram, &column);
        let system = g.mul(&system, &row);
        let penalty = g.mul(&diagonal, &free);
        let penalty = g.mul(&penalty, &column);
        let penalty = g.mul(&penalty, &ridge);
        let penalty = g.mul(&penalty, samples);
        let one = g.double(1.0);
        let out = g.sub(&one, &column);
        let rest = g.mul(&diagonal, &out);
        let system = g.add(&system, &penalty);
        let system = g.add(&system, &rest);
        (system, g.mul(&column, target))
    }

    /// Weights of the features `[all, 1]` by choice `chosen`, if episodes end with the values `ends`.
    fn of_choice(&self, g: &mut Graph, counts: &[usize], chosen: &Name, ends: &Name) -> Name {
        let target = self.targets(g, ends);
        let (gram, target) = (self.summed(g, &self.gram), self.summed(g, &target));
        let (system, right) = self.systems(g, counts, (&gram, &target, &self.data.count));
        let (system, right) = (g.gather(&system, chosen, 0), g.gather(&right, chosen, 0));
        let weights = solve(g, &system, &right, self.sizes.all);
        g.reshape(&weights, &[self.sizes.all as i64, 1])
    }
}
