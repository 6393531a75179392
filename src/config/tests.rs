//! Tests of errors that name their place, of overrides, and of files of traces.

use metadrift_envs::Split;

use super::*;

const MINIMAL: &str = "name = \"x\"\n[task]\nenv = \"cartpole\"\n";

fn error(text: &str, sets: &[&str]) -> String {
    let sets: Vec<String> = sets.iter().map(|s| s.to_string()).collect();
    Experiment::parse("x.toml", text, &sets).unwrap_err().to_string()
}

#[test]
fn sets_change_what_they_name_and_the_result_reads_back() {
    let sets = ["maml.inner_lr=0.25", "task.vary.gravity={ law = \"uniform\", low = 9.0, high = 10.0 }", "name=y"];
    let config = Experiment::parse("x.toml", MINIMAL, &sets.map(String::from)).unwrap();
    assert_eq!((config.maml.inner_lr, config.name.as_str()), (0.25, "y"));
    assert_eq!(config.task.vary.len(), 1);
    assert_eq!(*Experiment::parse("again", &config.to_toml(), &[]).unwrap(), *config);
}

#[test]
fn errors_say_what_where_and_what_instead() {
    let unknown = error(&format!("{MINIMAL}[maml]\niner_lr = 0.1\n"), &[]);
    for part in ["x.toml", "line 5", "column 1", "iner_lr", "did you mean `inner_lr`?"] {
        assert!(unknown.contains(part), "{part}: {unknown}");
    }
    let set = error(MINIMAL, &["ppo.clip_epz=0.1"]);
    assert!(set.contains("--set ppo.clip_epz=0.1") && set.contains("did you mean `clip_eps`?"), "{set}");
    assert!(error(MINIMAL, &["ppo.clip_eps=1.5"]).contains("ppo.clip_eps = 1.5: must be above 0 and below 1"));
    assert!(error(MINIMAL, &["ppo.outer_lr=nan"]).contains("ppo.outer_lr = NaN"));
    assert!(error(MINIMAL, &["iterations"]).contains("key=value"));
    assert!(error(MINIMAL, &["name.x=1"]).contains("`name` is a value"));
    assert!(error("name = \"x\"\n[task\n", &[]).contains("line 2"));
    assert!(error(MINIMAL, &["task.env=cartpol"]).contains("cartpole"));
    let channel = error(MINIMAL, &["task.vary.gravty={ law = \"fixed\", value = 9.0 }"]);
    assert!(channel.contains("gravity"), "{channel}");
    let range = error(MINIMAL, &["task.vary.gravity={ law = \"uniform\", low = 9.0, high = 1000.0 }"]);
    assert!(range.contains("1000") && range.contains("[0, 500]"), "{range}");
    let line = error(&format!("{MINIMAL}[task.vary]\ntau = {{ law = \"fixed\", value = 1.0 }}\n"), &[]);
    assert!(line.starts_with("x.toml, line 5: config: task.vary.tau: 1 is outside"), "{line}");
    let line = error(&format!("{MINIMAL}[[task.list]]\n[[task.list]]\ntau = 1.0\n"), &[]);
    assert!(line.starts_with("x.toml, line 6: config: task.list[1].tau: 1 is outside"), "{line}");
    let line = error(&format!("{MINIMAL}[ppo]\nclip_eps = 1.5\n"), &[]);
    assert!(line.starts_with("x.toml, line 5: config: ppo.clip_eps = 1.5"), "{line}");
    let field = error(&format!("{MINIMAL}drift.tau = {{ kind = \"ou\", mean = 1.0, clok = \"task\" }}\n"), &[]);
    assert!(field.contains("did you mean `clock`?"), "{field}");
    let late = error(&format!("{MINIMAL}notify = {{ level = \"flag\", delay = 65 }}\n"), &[]);
    assert!(
        late.starts_with("x.toml, line 4: ") && late.contains("must be 0 to 64 ticks; the nearest is 64"),
        "{late}"
    );
    let law = error(&format!("{MINIMAL}vary.tau = 0.01\n"), &[]);
    assert!(law.contains("line 4") && law.contains("a law such as { law = \"uniform\""), "{law}");
}

#[test]
fn a_key_of_a_former_version_is_refused_with_what_takes_its_place() {
    for scope in ["episode", "adaptation_window", "lifetime"] {
        let gone = error(&format!("{MINIMAL}task_scope = \"{scope}\"\n"), &[]);
        for part in ["line 4", "task_scope", "rollout.episodes_per_env"] {
            assert!(gone.contains(part), "{part}: {gone}");
        }
        let set = error(MINIMAL, &[&format!("task.task_scope={scope}")]);
        assert!(set.contains("rollout.episodes_per_env") && !set.contains("did you mean"), "{set}");
    }
}

#[test]
fn keys_that_the_learner_does_not_read_are_refused() {
    let ppo = error(MINIMAL, &["ppo_learner.minibatch=64"]);
    assert!(ppo.contains("ppo_learner") && ppo.contains("learner = \"ppo\""), "{ppo}");
    for set in ["maml.inner_steps=2", "maml.learn_inner_lr=true", "ppo.kl_coef=0.1", "rollout.num_tasks=3"] {
        let maml = error(MINIMAL, &["learner=ppo", set]);
        let key = set.split('=').next().unwrap();
        assert!(maml.contains(key) && maml.contains("does not read it"), "{maml}");
    }
    let lanes = error(MINIMAL, &["learner=ppo", "rollout.num_envs=40"]);
    assert!(lanes.contains("rollout.num_envs = 40: must be at most 32 or a multiple of 32"), "{lanes}");
    assert!(error(MINIMAL, &["learner=ppo", "ppo_learner.value_lr=nan"]).contains("ppo_learner.value_lr = NaN"));
    let typo = error(MINIMAL, &["learner=ppo", "ppo_learner.minibach=64"]);
    assert!(typo.contains("did you mean `minibatch`?"), "{typo}");
    assert!(error(MINIMAL, &["learner=pppo"]).contains("did you mean `ppo`?"));
    let config =
        Experiment::parse("x", MINIMAL, &["learner=ppo".into(), "ppo_learner.stop_at_return=9.0".into()]).unwrap();
    assert_eq!(*Experiment::parse("again", &config.to_toml(), &[]).unwrap(), *config);
}

#[test]
fn traces_are_read_from_the_folder_of_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("wind.csv"), "9.0\n9.5\n10.0\n").unwrap();
    let text = format!("{MINIMAL}drift.gravity = {{ kind = \"trace\", file = \"wind.csv\" }}\n");
    let origin = folder.path().join("x.toml");
    let config = Experiment::parse(origin.to_str().unwrap(), &text, &[]).unwrap();
    let task = config.tasks(Split::Train).sample(0, 0, 0);
    assert_eq!([0, 1, 2].map(|tick| task.values_at(tick)[0]), [9.0, 9.5, 10.0]);
    let both = text.replace("kind =", "values = [1.0], kind =");
    let message = Experiment::parse(origin.to_str().unwrap(), &both, &[]).unwrap_err().to_string();
    assert!(message.contains("line 4") && message.contains("`values`"), "{message}");
    std::fs::write(folder.path().join("wind.csv"), "9,81\n").unwrap();
    let message = Experiment::parse(origin.to_str().unwrap(), &text, &[]).unwrap_err().to_string();
    assert!(message.contains("x.toml, line 4: ") && message.contains("wind.csv, line 1: `9,81`"), "{message}");
    let message = error(&text.replace("wind", "wnd"), &[]);
    assert!(message.contains("x.toml, line 4") && message.contains("cannot read wnd.csv"), "{message}");
}

#[test]
fn a_value_that_can_mean_one_thing_only_is_read_so() {
    let with = |set: &str| Experiment::parse("x", MINIMAL, &[set.to_owned()]);
    assert_eq!(with("ppo.clip_eps=.1").unwrap().ppo.clip_eps, 0.1);
    assert_eq!(with("iterations=1e3").unwrap().iterations, 1000);
    assert_eq!(with("maml.inner_lr=1").unwrap().maml.inner_lr, 1.0);
    assert!(with("maml.first_order=True").unwrap().maml.first_order);
    assert!(!with("maml.first_order=FALSE").unwrap().maml.first_order);
    // the key decides: these values are names
    for name in ["12", "1e3", "True", "x"] {
        assert_eq!(with(&format!("name={name}")).unwrap().name, name);
    }
    assert!(error(MINIMAL, &["iterations=1.5"]).contains("1.5"));
    assert!(error(MINIMAL, &["ppo.gamma=abc"]).contains("abc"));
}

#[test]
fn the_key_of_a_set_is_bounded() {
    let deep = vec!["a"; 60_000].join(".") + "=1";
    let message = error(MINIMAL, &[&deep]);
    assert!(message.contains("at most 16 parts") && message.len() < 400, "{message}");
    let long = "a".repeat(5000) + "=1";
    assert!(error(MINIMAL, &[&long]).contains("1000 characters"));
    // the parser refuses a file of the same depth, before the stack overflows
    for text in [vec!["a"; 60_000].join(".") + " = 1", format!("[{}]", vec!["a"; 60_000].join("."))] {
        assert!(error(&format!("{text}\n{MINIMAL}"), &[]).len() < 5000);
    }
}

#[test]
fn numbers_end_where_streams_and_f32_do() {
    assert!(error(MINIMAL, &["iterations=16777217"]).contains("1 to 16777216"));
    for set in ["maml.inner_lr=1e300", "maml.inner_lr=1e-60", "ppo.outer_lr=1e39", "ppo.max_grad_norm=1e-50"] {
        assert!(error(MINIMAL, &[set]).contains("from 1.2e-38 to 3.4e38"), "{set}");
    }
    assert!(error(MINIMAL, &["ppo.clip_eps=0.9999999999"]).contains("above 0 and below 1"));
}
