//! Observations that are normalised by statistics of the run.

use metadrift::{config::Experiment, train::Trainer};
use metadrift_agents::{backend::BackendChoice, device::Device};

/// Cartpoles that are pushed along, with observations far from 0.
fn trainer(learner: &str, sets: &[&str]) -> Trainer {
    let text = format!(
        "name = \"x\"\nlearner = \"{learner}\"\niterations = 20\n[policy]\nhidden = [8]\nnormalize_obs = true\n[rollout]\n\
         num_envs = 8\nnum_steps = 64\nepisodes_per_env = 0\n[task]\nenv = \"cartpole\"\nhorizon = 50\n",
    );
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    let experiment = Experiment::parse("x", &text, &sets).unwrap();
    Trainer::new(experiment, Device::Cpu, BackendChoice::Native, 2).unwrap()
}

#[test]
fn every_step_counts_and_the_policy_acts_by_the_statistics_that_it_is_saved_with() {
    for (learner, lanes) in [("maml", 2 * 20 * 8), ("reptile", 2 * 20 * 8), ("ppo", 8)] {
        let mut trainer = trainer(learner, &[]);
        assert!(trainer.agent().policies().layout.normalizer().is_none());
        for _ in 0..3 {
            trainer.iterate().unwrap();
        }
        let saved = trainer.checkpoint();
        assert_eq!(saved.state["obs_statistics"]["count"], 3 * 64 * lanes, "{learner}");
        let acting = trainer.agent().policies().layout.normalizer().cloned().unwrap();
        let mut means = saved.state["obs_statistics"]["mean"].as_array().unwrap().iter();
        let mut obs: Vec<f32> = means.by_ref().map(|mean| mean.as_f64().unwrap() as f32).collect();
        acting.apply(&mut obs);
        assert_eq!(obs, [0.0; 4], "{learner}");
        let mut again = self::trainer(learner, &[]);
        again.restore(&saved).unwrap();
        assert!(again.checkpoint() == saved, "{learner}");
        let (whole, again) = (trainer.iterate().unwrap(), again.iterate().unwrap());
        assert_eq!(whole.metrics, again.metrics, "{learner}");
    }
}

/// The gradient sees the observations that the actors saw: before its first step the policy is where it acted, however far
/// it has come.
#[test]
fn the_learner_sees_what_the_actors_saw() {
    let mut trainer = trainer("ppo", &["ppo.outer_lr=0.05", "ppo.outer_epochs=1", "ppo_learner.minibatch=512"]);
    for _ in 0..10 {
        let report = trainer.iterate().unwrap();
        let kl = report.metrics.iter().find(|(name, _)| name.contains("kl")).unwrap();
        assert!(kl.1.abs() < 1e-6, "{kl:?}");
    }
}
