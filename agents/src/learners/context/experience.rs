//! The transitions of an iteration, for encoder and predictor.

use crate::{
    batch::Trajectories,
    layout::{Core, Head, Layout},
    native::Transitions,
    rollout::Rollout,
};

/// All transitions of an iteration.
pub struct Experience {
    all: Transitions<f32>,
    /// Number of values of a sample in the parts of `all`.
    widths: [usize; 3],
}

impl Experience {
    /// The valid transitions of `rollout`, seen by a policy of shape `layout`. Changes are in units of `unit` `[own]`,
    /// which is set if it is 0.
    pub fn new(rollout: &Rollout, layout: &Layout, unit: &mut [f32]) -> Experience {
        let Core::Context { own, .. } = layout.core() else { unreachable!("the layout is this learner's") };
        let head = layout.head();
        let mut all = Transitions::default();
        rollout.tasks().for_each(|data| add(&data, own, head, &mut all));
        if unit.iter().all(|unit| *unit == 0.0) {
            deviations(&all.target, unit);
        }
        for change in all.target.chunks_exact_mut(own) {
            change.iter_mut().zip(&*unit).for_each(|(change, unit)| *change /= unit);
        }
        Experience { all, widths: [layout.obs_dim() - own, own + head.shown(), own] }
    }

    /// Number of transitions.
    pub fn samples(&self) -> usize {
        self.all.target.len() / self.widths[2]
    }

    /// The transitions `rows`.
    pub fn of(&self, rows: &[u32]) -> Transitions<f32> {
        let take = |column: &[f32], width: usize| -> Vec<f32> {
            rows.iter().flat_map(|row| &column[*row as usize * width..][..width]).copied().collect()
        };
        let [past, now, target] = self.widths;
        let Transitions { past: a, now: b, target: c } = &self.all;
        Transitions { past: take(a, past), now: take(b, now), target: take(c, target) }
    }
}

/// Adds the valid transitions of a task; actions are bounded as the environment bounds them.
fn add(data: &Trajectories<'_>, own: usize, head: Head, all: &mut Transitions<f32>) {
    let act_dim = data.act_dim();
    let mut action = vec![0.0; head.shown()];
    for env in 0..data.envs {
        for t in 0..data.valid_steps[env] as usize {
            let row = data.row(t, env);
            let (obs, next) = (data.obs_at(data.obs, row), data.obs_at(data.next_obs, row));
            head.show(&data.action[row * act_dim..(row + 1) * act_dim], &mut action);
            all.past.extend_from_slice(&obs[own..]);
            all.now.extend_from_slice(&obs[..own]);
            all.now.extend(action.iter().map(|a| a.clamp(-1.0, 1.0)));
            all.target.extend(next[..own].iter().zip(obs).map(|(next, now)| next - now));
        }
    }
}

/// Writes the standard deviation of every column of `changes` to `unit`; 1 for one that never changes.
fn deviations(changes: &[f32], unit: &mut [f32]) {
    let own = unit.len();
    let samples = (changes.len() / own) as f64;
    for (k, unit) in unit.iter_mut().enumerate() {
        let column = || changes.iter().skip(k).step_by(own).map(|change| f64::from(*change));
        let mean = column().sum::<f64>() / samples;
        let deviation = (column().map(|change| (change - mean).powi(2)).sum::<f64>() / samples).sqrt();
        *unit = if deviation > 0.0 { deviation as f32 } else { 1.0 };
    }
}
