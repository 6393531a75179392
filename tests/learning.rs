//! The learner on environments whose solution is known.

use metadrift::{
    config::Experiment,
    registry,
    rollout::{Collection, Phase, collect_all},
    train::Trainer,
};
use metadrift_agents::{
    backend::BackendChoice,
    baseline::LinearBaseline,
    device::Device,
    rollout::{Rollout, Shape},
    settings::Episodes,
    source::Policies,
};
use metadrift_envs::{Clocks, EnvKind, Task, TaskSettings};

/// Mean returns without and after adaptation over the last ten of `iterations`.
fn train(env: &str, iterations: u64, settings: &str, backend: BackendChoice) -> (f64, f64) {
    let text = format!("name = \"probe\"\niterations = {iterations}\ntask.env = \"{env}\"\n{settings}\n");
    let mut trainer = Trainer::new(Experiment::parse("probe", &text, &[]).unwrap(), Device::Cpu, backend, 2).unwrap();
    let reports: Vec<_> = (0..iterations).map(|_| trainer.iterate().unwrap()).collect();
    let last = &reports[reports.len() - 10..];
    let mean = |of: fn(&metadrift::train::Report) -> f64| last.iter().map(of).sum::<f64>() / 10.0;
    (mean(|r| r.return_unadapted.unwrap_or(r.return_post)), mean(|r| r.return_post))
}

const PLAIN_PPO: &str = "maml.inner_steps = 0\nppo.outer_lr = 0.01\npolicy.hidden = [16]\nrollout.num_tasks = 4";

#[test]
fn plain_ppo_finds_the_action_that_pays() {
    // at random: 0; the best: 1
    let (_, post) = train("probe-action", 40, PLAIN_PPO, BackendChoice::Auto);
    assert!(post > 0.98, "{post}");
}

#[test]
fn plain_ppo_learns_to_look() {
    // a policy that ignores the observation earns 0
    let (_, post) = train("probe-policy", 60, PLAIN_PPO, BackendChoice::Auto);
    assert!(post > 0.98, "{post}");
}

#[test]
fn the_value_network_and_minibatches_learn_the_same_probes() {
    // as above; and every episode of the sign probe is a task of its own, whose best fixed policy earns nothing
    let settings = "learner = \"ppo\"\nppo.outer_lr = 0.01\npolicy.hidden = [16]\nrollout.num_envs = 32\n\
        rollout.num_steps = 32\nppo_learner.value_hidden = [16]\nppo_learner.value_lr = 0.01";
    for backend in BackendChoice::ALL.iter().copied() {
        for env in ["probe-action", "probe-policy"] {
            let (_, post) = train(env, 30, settings, backend);
            assert!(post > 0.95, "{env}, {backend:?}: {post}");
        }
    }
    let hidden = format!("{settings}\ntask.vary.actuator_gain = {{ law = \"choice\", values = [-1.0, 1.0] }}");
    let (_, post) = train("probe-sign", 30, &hidden, BackendChoice::Auto);
    assert!(post.abs() < 0.3, "{post}");
}

/// The actuator's sign is hidden and even: whatever a policy does without adapting, it earns 0 on average.
const SIGN: &str = "maml.inner_lr = 1.0\nppo.outer_lr = 0.01\npolicy.hidden = [16]\nrollout.num_tasks = 40\n\
    task.vary.actuator_gain = { law = \"choice\", values = [-1.0, 1.0] }";

#[test]
fn maml_learns_to_adapt_where_nothing_else_helps() {
    for backend in BackendChoice::ALL.iter().copied() {
        let (pre, post) = train("probe-sign", 60, SIGN, backend);
        assert!(pre.abs() < 0.3, "{backend:?}: {pre}");
        assert!(post > 0.95, "{backend:?}: {post}");
    }
}

/// The same three probes with a value network that all tasks share.
#[test]
fn maml_learns_them_by_a_value_network() {
    let values = "maml.baseline = \"network\"\nmaml.value_hidden = [16]\nmaml.value_lr = 0.01";
    for env in ["probe-action", "probe-policy"] {
        let (_, post) = train(env, 60, &format!("{PLAIN_PPO}\n{values}"), BackendChoice::Auto);
        assert!(post > 0.98, "{env}: {post}");
    }
    let (pre, post) = train("probe-sign", 60, &format!("{SIGN}\n{values}"), BackendChoice::Auto);
    assert!(pre.abs() < 0.3 && post > 0.95, "{pre} {post}");
}

#[test]
fn a_memory_follows_a_bandit_whose_better_arm_changes() {
    // the arm that pays 1 changes with probability 1/50 a step, the other pays -1: who stays while it pays, and changes
    // when it does not, earns 1 - 2/50 a step; without memory, nothing is better than 0
    let optimum = 1.0 - 2.0 / 50.0;
    let settings = "learner = \"rl2\"\nppo.outer_lr = 3e-3\nrollout.num_steps = 100\nrecurrent.lanes = 64\nrecurrent.embedding = 16\n\
        recurrent.hidden = 16\n\
        [task.drift.actuator_gain]\nkind = \"markov\"\nstates = [-1.0, 1.0]\nmean_dwell = 50.0";
    let (_, post) = train("probe-sign", 60, settings, BackendChoice::Auto);
    // 64 lives of 100 steps for ten iterations: the mean reward has a standard error of about 0.003
    assert!(post > 0.95 * optimum, "{post} of {optimum}");
}

#[test]
fn every_backend_takes_the_same_steps_on_lives() {
    let text = "name = \"probe\"\nlearner = \"rl2\"\ntask.env = \"probe-sign\"\nrollout.num_steps = 50\nrecurrent.lanes = 64\n\
        recurrent.embedding = 16\nrecurrent.hidden = 16\nrecurrent.stretch = 20\nppo.outer_lr = 3e-3\n";
    let learned = |backend: &BackendChoice| {
        let config = Experiment::parse("probe", text, &[]).unwrap();
        let mut trainer = Trainer::new(config, Device::Cpu, *backend, 2).unwrap();
        trainer.iterate().unwrap();
        let tensors = trainer.checkpoint().tensors;
        tensors.into_iter().find(|(name, _)| name == "params").unwrap().1
    };
    let all: Vec<Vec<f32>> = BackendChoice::ALL.iter().map(learned).collect();
    for params in &all {
        // 16 steps of Adam of up to 3e-3 each
        let away = params.iter().zip(&all[0]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(away < 1e-4, "{away}");
    }
}

#[test]
fn a_student_learns_to_tell_the_worlds_apart_from_a_teacher_who_knows() {
    // a policy that tells them apart balances for all of the 100 steps, the best fixed one in half of the tasks
    let memory = "learner = \"distill\"\nppo.outer_lr = 1e-2\nppo.max_grad_norm = 2.0\nrecurrent.lanes = 64\n\
        recurrent.embedding = 16\nrecurrent.hidden = 16";
    let window = "learner = \"distill-window\"\nppo.outer_lr = 1e-2\nppo.max_grad_norm = 2.0\n\
        distill_window.lanes = 64\npolicy.hidden = [16]\npolicy.window = 1";
    for student in [memory, window] {
        let (_, post) = train("cartpole", 40, &format!("{student}\n{SIGNS}"), BackendChoice::Auto);
        assert!(post > 90.0, "{student}: {post}");
    }
}

/// CartPole whose actuator pushes the wrong way in every second task.
const SIGNS: &str = "task.horizon = 100\ntask.vary.actuator_gain = { law = \"choice\", values = [-1.0, 1.0] }";

#[test]
fn a_code_that_helps_to_predict_tells_the_worlds_apart() {
    // as above; the policy gets nothing of the window but the code, which no return ever changed
    let settings = "learner = \"context\"\nrollout.num_envs = 64\nrollout.num_steps = 64\nppo.outer_lr = 3e-3\n\
        policy.hidden = [16]\npolicy.window = 2\ncontext.code = 2\ncontext.hidden = [16]\ncontext.encoder_lr = 3e-3";
    let (_, post) = train("cartpole", 80, &format!("{settings}\n{SIGNS}"), BackendChoice::Auto);
    assert!(post > 90.0, "{post}");
}

#[test]
fn a_code_needs_transitions() {
    let text = "name = \"x\"\nlearner = \"context\"\ntask.env = \"cartpole\"\n";
    let error = Experiment::parse("x", text, &[]).unwrap_err().to_string();
    assert!(error.contains("policy.window = 0") && error.contains("at least 1"), "{error}");
}

#[test]
fn who_imitates_needs_somebody_to_imitate() {
    let text = "name = \"x\"\nlearner = \"distill\"\ntask.env = \"probe-sign\"\n";
    let error = Experiment::parse("x", text, &[]).unwrap_err().to_string();
    assert!(error.contains("learner = distill") && error.contains("needs no controller of its environment"), "{error}");
}

/// Values that the baseline gives to the states of a probe, as (episode step, observation, value).
fn values(env: EnvKind, gamma: f64) -> Vec<(u32, f32, f64)> {
    let layout = registry::layout(env.spec(), &TaskSettings::default(), &[]);
    let horizon = env.spec().horizon;
    let mut rollout =
        Rollout::new(Shape { tasks: 1, steps: horizon as usize, envs: 200, obs_dim: 1, act_dim: 1 }, horizon);
    let collection = Collection { env, horizon, num_actors: 1 };
    let phase = Phase::training(0, 0, Clocks::default(), Episodes::Count(1));
    let params = vec![vec![0.0; layout.num_params()]];
    collect_all(
        &collection,
        &[Task::nominal(env.spec())],
        Policies { layout: &layout, params: &params },
        &phase,
        &mut rollout,
    )
    .unwrap();
    let data = rollout.task(0);
    let (value, _) = LinearBaseline::fit(&data, gamma).values(&data);
    (0..value.len()).map(|row| (data.episode_step[row], data.obs[row], value[row])).collect()
}

#[test]
fn the_baseline_knows_the_values_of_the_probes() {
    for (_, _, value) in values(EnvKind::ProbeConstant, 0.9) {
        assert!((value - 1.0).abs() < 1e-3, "{value}");
    }
    for (_, obs, value) in values(EnvKind::ProbeObs, 0.9) {
        assert!((value - f64::from(obs)).abs() < 1e-3, "{obs} {value}");
    }
    for (step, _, value) in values(EnvKind::ProbeDiscount, 0.9) {
        assert!((value - [0.9, 1.0][step as usize]).abs() < 1e-3, "{step} {value}");
    }
}
