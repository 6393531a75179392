//! A learned update rule: one small recurrent network, shared by all coordinates of a parameter vector, that turns each
//! coordinate's gradients into steps.
//!
//! The rule is Adam with two additions that its memory computes, a `bend` of the direction and a `log_scale` of the step:
//!
//! ```text
//! m, v  <- Adam's moments of the gradient g (arXiv 1412.6980), m^ and v^ without their initial bias
//! root   = sqrt(v^) + 1e-5
//! x      = sign(g), log(g), m^ / root, g / root, log(root), done, depth, value          8 inputs, see [`inputs`]
//! h1     <- GRU(x, h1);   bend      = w1 . h1 + b1
//! h2     <- GRU(x, h2);   log_scale = w2 . h2 + b2, kept within +-4
//! param <- param - rate (m^ / root + bend) exp(log_scale)
//! ```
//!
//! A fresh rule has w and b of 0 and so is Adam. Two units of 8 for a numerator and a denominator are those of Optim4RL (Lan
//! et al., arXiv 2302.01470); a rule that sees Adam's moments, the progress of training and a layer's depth is that of OPEN
//! (Goldie et al., arXiv 2407.07082). Gradients enter by sign and logarithm as in arXiv 1606.04474, appendix A.

use std::ops::Range;

use metadrift_random::StreamRng;
use rand_distr::{Distribution, StandardNormal};

pub(crate) mod unit;

use crate::{
    adam::Adam,
    native::{Isa, with_isa},
    update_rule::unit::{LANES, Unit, lanes, put},
    vector_math::{exp, ln},
};

/// Units of each of the two memories.
pub const HIDDEN: usize = 8;
/// Numbers that a coordinate remembers beside Adam's moments.
pub const MEMORY: usize = 2 * HIDDEN;
/// Inputs that differ from coordinate to coordinate.
pub(crate) const OWN: usize = 5;
/// Inputs that all coordinates of a block share.
pub const SHARED: usize = 3;
/// Gates of a memory: r, z, n.
pub(crate) const GATES: usize = 3 * HIDDEN;
/// Weights of one memory with its output.
pub(crate) const UNIT: usize = (OWN + SHARED + HIDDEN) * GATES + GATES + HIDDEN + 1;
/// Number of the rule's weights.
pub const WEIGHTS: usize = 2 * UNIT;
/// Largest log scale of a step.
const MOST: f32 = 4.0;
/// The range of logarithms of gradients: from e^-10 to e^10.
const DECADES: f32 = 10.0;

/// Names and dimensions of the blocks of the weights, in their order.
pub const BLOCKS: [(&str, [usize; 2]); 10] = [
    ("bend.input", [OWN + SHARED, GATES]),
    ("bend.memory", [HIDDEN, GATES]),
    ("bend.bias", [1, GATES]),
    ("bend.head.weight", [HIDDEN, 1]),
    ("bend.head.bias", [1, 1]),
    ("scale.input", [OWN + SHARED, GATES]),
    ("scale.memory", [HIDDEN, GATES]),
    ("scale.bias", [1, GATES]),
    ("scale.head.weight", [HIDDEN, 1]),
    ("scale.head.bias", [1, 1]),
];

type Lanes = unit::Lanes<f32>;

/// Fresh weights `[WEIGHTS]`, by which the rule is Adam: outputs of 0; normal weights of the gates with variance 1 / 8; a
/// bias of 1 for the gates z, so that the memory is slow.
pub fn initial(rng: &mut StreamRng) -> Vec<f32> {
    let mut weights = Vec::with_capacity(WEIGHTS);
    for (name, [rows, columns]) in BLOCKS {
        let mut normal = || -> f32 { StandardNormal.sample(rng) };
        let value = |at: usize| match name.split_once('.').map(|(_, part)| part) {
            Some("input" | "memory") => normal() * (1.0 / HIDDEN as f32).sqrt(),
            Some("bias") => f32::from(u8::from((HIDDEN..2 * HIDDEN).contains(&at))),
            _ => 0.0,
        };
        weights.extend((0..rows * columns).map(value));
    }
    weights
}

/// A vector of parameters under way, with what the rule keeps of each coordinate.
pub struct Coordinates<'a> {
    /// The parameters, `[num_params]`.
    pub params: &'a mut [f32],
    /// Their gradient, `[num_params]`.
    pub gradient: &'a [f32],
    /// Adam's moments; their step count says how many gradients there were before.
    pub adam: &'a mut Adam,
    /// The memories, `[MEMORY, num_params]`.
    pub memory: &'a mut [f32],
}

/// Takes a step with rate `rate` on all parameters. `blocks` are ranges of coordinates with the inputs that they share:
/// the share of training that is done, the depth of the layer from 0 to 1, and 1 in a value network. The result is the same
/// on every processor.
///
/// # Panics
/// If lengths do not fit.
pub fn step(weights: &[f32], blocks: &[(Range<usize>, [f32; SHARED])], coordinates: Coordinates<'_>, rate: f64) {
    let Coordinates { params, gradient, adam, memory } = coordinates;
    let count = params.len();
    assert_eq!((weights.len(), gradient.len(), adam.m.len(), memory.len()), (WEIGHTS, count, count, MEMORY * count));
    let [correction_1, correction_2] = adam.next_corrections();
    let corrections = [(1.0 / correction_1) as f32, (1.0 / correction_2.sqrt()) as f32];
    let (isa, rate) = (Isa::detect(), rate as f32);
    let moments = (&mut adam.m[..], &mut adam.v[..]);
    let place = Place { weights, blocks, corrections, rate };
    with_isa!(isa, ['a, 'b] (place: Place<'a>, params: &'b mut [f32], gradient: &'b [f32],
        moments: (&'b mut [f32], &'b mut [f32]), memory: &'b mut [f32]) => walk(place, params, gradient, moments, memory));
}

/// All that is the same for every coordinate.
#[derive(Clone, Copy)]
struct Place<'a> {
    weights: &'a [f32],
    blocks: &'a [(Range<usize>, [f32; SHARED])],
    /// The factors that remove the initial bias of m and of sqrt v.
    corrections: [f32; 2],
    rate: f32,
}

#[inline(always)]
fn walk(place: Place<'_>, params: &mut [f32], gradient: &[f32], (m, v): (&mut [f32], &mut [f32]), memory: &mut [f32]) {
    let count = params.len();
    for (range, shared) in place.blocks {
        let bend = Unit::new(&place.weights[..UNIT], shared);
        let scale = Unit::new(&place.weights[UNIT..], shared);
        for at in range.clone().step_by(LANES) {
            let width = LANES.min(range.end - at);
            let g = lanes(gradient, at, width);
            let [first, second] = Adam::moments([lanes(m, at, width), lanes(v, at, width)], g);
            put(&first, m, at, width);
            put(&second, v, at, width);
            let (x, direction) = inputs(g, [first, second], place.corrections);
            let bend = bend.advance(&x, memory, (0, count), (at, width));
            let scale = scale.advance(&x, memory, (HIDDEN, count), (at, width));
            let mut p = lanes(params, at, width);
            for i in 0..LANES {
                let factor = exp(scale[i].clamp(-MOST, MOST));
                p[i] -= place.rate * (direction[i] + bend[i]) * factor;
            }
            put(&p, params, at, width);
        }
    }
}

/// The inputs of coordinates that belong to them alone, and Adam's direction m^ / root. With p = 10 they are
///
/// ```text
/// e^p g within +-1: the sign of g, unless g is tiny
/// log |g| / p within +-1
/// m^ / root within +-4
/// g / root within +-4
/// log(root) / p within +-1
/// ```
#[inline(always)]
fn inputs(g: Lanes, [m, v]: [Lanes; 2], [first, second]: [f32; 2]) -> ([Lanes; OWN], Lanes) {
    /// The number e^10.
    const STEEP: f32 = 22_026.465;
    let (mut x, mut direction) = ([[0.0; LANES]; OWN], [0.0; LANES]);
    for i in 0..LANES {
        let root = v[i].sqrt() * second + Adam::MINIBATCH_EPSILON;
        direction[i] = m[i] * first / root;
        x[0][i] = (g[i] * STEEP).clamp(-1.0, 1.0);
        x[1][i] = logarithm(g[i].abs());
        x[2][i] = direction[i].clamp(-4.0, 4.0);
        x[3][i] = (g[i] / root).clamp(-4.0, 4.0);
        x[4][i] = logarithm(root);
    }
    (x, direction)
}

/// The logarithm of a number from 0 up, as a share of [`DECADES`] within +-1.
#[inline(always)]
fn logarithm(size: f32) -> f32 {
    (ln(size.max(1e-30)) * (1.0 / DECADES)).clamp(-1.0, 1.0)
}

#[cfg(test)]
mod tests;
