//! A run of n iterations equals one of k, a resume and n - k more, to the byte; and no kill loses a run.

use std::{fs, path::Path, thread::sleep, time::Duration};

use crate::command::{Place, checkpoint_bytes};

fn assert_same_run(a: &Path, b: &Path) {
    assert_eq!(checkpoint_bytes(a, 6), checkpoint_bytes(b, 6), "checkpoints differ");
    for file in ["metrics.csv", "metrics.jsonl"] {
        let read = |run: &Path| fs::read_to_string(run.join(file)).unwrap();
        assert_eq!(read(a), read(b), "{file} differs");
        assert!(read(a).lines().count() >= 6);
    }
}

#[test]
fn a_resumed_run_equals_an_uninterrupted_one() {
    let place = Place::new();
    place.expect(0, "train tiny.toml --run-dir whole --actors 2");
    for k in [1, 2, 3, 5] {
        let run = format!("cut{k}");
        place.expect(0, &format!("train tiny.toml --run-dir {run} --iterations {k} --actors 1"));
        place.expect(0, &format!("resume {run} --iterations 6 --actors 3"));
        assert_same_run(&place.path("whole"), &place.path(&run));
    }
}

#[test]
fn learned_inner_rates_a_learned_rule_a_value_network_and_a_gaussian_policy_resume_exactly_too() {
    let place = Place::new();
    let sets = "--set task.env=pendulum --set maml.learn_inner_lr=true --set maml.inner_steps=2";
    let values = "maml.baseline=network --set policy.normalize_obs=true";
    for (name, more) in
        [("rates", "maml.update_rule=gradient"), ("rule", "maml.update_rule=learned"), ("values", values)]
    {
        let sets = format!("{sets} --set {more}");
        place.expect(0, &format!("train tiny.toml {sets} --run-dir {name}"));
        place.expect(0, &format!("train tiny.toml {sets} --run-dir {name}-cut --iterations 3"));
        place.expect(0, &format!("resume {name}-cut --iterations 6"));
        assert_same_run(&place.path(name), &place.path(&format!("{name}-cut")));
    }
}

#[test]
fn plain_ppo_resumes_exactly_in_the_middle_of_its_episodes() {
    let place = Place::new();
    // two groups of lanes with faults, drift and delay, tasks that change with every second episode
    let sets = "--set learner=ppo --set rollout.num_tasks=20 --set rollout.num_envs=64 --set rollout.num_steps=17 \
        --set rollout.episodes_per_env=2 --set ppo_learner.minibatch=100 --set ppo_learner.value_hidden=[8] \
        --set policy.hidden=[8] --set task.observe_actions=1 --set task.actuator.delay=2 --set task.sensor.theta_dot.noise_std=0.01 \
        --set task.drift.gravity={kind=\"linear\",from=9.0,to=11.0,over=40}";
    for env in ["cartpole", "pendulum"] {
        let sets = format!("{sets} --set task.env={env}");
        place.expect(0, &format!("train tiny.toml {sets} --run-dir {env} --iterations 6 --actors 2"));
        for k in [1, 4] {
            let run = format!("{env}{k}");
            place.expect(0, &format!("train tiny.toml {sets} --run-dir {run} --iterations {k} --actors 1"));
            place.expect(0, &format!("resume {run} --iterations 6 --actors 3"));
            assert_same_run(&place.path(env), &place.path(&run));
        }
    }
    // the protocol is that of the tasks, one adaptation step for any learner
    let told = place.expect(0, "evaluate cartpole --tasks 3 --episodes 2");
    assert!(told.contains("    0  ") && told.contains("    1  ") && told.contains("gain"), "{told}");
    let told = place.expect(0, "evaluate cartpole --tasks 3 --episodes 2 --adapt-steps 0");
    assert!(!told.contains("    1  "), "{told}");
}

#[cfg(feature = "torch")]
#[test]
fn a_run_goes_on_with_the_backend_it_began_with() {
    let place = Place::new();
    place.expect(0, "train tiny.toml --backend tch --run-dir whole");
    place.expect(0, "train tiny.toml --backend tch --run-dir cut --iterations 3");
    let told = place.expect(0, "resume cut --iterations 6");
    assert!(told.contains("tch backend"), "{told}");
    assert_same_run(&place.path("whole"), &place.path("cut"));
}

#[test]
fn a_killed_run_resumes_to_the_same_end() {
    let place = Place::new();
    place.expect(0, "train tiny.toml --run-dir whole");
    for milliseconds in [60, 90, 120, 160, 220] {
        let run = format!("killed{milliseconds}");
        let mut child = place.command(&format!("train tiny.toml -q --run-dir {run}")).spawn().unwrap();
        // from the first checkpoint on, any moment will do
        while !place.path(&run).join("checkpoints/step-00000000").exists() {
            assert!(child.try_wait().unwrap().is_none(), "ended without a checkpoint");
            sleep(Duration::from_millis(1));
        }
        sleep(Duration::from_millis(milliseconds - 60));
        child.kill().unwrap();
        child.wait().unwrap();
        place.expect(0, &format!("resume {run}"));
        assert_same_run(&place.path("whole"), &place.path(&run));
    }
}

#[test]
fn a_damaged_checkpoint_is_named_and_the_one_before_is_used() {
    let place = Place::new();
    place.expect(0, "train tiny.toml --run-dir whole");
    place.expect(0, "train tiny.toml --run-dir hurt --iterations 4");
    let newest = place.path("hurt/checkpoints/step-00000004");
    let params = fs::read_dir(&newest).unwrap().map(|e| e.unwrap().path());
    let params = params.into_iter().find(|p| p.extension().is_some_and(|e| e == "safetensors")).unwrap();
    let mut bytes = fs::read(&params).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&params, bytes).unwrap();
    let told = place.expect(0, "resume hurt --iterations 6");
    assert!(told.contains("step-00000004"), "{told}");
    assert_same_run(&place.path("whole"), &place.path("hurt"));
}

#[test]
fn a_budget_of_environment_steps_ends_a_run_and_its_schedules() {
    let place = Place::new();
    // 32 lanes of 16 steps: 512 an iteration, 2,048 after four
    let sets = "--set learner=ppo --set rollout.num_tasks=20 --set rollout.num_envs=32 --set rollout.num_steps=16 \
        --set ppo_learner.anneal=true --no-evaluate -q";
    place.expect(0, &format!("train tiny.toml {sets} --run-dir planned --iterations 4"));
    let budget = format!("{sets} --iterations 1000 --set max_env_steps=2048");
    place.expect(0, &format!("train tiny.toml {budget} --run-dir budget"));
    // the learning rate fell by the same shares, so that the policies are the same
    assert_eq!(checkpoint_bytes(&place.path("planned"), 4), checkpoint_bytes(&place.path("budget"), 4));
    place.expect(0, &format!("train tiny.toml {budget} --run-dir cut --max-time 0s"));
    assert!(!place.path("cut/checkpoints/step-00000002").exists());
    assert!(place.expect(0, "resume cut --no-evaluate -q").is_empty());
    assert_eq!(checkpoint_bytes(&place.path("planned"), 4), checkpoint_bytes(&place.path("cut"), 4));
    let told = place.expect(0, "resume cut --no-evaluate");
    assert!(told.contains("the 2048 environment steps of this run (max_env_steps) are done"), "{told}");
    // an iteration that reaches the budget is done to its end; every kind of learner ends there
    let plan = place.expect(0, &format!("train tiny.toml {} --dry-run", budget.replace("=2048", "=2049")));
    assert!(plan.contains("2560 in all"), "{plan}");
    for learner in ["rl2", "reptile", "distill-window"] {
        let asked =
            "--iterations 1000 --set max_env_steps=3000 --set rollout.num_envs=20 --no-evaluate --format json -q";
        let asked =
            if learner == "reptile" { asked.to_owned() } else { asked.replace("--set rollout.num_envs=20 ", "") };
        let told = place.expect(0, &format!("train tiny.toml --learner {learner} {asked} --run-dir {learner}"));
        let told: serde_json::Value = serde_json::from_str(&told[told.find('{').unwrap()..]).unwrap();
        assert!(told["env_steps"].as_u64().unwrap() >= 3000 && told["iteration"].as_u64().unwrap() < 100, "{told}");
    }
}
