//! The command line from train to evaluate, and its answers to mistakes.

use std::fs;

use crate::command::{Place, text};

#[test]
fn from_train_to_evaluate() {
    let place = Place::new();
    let told = place.expect(0, "train tiny.toml --seed 3");
    assert!(told.contains("most likely actions") && told.contains("metadrift evaluate"), "{told}");
    // without a terminal there is one plain line per iteration
    assert_eq!(told.lines().filter(|l| l.starts_with("iter") && l.contains("->")).count(), 6, "{told}");

    let run = place.path("runs/tiny/latest");
    for file in ["config.toml", "manifest.json", "metrics.csv", "metrics.jsonl", "timing.csv", "eval/in-dist.json"] {
        assert!(run.join(file).is_file(), "{file}");
    }
    let name = fs::read_link(&run).unwrap();
    let events = fs::read_dir(place.path("runs/tb/tiny").join(&name)).unwrap();
    assert_eq!(events.count(), 2, "the training, and the evaluation after it");
    assert!(told.contains("tensorboard --logdir runs/tb\n"), "{told}");
    let manifest: serde_json::Value = serde_json::from_slice(&fs::read(run.join("manifest.json")).unwrap()).unwrap();
    assert_eq!((&manifest["state"], &manifest["seed"]), (&"finished".into(), &3.into()));
    let kept: Vec<_> = fs::read_dir(run.join("checkpoints")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(kept.len(), 2, "keep = 2: {kept:?}");

    let out = place
        .run("evaluate runs/tiny/latest --split ood --tasks 7 --episodes 5 --adapt-steps 2 --format json --out e.json");
    assert!(out.status.success(), "{}", text(&out));
    assert_eq!(out.stdout, fs::read(place.path("e.json")).unwrap());
    let json: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!((&json["preset"], &json["split"]), (&"tiny".into(), &"ood".into()));
    assert_eq!((&json["seed"], &json["tasks"], &json["lanes"]), (&0.into(), &7.into(), &5.into()));
    let curve = json["curve"].as_array().unwrap();
    assert_eq!(curve.len(), 3);
    for (k, point) in curve.iter().enumerate() {
        assert_eq!(point["adapt_steps"], k);
        for kind in ["stochastic", "deterministic"] {
            let score = |key: &str| point[kind][key].as_f64().unwrap();
            // an episode has between 1 and 30 steps
            for key in ["mean", "iqm", "worst_decile"] {
                assert!((1.0..=30.0).contains(&score(key)), "{point}");
            }
            let ci = |i: usize| point[kind]["ci95"][i].as_f64().unwrap();
            assert!(ci(0) <= score("mean") && score("mean") <= ci(1), "{point}");
        }
    }
    // evaluation changes nothing and repeats to the byte, whatever the number of actors
    let again = place
        .run("evaluate runs/tiny/latest --split ood --tasks 7 --episodes 5 --adapt-steps 2 --format json --actors 3");
    assert_eq!(again.stdout, out.stdout);
}

#[test]
fn a_name_says_what_was_set_or_is_chosen() {
    let place = Place::new();
    place.expect(0, "train tiny.toml -q --no-evaluate --iterations 1 --set maml.inner_lr=0.3 --set seed=4");
    let name = fs::read_link(place.path("runs/tiny/latest")).unwrap().into_os_string().into_string().unwrap();
    assert!(name.contains("-s4-inner_lr=0.3,iterations=1-"), "{name}");
    place.expect(0, "train tiny.toml -q --no-evaluate --iterations 1 --name mine");
    assert!(place.path("runs/tiny/mine/manifest.json").is_file());
    let told = place.expect(2, "train tiny.toml -q --no-evaluate --iterations 1 --name mine");
    assert!(told.contains("metadrift resume runs/tiny/mine`") && told.contains("--name"), "{told}");
    for wrong in ["--name a/b", "--name mine --run-dir x", "--resume-if-exists"] {
        place.expect(2, &format!("train tiny.toml -q {wrong}"));
    }
}

#[test]
fn one_command_begins_resumes_and_finds_a_finished_run() {
    let place = Place::new();
    place.expect(0, "train tiny.toml --run-dir whole -q --no-evaluate");
    let again = "train tiny.toml --run-dir r --resume-if-exists --no-evaluate";
    place.expect(0, &format!("{again} --max-time 0s"));
    let told = place.expect(0, again);
    assert!(told.contains("Resuming tiny at iteration 2"), "{told}");
    let read = |run: &str| fs::read(place.path(run).join("metrics.csv")).unwrap();
    assert_eq!(read("whole"), read("r"));
    assert!(place.expect(0, again).contains("all iterations of this run are done"));
    // a run that was extended by hand keeps its iterations
    place.expect(0, "resume r -q --no-evaluate --iterations 7");
    assert!(place.expect(0, again).contains("all iterations of this run are done"));
    // other settings are not the same run
    place.expect(0, &format!("{again} --iterations 8"));
    let told = place.expect(3, &format!("{again} --seed 1 --set maml.inner_lr=0.5"));
    assert!(told.contains("seed is 0 there, 1 was asked for") || told.contains("inner_lr is"), "{told}");
    assert!(told.contains("and 1 more") && told.contains("metadrift resume r"), "{told}");
    place.expect(0, "resume r -q --no-evaluate --iterations 9");
}

#[test]
fn of_two_arguments_none_is_dropped() {
    let place = Place::new();
    for (first, second) in [
        ("rollout.num_envs=4", "rollout={num_tasks=4}"),
        ("maml.inner_lr=0.1", "maml.inner_lr=0.2"),
        ("seed=3", "seed=3"),
    ] {
        let told = place.expect(3, &format!("train tiny.toml --dry-run --set {first} --set {second}"));
        assert!(told.contains(&format!("--set {second}: it undoes --set {first}")), "{told}");
    }
    place.expect(0, "train tiny.toml --dry-run --set rollout={num_tasks=4} --set rollout.num_envs=4");
}

#[test]
fn an_output_never_replaces_a_file_of_a_run() {
    let place = Place::new();
    place.expect(0, "train tiny.toml --run-dir r -q --no-evaluate --iterations 2");
    for file in ["config.toml", "metrics.csv", "manifest.json", "checkpoints/step-00000002/state.json"] {
        let before = fs::read(place.path("r").join(file)).unwrap();
        for command in ["evaluate r --tasks 2 --episodes 2", "env trace tiny.toml --steps 3"] {
            let told = place.expect(2, &format!("{command} --out r/{file}"));
            assert!(told.contains("is a file of a run"), "{told}");
        }
        assert_eq!(fs::read(place.path("r").join(file)).unwrap(), before);
    }
    place.expect(0, "evaluate r --tasks 2 --episodes 2 --out r/mine.csv");
    let rows = fs::read_to_string(place.path("r/mine.csv")).unwrap();
    assert!(rows.starts_with("split,task,fingerprint,adapt_steps,actions,return,unadapted,iteration\n"), "{rows}");
    assert!(rows.lines().nth(1).unwrap().ends_with(",2"), "{rows}");
    let kept = fs::read_to_string(place.path("r/eval/in-dist-tasks2-episodes2.json")).unwrap();
    assert!(kept.contains("\"iteration\": 2"), "{kept}");
}

#[test]
fn equal_seeds_give_equal_runs_and_others_do_not() {
    let place = Place::new();
    for (run, args) in [("a", "--seed 5 --actors 1"), ("b", "--seed 5 --actors 2"), ("c", "--seed 6")] {
        place.expect(0, &format!("train tiny.toml --run-dir {run} {args}"));
    }
    let metrics = |run: &str| fs::read(place.path(run).join("metrics.csv")).unwrap();
    assert_eq!(metrics("a"), metrics("b"));
    assert_ne!(metrics("a"), metrics("c"));
}

#[test]
fn every_setting_changes_what_is_computed() {
    let place = Place::new();
    let metrics = |sets: &str| {
        let _ = fs::remove_dir_all(place.path("run"));
        place.expect(0, &format!("train tiny.toml --run-dir run --iterations 2 --set task.env=pendulum {sets}"));
        fs::read_to_string(place.path("run/metrics.csv")).unwrap()
    };
    let base = metrics("");
    for set in [
        "seed=1",
        "task.horizon=29",
        "task.vary.actuator_gain.low=0.8",
        "rollout.num_tasks=4",
        "rollout.num_envs=5",
        "rollout.episodes_per_env=0 --set rollout.num_steps=45",
        "rollout.episodes_per_env=2",
        "policy.hidden=[9]",
        "policy.activation=relu",
        "policy.init=orthogonal",
        "policy.log_std=state",
        "policy.init_log_std=-0.1",
        "maml.inner_lr=0.2",
        "maml.inner_steps=2",
        "maml.first_order=true",
        "maml.learn_inner_lr=true",
        "maml.update_rule=learned",
        "maml.adapt_log_std=false",
        #[cfg(feature = "torch")]
        "maml.tasks_per_chunk=2",
        "ppo.outer_lr=0.002",
        "ppo.outer_epochs=3",
        "ppo.clip_eps=0.0001",
        "ppo.kl_coef=10.0",
        "ppo.ent_coef=0.1",
        "ppo.max_grad_norm=0.001",
        "ppo.gamma=0.9",
        "ppo.gae_lambda=0.5",
    ] {
        assert_ne!(metrics(&format!("--set {set}")), base, "{set} changed nothing");
    }
}

#[test]
fn smoke_and_dry_run_leave_nothing_behind() {
    let place = Place::new();
    let told = place.expect(0, "train tiny.toml --smoke");
    assert!(told.contains("smoke test passed"), "{told}");
    let told = place.expect(0, "train cartpole-flip --dry-run --set iterations=7");
    assert!(told.contains("iterations = 7") && told.contains("4610 parameters"), "{told}");
    assert!(!place.path("runs").exists());
}

#[test]
fn mistakes_get_one_clear_message_and_an_exit_code() {
    let place = Place::new();
    let says = |code: i32, args: &str, parts: &[&str]| {
        let told = place.expect(code, args);
        for part in parts {
            assert!(told.contains(part), "metadrift {args}: no `{part}` in\n{told}");
        }
        assert!(!told.contains("panicked") && !told.contains("backtrace"), "{told}");
    };
    says(2, "trian cartpole-flip", &["similar", "train"]);
    says(2, "train tiny.toml --device gpu", &["cuda:N"]);
    says(2, "train tiny.toml --backend gpu", &["native, tch or auto"]);
    says(2, "evaluate x --split train", &["in-dist or ood"]);
    says(2, "evaluate x --split odo", &["in-dist or ood"]);
    says(3, "train cartpole-flop", &["did you mean `cartpole-flip`", "metadrift presets list"]);
    says(4, "train missing.toml", &["missing.toml"]);
    says(3, "train tiny.toml --set maml.iner_lr=0.1", &["did you mean `inner_lr`", "--set maml.iner_lr=0.1"]);
    says(3, "train tiny.toml --set ppo.gamma=2.0", &["ppo.gamma = 2", "above 0 and below 1"]);
    says(3, "train tiny.toml --set task.env=cartpol", &["cartpole"]);
    says(3, "train tiny.toml --iterations 0", &["iterations = 0"]);
    says(3, "env show pendulm", &["pendulum"]);
    says(4, "evaluate nowhere", &["nowhere"]);
    says(4, "resume nowhere", &["nowhere"]);
    fs::write(place.path("bad.toml"), "name = \"x\"\n[task]\nenv = \"cartpole\"\nhorizont = 3\n").unwrap();
    says(3, "train bad.toml", &["bad.toml", "line 4", "column 1", "did you mean `horizon`"]);
    if metadrift::device::gpus() != Ok(1) {
        says(5, "train tiny.toml --device cuda:7", &["--device cpu"]);
    }
    if !cfg!(feature = "torch") {
        says(5, "train tiny.toml --device cuda", &["./x setup --cuda", "--device cpu"]);
        says(5, "train tiny.toml --backend tch", &["--backend tch", "./x setup --torch"]);
        says(5, "train tiny.toml --set maml.tasks_per_chunk=2", &["maml.tasks_per_chunk", "./x setup --torch"]);
    }
    assert!(!place.path("runs").exists(), "a mistake left a run behind");

    fs::create_dir(place.path("taken")).unwrap();
    fs::write(place.path("taken/file"), "x").unwrap();
    says(2, "train tiny.toml --run-dir taken", &["metadrift resume", "--run-dir"]);
    fs::write(place.path("file"), "x").unwrap();
    says(4, "train tiny.toml --run-dir file/run", &["file/run"]);
}

#[test]
fn divergence_stops_before_a_checkpoint_and_a_panic_is_no_hang() {
    let place = Place::new();
    let told = place.expect(7, "train tiny.toml --run-dir lr --set ppo.outer_lr=1e38 --set ppo.max_grad_norm=1e30");
    assert!(told.contains("not finite"), "{told}");
    let told = place.expect(7, "train tiny.toml --run-dir inner --set maml.inner_lr=1e38 --set task.env=pendulum");
    assert!(told.contains("not finite"), "{told}");
    for run in ["lr", "inner"] {
        let manifest = fs::read_to_string(place.path(run).join("manifest.json")).unwrap();
        assert!(manifest.contains("not finite"), "{manifest}");
        assert!(place.path(run).join("checkpoints/step-00000000").is_dir());
    }
    for actors in [1, 2, 3] {
        let mut command = place.command(&format!("train tiny.toml --run-dir panic{actors} --actors {actors}"));
        let output = command.env("METADRIFT_FAULT", "actor").output().unwrap();
        assert_eq!(output.status.code(), Some(70), "{}", text(&output));
        assert!(text(&output).contains("a worker panicked: fault injected: actor"), "{}", text(&output));
    }
}

#[test]
fn selftest_agrees_with_the_reference_and_says_so() {
    let told = Place::new().expect(0, "selftest --device cpu --iterations 0");
    assert_eq!(told.lines().filter(|line| line.starts_with("ok ")).count(), 6, "{told}");
}

#[cfg(feature = "torch")]
#[test]
fn the_stored_gradients_are_those_of_libtorch() {
    let told = Place::new().expect(0, "selftest --device cpu --backend tch --iterations 0");
    let differences = told.lines().map(|line| line.rsplit("tch on cpu differs by ").next().unwrap().parse::<f64>());
    let differences = differences.collect::<Result<Vec<_>, _>>().unwrap_or_else(|error| panic!("{error}: {told}"));
    assert!(differences.len() == 6 && differences.iter().all(|difference| *difference < 1e-6), "{told}");
}
