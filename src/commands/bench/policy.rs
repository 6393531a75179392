//! Policy inferences per second on one thread: observations in, logits out, 4-64-64-2.

use std::{hint::black_box, time::Duration};

use metadrift_agents::host_policy::HostPolicy;
use metadrift_envs::{EnvKind, Purpose, Stream, TaskSettings, unit_f32};
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

use super::{Row, rates};
use crate::registry;

/// Rows of the rollouts' policy at each number of lanes.
pub(super) fn measure(lanes: &[usize], time: Duration) -> Vec<Row> {
    let spec = EnvKind::CartPole.spec();
    let layout = registry::layout(spec, &TaskSettings::default(), &[64, 64]);
    let mut rng = Stream::new(1, Purpose::Init).rng();
    let params = layout.init(0.0, || StandardNormal.sample(&mut rng));
    let policy = HostPolicy::new(&layout, &params);
    let mut scratch = policy.scratch();
    let mut row = |&n: &usize| {
        let obs: Vec<f32> = (0..n * spec.obs_dim()).map(|_| unit_f32(rng.next_u32()) - 0.5).collect();
        let mut out = vec![0.0; n * policy.outputs()];
        let speeds = rates(n, time, || {
            policy.forward(black_box(&obs), &mut out, &mut scratch);
            black_box(&out);
        });
        Row::new(("policy", spec.name, "forward", "inferences/s"), n, 1, speeds)
    };
    lanes.iter().map(&mut row).collect()
}
