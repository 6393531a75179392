//! Tests of plain PPO: whole updates against independent numbers, with every backend.

use metadrift_agents::{
    backend::{self, BackendChoice},
    batch::Trajectories,
    device::Device,
    layout::{Head, Layout},
    learners::ppo::{Experience, Pace, Ppo, PpoLearnerConfig, Run},
    network::Network,
    settings::{MamlConfig, Plan, PpoConfig},
};
use serde::Deserialize;

/// The output of scripts/ppo_reference.py, by NumPy and finite differences in f64; 7 steps of 2 lanes.
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

const WHOLE: Pace = Pace { done: 0.0, rate: 1.0 };
const HALF: Pace = Pace { done: 0.5, rate: 0.5 };

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("data/ppo_reference.json")).unwrap()
}

impl Case {
    fn learner(&self, backend: BackendChoice) -> Ppo {
        let head = if self.head == "gaussian" { Head::Gaussian } else { Head::Categorical };
        let network = |layout, params: &[f32]| {
            Network::new(backend::open(backend, layout, Device::Cpu, 0, 1).unwrap(), params.to_vec())
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
        let value = network(Layout::plain(3, &[5], 1), &self.value);
        let run = Run { seed: 0, plan: Plan::iterations(1), lanes: 2, threads: 1 };
        Ppo::new((ppo, config, MamlConfig::default()), policy, value, run)
    }

    fn experience(&self, learner: &Ppo) -> Experience {
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
        let mut experience = Experience::default();
        learner.prepare(&data, &mut experience);
        experience
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
        for backend in BackendChoice::ALL {
            let what = |of: &str| format!("{of}, {}, {backend:?}", case.head);
            let mut learner = case.learner(*backend);
            let experience = case.experience(&learner);
            assert_close(&experience.batch.advantage, &case.advantage, 1e-4, &what("advantage"));
            assert_close(&experience.target, &case.target, 1e-5, &what("target"));
            learner.update(&experience, &case.orders, WHOLE, 1).unwrap();
            // there are six steps of 3e-3 and 2e-3; the tolerance is 1 % of a step
            assert_close(&learner.policy.params, &case.new_policy, 3e-5, &what("policy"));
            assert_close(&learner.value.params, &case.new_value, 2e-5, &what("value"));
            assert_eq!((learner.policy.optimizer.steps(), learner.value.optimizer.steps()), (6, 6));
        }
    }
}

#[test]
fn updates_are_the_same_on_any_number_of_threads_and_a_failed_one_changes_nothing() {
    let case = &cases()[0];
    let mut one = case.learner(BackendChoice::Native);
    let mut experience = case.experience(&one);
    let mut two = one.clone();
    assert_eq!(one.update(&experience, &case.orders, HALF, 1), two.update(&experience, &case.orders, HALF, 2));
    assert_eq!((&one.policy.params, &one.value.params), (&two.policy.params, &two.value.params));
    experience.target[3] = f32::NAN;
    let error = two.update(&experience, &case.orders, HALF, 2).unwrap_err().to_string();
    assert!(error.contains("value network in epoch 0"), "{error}");
    assert_eq!((&one.policy.params, &one.policy.optimizer), (&two.policy.params, &two.policy.optimizer));
}
