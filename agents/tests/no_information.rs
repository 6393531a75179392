//! Tests that nothing moves if every action earns the same: neither by a residual of the baseline, nor by rounding, nor
//! by momentum.

use crate::synthetic::{Lcg, layouts, meta_batch, params};
use metadrift_agents::{
    advantage::{informative, prepare},
    agent::Agent,
    backend::{self, BackendChoice},
    batch::{Batch, MetaBatch, Trajectories},
    device::Device,
    layout::Layout,
    learners::{
        maml::Maml,
        ppo::{Experience, Pace, Ppo, PpoLearnerConfig, Run},
    },
    network::Network,
    params::POLICY,
    settings::{MamlConfig, Plan, PpoConfig},
};

const ENVS: usize = 4;

/// Lanes in random motion with given rewards, `[steps, envs]`, cut off or terminated after the last step.
struct Data {
    obs: Vec<f32>,
    reward: Vec<f32>,
    terminated: Vec<bool>,
    truncated: Vec<bool>,
    episode_step: Vec<u32>,
    valid_steps: Vec<u32>,
    act_dim: usize,
}

impl Data {
    fn new(layout: &Layout, steps: usize, dies: bool, reward: impl Fn(usize, usize) -> f32) -> Data {
        let rows = steps * ENVS;
        let mut rng = Lcg(3);
        let last = |yes: bool| (0..rows).map(|row| yes && row / ENVS + 1 == steps).collect();
        Data {
            obs: (0..rows * layout.obs_dim()).map(|_| rng.normal()).collect(),
            reward: (0..rows).map(|row| reward(row / ENVS, row % ENVS)).collect(),
            terminated: last(dies),
            truncated: last(!dies),
            episode_step: (0..rows).map(|row| (row / ENVS) as u32).collect(),
            valid_steps: vec![steps as u32; ENVS],
            act_dim: layout.head().act_dim(),
        }
    }

    fn with(&self, look: impl FnOnce(&Trajectories<'_>)) {
        let zeros = vec![0.0; self.reward.len() * self.act_dim];
        look(&Trajectories {
            envs: ENVS,
            obs: &self.obs,
            next_obs: &self.obs,
            action: &zeros,
            log_prob: &zeros[..self.reward.len()],
            reward: &self.reward,
            terminated: &self.terminated,
            truncated: &self.truncated,
            episode_step: &self.episode_step,
            valid_steps: &self.valid_steps,
        });
    }
}

/// Reward by step and lane.
type Reward<'a> = &'a dyn Fn(usize, usize) -> f32;

#[test]
fn advantages_are_zero_where_every_lane_earned_the_same() {
    let layout = &layouts()[0];
    let clock = |t: usize, _: usize| (t as f32 * 0.7).sin();
    let rewards: [(&str, Reward); 5] = [
        ("one", &|_, _| 1.0),
        ("none", &|_, _| 0.0),
        ("a third, negative and large", &|_, _| -1e6 / 3.0),
        ("by the clock", &clock),
        ("up to rounding", &|t, lane| 1000.0 + 1e-4 * ((t + lane) % 2) as f32),
    ];
    for (what, reward) in rewards {
        for (steps, dies) in [(5, false), (60, false), (5, true), (60, true)] {
            Data::new(layout, steps, dies, reward).with(|data| {
                for gamma in [0.9, 0.999] {
                    let (batch, estimate) = prepare(data, gamma, 0.97);
                    assert!(!batch.tells() && estimate.uninformative == 1, "{what}, {steps} steps: {estimate}");
                    assert!(estimate.explained_variance.is_finite() && estimate.value_mean.is_finite());
                }
            });
        }
    }
}

#[test]
fn a_difference_that_is_more_than_rounding_tells() {
    let layout = &layouts()[0];
    let slight = |t: usize, lane: usize| 1.0 + if (t, lane) == (3, 1) { 1e-3 } else { 0.0 };
    Data::new(layout, 30, false, slight).with(|data| {
        let (batch, estimate) = prepare(data, 0.99, 0.97);
        assert!(informative(data) && batch.tells() && estimate.uninformative == 0);
        let deviation = batch.advantage.iter().map(|a| a * a).sum::<f32>() / batch.len() as f32;
        assert!((deviation - 1.0).abs() < 1e-3);
    });
    // a single lane is informative through terminations, and through rewards that differ
    let mut lane = Data::new(layout, 30, false, |_, _| 1.0);
    lane.with(|data| assert!(!informative(data)));
    lane.valid_steps = vec![30, 30, 12, 30];
    lane.terminated[11 * ENVS + 2] = true;
    lane.with(|data| assert!(informative(data)));
}

#[test]
fn adaptation_and_meta_update_stand_still_whatever_the_momentum() {
    for choice in BackendChoice::ALL.iter().copied() {
        for layout in layouts() {
            let mut rng = Lcg(5);
            let theta = params(&layout, &mut rng);
            let backend = backend::open(choice, layout.clone(), Device::Cpu, 1, 1).unwrap();
            let maml = MamlConfig { learn_inner_lr: true, ..MamlConfig::default() };
            let mut learner = Maml::new(maml, PpoConfig::default(), backend, theta, 1);
            learner.update(&meta_batch(&layout, learner.params().part(POLICY), 1, 3, &mut rng)).unwrap();
            let before = learner.clone();

            let silent = |batch: &Batch| Batch { advantage: vec![0.0; batch.len()], ..batch.clone() };
            let data = meta_batch(&layout, learner.params().part(POLICY), 1, 3, &mut rng);
            let silent = |batches: &[Batch]| batches.iter().map(silent).collect::<Vec<_>>();
            let mut agent = learner.adaptive();
            agent.begin(3);
            agent.step(&silent(&data.supports[0])).unwrap();
            assert!(agent.policies().params.iter().all(|params| params == learner.params().part(POLICY)));
            let data =
                MetaBatch { supports: vec![silent(&data.supports[0])], query: silent(&data.query), ..data.clone() };
            let metrics = learner.update(&data).unwrap();
            assert_eq!(learner.params(), before.params());
            assert_eq!(learner.adam(), before.adam());
            assert!(metrics.iter().any(|(name, value)| *name == "entropy" && value.is_finite()));
        }
    }
}

#[test]
fn plain_ppo_keeps_its_policy_and_still_learns_values() {
    for choice in BackendChoice::ALL.iter().copied() {
        for layout in layouts() {
            let mut rng = Lcg(7);
            let mut network = |layout: Layout| {
                let theta = params(&layout, &mut rng);
                Network::new(backend::open(choice, layout, Device::Cpu, 0, 1).unwrap(), theta)
            };
            let (policy, value) = (network(layout.clone()), network(Layout::plain(layout.obs_dim(), &[5], 1)));
            let config = PpoLearnerConfig { minibatch: 16, ..PpoLearnerConfig::default() };
            let run = Run { seed: 0, plan: Plan::iterations(1), lanes: ENVS, threads: 1 };
            let settings = (PpoConfig::default(), config, MamlConfig::default());
            let mut learner = Ppo::new(settings, policy, value, run);
            let mut update = |reward: &dyn Fn(usize, usize) -> f32| {
                let before = learner.clone();
                let mut experience = Experience::default();
                Data::new(&layout, 12, false, reward).with(|data| learner.prepare(data, &mut experience));
                let order: Vec<u32> = (0..experience.batch.len() as u32).collect();
                learner.update(&experience, &[order], Pace { done: 0.0, rate: 1.0 }, 1).unwrap();
                let same = |a: &Network, b: &Network| a.params == b.params && a.optimizer == b.optimizer;
                (same(&learner.policy, &before.policy), same(&learner.value, &before.value))
            };
            assert_eq!(update(&|t, lane| (t * lane) as f32), (false, false));
            assert_eq!(update(&|_, _| 1.0), (true, false));
        }
    }
}
