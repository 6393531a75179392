//! A training that several ranks share writes the bytes of one that nobody shares, as do evaluations, and refuses what cannot
//! work. The ranks are threads here; `scripts/mpi.sh` runs them under MPI.

use std::{fs, path::Path};

use metadrift::{
    audit::{Effort, audit},
    checkpoint::Which,
    config::Experiment,
    control::search::Budget,
    evaluate::HeldOut,
    presets, ranks,
    run_dir::Place as RunPlace,
    session::{Ended, LAST, Session, judge},
    train::Trainer,
};
use metadrift_agents::{backend::BackendChoice, device::Device, team::local};
use metadrift_envs::Split;

use crate::command::{Place, TINY, checkpoint_bytes, options};

/// Trains in folder `dir` to the end of `iterations`, resuming the run there if there is one; gives the evaluation at the end
/// as the run's file has it.
fn train(dir: &Path, size: usize, iterations: u64, sets: &[&str]) -> String {
    let sets: Vec<String> =
        sets.iter().map(|set| (*set).to_owned()).chain([format!("iterations={iterations}")]).collect();
    let config = Experiment::parse("tiny", TINY, &sets).unwrap();
    let mut ended = local::run(size, |rank| {
        if rank > 0 {
            return (ranks::follow(&options(), true).unwrap(), None);
        }
        ranks::check(&config, &options()).unwrap();
        let mut session = match dir.exists() {
            true => Session::resume(dir, Which::Last, Some(iterations), options()).unwrap(),
            false => Session::begin(config.clone(), &RunPlace::Folder(dir.to_owned()), options()).unwrap(),
        };
        let ended = session.run().unwrap();
        let (_, judged) = judge(session.trainer(), 1, LAST, None).unwrap();
        (ended, Some(serde_json::to_string_pretty(&judged).unwrap() + "\n"))
    });
    assert!(ended.iter().all(|(ended, _)| *ended == Ended::Finished), "{ended:?}");
    ended[0].1.take().unwrap()
}

fn assert_same(a: &Path, b: &Path, what: &str) {
    assert!(checkpoint_bytes(a, 6) == checkpoint_bytes(b, 6), "{what}: checkpoints differ");
    for file in ["metrics.csv", "metrics.jsonl"] {
        assert_eq!(fs::read(a.join(file)).unwrap(), fs::read(b.join(file)).unwrap(), "{what}: {file} differs");
    }
}

#[test]
fn ranks_write_the_bytes_of_one_process_and_any_number_goes_on() {
    let place = Place::new();
    let held = [
        "maml.estimator=score",
        "maml.sampling_term=plain",
        "policy.normalize_obs=true",
        "maml.inner_steps=2",
        "evaluation.every=2",
    ];
    let whole = ["maml.baseline=network", "maml.update_rule=learned"];
    for (name, sets) in [("held", &held[..]), ("whole", &whole)] {
        let alone = place.path(name);
        place.expect(0, &format!("train tiny.toml --run-dir {name} --actors 2 --set {}", sets.join(" --set ")));
        for size in [2, 3] {
            let shared = place.path(&format!("{name}{size}"));
            train(&shared, size, 3, sets);
            let judged = train(&shared, 4 - size + 1, 6, sets);
            assert_same(&alone, &shared, &format!("{name}, {size} ranks"));
            assert_eq!(judged, fs::read_to_string(alone.join("eval/in-dist.json")).unwrap(), "{name}, {size} ranks");
        }
    }
}

#[test]
fn ranks_share_an_evaluation_and_all_have_its_result() {
    // success and returns; lives with changes; a policy with a memory; examples
    let cases =
        [("cartpole-physics", "maml"), ("cartpole-switch", "maml"), ("cartpole-switch", "rl2"), ("sinusoid", "maml")];
    for (preset, learner) in cases {
        let config = presets::load(preset, &[format!("learner={learner}")]).unwrap();
        let evaluate = || {
            let trainer = Trainer::new(config.clone(), Device::Cpu, BackendChoice::Native, 1).unwrap();
            judge(&trainer, 1, Split::Ood, Some(5)).unwrap().1
        };
        let alone = evaluate();
        if let HeldOut::Episodes(found) = &alone {
            let changes = found.life.as_ref().map_or(0, |life| life.changes);
            let kinds = (changes > 0, found.curve[0].success.is_some());
            assert_eq!(kinds, (preset == "cartpole-switch", preset == "cartpole-physics"), "{preset}");
        }
        let text = serde_json::to_string(&alone).unwrap();
        // more ranks than tasks: each evaluates all of them
        for size in [2, 3, 6] {
            for found in local::run(size, |_| serde_json::to_string(&evaluate()).unwrap()) {
                assert_eq!(found, text, "{preset}, {learner}, {size} ranks");
            }
        }
    }
}

#[test]
fn ranks_share_an_audit_and_all_have_its_result() {
    let config = presets::load("cartpole-switch", &["task.horizon=60".to_owned()]).unwrap();
    let search = Budget { population: 7, elites: 2, rounds: 2, tasks: 3, lanes: 1 };
    let audit = |threads| audit(&config, &Effort { tasks: 3, lanes: 1, seed: 5, search, threads }, &|_| ()).unwrap();
    let alone = audit(1);
    assert_eq!(audit(3), alone);
    // more ranks than laws of a round, too
    for size in [2, 3, 8] {
        assert!(local::run(size, |_| audit(1)).iter().all(|found| *found == alone), "{size} ranks");
    }
}

#[test]
fn ranks_without_work_and_without_a_launcher_or_library_are_refused() {
    let config = Experiment::parse("tiny", TINY, &[]).unwrap();
    let refused = local::run(4, |_| ranks::check(&config, &options()).unwrap_err());
    let text = "--distributed: 4 ranks cannot share 3 tasks: start at most 3, or raise rollout.num_tasks";
    assert!(refused.iter().all(|error| error.to_string() == text && error.code() == 2), "{refused:?}");
    let place = Place::new();
    let train = "train tiny.toml --run-dir run --distributed";
    let text = place.expect(2, train);
    assert!(text.contains("no launcher started this process"), "{text}");
    let output = place.command(train).env("PMI_SIZE", "2").env("METADRIFT_MPI", "/nowhere/libmpi.so").output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(10) && text.contains("METADRIFT_MPI=/nowhere/libmpi.so: "), "{text}");
    let text = place.expect(2, "train tiny.toml --rank-timeout 5s");
    assert!(text.contains("--distributed"), "{text}");
    assert!(!place.path("run").exists() && !place.path("runs").exists());
}
