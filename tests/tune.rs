//! `tune` as a user runs it.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Child, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::command::{Place, checkpoint_bytes, text};

/// A search of a few seconds: six trials, three rungs.
const SPACE: &str = r#"
[tune]
name = "tiny-search"
base = "tiny.toml"
set = ["evaluation.tasks=4", "evaluation.episodes=3"]
trials = 6
seed = 5
seeds = [3, 4]
halving = { first = 1, factor = 2 }
[tune.space]
"maml.inner_lr" = { low = 0.01, high = 1.0, log = true }
"ppo.outer_epochs" = { low = 1, high = 3 }
"maml.estimator" = ["lvc", "dice"]
"#;

fn place() -> Place {
    let place = Place::new();
    fs::write(place.path("space.toml"), SPACE).unwrap();
    place
}

fn results(out: &Path) -> Value {
    let path = out.join("results.json");
    serde_json::from_slice(&fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))).unwrap()
}

fn start(place: &Place, args: &str) -> Child {
    place.command(args).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
}

/// Waits until `ready`, while the process runs.
fn wait_for(child: &mut Child, ready: impl Fn() -> bool) {
    let began = Instant::now();
    while !ready() {
        assert!(began.elapsed() < Duration::from_secs(60) && child.try_wait().unwrap().is_none(), "it is over already");
        sleep(Duration::from_millis(2));
    }
}

/// The records of a journal.
fn records(out: &Path) -> Vec<Value> {
    let text = fs::read_to_string(out.join("journal.log")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_search_goes_on_after_any_end_to_the_same_bytes() {
    let place = place();
    let told = place.expect(0, "tune space.toml --out whole --jobs 1");
    assert!(told.contains("search tiny-search: 6 trials, 0 begun before") && told.contains("best"), "{told}");
    assert!(told.lines().all(|line| line.chars().count() <= 80), "{told}");
    let whole = results(&place.path("whole"));
    let (trials, best) = (whole["trials"].as_array().unwrap(), whole["best"][0].as_u64().unwrap());
    assert_eq!((trials.len(), &whole["rungs"]), (6, &serde_json::json!([1, 2, 4, 6])));
    // the best is the best of those that were trained to the end
    let finished = trials.iter().filter(|trial| trial["state"] == "finished");
    let last = |trial: &Value| trial["scores"][3][0].as_f64().unwrap();
    let top = finished.max_by(|a, b| last(a).total_cmp(&last(b))).unwrap();
    assert_eq!(top["number"], best);
    // killed in its first trial, interrupted in a later one, continued by the same command
    let run = |number: u64, seed: u64| place.path(&format!("cut/trials/{number:04}/s{seed}/checkpoints"));
    let mut child = start(&place, "tune space.toml --out cut --jobs 1");
    wait_for(&mut child, || run(0, 4).exists());
    child.kill().unwrap();
    child.wait().unwrap();
    let mut child = start(&place, "tune space.toml --out cut --jobs 1");
    wait_for(&mut child, || run(2, 3).exists());
    assert!(std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let told = text(&output);
    assert_eq!(output.status.code(), Some(130), "{told}");
    assert!(told.contains("The same command goes on: metadrift tune space.toml --out cut"), "{told}");
    place.expect(0, "tune space.toml --out cut --jobs 1 -q");
    assert_eq!(results(&place.path("cut")), whole);
    let again = place.expect(0, "tune space.toml --out cut --format json -q");
    assert_eq!(serde_json::from_str::<Value>(&again).unwrap(), whole, "a search that is over is told again");
    assert_eq!(fs::read_dir(place.path("cut/workers")).unwrap().count(), 0, "nobody works on it");

    // the best trial, which was trained rung by rung, is the training of its configuration without a pause
    place.expect(0, "train whole/best.toml --run-dir run --seed 3 --no-evaluate -q");
    let trained = place.path(&format!("whole/trials/{best:04}/s3"));
    assert_eq!(checkpoint_bytes(&trained, 6), checkpoint_bytes(&place.path("run"), 6));
    assert_eq!(fs::read(trained.join("metrics.csv")).unwrap(), fs::read(place.path("run/metrics.csv")).unwrap());
}

#[test]
fn processes_share_a_search_and_take_over_from_the_dead() {
    let place = place();
    let mut first = start(&place, "tune space.toml --out out --jobs 1");
    wait_for(&mut first, || place.path("out/trials/0000").exists());
    let second = start(&place, "tune space.toml --out out --jobs 1");
    wait_for(&mut first, || place.path("out/trials/0001").exists());
    first.kill().unwrap();
    first.wait().unwrap();
    let output = second.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let records = records(&place.path("out"));
    let of = |kind: u64| records.iter().filter(move |record| record["op_code"] == kind);
    let writers: BTreeSet<&str> = of(4).map(|record| record["worker_id"].as_str().unwrap()).collect();
    assert_eq!((of(4).count(), writers.len()), (6, 2), "six trials, begun by both");
    let ended: Vec<u64> = of(6).map(|record| record["trial_id"].as_u64().unwrap()).collect();
    assert_eq!(ended.iter().collect::<BTreeSet<_>>().len(), 6);
    assert_eq!(ended.len(), 6, "each trial ended once");
    // a value after each rung, once
    let values: Vec<_> = of(7).map(|record| (record["trial_id"].as_u64(), record["step"].as_u64())).collect();
    assert_eq!(values.iter().collect::<BTreeSet<_>>().len(), values.len());
    assert!(values.len() > 6 + 3 + 1, "half of them go on, and one is finished");
}

#[test]
fn several_objectives_have_a_front_and_a_grid_has_all_its_points() {
    let place = place();
    let text =
        SPACE.replace("trials = 6\n", "sampler = \"grid\"\n").replace("halving = { first = 1, factor = 2 }\n", "");
    let text = text.replace(
        "[tune.space]",
        "objectives = [{ metric = \"eval/ood/worst_decile_k1\" }, \
        { metric = \"kl/meta\", direction = \"minimize\" }]\n[tune.space]",
    );
    let text = text.replace("log = true", "points = 2").replace("seeds = [3, 4]", "seeds = [3]");
    fs::write(place.path("space.toml"), text.replace("\"ppo.outer_epochs\" = { low = 1, high = 3 }\n", "")).unwrap();
    let told = place.expect(0, "tune space.toml --dry-run --format json");
    let plan: Value = serde_json::from_str(told.split_once('\n').unwrap().1).unwrap();
    // 3 tasks x 4 lanes x 30 steps x 2 phases, 6 iterations, 4 trials
    assert_eq!((&plan["trials"], &plan["env_steps"]), (&4.into(), &(4 * 4320).into()));
    assert!(!place.path("out").exists());
    place.expect(0, "tune space.toml --out out -q");
    let found = results(&place.path("out"));
    let pair = |trial: &Value| [0, 1].map(|at| trial["scores"][0][at].as_f64().unwrap());
    let all: Vec<[f64; 2]> = found["trials"].as_array().unwrap().iter().map(pair).collect();
    let settings: BTreeSet<String> =
        found["trials"].as_array().unwrap().iter().map(|trial| trial["settings"].to_string()).collect();
    assert_eq!((all.len(), settings.len()), (4, 4));
    // more is better in the first, less in the second
    let beats = |a: &[f64; 2], b: &[f64; 2]| a[0] >= b[0] && a[1] <= b[1] && a != b;
    let front: BTreeSet<u64> =
        (0..4).filter(|at| !all.iter().any(|other| beats(other, &all[*at]))).map(|at| at as u64).collect();
    let told: BTreeSet<u64> = found["best"].as_array().unwrap().iter().filter_map(Value::as_u64).collect();
    assert_eq!(told, front);
    for number in told {
        place.expect(0, &format!("train out/best-{number:04}.toml --dry-run"));
    }
}

#[test]
fn what_cannot_be_searched_is_refused_before_the_first_trial() {
    let place = place();
    let wrong = SPACE.replace("halving", "objectives = [{ metric = \"eval/in-dist/retrun_k1\" }]\nhalving");
    fs::write(place.path("wrong.toml"), &wrong).unwrap();
    let told = place.expect(3, "tune wrong.toml --out new");
    assert!(told.contains("no metric `eval/in-dist/retrun_k1`; did you mean `eval/in-dist/return_k1`?"), "{told}");
    fs::write(place.path("wrong.toml"), SPACE.replace("maml.inner_lr", "maml.inner_lt")).unwrap();
    let told = place.expect(3, "tune wrong.toml --out new");
    assert!(
        told.contains("1 problem; nothing was trained") && told.contains("did you mean `maml.inner_lr`?"),
        "{told}"
    );
    let wrong = SPACE
        .replace("halving", "sampler = \"tpee\"\nobjectives = [{ metric = \"score\", direction = \"up\" }]\nhalving")
        .replace("seed = 5", "seed = -5");
    fs::write(place.path("wrong.toml"), wrong).unwrap();
    let told = place.expect(3, "tune wrong.toml --out new");
    let all = [
        "3 problems",
        "[tune]: objectives: unknown variant `up`",
        "[tune]: sampler: unknown variant `tpee`",
        "[tune]: seed: ",
    ];
    assert!(all.iter().all(|part| told.contains(part)), "{told}");
    assert!(!place.path("new").exists());
    place.expect(4, "tune nowhere.toml --out new");
    place.expect(2, "tune space.toml");
    // another search in the folder, other settings of the same, a newer journal, trials without one
    let one = SPACE.replace("trials = 6", "trials = 1").replace("seeds = [3, 4]", "seeds = [3]");
    fs::write(place.path("space.toml"), &one).unwrap();
    place.expect(0, "tune space.toml --out out -q");
    let changed = |from: &str, to: &str| fs::write(place.path("wrong.toml"), one.replace(from, to)).unwrap();
    changed("tiny-search", "other");
    assert!(place.expect(3, "tune wrong.toml --out out").contains("its folder has the search `tiny-search`"));
    changed("high = 3", "high = 4");
    let told = place.expect(3, "tune wrong.toml --out out");
    let ranges = [3, 4].map(|high| format!("{{\"high\":{high},\"log\":false,\"low\":1,\"step\":1}}"));
    let expected = format!("tune.space.ppo.outer_epochs is {} there and {} now\n", ranges[0], ranges[1]);
    assert!(told.contains(&expected) && told.contains("choose another --out"), "{told}");
    let journal = place.path("out/journal.log");
    let whole = fs::read_to_string(&journal).unwrap();
    fs::write(&journal, format!("{whole}{{\"op_code\":12}}\n")).unwrap();
    let told = place.expect(4, "tune space.toml --out out");
    assert!(told.contains("a record of kind 12") && told.contains("a newer Optuna wrote it"), "{told}");
    assert!(fs::read_to_string(&journal).unwrap().ends_with("{\"op_code\":12}\n"));
    fs::remove_file(&journal).unwrap();
    assert!(place.expect(3, "tune space.toml --out out").contains("has trials, but no journal.log"));
    fs::write(&journal, "").unwrap();
    assert!(place.expect(3, "tune space.toml --out out").contains("or an empty one: choose another --out"));
    // the number of trials may be raised, and a search whose trials all fail says so
    fs::write(&journal, &whole).unwrap();
    changed("trials = 1", "trials = 2");
    place.expect(0, "tune wrong.toml --out out -q");
    assert_eq!(results(&place.path("out"))["trials"].as_array().unwrap().len(), 2);
    let failing =
        SPACE.replace("\"maml.inner_lr\" = { low = 0.01, high = 1.0, log = true }", "\"ppo.outer_lr\" = [1e-3, 1e38]");
    let failing = failing.replace("set = [", "set = [\"ppo.max_grad_norm=1e30\", ");
    fs::write(place.path("failing.toml"), failing).unwrap();
    let told = place.expect(0, "tune failing.toml --out some -q");
    assert!(told.contains(" failed: the training with seed 3 diverged\n"), "{told}");
    changed("set = [", "set = [\"ppo.outer_lr=1e38\", \"ppo.max_grad_norm=1e30\", ");
    let told = place.expect(7, "tune wrong.toml --out broken -q");
    assert!(told.contains("none of the 1 trials has a value") && told.contains("seed 3 diverged"), "{told}");
}
