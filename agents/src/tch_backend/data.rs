//! Batches of several tasks as tensors, padded to one length; the padding has weight zero.

use tch::{Device, Kind, Tensor};

use super::policy::upload;
use crate::{
    batch::Batch,
    layout::{Head, Layout},
};

/// The samples of some tasks on the device.
#[derive(Debug)]
pub(super) struct Samples {
    /// Observations, `[tasks, samples, obs_dim]`.
    pub obs: Tensor,
    /// Actions, `[tasks, samples, act_dim]`; whole numbers for a categorical head.
    pub action: Tensor,
    /// Log-probabilities, `[tasks, samples]`.
    pub log_prob: Tensor,
    /// Advantages, `[tasks, samples]`.
    pub advantage: Tensor,
    /// One over the task's number of samples, 0 on padding, so that a weighted sum is a mean over the task, `[tasks,
    /// samples]`.
    pub weight: Tensor,
    /// Numbers of samples of the episodes, `[tasks][episodes]`.
    episodes: Vec<Vec<u32>>,
}

impl Samples {
    pub fn upload(layout: &Layout, batches: &[Batch], device: Device, kind: Kind) -> Self {
        let samples = batches.iter().map(|b| b.len()).max().unwrap_or(0);
        let column = |width: usize, of: fn(&Batch) -> &[f32]| {
            let mut host = vec![0f32; batches.len() * samples * width];
            for (slab, batch) in host.chunks_exact_mut((samples * width).max(1)).zip(batches) {
                slab[..batch.len() * width].copy_from_slice(of(batch));
            }
            Tensor::from_slice(&host).view([batches.len() as i64, samples as i64, width as i64])
        };
        let mut weight = vec![0f64; batches.len() * samples];
        for (slab, batch) in weight.chunks_exact_mut(samples.max(1)).zip(batches) {
            slab[..batch.len()].fill(1.0 / batch.len() as f64);
        }
        let weight = Tensor::from_slice(&weight).view([batches.len() as i64, samples as i64]);
        let action_kind = if matches!(layout.head(), Head::Categorical(_)) { Kind::Int64 } else { kind };
        Samples {
            obs: upload(column(layout.obs_dim(), |b| &b.obs), device, kind),
            action: upload(column(layout.head().act_dim(), |b| &b.action), device, action_kind),
            log_prob: upload(column(1, |b| &b.log_prob).squeeze_dim(-1), device, kind),
            advantage: upload(column(1, |b| &b.advantage).squeeze_dim(-1), device, kind),
            weight: upload(weight, device, kind),
            episodes: batches.iter().map(|batch| batch.episodes.clone()).collect(),
        }
    }

    /// Sums over the earlier steps of the same episode, `lambda^(t - u) x_u` for step t, of `x` `[tasks, samples]`.
    pub fn earlier(&self, x: &Tensor, lambda: f64) -> Tensor {
        let (tasks, samples) = x.size2().expect("a row for each task");
        let longest = self.episodes.iter().flatten().copied().max().unwrap_or(0) as usize;
        let most = self.episodes.iter().map(Vec::len).max().unwrap_or(0);
        // places of the samples in episodes of one length; behind the samples there is a column of zeros for the padding
        let mut to_episodes = vec![samples; tasks as usize * most * longest];
        let mut back = vec![0; (tasks * samples) as usize];
        for (task, lengths) in self.episodes.iter().enumerate() {
            let mut sample = 0;
            for (episode, length) in lengths.iter().enumerate() {
                for step in 0..*length as usize {
                    let place = episode * longest + step;
                    to_episodes[task * most * longest + place] = sample as i64;
                    back[task * samples as usize + sample] = place as i64;
                    sample += 1;
                }
            }
        }
        let index = |places: &[i64]| Tensor::from_slice(places).view([tasks, -1]).to_device(x.device());
        let padded = Tensor::cat(&[x, &Tensor::zeros([tasks, 1], (x.kind(), x.device()))], 1);
        let steps = padded.gather(1, &index(&to_episodes), false).view([tasks, most as i64, longest as i64]);
        let mut sum = Tensor::zeros([tasks, most as i64], (x.kind(), x.device()));
        let mut sums = Vec::with_capacity(longest);
        for step in 0..longest as i64 {
            let next = (&sum + steps.select(2, step)) * lambda;
            sums.push(std::mem::replace(&mut sum, next));
        }
        Tensor::stack(&sums, 2).view([tasks, -1]).gather(1, &index(&back), false)
    }

    /// Mean of `x` `[tasks, samples]` over each task's samples, `[tasks]`.
    pub fn mean(&self, x: &Tensor) -> Tensor {
        (x * &self.weight).sum_dim_intlist(-1, false, None::<Kind>)
    }
}
