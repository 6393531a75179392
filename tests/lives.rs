//! The life of a task: training, evaluation, audit and the tools that show a task count its ticks and episodes alike.

use std::fs;

use crate::command::Place;
use metadrift::{
    config::Experiment,
    evaluate::{Protocol, evaluate},
    train::Trainer,
};
use metadrift_agents::{backend::BackendChoice, device::Device};
use metadrift_envs::Split;
use serde_json::Value;

/// An actuator that reverses after the first phase.
const LATE_FAULT: &str = r#"
name = "late-fault"
[task]
env = "cartpole"
horizon = 50
[task.drift]
actuator_gain = { kind = "step", from = 1.0, to = -1.0, at = 50.0 }
[rollout]
num_tasks = 3
num_envs = 4
[policy]
hidden = [8]
"#;

/// Nobody can fall within five steps of CartPole, so every whole episode earns five.
const CUT_OFF: &str = r#"
name = "cut-off"
[task]
env = "cartpole"
horizon = 5
[rollout]
num_tasks = 3
num_envs = 4
num_steps = 12
episodes_per_env = 0
[policy]
hidden = [8]
"#;

fn trainer(text: &str, sets: &[&str]) -> Trainer {
    let sets: Vec<String> = sets.iter().map(|s| (*s).to_owned()).collect();
    let config = Experiment::parse("x", text, &sets).unwrap();
    Trainer::new(config, Device::Cpu, BackendChoice::Auto, 2).unwrap()
}

fn metric(report: &metadrift::train::Report, name: &str) -> f64 {
    report.metrics.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("no {name}")).1
}

#[test]
fn without_a_step_there_is_no_gain_however_the_world_moves() {
    let mut trainer = trainer(LATE_FAULT, &["maml.inner_lr=0.0", "maml.inner_steps=2"]);
    for _ in 0..3 {
        let report = trainer.iterate().unwrap();
        assert_eq!(metric(&report, "return/gain"), 0.0);
        assert_eq!(metric(&report, "return/unadapted"), metric(&report, "return/post"));
    }
    let config = trainer.config().clone();
    let protocol = Protocol { tasks: 5, ..Protocol::of(&config, Split::Ood) };
    assert_eq!(protocol.adapt_steps, 2);
    let evaluation = evaluate(&config, &*trainer.agent(), 2, &protocol).unwrap();
    for point in &evaluation.curve {
        for score in [&point.deterministic, &point.stochastic] {
            assert_eq!((score.returns.len(), &score.returns), (5, &score.unadapted));
            assert_eq!((score.gain.mean, score.gain.ci95), (0.0, [0.0, 0.0]));
        }
    }
}

#[test]
fn steps_of_the_control_are_neither_counted_nor_learned_from() {
    let mut trainer = trainer(CUT_OFF, &[]);
    trainer.iterate().unwrap();
    // 3 tasks, 4 lanes, 12 steps, before and after adaptation
    assert_eq!(trainer.env_steps(), 3 * 4 * 12 * 2);
}

#[test]
fn an_episode_that_the_end_of_the_data_cuts_off_is_not_a_whole_one() {
    let mut trainer = trainer(CUT_OFF, &[]);
    let report = trainer.iterate().unwrap();
    for name in ["return/pre", "return/unadapted", "return/post", "return/post_worst_task"] {
        assert_eq!(metric(&report, name), 5.0, "{name}");
    }
    let config = trainer.config().clone();
    let protocol = Protocol { tasks: 4, ..Protocol::of(&config, Split::InDist) };
    let evaluation = evaluate(&config, &*trainer.agent(), 1, &protocol).unwrap();
    assert!(evaluation.curve.iter().all(|point| point.deterministic.summary.mean == 5.0), "{evaluation:?}");
    let place = Place::new();
    fs::write(place.path("x.toml"), CUT_OFF).unwrap();
    let audit = place.expect(0, "tasks audit x.toml --tasks 3 --lanes 2 --rounds 1 --format json -q");
    let audit: Value = serde_json::from_str(&audit).unwrap();
    for split in audit["splits"].as_array().unwrap() {
        for score in ["random", "fixed", "oracle"] {
            assert_eq!(split["phases"][0][score], 5.0, "{split}");
        }
    }
}

#[test]
fn a_phase_without_a_whole_episode_is_refused() {
    for set in ["rollout.num_steps=4", "evaluation.steps=4"] {
        let error = Experiment::parse("x", CUT_OFF, &[set.to_owned()]).unwrap_err().to_string();
        assert!(error.contains(set.split('=').next().unwrap()) && error.contains("task.horizon"), "{error}");
    }
}

#[test]
fn an_audit_measures_every_phase_on_its_own_ticks() {
    let place = Place::new();
    fs::write(place.path("x.toml"), LATE_FAULT).unwrap();
    let audit = place.expect(0, "tasks audit x.toml --tasks 6 --lanes 2 --rounds 3 --format json -q");
    let audit: Value = serde_json::from_str(&audit).unwrap();
    for split in audit["splits"].as_array().unwrap() {
        // nothing changes within a phase, so in each of them a fixed law is as good as the oracle
        assert_eq!((&split["moves"], split["phases"].as_array().unwrap().len()), (&Value::Bool(true), 2));
        for phase in split["phases"].as_array().unwrap() {
            assert_eq!((&phase["fixed"], &phase["oracle"]), (&Value::from(50.0), &Value::from(50.0)), "{split}");
        }
    }
}

#[test]
fn the_tools_show_what_is_lived_through() {
    let place = Place::new();
    for (name, drift) in [
        ("round.toml", "kind = \"step\"\nat = 1\nfrom = 10.0\nto = 0.0\nclock = \"adapt_round\""),
        ("late.toml", "kind = \"step\"\nat = 50\nfrom = 10.0\nto = 0.0"),
    ] {
        let text = format!(
            "name = \"x\"\n[task]\nenv = \"cartpole\"\nhorizon = 50\n[task.drift.force_mag]\n{drift}\n[rollout]\n\
             num_tasks = 4\nnum_envs = 4\n"
        );
        fs::write(place.path(name), text).unwrap();
        let told = place.expect(0, &format!("tasks describe {name}"));
        let rows: Vec<Vec<&str>> =
            told.lines().filter(|l| l.starts_with("force_mag")).map(|l| l.split_whitespace().collect()).collect();
        assert_eq!(rows.len(), 3);
        for row in rows {
            assert_eq!(row[2..], ["drifts", "0.0000", "10.0000", "10.000", "1.0"], "{told}");
        }
        assert!(told.contains("train: 2 phases of 50 ticks"), "{told}");

        place.expect(0, &format!("tasks plot {name} --count 1 --out drift.svg"));
        assert_eq!(fs::read_to_string(place.path("drift.svg")).unwrap().matches("<circle").count(), 1);

        place.expect(0, &format!("env trace {name} --policy oracle --out trace.csv"));
        let mut reader = csv::Reader::from_path(place.path("trace.csv")).unwrap();
        let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
        let at = |name: &str| header.iter().position(|known| known == name).unwrap();
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!(&rows[0][at("force_mag")], "10");
        let second = rows.iter().find(|row| &row[at("phase")] == "1").expect("the trace goes into phase 1");
        assert_eq!((&second[at("tick")], &second[at("force_mag")], &second[at("episode_step")]), ("50", "0", "0"));
    }
}

#[test]
fn plain_ppo_is_evaluated_on_the_same_ticks_as_the_meta_learner() {
    let ppo = trainer(LATE_FAULT.replace("num_tasks = 3\n", "").as_str(), &["learner=ppo", "rollout.num_steps=16"]);
    let config = ppo.config().clone();
    let protocol = Protocol { tasks: 2, episodes: 3, ..Protocol::of(&config, Split::InDist) };
    let seen = evaluate(&config, &*ppo.agent(), 1, &protocol).unwrap();
    // the same policy as a meta-learner that does not step lives through the same ticks
    let meta = trainer(LATE_FAULT, &["evaluation.steps=0", "maml.inner_steps=1"]).config().clone();
    let again = evaluate(&meta, &*ppo.agent(), 1, &protocol).unwrap();
    assert_eq!(seen, again);
}

#[test]
fn held_out_tasks_are_evaluated_while_a_run_trains_and_the_best_checkpoint_stays() {
    let place = Place::new();
    let sets = "--set evaluation.every=2 --set evaluation.tasks=5 --set checkpoint.keep=1 --set checkpoint.every=1";
    place.expect(0, &format!("train tiny.toml {sets} --iterations 6 --run-dir whole --no-evaluate"));
    let mut rows = csv::Reader::from_path(place.path("whole/evaluations.csv")).unwrap();
    let header: Vec<String> = rows.headers().unwrap().iter().map(str::to_owned).collect();
    let column = header.iter().position(|name| name == "eval/in-dist/return_k1").unwrap();
    assert!(header.iter().any(|name| name == "eval/ood/return_k0"), "{header:?}");
    let rows: Vec<(u64, f64)> =
        rows.records().map(Result::unwrap).map(|row| (row[0].parse().unwrap(), row[column].parse().unwrap())).collect();
    assert_eq!(rows.iter().map(|row| row.0).collect::<Vec<_>>(), [2, 4, 6]);
    // the first of the highest
    let best = rows.iter().fold(rows[0], |best, row| if row.1 > best.1 { *row } else { best }).0;
    let steps: Vec<String> = fs::read_dir(place.path("whole/checkpoints"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(steps.contains(&format!("step-{best:08}")) && steps.contains(&"step-00000006".to_owned()), "{steps:?}");

    // an interrupted run evaluates the same, and knows the same best
    place.expect(0, &format!("train tiny.toml {sets} --iterations 3 --run-dir cut --no-evaluate"));
    place.expect(0, "resume cut --iterations 6");
    let read = |name: &str| fs::read_to_string(place.path(name)).unwrap();
    assert_eq!(read("whole/evaluations.csv"), read("cut/evaluations.csv"));
    let state = |run: &str| read(&format!("{run}/checkpoints/step-00000006/state.json"));
    assert_eq!(state("whole"), state("cut"));
    assert!(state("whole").contains("\"best\""));

    // the best one is evaluated, and gone on from
    let told = place.expect(0, "evaluate whole --checkpoint best --tasks 3 --format json");
    place.expect(0, &format!("evaluate whole --checkpoint {best} --tasks 3"));
    assert_eq!(read("whole/eval/in-dist-tasks3-best.json"), told);
    assert_eq!(read(&format!("whole/eval/in-dist-tasks3-step{best}.json")), told);
    let told = place.expect(4, "evaluate whole --checkpoint 99");
    assert!(told.contains("no checkpoint of iteration 99"), "{told}");
    place.expect(2, "evaluate whole --checkpoint newest");
    let before = read("whole/metrics.csv");
    place.expect(0, &format!("resume whole --checkpoint {best}"));
    assert_eq!(read("whole/metrics.csv"), before, "what follows comes again to the byte");
}
