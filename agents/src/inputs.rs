//! The spread of observations, by which a policy's inputs are normalised.

use std::sync::Arc;

pub use metadrift_runtime::inputs::Normalizer;
use serde::{Deserialize, Serialize};

use crate::{
    batch::Trajectories,
    rollout::Rollout,
    state::{Misfit, State},
};

/// Name of the statistics in a checkpoint.
const NAME: &str = "obs_statistics";
/// Added to a variance, so that an observation that never changes becomes 0.
const FLOOR: f64 = 1e-8;

/// Count, mean and squared distances to the mean of all observations of training so far, for `policy.normalize_obs`; an
/// evaluation adds nothing to them. They are those of VecNormalize (OpenAI Baselines; NormalizeObservation in Gymnasium), except
/// that all steps of an iteration see the statistics of the iterations before, and that nothing is clipped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moments {
    count: u64,
    /// `[obs_dim]`
    mean: Vec<f64>,
    /// `[obs_dim]`
    squares: Vec<f64>,
}

impl Moments {
    /// The statistics of no observation of `obs_dim` numbers.
    pub fn new(obs_dim: usize) -> Self {
        Moments { count: 0, mean: vec![0.0; obs_dim], squares: vec![0.0; obs_dim] }
    }

    /// Adds the observations before every valid step of a rollout, task by task. Each task has its own two passes, which
    /// are merged as in Chan, Golub and LeVeque 1979: a running sum of squares would lose its digits.
    pub fn add(&mut self, rollout: &Rollout) {
        for (count, spreads) in rollout.per_task(|task| spreads(&task, self.mean.len())) {
            if count == 0 {
                continue;
            }
            let (seen, now) = (self.count as f64, count as f64);
            for ([here, around], (mean, squares)) in spreads.iter().zip(self.mean.iter_mut().zip(&mut self.squares)) {
                let distance = here - *mean;
                *squares += around;
                *squares += distance * distance * seen * now / (seen + now);
                *mean += distance * now / (seen + now);
            }
            self.count += count as u64;
        }
    }

    /// The normaliser of these statistics; `None` before the first observation.
    pub fn normalizer(&self) -> Option<Arc<Normalizer>> {
        let factor = |squares: &f64| (1.0 / (squares / self.count as f64 + FLOOR).sqrt()) as f32;
        let now = || {
            let mean = self.mean.iter().map(|mean| *mean as f32).collect();
            Normalizer::new(mean, self.squares.iter().map(factor).collect())
        };
        (self.count > 0).then(|| Arc::new(now()))
    }

    /// Puts the statistics into `state`.
    pub fn save(&self, state: &mut State) {
        state.set(NAME, self);
    }

    /// The statistics that [`Moments::save`] stored, in place of these.
    ///
    /// # Errors
    /// If they are missing or belong to other observations.
    pub fn loaded(&self, state: &State) -> Result<Self, Misfit> {
        let stored: Moments = state.value(NAME)?;
        let of = |numbers: &[f64]| numbers.len() == self.mean.len() && numbers.iter().all(|x| x.is_finite());
        let fits = of(&stored.mean) && of(&stored.squares) && stored.squares.iter().all(|x| *x >= 0.0);
        fits.then_some(stored).ok_or_else(|| Misfit(format!("`{NAME}` belongs to other observations")))
    }
}

/// The number of valid steps of a task, and the mean and the squared distances to it of each number of their observations,
/// `[obs_dim]`.
fn spreads(task: &Trajectories<'_>, obs_dim: usize) -> (usize, Vec<[f64; 2]>) {
    let rows: Vec<usize> = task.rows().collect();
    let of = |k: usize| {
        let values = || rows.iter().map(|&row| f64::from(task.obs_at(task.obs, row)[k]));
        let mean = values().sum::<f64>() / rows.len() as f64;
        [mean, values().map(|x| (x - mean) * (x - mean)).sum::<f64>()]
    };
    (rows.len(), (0..obs_dim).map(of).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::Shape;

    /// A rollout of one task with two lanes, the second of which has one valid step.
    fn rollout(first: [[f32; 2]; 2], second: [f32; 2]) -> Rollout {
        let mut rollout = Rollout::new(Shape { tasks: 1, steps: 2, envs: 2, obs_dim: 2, act_dim: 1 }, 2);
        let mut slabs = rollout.slabs();
        let obs = [first[0], second, first[1], [99.0, 99.0]];
        slabs[0].obs.copy_from_slice(&obs.concat());
        slabs[0].valid_steps.copy_from_slice(&[2, 1]);
        drop(slabs);
        rollout
    }

    #[test]
    fn mean_and_variance_are_those_by_hand_and_leave_out_padding() {
        let mut moments = Moments::new(2);
        assert_eq!(moments.normalizer(), None);
        // 1, 2, 3 and then 4, 6, 8: mean 4, squares 9 + 4 + 1 + 0 + 4 + 16 = 34; the other number is always 7
        moments.add(&rollout([[1.0, 7.0], [2.0, 7.0]], [3.0, 7.0]));
        moments.add(&rollout([[4.0, 7.0], [6.0, 7.0]], [8.0, 7.0]));
        assert_eq!(moments, Moments { count: 6, mean: vec![4.0, 7.0], squares: vec![34.0, 0.0] });
        let mut obs = [8.0, 7.0, 1.0, 7.001];
        moments.normalizer().unwrap().apply(&mut obs);
        let spread = (34.0_f32 / 6.0).sqrt();
        assert!((obs[0] - 4.0 / spread).abs() < 1e-6 && (obs[2] + 3.0 / spread).abs() < 1e-6, "{obs:?}");
        assert!(obs[1] == 0.0 && (obs[3] - 10.0).abs() < 0.01, "{obs:?}");
    }

    #[test]
    fn a_large_mean_does_not_hide_a_small_spread() {
        let mut moments = Moments::new(2);
        for _ in 0..1000 {
            moments.add(&rollout([[4096.0, 0.0], [4097.0, 0.0]], [4098.0, 0.0]));
        }
        let variance = moments.squares[0] / 3000.0;
        assert!((variance - 2.0 / 3.0).abs() < 1e-9, "{variance}");
    }

    #[test]
    fn statistics_go_on_from_a_checkpoint_and_others_are_refused() {
        let mut moments = Moments::new(2);
        moments.add(&rollout([[0.1, 0.7], [0.2, -1e-9]], [0.3, 0.9]));
        let mut state = State::default();
        moments.save(&mut state);
        assert_eq!(Moments::new(2).loaded(&state).unwrap(), moments);
        assert!(Moments::new(3).loaded(&state).unwrap_err().to_string().contains(NAME));
        assert!(Moments::new(2).loaded(&State::default()).is_err());
    }
}
