//! A learned rule as a step of adaptation: the network of [`update_rule`](crate::update_rule), its weights learned by the
//! meta-gradient together with the initial parameters.
//!
//! With g the gradient of the inner loss by a coordinate, e = e^-20, and memories that are 0 at the start of a life,
//!
//! ```text
//! m, v   <- Adam's moments of g (arXiv 1412.6980), m^ and v^ without their initial bias
//! root    = sqrt(v^ + e)
//! x       = g / sqrt(g^2 + e), ln(g^2 + e) / 20, m^ / root, g / root, ln(root) / 10,
//!           depth, bias, fan-in                                                         see [`shared_inputs`]
//! h1     <- GRU(x, h1);   bend      = w1 . h1 + b1
//! h2     <- GRU(x, h2);   log_scale = 4 tanh((w2 . h2 + b2) / 4)
//! d       = (g + root bend) exp(log_scale)
//! param  <- param - rate d
//! ```
//!
//! A fresh rule has w and b of 0 and so is the gradient step, from which the meta-gradient departs. The shape is that of
//! Optim4RL (Lan et al., arXiv 2302.01470), one recurrent unit for a numerator and one for a denominator, times root: Adam's
//! m^ / root of a life's first gradient is its sign, but in the few steps of adaptation the size of a gradient tells how far
//! to go. Adam's step is within reach: bend = (m^ - g) / root and log_scale = -ln root are functions of the inputs.
//!
//! The gradients are themselves functions of the initial parameters, and [`Rule::pull_back`] takes derivatives through
//! every input, where Andrychowicz et al. (arXiv 1606.04474) drop them. So sign and logarithm, their inputs, are smooth
//! here; and as the numerator bends in units of root, dx / dg, which grows as 1 / g, meets a factor of the size of g.

use std::ops::Range;

use crate::{
    layout::{CONTEXT, Layout},
    native::{Isa, Scalar, with_isa},
    update_rule::{
        HIDDEN, MEMORY, OWN, SHARED, UNIT, WEIGHTS,
        unit::{LANES, Lanes, Slopes, Unit, lanes, put, put_rows, rows},
    },
};

/// Numbers that a coordinate remembers: m, v, and the memories of both units.
pub const ROWS: usize = 2 + MEMORY;
/// Decay of m.
pub(crate) const BETA_1: f64 = 0.9;
/// Decay of v.
pub(crate) const BETA_2: f64 = 0.999;
/// The number e^-20: gradients below its root, e^-10, count as small.
pub(crate) const TINY: f64 = 2.061_153_622_438_558e-9;
/// Largest log scale of a step.
pub(crate) const MOST: f64 = 4.0;

/// The state that a life keeps of every coordinate, or derivatives by it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory<T> {
    /// The moments m and v and the units' memories, `[ROWS, num_params]`.
    rows: Vec<T>,
    /// Steps taken.
    steps: i32,
}

impl<T: Scalar> Memory<T> {
    /// The memory of `count` coordinates before their first step.
    pub fn new(count: usize) -> Self {
        Memory { rows: vec![T::ZERO; ROWS * count], steps: 0 }
    }

    /// Its numbers `[ROWS, num_params]` and the number of steps taken.
    pub(crate) fn parts(&self) -> (&[T], i32) {
        (&self.rows, self.steps)
    }

    /// The memory that [`Memory::parts`] took apart.
    pub(crate) fn of_parts(rows: Vec<T>, steps: i32) -> Self {
        Memory { rows, steps }
    }

    /// The factors that remove the initial bias of m and v in the next step.
    fn corrections(&self) -> [T; 2] {
        [BETA_1, BETA_2].map(|beta| T::of(1.0 / (1.0 - beta.powi(self.steps + 1))))
    }
}

/// Inputs that all coordinates of a block share: the depth of its layer from 0 to 1; 1 for biases, context and log standard
/// deviations, 0 for weights; a tenth of the logarithm of its number of rows, of a weight the fan-in.
pub(crate) fn shared_inputs(layout: &Layout) -> Vec<(Range<usize>, [f64; SHARED])> {
    let last = layout.num_layers().max(2) - 1;
    let depth = |name: &str| {
        let layer = name.strip_prefix("layer").and_then(|rest| rest.split('.').next()?.parse::<usize>().ok());
        // a context enters the first layer, log standard deviations stand behind the last
        let layer = layer.unwrap_or(if name.starts_with(CONTEXT) { 0 } else { last });
        layer as f64 / last as f64
    };
    let inputs = |[rows, _]: [usize; 2]| [f64::from(u8::from(rows == 1)), (rows as f64).ln() / 10.0];
    let of_block = |name: &str, dims| {
        let [bias, fan_in] = inputs(dims);
        [depth(name), bias, fan_in]
    };
    layout.blocks().iter().map(|block| (block.range.clone(), of_block(&block.name, block.dims))).collect()
}

/// A rule for the parameters of a layout.
#[derive(Clone, Debug)]
pub struct Rule<'a, T> {
    /// `[WEIGHTS]`
    weights: &'a [T],
    blocks: Vec<(Range<usize>, [T; SHARED])>,
    isa: Isa,
}

impl<'a, T: Scalar> Rule<'a, T> {
    /// The rule of `weights` `[WEIGHTS]`; none without weights.
    ///
    /// # Panics
    /// If there is another number of weights.
    pub fn new(layout: &Layout, weights: &'a [T]) -> Option<Self> {
        if weights.is_empty() {
            return None;
        }
        assert_eq!(weights.len(), WEIGHTS, "weights of a learned rule");
        let blocks = shared_inputs(layout).into_iter().map(|(range, shared)| (range, shared.map(T::of))).collect();
        Some(Rule { weights, blocks, isa: Isa::detect() })
    }

    /// The direction d of a step at `gradient` `[num_params]`; brings `memory` up to date.
    pub fn direction(&self, gradient: &[T], memory: &mut Memory<T>) -> Vec<T> {
        let mut direction = vec![T::ZERO; gradient.len()];
        let (rule, out, corrections) = (self, &mut direction[..], memory.corrections());
        let rows = &mut memory.rows[..];
        assert_eq!(rows.len(), ROWS * gradient.len(), "memory of a learned rule");
        with_isa!(self.isa, [T: Scalar] (rule: &Rule<'_, T>, gradient: &[T], rows: &mut [T], out: &mut [T],
            corrections: [T; 2]) => rule.walk(gradient, rows, out, corrections));
        memory.steps += 1;
        direction
    }

    /// Derivatives of a number that depends on a step only by its direction and by the memory that it leaves: `along` are those
    /// by the direction, `[num_params]`, `back.memory` those by the memory, which become those by the memory `before` the
    /// step; those by the weights are added to `back.weights`. Returns the derivatives by `gradient`, `[num_params]`.
    pub fn pull_back(&self, gradient: &[T], before: &Memory<T>, along: &[T], back: &mut Back<T>) -> Vec<T> {
        let mut by_gradient = vec![T::ZERO; gradient.len()];
        let (rule, out, corrections, rows) = (self, &mut by_gradient[..], before.corrections(), &before.rows[..]);
        assert_eq!(rows.len(), ROWS * gradient.len(), "memory of a learned rule");
        with_isa!(self.isa, [T: Scalar] (rule: &Rule<'_, T>, gradient: &[T], rows: &[T], along: &[T],
            back: &mut Back<T>, out: &mut [T], corrections: [T; 2])
            => rule.walk_back((gradient, rows, corrections), along, back, out));
        by_gradient
    }

    #[inline(always)]
    fn walk(&self, gradient: &[T], memory: &mut [T], direction: &mut [T], corrections: [T; 2]) {
        let count = gradient.len();
        for (range, shared) in &self.blocks {
            let units = self.units(shared);
            for at in range.clone().step_by(LANES) {
                let width = LANES.min(range.end - at);
                let g = lanes(gradient, at, width);
                let [m, v] = moments(rows(memory, (0, count), (at, width)), &g);
                put_rows(&[m, v], memory, (0, count), (at, width));
                let (x, root) = inputs(&g, [&m, &v], corrections);
                let bend = units[0].advance(&x, memory, (2, count), (at, width));
                let scale = units[1].advance(&x, memory, (2 + HIDDEN, count), (at, width));
                let mut d = g;
                for i in 0..LANES {
                    d[i] = root[i].mul_add(bend[i], g[i]) * log_scale(scale[i]).exp();
                }
                put(&d, direction, at, width);
            }
        }
    }

    #[inline(always)]
    fn walk_back(
        &self,
        (gradient, memory, corrections): (&[T], &[T], [T; 2]),
        along: &[T],
        back: &mut Back<T>,
        by_gradient: &mut [T],
    ) {
        let count = gradient.len();
        let (by_bend, by_scale) = back.weights.split_at_mut(UNIT);
        for (range, shared) in &self.blocks {
            let units = self.units(shared);
            let [mut first, mut second] = [Slopes::zero(), Slopes::zero()];
            for at in range.clone().step_by(LANES) {
                let place = (at, LANES.min(range.end - at));
                let (g, u) = (lanes(gradient, at, place.1), lanes(along, at, place.1));
                let [m, v] = moments(rows(memory, (0, count), place), &g);
                let (x, root) = inputs(&g, [&m, &v], corrections);
                let h = [rows(memory, (2, count), place), rows(memory, (2 + HIDDEN, count), place)];
                let later = [rows(&back.memory, (2, count), place), rows(&back.memory, (2 + HIDDEN, count), place)];
                let (bend, next_1) = units[0].look(&x, &h[0]);
                let (scale, next_2) = units[1].look(&x, &h[1]);
                let (mut by_g, mut by_root, mut to_bend, mut to_scale) = (u, u, u, u);
                for i in 0..LANES {
                    let log = log_scale(scale[i]);
                    let factor = u[i] * log.exp();
                    let slope = T::ONE - log * log * T::of(1.0 / (MOST * MOST));
                    by_g[i] = factor;
                    by_root[i] = factor * bend[i];
                    to_bend[i] = factor * root[i];
                    to_scale[i] = factor * root[i].mul_add(bend[i], g[i]) * slope;
                }
                let (mut by_x, to_h) = units[0].pull_back((&x, &h[0]), &next_1, (&to_bend, &later[0]), &mut first);
                put_rows(&to_h, &mut back.memory, (2, count), place);
                let (more, to_h) = units[1].pull_back((&x, &h[1]), &next_2, (&to_scale, &later[1]), &mut second);
                put_rows(&to_h, &mut back.memory, (2 + HIDDEN, count), place);
                for row in 0..OWN {
                    for i in 0..LANES {
                        by_x[row][i] += more[row][i];
                    }
                }
                let mut by_moments = rows(&back.memory, (0, count), place);
                inputs_back((&g, &m, &root, corrections), (&by_x, &by_root), &mut by_g, &mut by_moments);
                put_rows(&by_moments, &mut back.memory, (0, count), place);
                put(&by_g, by_gradient, at, place.1);
            }
            first.add_to(by_bend, shared);
            second.add_to(by_scale, shared);
        }
    }

    /// The units of the bend and of the scale.
    #[inline(always)]
    fn units(&self, shared: &[T; SHARED]) -> [Unit<'a, T>; 2] {
        [Unit::new(&self.weights[..UNIT], shared), Unit::new(&self.weights[UNIT..], shared)]
    }
}

/// Derivatives on the way back through a life.
#[derive(Clone, Debug)]
pub struct Back<T> {
    /// By the memory, `[ROWS, num_params]`.
    memory: Vec<T>,
    /// By the weights, `[WEIGHTS]`.
    pub weights: Vec<T>,
}

impl<T: Scalar> Back<T> {
    /// No derivatives yet, behind the last step of `count` coordinates.
    pub fn new(count: usize) -> Self {
        Back { memory: vec![T::ZERO; ROWS * count], weights: vec![T::ZERO; WEIGHTS] }
    }
}

#[inline(always)]
fn log_scale<T: Scalar>(out: T) -> T {
    T::of(MOST) * (out * T::of(1.0 / MOST)).tanh()
}

/// The moments after another gradient.
#[inline(always)]
fn moments<T: Scalar>([mut m, mut v]: [Lanes<T>; 2], g: &Lanes<T>) -> [Lanes<T>; 2] {
    for i in 0..LANES {
        m[i] += T::of(1.0 - BETA_1) * (g[i] - m[i]);
        v[i] = T::of(BETA_2) * v[i] + T::of(1.0 - BETA_2) * g[i] * g[i];
    }
    [m, v]
}

/// The inputs of coordinates that belong to them alone, and root.
#[inline(always)]
fn inputs<T: Scalar>(g: &Lanes<T>, [m, v]: [&Lanes<T>; 2], [first, second]: [T; 2]) -> ([Lanes<T>; OWN], Lanes<T>) {
    let (mut x, mut root) = ([[T::ZERO; LANES]; OWN], [T::ZERO; LANES]);
    for i in 0..LANES {
        let square = g[i].mul_add(g[i], T::of(TINY));
        root[i] = (second * v[i] + T::of(TINY)).sqrt();
        x[0][i] = g[i] / square.sqrt();
        x[1][i] = square.ln() * T::of(0.05);
        x[2][i] = first * m[i] / root[i];
        x[3][i] = g[i] / root[i];
        x[4][i] = root[i].ln() * T::of(0.1);
    }
    (x, root)
}

/// Takes derivatives by inputs and root back to the gradient, to whose derivatives they are added, and to the moments:
/// `by_moments` are those by the moments after the step, and become those by the moments before.
#[inline(always)]
fn inputs_back<T: Scalar>(
    (g, m, root, [first, second]): (&Lanes<T>, &Lanes<T>, &Lanes<T>, [T; 2]),
    (by_x, by_root): (&[Lanes<T>; OWN], &Lanes<T>),
    by_g: &mut Lanes<T>,
    by_moments: &mut [Lanes<T>; 2],
) {
    for i in 0..LANES {
        let square = g[i].mul_add(g[i], T::of(TINY));
        let over = T::ONE / root[i];
        // of m^ / root and g / root by root
        let shrink = (by_x[2][i] * first * m[i] + by_x[3][i] * g[i]) * over;
        let to_root = by_root[i] + (by_x[4][i] * T::of(0.1) - shrink) * over;
        let to_m = by_moments[0][i] + by_x[2][i] * first * over;
        let to_v = by_moments[1][i] + to_root * second * T::of(0.5) * over;
        by_g[i] += by_x[0][i] * T::of(TINY) / (square * square.sqrt())
            + by_x[1][i] * T::of(0.1) * g[i] / square
            + by_x[3][i] * over
            + to_m * T::of(1.0 - BETA_1)
            + to_v * T::of(2.0 * (1.0 - BETA_2)) * g[i];
        by_moments[0][i] = to_m * T::of(BETA_1);
        by_moments[1][i] = to_v * T::of(BETA_2);
    }
}

#[cfg(test)]
mod tests;
