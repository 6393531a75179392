//! Recipes, and settings of MAML that do not go together.

use metadrift::{config::Experiment, train::Trainer};
use metadrift_agents::{
    backend::BackendChoice,
    device::Device,
    learners::recipes,
    settings::{InnerEstimator, SamplingTerm},
};

use super::experiment;

/// A probe that pays for the right one of two actions, and a recipe's settings.
#[test]
fn every_recipe_solves_a_probe() {
    for recipe in recipes::ALL {
        let sets = [format!("learner={}", recipe.name), "ppo.outer_lr=1e-2".to_owned()];
        let sets = &sets[..if recipe.sets.contains(&"maml.outer=trpo") { 1 } else { 2 }];
        let text = "name = \"x\"\niterations = 60\n[task]\nenv = \"probe-action\"\n[policy]\nhidden = [4]\n";
        let experiment = Experiment::parse("x", text, sets).unwrap();
        let mut trainer = Trainer::new(experiment, Device::Cpu, BackendChoice::Native, 2).unwrap();
        let last = (0..60).map(|_| trainer.iterate().unwrap()).last().unwrap();
        assert!(last.return_post > 0.9, "{}: {:?}", recipe.name, last.metrics);
    }
}

#[test]
fn the_users_settings_win_over_a_recipe() {
    let config = experiment("e-maml", &["maml.sampling_term=plain"]).unwrap();
    assert_eq!((config.maml.sampling_term, config.maml.estimator), (SamplingTerm::Plain, InnerEstimator::Score));
    let refused = Experiment::parse("x", "name = \"x\"\nlearner = \"anil\"\n[task]\nenv = \"cartpole\"\n", &[]);
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("choose it with `--learner anil`, or write maml.adapts=head"), "{refused}");
}

/// Settings that have no effect, or count an effect twice.
#[test]
fn settings_that_do_not_go_together_are_refused() {
    for (sets, reason) in [
        (
            &["maml.sampling_term=plain"][..],
            "maml.sampling_term = plain: must be none unless maml.estimator = \"score\"",
        ),
        (&["maml.estimator=dice", "maml.sampling_term=plain"], "would count twice"),
        (&["learner=e-maml", "maml.inner_steps=0"], "must be none if maml.inner_steps = 0"),
        (&["learner=e-maml", "rollout.num_tasks=1"], "at least 2 with maml.sampling_term"),
        (&["maml.dice_lambda=0.5"], "left out unless maml.estimator = \"loaded-dice\""),
        (&["maml.max_kl=0.1"], "left out unless maml.outer = \"trpo\""),
        (&["learner=trpo-maml", "ppo.outer_lr=0.1"], "maml.outer = \"trpo\" does not read it"),
        (&["maml.outer=policy-gradient", "ppo.outer_epochs=2"], "must be 1 with maml.outer"),
        (&["maml.update_rule=learned", "maml.inner_steps=0"], "must be gradient if maml.inner_steps = 0"),
        (&["learner=reptile", "maml.update_rule=learned"], "learner = \"reptile\" does not read it"),
        (&["learner=reptile", "maml.adapts=context"], "context parameters are reset to 0 for each task"),
        (&["maml.risk_level=0.5"], "left out unless maml.risk is variance or cvar"),
        (&["maml.risk=cvar", "maml.risk_level=2"], "above 0, at most 1"),
    ] {
        let refused = experiment("maml", sets).unwrap_err();
        assert!(refused.contains(reason), "{sets:?}: {refused}");
    }
}

/// The goal is a mean over five iterations, which a resumed run remembers.
#[test]
fn training_ends_when_its_goal_is_reached() {
    let text = "name = \"x\"\niterations = 200\n[task]\nenv = \"probe-action\"\n[policy]\nhidden = [4]\n";
    let sets = ["maml.stop_at_return=0.9", "ppo.outer_lr=1e-2"].map(str::to_owned);
    let trainer = || {
        let experiment = Experiment::parse("x", text, &sets).unwrap();
        Trainer::new(experiment, Device::Cpu, BackendChoice::Native, 2).unwrap()
    };
    let mut whole = trainer();
    let mut returns = Vec::new();
    let mut saved = None;
    while !whole.solved() {
        assert!(returns.len() < 200, "{returns:?}");
        saved = Some(whole.checkpoint());
        returns.push(whole.iterate().unwrap().return_post);
    }
    let mean = |from: usize| returns[from..from + 5].iter().sum::<f64>() / 5.0;
    let last = returns.len() - 5;
    assert!(mean(last) >= 0.9 && (0..last).all(|from| mean(from) < 0.9), "{returns:?}");
    let mut resumed = trainer();
    resumed.restore(&saved.unwrap()).unwrap();
    assert!(!resumed.solved());
    resumed.iterate().unwrap();
    assert!(resumed.solved() && resumed.checkpoint() == whole.checkpoint());
}
