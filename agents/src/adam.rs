//! Adam on one flat vector, with its whole state accessible: tch can neither save nor load an optimiser's state.

use crate::state::{Misfit, State};

/// First and second moments and the step count (Kingma and Ba 2015, arXiv 1412.6980, algorithm 1).
#[derive(Clone, Debug, PartialEq)]
pub struct Adam {
    /// Biased first moment, `[num_params]`.
    pub m: Vec<f32>,
    /// Biased second moment, `[num_params]`.
    pub v: Vec<f32>,
    /// Steps taken.
    pub step: u64,
}

impl Adam {
    const BETA_1: f64 = 0.9;
    const BETA_2: f64 = 0.999;
    // 1 - beta is rounded once, from f64: 1 - 0.999f32 is off by 5e-5
    const A1: f32 = (1.0 - Self::BETA_1) as f32;
    const A2: f32 = (1.0 - Self::BETA_2) as f32;
    const EPSILON: f32 = 1e-8;
    /// Epsilon for steps on minibatches, as in Stable-Baselines3 and CleanRL; the paper's is 1e-8, but late gradients of
    /// minibatches are noise.
    pub const MINIBATCH_EPSILON: f32 = 1e-5;

    /// An optimiser that has taken no steps.
    pub fn new(num_params: usize) -> Self {
        Adam { m: vec![0.0; num_params], v: vec![0.0; num_params], step: 0 }
    }

    /// Puts moments and steps into `state`, as `NAME_m`, `NAME_v` and `NAME_step`.
    pub fn save(&self, state: &mut State, name: &str) {
        state.put(&format!("{name}_m"), &self.m);
        state.put(&format!("{name}_v"), &self.v);
        state.set(&format!("{name}_step"), self.step);
    }

    /// The optimiser of `num_params` parameters that [`Adam::save`] stored under `name`.
    ///
    /// # Errors
    /// If it is missing, or belongs to another number of parameters.
    pub fn load(state: &State, name: &str, num_params: usize) -> Result<Self, Misfit> {
        let moment = |moment| state.tensor(&format!("{name}_{moment}"), num_params);
        Ok(Adam { m: moment("m")?, v: moment("v")?, step: state.value(&format!("{name}_step"))? })
    }

    /// Counts another step; returns 1 - beta^steps of both moments, the factors of their initial bias.
    pub(crate) fn next_corrections(&mut self) -> [f64; 2] {
        self.step += 1;
        let exponent = i32::try_from(self.step).unwrap_or(i32::MAX);
        [1.0 - Self::BETA_1.powi(exponent), 1.0 - Self::BETA_2.powi(exponent)]
    }

    /// The moments m and v after another gradient `g`, of some coordinates at once.
    #[inline(always)]
    pub(crate) fn moments<const LANES: usize>([mut m, mut v]: [[f32; LANES]; 2], g: [f32; LANES]) -> [[f32; LANES]; 2] {
        for i in 0..LANES {
            m[i] += Self::A1 * (g[i] - m[i]);
            v[i] = Self::BETA_2 as f32 * v[i] + Self::A2 * g[i] * g[i];
        }
        [m, v]
    }

    /// Takes one step downhill along `gradient`, with learning rate `lr`; both vectors are `[num_params]`.
    pub fn step(&mut self, params: &mut [f32], gradient: &[f32], lr: f64) {
        self.step_with(params, gradient, lr, Self::EPSILON);
    }

    /// [`Adam::step`] with another `epsilon` than the paper's.
    pub fn step_with(&mut self, params: &mut [f32], gradient: &[f32], lr: f64, epsilon: f32) {
        assert_eq!((params.len(), gradient.len()), (self.m.len(), self.m.len()));
        let [correction_1, correction_2] = self.next_corrections();
        let (rate, correction_2) = ((lr / correction_1) as f32, correction_2.sqrt() as f32);
        for (((p, g), m), v) in params.iter_mut().zip(gradient).zip(&mut self.m).zip(&mut self.v) {
            [[*m], [*v]] = Self::moments([[*m], [*v]], [*g]);
            *p -= rate * *m / (v.sqrt() / correction_2 + epsilon);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_paper() {
        // algorithm 1 of the paper in f64 Python; it equals torch.optim.Adam (betas 0.9 and 0.999, eps 1e-8)
        let mut params = [1.0, -2.0, 0.5];
        let mut adam = Adam::new(3);
        for gradient in [[0.5, -1.0, 0.0], [0.25, 3.0, 1e-3], [-2.0, 0.1, 1e-3]] {
            adam.step(&mut params, &gradient, 0.1);
        }
        for (p, expected) in params.iter().zip(REFERENCE) {
            assert!((p - expected).abs() < 1e-6, "{p} {expected}");
        }
        // the first step is lr * sign(gradient), whatever its size
        let mut params = [0.0];
        Adam::new(1).step(&mut params, &[1e-3], 0.1);
        assert!((params[0] + 0.1f32).abs() < 1e-5);
    }

    const REFERENCE: [f32; 3] = [0.848_928_2, -1.989_621, 0.339_742_16];
}
