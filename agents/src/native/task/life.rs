//! The inner loop of a task, and the way back through its steps.

use super::Task;
use crate::{
    inner_rule::{Back, Memory, Rule},
    native::{data::Samples, net::State, pass::Loss, scalar::Scalar},
    objective::InnerLoss,
    params::Point,
};

/// The way of the parameters through the inner loop.
pub(super) struct Life<'a, T> {
    /// Parameters before each step and after the last, `[inner_steps + 1, num_params]`.
    pub phis: Vec<Vec<T>>,
    /// Gradients of the steps, `[inner_steps, num_params]`.
    pub gradients: Vec<Vec<T>>,
    /// Directions of the steps, `[inner_steps, num_params]`: the gradients, unless a learned rule bends them.
    pub directions: Vec<Vec<T>>,
    /// Sum of the inner losses.
    pub loss: f64,
    rule: Option<Learned<'a, T>>,
}

/// A learned rule in the inner loop.
struct Learned<'a, T> {
    rule: Rule<'a, T>,
    /// Memories before each step, `[inner_steps]`.
    memories: Vec<Memory<T>>,
    back: Back<T>,
}

impl<T: Scalar> Task<T> {
    /// The inner loop from the meta-policy of `at`. Keeps the tiles' states in `kept`.
    #[inline(always)]
    pub(super) fn live<'a>(
        &mut self,
        at: Point<'a, T>,
        (inner, supports): (InnerLoss, &[Samples<T>]),
        kept: &mut [Vec<State<T>>],
    ) -> Life<'a, T> {
        let mut phi = at.policy.to_vec();
        let learned = |rule| Learned { rule, memories: Vec::new(), back: Back::new(phi.len()) };
        let rule = Rule::new(&self.pass.layout, at.rule).map(learned);
        let mut memory = Memory::new(rule.as_ref().map_or(0, |_| phi.len()));
        let [phis, gradients, directions] = [const { Vec::new() }; 3];
        let mut life = Life { phis, gradients, directions, loss: 0.0, rule };
        for (support, kept) in supports.iter().zip(kept) {
            kept.resize_with(kept.len().max(support.tiles()), || State::new(&self.pass.shape));
            let (gradient, sums) = self.pass.gradient(&phi, support, &Loss::Inner(inner), Some(kept));
            life.loss += sums.loss;
            let direction = match &mut life.rule {
                None => gradient.clone(),
                Some(Learned { rule, memories, .. }) => {
                    memories.push(memory.clone());
                    rule.direction(&gradient, &mut memory)
                }
            };
            let next = phi.iter().zip(at.rates).zip(&direction).map(|((p, r), d)| *p - *r * *d).collect();
            life.phis.push(std::mem::replace(&mut phi, next));
            life.gradients.push(gradient);
            life.directions.push(direction);
        }
        life.phis.push(phi);
        life
    }
}

impl<T: Scalar> Life<'_, T> {
    /// Derivatives by the gradient of step `k` of a number whose derivatives by the directions of the steps from `k` on are
    /// `along`, `[num_params]`, and those given before. The steps come last to first.
    #[inline(always)]
    pub(super) fn pull_back(&mut self, k: usize, along: Vec<T>) -> Vec<T> {
        match &mut self.rule {
            None => along,
            Some(Learned { rule, memories, back }) => rule.pull_back(&self.gradients[k], &memories[k], &along, back),
        }
    }

    /// Derivatives by the weights of the rule, once all steps are pulled back; a step subtracts its direction. Empty without
    /// a rule.
    pub(super) fn by_rule(&self) -> Vec<T> {
        self.rule.as_ref().map_or(Vec::new(), |learned| learned.back.weights.iter().map(|w| -*w).collect())
    }
}
