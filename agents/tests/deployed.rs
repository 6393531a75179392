//! A deployed policy computes what the trained one does, to the bit: through its file, lane by lane, tick by tick.

use std::sync::Arc;

use metadrift_agents::{
    advantage::Estimator,
    agent::{Adaptive, Agent},
    batch::Trajectories,
    host_policy::HostPolicy,
    inputs::Normalizer,
    layout::{Activation, Head, Layout},
    native::NativeBackend,
    objective::InnerLoss,
    recurrent::RecurrentPolicy,
    rollout::{Rollout, Shape},
    runtime::{Adaptation, Adapter, End, Form, Policy, uniforms, window::Commands},
};
use metadrift_random::{Purpose, Stream};

use crate::c_library::Opened;

const BOUND: f32 = 1.5;

/// The commands of a policy with that head.
fn commands(head: Head) -> Commands {
    match head {
        Head::Categorical(count) => Commands::Choices(count),
        Head::Gaussian(dim) | Head::StateGaussian(dim) => Commands::Vector { dim, bound: BOUND },
    }
}

/// Numbers in [-1, 1), always the same.
fn number(at: usize) -> f32 {
    Stream::new(5, Purpose::Search).uniforms(at as u32)[0] * 2.0 - 1.0
}

fn form(layout: Layout, readings: usize) -> Form {
    let params = (0..layout.num_params()).map(|at| 0.4 * number(at)).collect();
    Form { commands: commands(layout.head()), layout, readings, rate_limit: None, params, adaptation: None }
}

fn normalizing(layout: Layout) -> Layout {
    let n = layout.obs_dim();
    let normalizer = Normalizer::new((0..n).map(number).collect(), (0..n).map(|at| 1.0 + number(at + 9)).collect());
    layout.normalizing(Some(Arc::new(normalizer)))
}

/// A policy's file, opened.
fn opened(form: &Form) -> Policy {
    Policy::from_bytes(&form.to_bytes()).unwrap()
}

fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|number| number.to_bits()).collect()
}

/// The command of an action: in its unit, within its limits.
fn command(action: &[f32], head: Head) -> Vec<f32> {
    match head {
        Head::Categorical(_) => action.to_vec(),
        _ => action.iter().map(|a| (a * BOUND).clamp(-BOUND, BOUND)).collect(),
    }
}

#[test]
fn a_perceptron_acts_as_it_does_beside_other_lanes() {
    const LANES: usize = 3;
    for layout in [
        Layout::new(4, &[64, 64], Head::Categorical(2)),
        normalizing(Layout::new(3, &[17, 64], Head::Gaussian(2))),
        Layout::new(3, &[8], Head::StateGaussian(1)).with_activation(Activation::Relu),
        Layout::new(5, &[9, 9], Head::Gaussian(1)).with_low_rank(2),
        Layout::new(5, &[9], Head::Categorical(4)).with_context(3),
    ] {
        let form = form(layout.clone(), layout.obs_dim());
        let trained = HostPolicy::new(&layout, &form.params);
        let mut scratch = trained.scratch();
        let mut deployed: Vec<Policy> = (0..LANES).map(|_| opened(&form)).collect();
        let (n, dim) = (layout.obs_dim(), layout.head().act_dim());
        let mut out = vec![0.0; LANES * trained.outputs()];
        let (mut action, mut log_prob) = (vec![0.0; LANES * dim], [0.0; LANES]);
        let mut given = vec![0.0; dim];
        for tick in 0..2000 {
            let obs: Vec<f32> = (0..LANES * n).map(|at| 3.0 * number(tick * 31 + at)).collect();
            trained.forward(&obs, &mut out, &mut scratch);
            let noise = |lane: usize| uniforms(lane as u64, tick as u64);
            let drawn = tick % 2 == 1;
            if drawn {
                trained.sample(&out, noise, &mut action, &mut log_prob);
            } else {
                trained.mode(&out, &mut action);
            }
            for (lane, policy) in deployed.iter_mut().enumerate() {
                let obs = &obs[lane * n..(lane + 1) * n];
                if drawn {
                    policy.sample(obs, noise(lane), &mut given).unwrap();
                } else {
                    policy.act(obs, &mut given).unwrap();
                }
                let expected = command(&action[lane * dim..(lane + 1) * dim], layout.head());
                assert_eq!(bits(&given), bits(&expected), "{:?}, tick {tick}, lane {lane}", layout.head());
            }
        }
    }
}

#[test]
fn a_recurrent_policy_remembers_as_it_does_beside_other_lanes() {
    const LANES: usize = 2;
    for head in [Head::Categorical(3), Head::Gaussian(2)] {
        let layout = Layout::recurrent(3, 16, 24, head);
        let form = form(layout.clone(), 3);
        let mut trained = RecurrentPolicy::new(&layout, &form.params, LANES);
        let mut deployed: Vec<Policy> = (0..LANES).map(|_| opened(&form)).collect();
        let dim = head.act_dim();
        let (mut action, mut log_prob) = (vec![0.0; LANES * dim], [0.0; LANES]);
        let mut given = vec![0.0; dim];
        for tick in 0..2000 {
            let obs: Vec<f32> = (0..LANES * 3).map(|at| number(tick * 17 + at)).collect();
            trained.observe(&obs);
            trained.sample(|lane| uniforms(lane as u64, tick as u64), &mut action, &mut log_prob);
            let reward: [f32; LANES] = std::array::from_fn(|lane| 4.0 * number(tick * 5 + lane));
            let ended = |lane: usize| (tick + lane) % 50 == 49;
            for (lane, policy) in deployed.iter_mut().enumerate() {
                policy.sample(&obs[lane * 3..lane * 3 + 3], uniforms(lane as u64, tick as u64), &mut given).unwrap();
                let expected = command(&action[lane * dim..(lane + 1) * dim], head);
                assert_eq!(bits(&given), bits(&expected), "{head:?}, tick {tick}, lane {lane}");
                let end = if ended(lane) { End::Stopped } else { End::Going };
                policy.outcome(reward[lane], &[0.0; 3], end).unwrap();
            }
            trained.outcome(&action, &reward, ended);
        }
    }
}

/// A plant for the tests: a point on a line with a gain, which is to stay near 0.
struct Point {
    at: [f32; 2],
    gain: f32,
}

impl Point {
    fn step(&mut self, force: f32) -> (f32, bool) {
        self.at[1] += 0.2 * self.gain * force;
        self.at[0] += 0.2 * self.at[1];
        (1.0 - self.at[0].abs(), self.at[0].abs() > 1.0)
    }
}

/// A deployed policy, with its adapter, and the same one in the C library.
struct Deployed {
    policy: Policy,
    adapter: Adapter,
    library: Opened,
}

impl Deployed {
    fn new(form: &Form, steps: usize) -> Deployed {
        let policy = opened(form);
        Deployed {
            adapter: Adapter::new(&policy, steps).unwrap(),
            policy,
            library: Opened::new(&form.to_bytes(), steps),
        }
    }
}

/// Lets the policies live through the episodes of `lanes` lanes, at most `steps` steps each, and writes what happens to
/// `rollout`.
fn live(deployed: &mut Deployed, (rollout, trained): (&mut Rollout, &HostPolicy), seed: u64) {
    let Deployed { policy, adapter, library } = deployed;
    let head = match policy.commands() {
        Commands::Choices(count) => Head::Categorical(count),
        Commands::Vector { dim, .. } => Head::Gaussian(dim),
    };
    let Shape { steps, envs, act_dim, .. } = rollout.shape();
    let mut scratch = trained.scratch();
    let mut slabs = rollout.slabs();
    let slab = &mut slabs[0];
    for lane in 0..envs {
        let start = number(seed as usize * 100 + lane);
        let mut point = Point { at: [0.8 * start, 0.3], gain: if seed.is_multiple_of(2) { 1.0 } else { -1.0 } };
        for t in 0..steps {
            let before = point.at;
            let noise = uniforms(seed, (lane * steps + t) as u64);
            let mut given = vec![0.0; act_dim];
            policy.sample(&before, noise, &mut given).unwrap();
            let mut in_c = vec![0.0; act_dim];
            library.sample(&before, (seed, (lane * steps + t) as u64), &mut in_c);
            assert_eq!(bits(&in_c), bits(&given));
            // a choice is full force to one side or the other
            let force = if policy.commands() == Commands::Choices(2) { 2.0 * given[0] - 1.0 } else { given[0] };
            let (reward, terminated) = point.step(force);
            let truncated = t + 1 == steps && !terminated;
            let end = if terminated {
                End::Terminated
            } else if truncated {
                End::Stopped
            } else {
                End::Going
            };
            adapter.record(policy, reward, &point.at, end).unwrap();
            library.record(reward, &point.at, end);
            // the trainer's policy on the same observation
            let (mut out, mut action, mut log_prob) = (vec![0.0; trained.outputs()], vec![0.0; act_dim], [0.0]);
            trained.forward(&before, &mut out, &mut scratch);
            trained.sample(&out, |_| noise, &mut action, &mut log_prob);
            assert_eq!(bits(&given), bits(&command(&action, head)));
            let row = t * envs + lane;
            slab.obs[2 * row..2 * row + 2].copy_from_slice(&before);
            slab.next_obs[2 * row..2 * row + 2].copy_from_slice(&point.at);
            slab.action[act_dim * row..act_dim * (row + 1)].copy_from_slice(&action);
            (slab.log_prob[row], slab.reward[row]) = (log_prob[0], reward);
            (slab.terminated[row], slab.truncated[row]) = (terminated, truncated);
            slab.episode_step[row] = t as u32;
            slab.valid_steps[lane] = t as u32 + 1;
            if terminated {
                break;
            }
        }
    }
}

/// Adapts deployed and trained policies to the same episodes, `rounds` times two steps; gives the number of adaptations.
fn adapt_both(layout: &Layout, loss: InnerLoss, rounds: u64) -> usize {
    const SHAPE: Shape = Shape { tasks: 1, steps: 12, envs: 6, obs_dim: 2, act_dim: 1 };
    let mut form = form(layout.clone(), 2);
    let rates: Vec<f32> = (0..form.params.len()).map(|at| 0.2 + 0.1 * number(at)).collect();
    let (gamma, gae_lambda) = (0.95, 0.9);
    let (episodes, horizon) = (SHAPE.envs, SHAPE.steps);
    form.adaptation = Some(Adaptation { loss, gamma, gae_lambda, rates: rates.clone(), episodes, horizon, steps: 2 });
    let mut deployed = Deployed::new(&form, SHAPE.envs * SHAPE.steps);
    let plain = layout.clone().normalizing(None);
    let backend = Arc::new(NativeBackend::new(plain, 1));
    let estimator = Estimator { gamma, gae_lambda, threads: 1 };
    let mut agent =
        Adaptive::new(backend, loss, estimator, form.params.clone(), rates).normalizing(layout.normalizer().cloned());
    let mut moved = 0;
    for round in 0..rounds {
        deployed.adapter.reset(&mut deployed.policy);
        deployed.library.reset();
        agent.begin(1);
        for step in 0..2 {
            let before = agent.policies().params[0].clone();
            let trained = HostPolicy::new(layout, &before);
            let mut rollout = Rollout::new(SHAPE, SHAPE.steps as u32);
            live(&mut deployed, (&mut rollout, &trained), 2 * round + step);
            let samples = Trajectories::rows(&rollout.task(0)).count();
            agent.adapt(&rollout).unwrap();
            let adapted = deployed.adapter.adapt(&mut deployed.policy).unwrap();
            assert_eq!((adapted.episodes, adapted.samples), (SHAPE.envs, samples));
            let expected = &agent.policies().params[0];
            let place = format!("{:?}, round {round}, step {step}", layout.head());
            assert_eq!(bits(deployed.adapter.params()), bits(expected), "{place}");
            assert_eq!(bits(&deployed.library.adapt()), bits(expected), "{place}");
            moved += usize::from(before != *expected);
        }
    }
    moved
}

#[test]
fn adaptation_gives_the_parameters_of_the_trainer() {
    let layouts = [
        Layout::new(2, &[16, 16], Head::Categorical(2)),
        normalizing(Layout::new(2, &[16], Head::Gaussian(1))),
        Layout::new(2, &[9], Head::StateGaussian(1)).with_activation(Activation::Relu),
        Layout::new(2, &[9], Head::Gaussian(1)).with_low_rank(1),
        Layout::new(2, &[9], Head::Categorical(2)).with_context(2),
    ];
    let mut moved = 0;
    for layout in &layouts {
        for loss in [InnerLoss::Score, InnerLoss::LVC] {
            moved += adapt_both(layout, loss, 50);
        }
    }
    assert_eq!(moved, 5 * 2 * 50 * 2, "every adaptation moves the policy");
}

/// The number of ticks of the long comparison: `METADRIFT_TICKS` asks for others.
fn ticks() -> usize {
    std::env::var("METADRIFT_TICKS").map_or(100_000, |ticks| ticks.parse().expect("METADRIFT_TICKS is a number"))
}

#[test]
fn a_long_life_in_rust_and_c_is_that_of_the_trainer_at_every_tick() {
    let layout = normalizing(Layout::new(4, &[64, 64], Head::Categorical(2)));
    let form = form(layout.clone(), 4);
    let trained = HostPolicy::new(&layout, &form.params);
    let (mut scratch, mut policy, mut library) = (trained.scratch(), opened(&form), Opened::new(&form.to_bytes(), 0));
    let mut out = vec![0.0; trained.outputs()];
    let (mut action, mut given, mut in_c, mut log_prob) = ([0.0], [0.0], [0.0], [0.0]);
    for tick in 0..ticks() {
        let obs: [f32; 4] = std::array::from_fn(|at| 3.0 * number(tick * 4 + at));
        let noise = uniforms(1, tick as u64);
        trained.forward(&obs, &mut out, &mut scratch);
        if tick % 2 == 1 {
            trained.sample(&out, |_| noise, &mut action, &mut log_prob);
            policy.sample(&obs, noise, &mut given).unwrap();
            library.sample(&obs, (1, tick as u64), &mut in_c);
        } else {
            trained.mode(&out, &mut action);
            policy.act(&obs, &mut given).unwrap();
            library.act(&obs, &mut in_c);
        }
        assert_eq!([bits(&given), bits(&in_c)], [bits(&action), bits(&action)], "tick {tick}");
    }
}

#[test]
fn a_long_memory_in_rust_and_c_is_that_of_the_trainer_at_every_tick() {
    let layout = Layout::recurrent(3, 16, 24, Head::Gaussian(1));
    let form = form(layout.clone(), 3);
    let mut trained = RecurrentPolicy::new(&layout, &form.params, 1);
    let (mut policy, mut library) = (opened(&form), Opened::new(&form.to_bytes(), 0));
    let (mut action, mut given, mut in_c, mut log_prob) = ([0.0], [0.0], [0.0], [0.0]);
    for tick in 0..ticks() {
        let obs: [f32; 3] = std::array::from_fn(|at| number(tick * 4 + at));
        let (reward, ended) = (4.0 * number(tick * 4 + 3), tick % 50 == 49);
        let end = if ended { End::Stopped } else { End::Going };
        trained.observe(&obs);
        trained.sample(|_| uniforms(2, tick as u64), &mut action, &mut log_prob);
        policy.sample(&obs, uniforms(2, tick as u64), &mut given).unwrap();
        library.sample(&obs, (2, tick as u64), &mut in_c);
        let expected = bits(&command(&action, Head::Gaussian(1)));
        assert_eq!([bits(&given), bits(&in_c)], [expected.clone(), expected], "tick {tick}");
        trained.outcome(&action, &[reward], |_| ended);
        policy.outcome(reward, &obs, end).unwrap();
        library.outcome(reward, &obs, end);
    }
}
