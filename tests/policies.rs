//! Policies of every kind train, resume exactly and are evaluated.

use std::fs;

use crate::command::{Place, checkpoint_bytes};

/// Trains with `sets` in one go and in two, and evaluates the result.
fn assert_complete(sets: &str) {
    let place = Place::new();
    let sets = format!("--set ppo.outer_epochs=1 {sets}");
    place.expect(0, &format!("train tiny.toml {sets} --run-dir whole --iterations 4 --actors 2"));
    place.expect(0, &format!("train tiny.toml {sets} --run-dir cut --iterations 2"));
    place.expect(0, "resume cut --iterations 4");
    assert_eq!(checkpoint_bytes(&place.path("whole"), 4), checkpoint_bytes(&place.path("cut"), 4), "{sets}");
    let evaluate = |run: &str| place.expect(0, &format!("evaluate {run} --tasks 3 --episodes 2 --format json"));
    assert_eq!(evaluate("whole"), evaluate("cut"), "{sets}");
    let stored = fs::read_to_string(place.path("whole/config.toml")).unwrap();
    for set in sets.split("--set ").filter(|set| set.starts_with("policy.")) {
        let word = set.trim().split_once('=').unwrap().1;
        assert!(stored.contains(word), "{set} is not stored:\n{stored}");
    }
}

/// Plain PPO, whose value network follows.
const PPO: &str = "--set learner=ppo --set rollout.num_tasks=20 --set rollout.num_envs=4 --set rollout.num_steps=40";

#[test]
fn relu_networks_train_resume_and_are_evaluated() {
    assert_complete("--set policy.activation=relu");
    assert_complete(&format!("{PPO} --set policy.activation=relu"));
    assert_complete("--set task.env=pendulum --set maml.learn_inner_lr=true --set policy.activation=relu");
}

#[test]
fn networks_with_orthogonal_weights_train_resume_and_are_evaluated() {
    assert_complete("--set task.env=pendulum --set policy.init=orthogonal");
    assert_complete(&format!("{PPO} --set policy.activation=relu --set policy.init=orthogonal"));
}

#[test]
fn spreads_that_depend_on_the_state_train_resume_and_are_evaluated() {
    let state = "--set task.env=pendulum --set policy.log_std=state --set policy.init_log_std=-0.5";
    assert_complete(&format!("{state} --set maml.adapt_log_std=false --set maml.inner_steps=2"));
    assert_complete(&format!("{PPO} {state} --set policy.activation=relu --set policy.init=orthogonal"));
    let context = PPO.replace("learner=ppo", "learner=context");
    assert_complete(&format!("{context} {state} --set policy.window=1"));
}

#[test]
fn spreads_that_cannot_depend_on_the_state_are_refused() {
    let place = Place::new();
    for (sets, part) in [
        ("--set policy.log_std=state", "actions of this environment are choices"),
        ("--set policy.log_std=state --set policy.init_log_std=2.5 --set task.env=pendulum", "-5 to 2"),
        ("--set policy.log_std=state --set task.env=pendulum --set learner=rl2", "does not read it"),
        ("--set policy.log_std=none --set task.env=pendulum", "`free` or `state`"),
    ] {
        let told = place.expect(3, &format!("train tiny.toml --dry-run {sets}"));
        assert!(told.contains(part), "{told}");
    }
}

#[test]
fn words_that_are_no_kind_of_policy_are_refused() {
    let place = Place::new();
    for (set, known) in
        [("policy.activation=gelu", "`tanh` or `relu`"), ("policy.init=ones", "`normal` or `orthogonal`")]
    {
        let told = place.expect(3, &format!("train tiny.toml --dry-run --set {set}"));
        assert!(told.contains(known), "{told}");
    }
    for (learner, set) in [("rl2", "policy.activation=relu"), ("adaptive-control", "policy.init=orthogonal")] {
        let told = place.expect(3, &format!("train tiny.toml --dry-run --set learner={learner} --set {set}"));
        assert!(told.contains(&format!("learner = \"{learner}\" does not read it")), "{told}");
    }
}
