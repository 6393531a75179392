//! A network as the value baseline of learners that adapt by gradient steps.

use metadrift::{config::Experiment, train::Trainer};
use metadrift_agents::{
    backend::BackendChoice,
    device::Device,
    rollout::{Rollout, Shape},
};

use super::experiment;

const LEARNERS: [&str; 5] = ["maml", "trpo-maml", "learned-step", "reptile", "continual"];

fn trainer(learner: &str, actors: usize) -> Trainer {
    let sets = ["maml.baseline=network", "maml.value_hidden=[4]", "maml.inner_steps=2", "policy.normalize_obs=true"];
    Trainer::new(experiment(learner, &sets).unwrap(), Device::Cpu, BackendChoice::Native, actors).unwrap()
}

#[test]
fn any_number_of_actors_and_a_resumed_run_learn_the_same_values() {
    for learner in LEARNERS {
        let (mut one, mut three) = (trainer(learner, 1), trainer(learner, 3));
        assert_eq!(one.iterate().unwrap().metrics, three.iterate().unwrap().metrics, "{learner}");
        let saved = one.checkpoint();
        let mut resumed = trainer(learner, 2);
        resumed.restore(&saved).unwrap();
        assert!(resumed.checkpoint() == saved, "{learner}");
        for _ in 0..2 {
            let report = one.iterate().unwrap();
            assert!(report.metrics.iter().any(|(name, loss)| *name == "loss/value" && *loss > 0.0), "{report:?}");
            assert_eq!(report.metrics, three.iterate().unwrap().metrics, "{learner}");
            assert_eq!(report.metrics, resumed.iterate().unwrap().metrics, "{learner}");
        }
        let now = one.checkpoint();
        assert!(now == three.checkpoint() && now == resumed.checkpoint(), "{learner}");
        // the network is in the checkpoint, and another one does not pass for it
        let at = saved.tensors.iter().position(|(name, _)| name == "value_params").unwrap();
        assert_ne!(saved.tensors[at], now.tensors[at], "{learner}");
        let mut wrong = saved.clone();
        wrong.tensors[at].1.push(0.5);
        assert!(resumed.restore(&wrong).unwrap_err().to_string().contains("value_params"), "{learner}");
        assert!(resumed.checkpoint() == now, "{learner}");
    }
}

/// The network that an evaluation adapts by is that of the checkpoint: by another one a policy adapts otherwise.
#[test]
fn an_agent_carries_the_values_that_it_adapts_by() {
    let mut trained = trainer("maml", 1);
    (0..3).for_each(|_| drop(trained.iterate().unwrap()));
    let mut saved = trained.checkpoint();
    let adapted = |trainer: &Trainer| {
        let mut agent = trainer.agent();
        agent.begin(1);
        agent.adapt(&rollout(agent.policies().layout.obs_dim())).unwrap();
        agent.policies().params.to_vec()
    };
    let mut again = trainer("maml", 1);
    again.restore(&saved).unwrap();
    assert_eq!(adapted(&again), adapted(&trained));
    let values = saved.tensors.iter_mut().find(|(name, _)| name == "value_params").unwrap();
    values.1.iter_mut().enumerate().for_each(|(i, value)| *value += 0.5 * i as f32);
    again.restore(&saved).unwrap();
    assert_ne!(adapted(&again), adapted(&trained));
}

/// Two lanes of one task with different rewards.
fn rollout(obs_dim: usize) -> Rollout {
    let mut rollout = Rollout::new(Shape { tasks: 1, steps: 3, envs: 2, obs_dim, act_dim: 1 }, 3);
    let mut slabs = rollout.slabs();
    let slab = &mut slabs[0];
    slab.obs.iter_mut().enumerate().for_each(|(i, x)| *x = 0.1 * i as f32);
    slab.next_obs.iter_mut().enumerate().for_each(|(i, x)| *x = 0.1 * i as f32 + 0.2);
    slab.log_prob.fill(-0.7);
    slab.reward.copy_from_slice(&[1.0, 0.0, 0.5, 0.0, 0.0, 1.0]);
    slab.valid_steps.fill(3);
    drop(slabs);
    rollout
}

#[test]
fn keys_of_the_network_are_refused_where_nothing_reads_them() {
    for (learner, sets, reason) in [
        ("maml", &["maml.value_lr=0.01"][..], "maml.value_lr = 0.01: must be left out unless maml.baseline"),
        ("maml", &["maml.value_hidden=[8]"], "maml.value_hidden = [8]: must be left out unless maml.baseline"),
        ("continual", &["maml.value_epochs=3"], "maml.value_epochs = 3: must be left out unless maml.baseline"),
        ("maml", &["maml.baseline=cubic"], "expected `linear` or `network`"),
        ("ppo", &["maml.baseline=network"], "learner = \"ppo\" does not read it"),
        ("rl2", &["maml.baseline=network"], "learner = \"rl2\" does not read it"),
        ("prototypes", &["maml.baseline=network"], "does not read it"),
        ("climber", &["maml.baseline=network"], "learner = \"climber\" does not read it"),
    ] {
        let refused = experiment(learner, sets).unwrap_err();
        assert!(refused.contains(reason), "{learner}, {sets:?}: {refused}");
    }
    let examples = "name = \"x\"\n[examples]\nfamily = \"sinusoid\"\n[maml]\nbaseline = \"network\"\n";
    let refused = Experiment::parse("x", examples, &[]).unwrap_err().to_string();
    assert!(refused.contains("maml.baseline") && refused.contains("[examples] does not read it"), "{refused}");
}
