//! Tests of the value network that the tasks of MAML share: its values, its targets, and what it learns.

use crate::synthetic::{Lcg, batch, differences, distance, layouts, params, wide};
use metadrift_agents::{
    advantage::prepare_by,
    backend::{self, BackendChoice},
    batch::{Batch, MetaBatch, Trajectories},
    device::Device,
    layout::Layout,
    native::NativeBackend,
    network::Network,
    objective::{ClippedLoss, InnerLoss, Objective, OuterLoss},
    settings::MamlConfig,
    value::{Baseline, Shared, Values},
};

fn network(layout: Layout, params: Vec<f32>) -> Network {
    Network::new(backend::open(BackendChoice::Native, layout, Device::Cpu, 0, 1).unwrap(), params)
}

/// One lane, built step by step.
struct Lane {
    obs: Vec<f32>,
    next_obs: Vec<f32>,
    reward: Vec<f32>,
    terminated: Vec<bool>,
    truncated: Vec<bool>,
    valid_steps: [u32; 1],
}

impl Lane {
    fn view(&self) -> Trajectories<'_> {
        Trajectories {
            envs: 1,
            obs: &self.obs,
            next_obs: &self.next_obs,
            action: &self.reward,
            log_prob: &self.reward,
            reward: &self.reward,
            terminated: &self.terminated,
            truncated: &self.truncated,
            episode_step: &[0; 64][..self.reward.len()],
            valid_steps: &self.valid_steps,
        }
    }

    /// A lane that earns 1 at every step. Its observation is the step in the episode if that ends with a death, else 0.
    fn of_ones(steps: usize, episode: usize, dies: bool) -> Lane {
        let ends = |yes: bool| (0..steps).map(|t| yes && (t + 1) % episode == 0).collect();
        Lane {
            obs: (0..steps).map(|t| if dies { (t % episode) as f32 } else { 0.0 }).collect(),
            next_obs: (0..steps).map(|t| if dies { (t % episode + 1) as f32 } else { 0.0 }).collect(),
            reward: vec![1.0; steps],
            terminated: ends(dies),
            truncated: ends(!dies),
            valid_steps: [steps as u32],
        }
    }
}

/// The lane of `gae_by_hand_with_a_termination_and_a_truncation_in_a_row`, with a step of padding; the network's values are
/// the observations, and one more for a whole adaptation: it answers (x + share) / 2 in units of 1 / (1 - 1/2).
#[test]
fn values_advantages_and_targets_are_those_by_hand() {
    let lane = Lane {
        obs: vec![1.0, 2.0, 4.0, 8.0, f32::NAN],
        next_obs: vec![2.0, 99.0, 6.0, 10.0, f32::NAN],
        reward: vec![1.0, 2.0, 3.0, 4.0, f32::NAN],
        terminated: vec![false, true, false, false, false],
        truncated: vec![false, false, true, false, false],
        valid_steps: [4],
    };
    let values = Values::new(&network(Layout::plain(2, &[], 1), vec![0.5, 0.5, 0.0]), None, 0.5);
    assert_eq!(values.of(&lane.view(), &[1.0]).0, [2.0, 3.0, 5.0, 9.0, 0.0]);
    let (value, next_value) = values.of(&lane.view(), &[0.0]);
    assert_eq!(value, [1.0, 2.0, 4.0, 8.0, 0.0]);
    assert_eq!(next_value, [2.0, 0.0, 6.0, 10.0, 0.0]);
    let (batch, estimate) = prepare_by(Some((&values, 0.0)), &lane.view(), 1, 0.5, 0.5);
    // advantages 1, 0, 2, 1: mean 1, variance 1/2
    for (found, expected) in batch.advantage.iter().zip([0.0, -(2f32.sqrt()), 2f32.sqrt(), 0.0]) {
        assert!((found - expected).abs() < 1e-6, "{:?}", batch.advantage);
    }
    // 1 + 2/2, then a death; 3 and half the value 6 behind the time limit; 4 and half the value 10 behind the data
    assert_eq!(batch.target, [2.0, 2.0, 6.0, 9.0]);
    assert_eq!(estimate.value_mean, 3.75);
    assert!(prepare_by(None, &lane.view(), 1, 0.5, 0.5).0.target.is_empty());
}

/// The values after `iterations` iterations on the same lane.
fn learned(lane: &Lane, gamma: f64, iterations: u32) -> Vec<f64> {
    let layout = Layout::plain(2, &[8], 1);
    let params = params(&layout, &mut Lcg(1));
    let maml = MamlConfig { value_lr: 0.02, value_epochs: 20, ..MamlConfig::default() };
    let mut baseline = Baseline::Network(Box::new(Shared::new(network(layout, params), &maml, (gamma, 0.5), 0)));
    for iteration in 0..iterations {
        let values = baseline.values(None).unwrap();
        let (batch, _) = prepare_by(Some((&values, 0.0)), &lane.view(), 1, gamma, 0.9);
        baseline.learn([&batch].into_iter(), iteration).unwrap();
    }
    baseline.values(None).unwrap().of(&lane.view(), &[0.0]).0
}

/// Reward 1 for ever is worth 1 / (1 - gamma), wherever a time limit cuts it; before a death it is a finite sum.
#[test]
fn it_learns_that_a_time_limit_is_no_death() {
    for value in learned(&Lane::of_ones(40, 10, false), 0.9, 60) {
        assert!((value - 10.0).abs() < 0.2, "{value}");
    }
    for (t, value) in learned(&Lane::of_ones(30, 3, true), 0.5, 60).iter().enumerate() {
        assert!((value - [1.75, 1.5, 1.0][t % 3]).abs() < 0.02, "{t}: {value}");
    }
}

#[test]
fn batches_are_one_pool_of_samples_and_a_failed_iteration_is_named() {
    let batch = |obs: &[f32], target: &[f32]| Batch {
        obs: obs.to_vec(),
        log_prob: vec![0.0; obs.len()],
        target: target.to_vec(),
        ..Batch::default()
    };
    let layout = Layout::plain(2, &[3], 1);
    let params = params(&layout, &mut Lcg(2));
    let maml = MamlConfig::default();
    let mut one = Baseline::Network(Box::new(Shared::new(network(layout, params), &maml, (0.9, 0.5), 7)));
    let mut two = one.clone();
    let whole = batch(&[1.0, 2.0, 3.0, 4.0, 5.0], &[5.0, 4.0, 3.0, 2.0, 1.0]);
    let parts = [batch(&[1.0, 2.0], &[5.0, 4.0]), batch(&[], &[]), batch(&[3.0, 4.0, 5.0], &[3.0, 2.0, 1.0])];
    for iteration in 0..3 {
        let (a, b) = (one.learn([&whole].into_iter(), iteration), two.learn(parts.iter(), iteration));
        assert_eq!(a, b);
    }
    let lane = Lane::of_ones(5, 5, true);
    let values = |baseline: &Baseline| baseline.values(None).unwrap().of(&lane.view(), &[0.0]);
    assert_eq!(values(&one), values(&two));
    let error = one.learn([&batch(&[1.0], &[f32::NAN])].into_iter(), 3).unwrap_err().to_string();
    assert!(error.contains("value network in epoch 0") && error.contains("maml.value_lr"), "{error}");
}

/// Before adaptation a step earns 1, after it 3, in the same states: the values are 10 and 30.
#[test]
fn it_tells_the_policies_before_and_after_adaptation_apart() {
    let layout = Layout::plain(2, &[8], 1);
    let params = params(&layout, &mut Lcg(1));
    let maml = MamlConfig { value_lr: 0.02, value_epochs: 20, ..MamlConfig::default() };
    let mut baseline = Baseline::Network(Box::new(Shared::new(network(layout, params), &maml, (0.9, 0.5), 0)));
    let before = Lane::of_ones(40, 10, false);
    let after = Lane { reward: vec![3.0; 40], ..Lane::of_ones(40, 10, false) };
    for iteration in 0..80 {
        let values = baseline.values(None).unwrap();
        let batch = |lane: &Lane, adapted| prepare_by(Some((&values, adapted)), &lane.view(), 1, 0.9, 0.9).0;
        baseline.learn([batch(&before, 0.0), batch(&after, 1.0)].iter(), iteration).unwrap();
    }
    let values = baseline.values(None).unwrap();
    for (lane, adapted, worth) in [(&before, 0.0, 10.0), (&after, 1.0, 30.0)] {
        let found = values.of(&lane.view(), &[adapted]).0;
        assert!(found.iter().all(|value| (value - worth).abs() < 0.02 * worth), "{worth}: {found:?}");
    }
}

/// Behaviour of a policy near `theta`, with rewards at random and advantages by a network that has learned nothing.
fn experience(layout: &Layout, theta: &[f32], samples: usize, rng: &mut Lcg) -> Batch {
    let Batch { obs, action, log_prob, .. } = batch(layout, theta, samples, rng);
    let value = Layout::plain(layout.obs_dim() + 1, &[3], 1);
    let params = params(&value, rng);
    let reward: Vec<f32> = (0..samples).map(|_| rng.normal()).collect();
    let data = Trajectories {
        envs: 1,
        obs: &obs,
        next_obs: &obs,
        action: &action,
        log_prob: &log_prob,
        reward: &reward,
        terminated: &vec![false; samples],
        truncated: &(0..samples).map(|t| t % 10 == 9).collect::<Vec<_>>(),
        episode_step: &(0..samples).map(|t| t as u32 % 10).collect::<Vec<_>>(),
        valid_steps: &[samples as u32],
    };
    prepare_by(Some((&Values::new(&network(value, params), None, 0.1), 0.5)), &data, layout.obs_dim(), 0.9, 0.8).0
}

/// A network's advantages are numbers like others: the meta-gradient does not reach the network.
#[test]
fn the_meta_gradient_on_its_advantages_is_that_of_the_loss() {
    for (layout, inner_steps) in layouts().into_iter().flat_map(|layout| [1, 2].map(|k| (layout.clone(), k))) {
        let mut rng = Lcg(20 + inner_steps as u64);
        let theta = params(&layout, &mut rng);
        let n = theta.len();
        let mut phase = || [30, 40].map(|samples| experience(&layout, &theta, samples, &mut rng)).to_vec();
        let data =
            MetaBatch { supports: (0..inner_steps).map(|_| phase()).collect(), query: phase(), ..Default::default() };
        assert!(data.batches().all(|batch| batch.tells() && batch.target.len() == batch.len()));
        let mut at = wide(&theta);
        at.extend(vec![0.2; n]);
        let objective = Objective {
            inner: InnerLoss::LVC,
            outer: OuterLoss::Clipped(ClippedLoss { clip_eps: 0.2, ent_coef: 0.0 }),
            kl_coef: 0.0,
            first_order: false,
            learn_rates: true,
        };
        let backend = NativeBackend::new(layout, 1);
        let mut prepared = backend.prepare(&at[..n], &data);
        let mut look = |at: &[f64]| backend.meta_gradient(&at[..n], &at[n..], &mut prepared, &objective);
        let (mut gradient, by_rates, _) = look(&at);
        gradient.extend(by_rates);
        let error = distance(&gradient, &differences(&at, |at| look(at).2.loss));
        assert!(error <= 1e-6, "{inner_steps} steps: {error:e}");
    }
}
