//! The share of episodes that succeed, as published tables count them (Packer et al. 2018, arXiv 1810.12282): a cart-pole
//! stands for 195 steps at least; a pendulum is within pi/3 of upright from step 100 to step 200, by its readings.

use metadrift_agents::{batch::Trajectories, rollout::Rollout};
use metadrift_envs::EnvSpec;

/// Steps for which a cart-pole stands.
const STANDS: usize = 195;
/// Steps during which a pendulum is upright.
const UPRIGHT: std::ops::Range<usize> = 100..200;

/// The share of the lanes whose first episode in `rollout` succeeds; `None` for other environments, or where an episode
/// is too short to tell.
pub fn share(spec: &EnvSpec, horizon: u32, rollout: &Rollout) -> Option<f64> {
    let (least, succeeds): (usize, fn(&Trajectories<'_>, usize) -> bool) = match spec.name {
        "cartpole" => (STANDS, |_, _| true),
        "pendulum" => (UPRIGHT.end, upright),
        _ => return None,
    };
    if (horizon as usize).min(rollout.shape().steps) < least {
        return None;
    }
    let counts = rollout.per_task(|data| {
        let first = data.episodes().filter(|(_, start, _)| *start == 0);
        first.fold((0usize, 0usize), |(successes, lanes), (env, _, end)| {
            (successes + usize::from(end >= least && succeeds(&data, env)), lanes + 1)
        })
    });
    let (successes, lanes) = counts.iter().fold((0, 0), |sum, task| (sum.0 + task.0, sum.1 + task.1));
    Some(successes as f64 / lanes as f64)
}

/// True if the cosine of the angle, the first reading, is always that of an angle within pi/3.
fn upright(data: &Trajectories<'_>, env: usize) -> bool {
    UPRIGHT.clone().all(|t| data.obs_at(data.obs, data.row(t, env))[0] >= 0.5)
}

#[cfg(test)]
mod tests {
    use metadrift_agents::rollout::Shape;
    use metadrift_envs::EnvKind;

    use super::*;

    /// Two lanes of 200 steps; `ends` says when the first episode of each ends, and `cosine` what they read.
    fn rollout(ends: [usize; 2], cosine: impl Fn(usize, usize) -> f32) -> Rollout {
        let mut rollout = Rollout::new(Shape { tasks: 1, steps: 200, envs: 2, obs_dim: 3, act_dim: 1 }, 200);
        let mut slabs = rollout.slabs();
        slabs[0].valid_steps.fill(200);
        for (env, end) in ends.into_iter().enumerate() {
            (0..200).for_each(|t| slabs[0].row(t).obs[3 * env] = cosine(t, env));
            slabs[0].row(end - 1).terminated[env] = true;
        }
        drop(slabs);
        rollout
    }

    #[test]
    fn a_cart_pole_succeeds_if_its_first_episode_lasts_195_steps() {
        let spec = EnvKind::from_name("cartpole").unwrap().spec();
        let found = |ends| share(spec, 500, &rollout(ends, |_, _| 0.0));
        assert_eq!([found([195, 194]), found([200, 195]), found([10, 20])], [Some(0.5), Some(1.0), Some(0.0)]);
        assert_eq!(share(spec, 100, &rollout([200, 200], |_, _| 0.0)), None);
    }

    #[test]
    fn a_pendulum_succeeds_if_it_is_upright_in_every_step_of_the_second_hundred() {
        let spec = EnvKind::from_name("pendulum").unwrap().spec();
        // upright from step 100 or 101 on; then at 61 degrees in the last step of one lane
        let late = rollout([200, 200], |t, env| if t >= 100 + env { 0.5 } else { -1.0 });
        assert_eq!(share(spec, 200, &late), Some(0.5));
        let dips = rollout([200, 200], |t, env| if t == 199 && env == 1 { 0.484_8 } else { 1.0 });
        assert_eq!(share(spec, 200, &dips), Some(0.5));
    }
}
