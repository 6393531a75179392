//! Plain PPO: whole updates against numbers worked out elsewhere, and the two backends against each other.

mod synthetic;

use metadrift_agents::{
    backend::{Backend, BackendChoice},
    batch::Trajectories,
    layout::{Head, Layout},
    maml::PpoConfig,
    native::NativeBackend,
    objective::Objective,
    ppo::{Lesson, Network, Ppo, PpoLearnerConfig},
    tch_backend::TchBackend,
};
use serde::Deserialize;
use synthetic::{Lcg, batch, layouts, params};
use tch::Device;

/// What scripts/ppo_reference.py wrote, by NumPy and finite differences in f64; 7 steps of 2 lanes.
#[derive(Deserialize)]
struct Case {
    head: String,
    outputs: usize,
    obs: Vec<f32>,
    next_obs: Vec<f32>,
    action: Vec<f32>,
    log_prob: Vec<f32>,
    reward: Vec<f32>,
    terminated: Vec<bool>,
    truncated: Vec<bool>,
    orders: Vec<Vec<u32>>,
    policy: Vec<f32>,
    value: Vec<f32>,
    advantage: Vec<f64>,
    target: Vec<f64>,
    new_policy: Vec<f64>,
    new_value: Vec<f64>,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("data/ppo_reference.json")).unwrap()
}

impl Case {
    fn learner(&self, backend: BackendChoice) -> Ppo {
        let head = if self.head == "gaussian" { Head::Gaussian } else { Head::Categorical };
        let network = |layout, params: &[f32]| {
            Network::new(Backend::new(backend, layout, Device::Cpu, 0, 1).unwrap(), params.to_vec())
        };
        let ppo = PpoConfig {
            outer_lr: 3e-3,
            clip_eps: 0.2,
            ent_coef: 0.01,
            max_grad_norm: 0.5,
            gamma: 0.9,
            gae_lambda: 0.8,
            ..PpoConfig::default()
        };
        let config = PpoLearnerConfig { minibatch: 5, value_lr: 2e-3, ..PpoLearnerConfig::default() };
        let policy = network(Layout::new(3, &[4], head(self.outputs)), &self.policy);
        Ppo::new(ppo, config, policy, network(Layout::value(3, &[5]), &self.value))
    }

    fn lesson(&self, learner: &Ppo) -> Lesson {
        let data = Trajectories {
            envs: 2,
            obs: &self.obs,
            next_obs: &self.next_obs,
            action: &self.action,
            log_prob: &self.log_prob,
            reward: &self.reward,
            terminated: &self.terminated,
            truncated: &self.truncated,
            episode_step: &[0; 14],
            valid_steps: &[7; 2],
        };
        let mut lesson = Lesson::default();
        learner.prepare(&data, &mut lesson);
        lesson
    }
}

fn assert_close(found: &[f32], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((f64::from(*a) - b).abs() <= tolerance, "{what} {i}: {a} where {b} is right");
    }
}

#[test]
fn a_whole_update_equals_the_numpy_one() {
    for case in cases() {
        for backend in [BackendChoice::Native, BackendChoice::Tch] {
            let what = |of: &str| format!("{of}, {}, {backend:?}", case.head);
            let mut learner = case.learner(backend);
            let lesson = case.lesson(&learner);
            assert_close(&lesson.batch.advantage, &case.advantage, 1e-4, &what("advantage"));
            assert_close(&lesson.target, &case.target, 1e-5, &what("target"));
            learner.update(&lesson, &case.orders, 1.0, 1).unwrap();
            // six steps of 3e-3 and 2e-3: the tolerance is 1 % of a step
            assert_close(&learner.policy.params, &case.new_policy, 3e-5, &what("policy"));
            assert_close(&learner.value.params, &case.new_value, 2e-5, &what("value"));
            assert_eq!((learner.policy.adam.step, learner.value.adam.step), (6, 6));
        }
    }
}

#[test]
fn updates_are_the_same_on_any_number_of_threads_and_a_failed_one_changes_nothing() {
    let case = &cases()[0];
    let mut one = case.learner(BackendChoice::Native);
    let mut lesson = case.lesson(&one);
    let mut two = one.clone();
    assert_eq!(one.update(&lesson, &case.orders, 0.5, 1), two.update(&lesson, &case.orders, 0.5, 2));
    assert_eq!((&one.policy.params, &one.value.params), (&two.policy.params, &two.value.params));
    lesson.target[3] = f32::NAN;
    let error = two.update(&lesson, &case.orders, 0.5, 2).unwrap_err().to_string();
    assert!(error.contains("value network in epoch 0"), "{error}");
    assert_eq!((&one.policy.params, &one.policy.adam.m), (&two.policy.params, &two.policy.adam.m));
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    let norm = |v: &mut dyn Iterator<Item = f64>| v.map(|x| x * x).sum::<f64>().sqrt();
    norm(&mut a.iter().zip(b).map(|(a, b)| a - b)) / norm(&mut b.iter().copied())
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|v| f64::from(*v)).collect()
}

#[test]
fn native_gradients_equal_the_tch_ones() {
    let objective = Objective { clip_eps: 0.2, kl_coef: 0.0, ent_coef: 0.05, first_order: true, learn_rates: false };
    let mut policies = layouts().to_vec();
    policies.push(Layout::new(4, &[64, 64], Head::Categorical(2)));
    policies.push(Layout::new(3, &[33], Head::Gaussian(1)));
    for layout in policies {
        let tch = TchBackend::new(layout.clone(), Device::Cpu, 1, 1);
        let native = NativeBackend::new(layout.clone(), 1).expect("this processor");
        let mut rng = Lcg(9);
        let collected = params(&layout, &mut rng);
        // more samples than a tile has
        let data = batch(&layout, &collected, 150, &mut rng);
        let at: Vec<f32> = collected.iter().map(|p| p + 0.1 * rng.normal()).collect();
        let (expected, stats) = tch.clone().double().clipped(&wide(&at), &data, &objective);
        let (gradient, native_stats) = native.minibatches().clipped(&wide(&at), &data, &objective);
        assert!(distance(&gradient, &expected) <= 1e-10, "{:?}", layout.head());
        assert!(stats.clip_fraction > 0.0, "nothing is clipped");
        for (a, b) in [
            (native_stats.loss, stats.loss),
            (native_stats.entropy, stats.entropy),
            (native_stats.clip_fraction, stats.clip_fraction),
            (native_stats.approx_kl, stats.approx_kl),
        ] {
            assert!((a - b).abs() <= 1e-9, "{native_stats:?} {stats:?}");
        }
        let (single, _) = native.minibatches().clipped(&at, &data, &objective);
        assert!(distance(&wide(&single), &expected) <= 1e-4, "{:?}", layout.head());

        let layout = Layout::value(layout.obs_dim(), &[8, 6]);
        let (at, target): (Vec<f32>, Vec<f32>) = (params(&layout, &mut rng), (0..150).map(|_| rng.normal()).collect());
        let tch = TchBackend::new(layout.clone(), Device::Cpu, 1, 1);
        let native = NativeBackend::new(layout, 1).expect("this processor");
        let (expected, loss) = tch.double().squared(&wide(&at), &data.obs, &target);
        let (gradient, native_loss) = native.minibatches().squared(&wide(&at), &data.obs, &target);
        assert!(distance(&gradient, &expected) <= 1e-10 && (loss - native_loss).abs() <= 1e-9, "{loss} {native_loss}");
        let (single, _) = native.minibatches().squared(&at, &data.obs, &target);
        assert!(distance(&wide(&single), &expected) <= 1e-4);
    }
}
