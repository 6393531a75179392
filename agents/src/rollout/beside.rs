//! Pieces of one lane's life, side by side as the lanes of one task.

use super::{Rollout, Shape};
use crate::batch::Batch;

impl Rollout {
    /// The experience of `pieces`, each of one task and one lane and with observations of one size, as the lanes of a single
    /// task: what a lane has lived through piece by piece looks like as many lanes at once.
    ///
    /// # Panics
    /// If there are no pieces, or one is of several lanes.
    pub fn side_by_side(pieces: &[&Rollout]) -> Rollout {
        let first = pieces.first().expect("a piece");
        let longest = pieces.iter().map(|piece| piece.valid_steps[0] as usize).max().unwrap_or(0);
        let Shape { obs_dim, act_dim, .. } = first.shape;
        let shape = Shape { tasks: 1, steps: longest.max(1), envs: pieces.len(), obs_dim, act_dim };
        let mut all = Rollout::new(shape, first.horizon).with_own_obs(first.own_obs);
        for (lane, piece) in pieces.iter().enumerate() {
            assert_eq!((piece.shape.tasks, piece.shape.envs), (1, 1), "a piece of one lane");
            all.valid_steps[lane] = piece.valid_steps[0];
            for t in 0..piece.valid_steps[0] as usize {
                let to = t * pieces.len() + lane;
                all.obs[to * obs_dim..][..obs_dim].copy_from_slice(&piece.obs[t * obs_dim..][..obs_dim]);
                all.next_obs[to * obs_dim..][..obs_dim].copy_from_slice(&piece.next_obs[t * obs_dim..][..obs_dim]);
                all.action[to * act_dim..][..act_dim].copy_from_slice(&piece.action[t * act_dim..][..act_dim]);
                (all.log_prob[to], all.reward[to]) = (piece.log_prob[t], piece.reward[t]);
                (all.terminated[to], all.truncated[to]) = (piece.terminated[t], piece.truncated[t]);
                all.episode_step[to] = piece.episode_step[t];
            }
        }
        all
    }

    /// The same experience, whose lanes count by `weight` `[tasks, envs]` in an adaptation.
    ///
    /// # Panics
    /// If there is not one weight for each lane.
    pub fn weighted(self, weight: Vec<f32>) -> Rollout {
        assert_eq!(weight.len(), self.valid_steps.len(), "a weight for each lane");
        Rollout { weight, ..self }
    }

    /// Multiplies the advantages in `batches` `[tasks]` by the weights of their lanes, in units of the mean weight of a
    /// sample, so that the size of a step does not depend on the unit of the weights.
    pub(super) fn weigh(&self, batches: &mut [Batch]) {
        if self.weight.is_empty() {
            return;
        }
        let lanes = self.weight.chunks(self.shape.envs).zip(self.valid_steps.chunks(self.shape.envs));
        for (batch, (weights, steps)) in batches.iter_mut().zip(lanes) {
            let each = || weights.iter().zip(steps).flat_map(|(weight, steps)| vec![*weight; *steps as usize]);
            let mean = each().sum::<f32>() / batch.len().max(1) as f32;
            batch.advantage.iter_mut().zip(each()).for_each(|(advantage, weight)| *advantage *= weight / mean);
        }
    }

    /// The steps of task 0 without its first `steps` ones, of one lane.
    pub fn without_first(&self, steps: usize) -> Rollout {
        let Shape { obs_dim, act_dim, .. } = self.shape;
        let kept = self.shape.steps - steps;
        let shape = Shape { steps: kept, ..self.shape };
        Rollout {
            shape,
            obs: self.obs[steps * obs_dim..].to_vec(),
            next_obs: self.next_obs[steps * obs_dim..].to_vec(),
            action: self.action[steps * act_dim..].to_vec(),
            log_prob: self.log_prob[steps..].to_vec(),
            reward: self.reward[steps..].to_vec(),
            terminated: self.terminated[steps..].to_vec(),
            truncated: self.truncated[steps..].to_vec(),
            episode_step: self.episode_step[steps..].to_vec(),
            valid_steps: vec![self.valid_steps[0].saturating_sub(steps as u32)],
            ..Rollout::new(shape, self.horizon).with_own_obs(self.own_obs)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advantage::Estimator;

    /// A lane with `rewards` whose observations and actions are numbered from `from`, in a buffer with room for more.
    fn piece(from: usize, rewards: &[f32]) -> Rollout {
        let shape = Shape { tasks: 1, steps: rewards.len() + 2, envs: 1, obs_dim: 2, act_dim: 1 };
        let mut piece = Rollout::new(shape, 10);
        let mut slabs = piece.slabs();
        for (t, reward) in rewards.iter().enumerate() {
            let row = slabs[0].row(t);
            row.obs.copy_from_slice(&[(from + t) as f32, 1.0]);
            (row.action[0], row.reward[0], row.episode_step[0]) = ((from + t) as f32, *reward, t as u32);
        }
        slabs[0].valid_steps[0] = rewards.len() as u32;
        drop(slabs);
        piece
    }

    #[test]
    fn pieces_stand_side_by_side_and_lose_their_beginnings() {
        let (a, b) = (piece(0, &[1.0, 2.0, 3.0]), piece(10, &[4.0]));
        let all = Rollout::side_by_side(&[&a, &b]);
        assert_eq!((all.shape.envs, all.shape.steps, &all.valid_steps[..]), (2, 3, &[3, 1][..]));
        let data = all.task(0);
        let seen: Vec<(f32, f32, f32)> =
            data.rows().map(|row| (data.obs_at(data.obs, row)[0], data.action[row], data.reward[row])).collect();
        assert_eq!(seen, [(0.0, 0.0, 1.0), (1.0, 1.0, 2.0), (2.0, 2.0, 3.0), (10.0, 10.0, 4.0)]);
        let late = a.without_first(2);
        let data = late.task(0);
        assert_eq!((data.rows().count(), data.reward[0], data.episode_step[0]), (1, 3.0, 2));
    }

    #[test]
    fn weights_scale_advantages_and_keep_their_mean_size() {
        let (a, b) = (piece(0, &[1.0, 2.0, 5.0]), piece(10, &[4.0]));
        let estimator = Estimator { gamma: 0.9, gae_lambda: 0.9, threads: 1 };
        let even = Rollout::side_by_side(&[&a, &b]).batches(estimator, None).0.remove(0).advantage;
        let weighted =
            Rollout::side_by_side(&[&a, &b]).weighted(vec![1.0, 5.0]).batches(estimator, None).0.remove(0).advantage;
        // four samples with weights 1, 1, 1, 5: in units of their mean 0.5, 0.5, 0.5, 2.5
        for (weighted, (even, factor)) in weighted.iter().zip(even.iter().zip([0.5, 0.5, 0.5, 2.5])) {
            assert!((weighted - even * factor).abs() < 1e-6);
        }
    }
}
