use super::*;

/// A search over two keys of a preset.
pub(in crate::tune) const SPACE: &str = r#"
[tune]
name = "rates"
base = "cartpole-flip"
trials = 27
halving = { first = 4, factor = 3 }
[tune.space]
"maml.inner_lr" = { low = 0.01, high = 1.0, log = true }
ppo.outer_epochs = { low = 1, high = 4 }
"maml.estimator" = ["lvc", "dice"]
"#;

#[test]
fn rungs_and_counts_are_those_of_successive_halving() {
    let plan = Plan::parse("x", SPACE).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(plan.base.iterations, 40);
    assert_eq!((&plan.rungs[..], &plan.expected()[..]), (&[4, 12, 36, 40][..], &[27, 9, 3, 1][..]));
    let keys: Vec<&str> = plan.parameters.iter().map(|parameter| parameter.key.as_str()).collect();
    assert_eq!(keys, ["maml.estimator", "maml.inner_lr", "ppo.outer_epochs"]);
    let config = plan.experiment(&[1.0, 0.25, 3.0], 7).unwrap();
    assert_eq!((config.maml.inner_lr, config.ppo.outer_epochs, config.seed), (0.25, 3, 7));
    // 20 tasks x 20 lanes x 500 steps x 2 phases
    assert_eq!(plan.work().unwrap().iter().map(|work| work[1]).collect::<Vec<_>>(), [4, 8, 24, 4].map(|n| n * 400_000));
}

#[test]
fn all_problems_are_told_before_the_first_trial() {
    let text = r#"
[tune]
name = "x"
base = "cartpole-flip"
sampler = "random"
seedz = 1
seeds = [1, 1]
objectives = [{ metric = "score", direction = "minimize" }, { metric = "score" }]
halving = { first = 40, factor = 1, by = 2 }
[tune.space]
"maml.inner_lt" = { low = 0.1, high = 0.2 }
"maml.inner_lr" = { low = -1.0, high = 0.2, log = true }
"ppo.clip_eps" = { low = 0.1, high = 2.0 }
"ppo.outer_epochs" = { low = 1.5, high = 3 }
"ppo.gamma" = { low = 0.9, hihg = 0.99 }
"ppo.ent_coef" = { low = 0.1, high = 0.1, points = 3 }
"maml.estimator" = ["lvc", "dise"]
"policy.activation" = ["tanh"]
"policy.normalize_obs" = { low = 0, high = 1 }
"task.horizon" = { low = 100, high = 200 }
"seed" = [1, 2]
"ppo.outer_lr" = 0.1
"#;
    let problems = Plan::parse("x", text).unwrap_err().problems;
    let expected = [
        "unknown key `tune.seedz`; did you mean `seed",
        "unknown key `tune.halving.by`",
        "seeds are to be at least one, each of them once",
        "objectives are to be at least one, each of them once",
        "maml.inner_lt: unknown key; did you mean `maml.inner_lr`?",
        "maml.inner_lr: low = -1 is to be above 0 with log = true",
        "ppo.clip_eps: config: ppo.clip_eps = 2: must be above 0 and below 1",
        "ppo.outer_epochs: low is to be a whole number",
        "ppo.gamma: high is to be a number",
        "unknown key `hihg`; did you mean `high`?",
        "ppo.ent_coef: low = 0.1 is to be below high = 0.1",
        "points is read with sampler = \"grid\" alone",
        "unknown variant `dise`",
        "policy.activation: a list needs at least two different choices",
        "policy.normalize_obs: its values are of the kind `true or false`: write a list of choices",
        "task.horizon: a search does not vary this key: it would change what is measured",
        "seed: a search does not vary this key: `seeds` has the seeds",
        "ppo.outer_lr: write { low = 0.1, high = 1.0 } or a list",
        "trials, their number, is missing",
        "halving.factor is to be at least 2",
        "halving.first = 40: is to be at least 1 and below the 40 iterations",
    ];
    for expected in expected {
        assert!(problems.iter().any(|problem| problem.contains(expected)), "{expected}\n{problems:#?}");
    }
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
    let twice = SPACE.replace("trials = 27", "trials = 27\nset = [\"maml.inner_lr=0.1\"]");
    let told = Plan::parse("x", &twice).unwrap_err().to_string();
    assert!(
        told.contains("space: maml.inner_lr: --set maml.inner_lr=0.01: it undoes --set maml.inner_lr=0.1"),
        "{told}"
    );
}

#[test]
fn a_grid_has_a_trial_for_each_point() {
    let grid = SPACE.replace("trials = 27", "sampler = \"grid\"").replace("log = true", "log = true, points = 3");
    assert_eq!(Plan::parse("x", &grid).unwrap().trials, 3 * 4 * 2);
    let told = Plan::parse("x", &SPACE.replace("trials = 27", "sampler = \"grid\"\ntrials = 3")).unwrap_err().problems;
    assert!(told.iter().any(|problem| problem.contains("a grid needs points")), "{told:?}");
    assert!(told.iter().any(|problem| problem.contains("trials is not read with sampler = \"grid\"")), "{told:?}");
}
