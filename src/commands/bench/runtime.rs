//! Time of a deployed policy, tick by tick on one thread: acting, and one step of adaptation.

use std::{hint::black_box, time::Instant};

use metadrift_agents::{
    objective::InnerLoss,
    runtime::{Adaptation, Adapter, End, Form, Policy, uniforms},
};
use metadrift_envs::{Purpose, Stream, TaskSettings};
use rand_distr::{Distribution, StandardNormal};

use super::{REPEATS, Row, subject::Subject};
use crate::{registry, rollout::window};

/// Episodes of a step of adaptation.
const EPISODES: usize = 20;
/// Steps of each.
const HORIZON: usize = 200;

/// Rows of a policy 64-64 on one environment: [`REPEATS`] times `ticks` ticks, and as many steps of adaptation.
pub(super) fn measure(subject: &Subject, ticks: usize) -> Vec<Row> {
    let spec = subject.kind.spec();
    let layout = registry::layout(spec, &TaskSettings::default(), &[64, 64]);
    let mut rng = Stream::new(1, Purpose::Init).rng();
    let params = layout.init(-0.5, || StandardNormal.sample(&mut rng));
    let adaptation = Adaptation {
        loss: InnerLoss::LVC,
        gamma: 0.99,
        gae_lambda: 0.95,
        rates: vec![0.1; params.len()],
        episodes: EPISODES,
        horizon: HORIZON,
        steps: 1,
    };
    let (readings, commands) = (spec.obs_dim(), window::commands(spec));
    let form = Form { layout, readings, commands, rate_limit: None, params, adaptation: Some(adaptation) };
    let mut policy = Policy::new(form);
    let acting: Vec<[f64; 4]> = (0..REPEATS).map(|_| act(&mut policy, ticks)).collect();
    let row = |variant, n, unit, of: Vec<f64>| Row::new(("runtime", spec.name, variant, unit), n, 1, of);
    let column = |k: usize| acting.iter().map(|times| times[k]).collect();
    vec![
        row("act mean", 1, "us", column(0)),
        row("act median", 1, "us", column(1)),
        row("99.99 %", 1, "us", column(2)),
        row("act max", 1, "us", column(3)),
        row("adapt", EPISODES * HORIZON, "ms", (0..REPEATS).map(|_| adapt(&mut policy)).collect()),
    ]
}

/// An observation that differs from tick to tick.
fn observe(tick: usize, observation: &mut [f32]) {
    observation.iter_mut().enumerate().for_each(|(k, x)| *x = ((tick * 37 + k * 11) % 101) as f32 / 50.0 - 1.0);
}

/// Mean, median, 99.99 % and maximum of the time to act (us), over `ticks` ticks.
fn act(policy: &mut Policy, ticks: usize) -> [f64; 4] {
    let (mut observation, mut command) = (vec![0.0; policy.obs_dim()], vec![0.0; policy.act_dim()]);
    let mut times = Vec::with_capacity(ticks);
    for tick in 0..ticks {
        observe(tick, &mut observation);
        let clock = Instant::now();
        let done = policy.act(black_box(&observation), &mut command);
        times.push(clock.elapsed().as_secs_f64() * 1e6);
        black_box(&command);
        done.expect("a finite observation has a command");
    }
    times.sort_by(f64::total_cmp);
    let at = |share: usize| times[(ticks - 1) * share / 10_000];
    [times.iter().sum::<f64>() / ticks as f64, at(5_000), at(9_999), at(10_000)]
}

/// Time of one step of adaptation to whole episodes (ms).
fn adapt(policy: &mut Policy) -> f64 {
    let mut adapter = Adapter::new(policy, EPISODES * HORIZON).expect("the policy takes gradient steps");
    let (mut observation, mut command) = (vec![0.0; policy.obs_dim()], vec![0.0; policy.act_dim()]);
    for tick in 0..EPISODES * HORIZON {
        observe(tick, &mut observation);
        let drawn = policy.sample(&observation, uniforms(1, tick as u64), &mut command);
        drawn.expect("a finite observation has a command");
        observe(tick + 1, &mut observation);
        let end = if (tick + 1).is_multiple_of(HORIZON) { End::Stopped } else { End::Going };
        let reward = observation[0] * command[0];
        adapter.record(policy, reward, &observation, end).expect("there is room");
    }
    let clock = Instant::now();
    adapter.adapt(policy).expect("finite data give finite parameters");
    let time = clock.elapsed().as_secs_f64() * 1e3;
    adapter.reset(policy);
    time
}
