//! `study`, `compare` and `runs list` as a user runs them.

use std::{
    fs,
    path::Path,
    process::Stdio,
    thread::sleep,
    time::{Duration, Instant},
};

use metadrift::study::SHIPPED;
use serde_json::Value;

use crate::command::{Place, TINY, text};

/// A study of a few seconds: two trainings and two laws, two seeds.
pub const STUDY: &str = r#"
name = "tiny-study"
seeds = [3, 4]
presets = ["tiny.toml"]
methods = ["random", "controller", "ppo", "fine-tune"]
baseline = "ppo"
scale = { zero = "random", one = "controller" }
[budget]
env_steps = 12_000
[evaluation]
tasks = 4
episodes = 3
[[method]]
name = "mine"
from = "maml"
set = ["maml.inner_lr=0.2"]
on = { cartpole = ["ppo.gamma=0.9"] }
"#;

pub fn place() -> Place {
    let place = Place::new();
    fs::write(place.path("study.toml"), STUDY).unwrap();
    place
}

pub fn results(out: &Path) -> [Vec<u8>; 2] {
    ["results.csv", "results.json"].map(|file| fs::read(out.join(file)).unwrap_or_else(|e| panic!("{file}: {e}")))
}

/// Starts the study and stops it with `signal` as soon as `ready` says so; gives the exit code.
fn stopped(place: &Place, signal: &str, ready: impl Fn() -> bool) -> Option<i32> {
    let mut command = place.command("study study.toml --out cut --jobs 1");
    let mut child = command.stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    while !ready() {
        assert!(began.elapsed() < Duration::from_secs(60) && child.try_wait().unwrap().is_none(), "it is over already");
        sleep(Duration::from_millis(2));
    }
    let id = child.id().to_string();
    assert!(std::process::Command::new("kill").args([format!("-{signal}"), id]).status().unwrap().success());
    child.wait().unwrap().code()
}

#[test]
fn a_study_goes_on_after_any_end_to_the_same_bytes() {
    let place = place();
    let told = place.expect(0, "study study.toml --out whole --jobs 2");
    assert!(told.contains("cell  10/10") && told.contains("minus ppo"), "{told}");
    assert!(told.lines().filter(|line| !line.starts_with("warning")).all(|line| line.chars().count() <= 80), "{told}");
    let whole = results(&place.path("whole"));
    // killed in a training, interrupted in the next one, continued by one cell at a time
    let run = |cell: &str| place.path("cut/cells").join(cell).join("run/checkpoints/step-00000002");
    assert_eq!(stopped(&place, "KILL", || run("mine--tiny--s3").exists()), None);
    assert_eq!(stopped(&place, "INT", || run("mine--tiny--s4").exists()), Some(130));
    assert!(!place.path("cut/results.csv").exists());
    let told = place.expect(0, "study study.toml --out cut --jobs 1");
    assert!(!told.contains("10 cells, 0 finished before"), "{told}");
    assert_eq!(results(&place.path("cut")), whole);
    // a damaged result, and a damaged training without a result, are made anew, and nothing else is
    let cells = place.path("cut/cells");
    let broken = cells.join("mine--tiny--s3/result.json");
    let torn = fs::read_to_string(&broken).unwrap().replacen("30", "29", 1);
    fs::write(&broken, torn).unwrap();
    fs::remove_file(cells.join("mine--tiny--s4/result.json")).unwrap();
    fs::write(cells.join("mine--tiny--s4/run/config.toml"), "zzz").unwrap();
    let told = place.expect(0, "study study.toml --out cut");
    assert!(told.contains("10 cells, 8 finished before"), "{told}");
    assert!(told.contains("mine--tiny--s3: its result is damaged and is made anew"), "{told}");
    assert!(told.contains("mine--tiny--s4: warning: its run is damaged and is made anew"), "{told}");
    assert_eq!(results(&place.path("cut")), whole);
}

#[test]
fn specialists_are_trained_once_for_each_held_out_task() {
    let place = place();
    let methods =
        ["\"random\", \"controller\", \"ppo\", \"fine-tune\"", "\"random\", \"controller\", \"ppo\", \"specialist\""];
    let text = STUDY.split("[[method]]").next().unwrap().replace(methods[0], methods[1]).replace("[3, 4]", "[3]");
    fs::write(place.path("study.toml"), text.replace("tasks = 4", "tasks = 2").replace("12_000", "6_000")).unwrap();
    let cell = |out: &str| place.path(out).join("cells/specialist--tiny--s3");
    let told = place.expect(0, "study study.toml --dry-run --out whole");
    assert!(told.contains("30000 environment steps"), "four specialists and one for all: {told}");
    place.expect(0, "study study.toml --out whole -q");
    for run in ["run-in-dist-0", "run-in-dist-1", "run-ood-0", "run-ood-1"] {
        assert!(cell("whole").join(run).join("config.toml").exists(), "{run}");
    }
    // killed in the third training, the study goes on with it
    assert_eq!(stopped(&place, "KILL", || cell("cut").join("run-ood-0/checkpoints").exists()), None);
    let checkpoints = || -> Vec<_> {
        let all = fs::read_dir(cell("cut").join("run-in-dist-0/checkpoints")).unwrap().map(Result::unwrap);
        all.map(|entry| (entry.file_name(), entry.metadata().unwrap().modified().unwrap())).collect()
    };
    let trained = checkpoints();
    place.expect(0, "study study.toml --out cut -q");
    assert_eq!(checkpoints(), trained, "the first training is over");
    assert_eq!(results(&place.path("cut")), results(&place.path("whole")));
    // the trainings of another budget are not taken for this study's
    fs::remove_file(cell("cut").join("result.json")).unwrap();
    let text = fs::read_to_string(place.path("study.toml")).unwrap();
    fs::write(place.path("study.toml"), text.replace("6_000", "7_000")).unwrap();
    assert!(place.expect(3, "study study.toml --out cut").contains("run-ood-1: the run there has other settings"));
}

#[test]
fn lives_are_scored_beside_held_out_tasks() {
    let place = place();
    let text = STUDY.replace("[evaluation]", "[lives]\nlives = 3\nepisodes = 4\n[evaluation]");
    fs::write(place.path("study.toml"), text.replace("baseline = \"ppo\"", "baseline = \"random\"")).unwrap();
    let told = place.expect(0, "study study.toml --out out -q");
    assert!(told.contains("lives") && told.contains("harmed"), "{told}");
    let json: Value = serde_json::from_slice(&fs::read(place.path("out/results.json")).unwrap()).unwrap();
    let row = |method: &str, metric: &str| -> f64 {
        let named = [("method", method), ("metric", metric), ("split", "in-dist")];
        let found =
            json["rows"].as_array().unwrap().iter().find(|row| named.iter().all(|(key, name)| row[*key] == *name));
        found.unwrap_or_else(|| panic!("no {metric} of {method}"))["value"].as_f64().unwrap()
    };
    let of_cells = |method: &str, of: &str| -> f64 {
        let cells = json["cells"].as_array().unwrap().iter().filter(|cell| cell["method"] == method);
        let lives = cells.flat_map(|cell| cell["evaluations"][2]["lives"].as_array().unwrap());
        let values: Vec<f64> = lives.map(|life| life[of].as_f64().unwrap()).collect();
        assert_eq!(values.len(), 6, "two seeds, three lives each");
        values.iter().sum::<f64>() / 6.0
    };
    let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{a} {b}");
    near(row("mine", "live_return"), of_cells("mine", "mean_return"));
    near(row("mine", "live_gain"), of_cells("mine", "mean_return") - of_cells("mine", "unadapted"));
    near(row("mine", "live_difference"), of_cells("mine", "mean_return") - of_cells("random", "mean_return"));
    near(row("mine", "live_relative_regret"), of_cells("mine", "regret") / of_cells("random", "regret"));
    // full knowledge has no regret, and plain PPO does not learn in its life
    assert_eq!((row("controller", "live_regret"), row("ppo", "live_gain")), (0.0, 0.0));
}

#[test]
fn the_numbers_are_those_of_the_cells() {
    let place = place();
    fs::write(place.path("study.toml"), STUDY.replace("\"tiny.toml\"", "\"tiny.toml\", \"short.toml\"")).unwrap();
    let short = TINY.replace("\"tiny\"", "\"short\"").replace("horizon = 30", "horizon = 20");
    fs::write(place.path("short.toml"), short).unwrap();
    let printed = place.command("study study.toml --out out -q --format json").output().unwrap();
    assert!(printed.status.success(), "{}", text(&printed));
    let json: Value = serde_json::from_slice(&printed.stdout).unwrap();
    let stored: Value = serde_json::from_slice(&fs::read(place.path("out/results.json")).unwrap()).unwrap();
    assert!(stored == json);
    let row = |(preset, method): (&str, &str), metric: &str, at: Option<f64>| -> f64 {
        let named = [("preset", preset), ("method", method), ("metric", metric), ("split", "in-dist")];
        let rows = json["rows"].as_array().unwrap().iter();
        let mut found =
            rows.filter(|row| named.iter().all(|(key, name)| row[*key] == *name) && row["at"].as_f64() == at);
        let value = found.next().unwrap_or_else(|| panic!("no {metric} of {method}"))["value"].as_f64().unwrap();
        assert!(found.next().is_none());
        value
    };
    let cell = |(preset, method): (&str, &str), seed: u64| {
        let of = |cell: &&Value| cell["preset"] == preset && cell["method"] == method && cell["seed"] == seed;
        json["cells"].as_array().unwrap().iter().find(of).unwrap().clone()
    };
    let returns = |place, seed: u64, k: usize, of: &str| -> f64 {
        let scores = cell(place, seed)["evaluations"][0]["curve"][k][of].clone();
        let scores: Vec<f64> = serde_json::from_value(scores).unwrap();
        scores.iter().sum::<f64>() / scores.len() as f64
    };
    let both = |place, k, of| (returns(place, 3, k, of) + returns(place, 4, k, of)) / 2.0;
    let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{a} {b}");
    let mine = ("tiny", "mine");
    near(row(mine, "mean", Some(1.0)), both(mine, 1, "returns"));
    near(row(mine, "gain", Some(1.0)), both(mine, 1, "returns") - both(mine, 1, "unadapted"));
    near(row(mine, "area", None), (both(mine, 0, "returns") + both(mine, 1, "returns")) / 2.0);
    let scaled = |preset| {
        let of = |method| both((preset, method), 1, "returns");
        (of("mine") - of("random")) / (of("controller") - of("random"))
    };
    near(row(mine, "normalised", Some(1.0)), scaled("tiny"));
    near(row(("all", "mine"), "normalised", Some(1.0)), (scaled("tiny") + scaled("short")) / 2.0);
    near(row(mine, "difference", Some(1.0)), both(mine, 1, "returns") - both(("tiny", "ppo"), 1, "returns"));
    // one training, seen before and after adaptation, on the same tasks
    let (ppo, tuned) = (("tiny", "ppo"), ("tiny", "fine-tune"));
    assert_eq!(returns(ppo, 3, 1, "returns"), returns(tuned, 3, 1, "unadapted"));
    assert_eq!(returns(ppo, 3, 0, "returns"), returns(tuned, 3, 0, "returns"));
    assert_eq!(cell(tuned, 3)["run"], "cells/ppo--tiny--s3/run");
    assert!(!place.path("out/cells/fine-tune--tiny--s3/run").exists());
    let prints = |place| cell(place, 3)["evaluations"][0]["fingerprints"].clone();
    assert!(prints(("tiny", "random")) == prints(mine) && prints(mine).as_array().unwrap().len() == 4);
    // budgets are equal: the iteration that reaches the budget is the last
    for (place, per_iteration) in [(ppo, 64 * 128), (mine, 3 * 4 * 30 * 2)] {
        let steps = cell(place, 4)["env_steps"].as_u64().unwrap();
        assert!((12_000..12_000 + per_iteration).contains(&steps), "{place:?}: {steps}");
    }
}

#[test]
fn cells_of_another_study_or_preset_are_named_and_never_mixed() {
    let place = place();
    place.expect(0, "study study.toml --out out -q");
    let before = results(&place.path("out"));
    let changed = |from: &str, to: &str| fs::write(place.path("study.toml"), STUDY.replace(from, to)).unwrap();
    changed("maml.inner_lr=0.2", "maml.inner_lr=0.3");
    let told = place.expect(3, "study study.toml --out out");
    assert!(told.contains("2 problems") || told.contains("3 problems"), "{told}");
    assert!(told.contains("mine--tiny--s3: it was made with other settings: maml.inner_lr"), "{told}");
    assert!(!told.contains("ppo--tiny"), "{told}");
    changed("zzz", "");
    let tiny = fs::read_to_string(place.path("tiny.toml")).unwrap();
    fs::write(place.path("tiny.toml"), tiny.replace("high = 1.3", "high = 1.4")).unwrap();
    let told = place.expect(3, "study study.toml --out out");
    let version = "it was made with another version of the preset tiny: task.vary.actuator_gain.high";
    assert!(
        told.contains("random--tiny--s4") && told.contains(version) && told.contains("nothing was trained"),
        "{told}"
    );
    assert_eq!(results(&place.path("out")), before);
    // more seeds are more cells
    fs::write(place.path("tiny.toml"), tiny).unwrap();
    changed("seeds = [3, 4]", "seeds = [3, 4, 5]");
    let told = place.expect(0, "study study.toml --out out --dry-run");
    assert!(told.matches("finished").count() == 10 && told.contains("15 cells, 24000 environment steps"), "{told}");
    assert!(told.lines().all(|line| line.chars().count() <= 80) && !told.contains(" 0 min"), "{told}");
    // the list has the results of cells
    let list: Value = serde_json::from_str(&place.expect(0, "runs list out --format json")).unwrap();
    let cell = fs::read_to_string(place.path("out/cells/mine--tiny--s3/result.json")).unwrap();
    let cell: Value = serde_json::from_str(&cell).unwrap();
    let last = cell["cell"]["evaluations"][0]["curve"].as_array().unwrap().last().unwrap();
    let returns: Vec<f64> = serde_json::from_value(last["returns"].clone()).unwrap();
    let run = |run: &&Value| run["run"].as_str().unwrap().contains("mine--tiny--s3");
    let listed = list.as_array().unwrap().iter().find(run).map(|run| run["last"].as_f64().unwrap());
    assert!((listed.unwrap() - returns.iter().sum::<f64>() / returns.len() as f64).abs() < 1e-9);
}

#[test]
fn all_mistakes_of_a_study_are_told_before_any_training() {
    let place = place();
    let bad = STUDY
        .replace("\"random\", ", "\"randm\", ")
        .replace("\"tiny.toml\"", "\"cartpole-flop\", \"sinusoid\", \"tiny.toml\"")
        .replace("maml.inner_lr=0.2", "maml.iner_lr=0.2\", \"ppo.clip_eps=3.0")
        .replace("baseline = \"ppo\"", "baseline = \"pppo\"")
        .replace("tasks = 4", "taks = 4\ntasks = 4");
    fs::write(place.path("bad.toml"), bad).unwrap();
    let told = place.expect(3, "study bad.toml --out out");
    for part in [
        "7 problems; nothing was trained",
        "unknown key `evaluation.taks`; did you mean `tasks`?",
        "unknown method `randm`; did you mean `random`?",
        "did you mean `cartpole-flip`?",
        "sinusoid",
        "baseline: `pppo` is none of the study's methods",
        "did you mean `inner_lr`?",
        "ppo.clip_eps = 3",
    ] {
        assert!(told.contains(part), "no `{part}` in\n{told}");
    }
    assert!(!place.path("out").exists());
    assert!(place.expect(3, "study quik --out out").contains("quick, full"));
    place.expect(2, "study quick");
    place.expect(4, "study missing.toml --out out");
    assert!(place.expect(0, "study --list-methods").contains("fine-tune"));
    let help = place.expect(0, "study --help");
    assert!(SHIPPED.iter().all(|(name, _)| help.contains(name)), "{help}");
    assert!(place.expect(0, "study quick --show").contains("[budget]"));
}

#[test]
fn runs_are_listed_and_compared_on_the_same_tasks() {
    let place = Place::new();
    place.expect(0, "train tiny.toml --name a --seed 1 --set evaluation.tasks=8 --set evaluation.every=3 -q");
    place.expect(0, "train tiny.toml --name b --seed 2 --set evaluation.tasks=8 --no-evaluate -q");
    place.expect(0, "train tiny.toml --name c --set task.vary.actuator_gain.high=1.2 --no-evaluate -q --max-time 0s");
    let list: Value = serde_json::from_str(&place.expect(0, "runs list --format json")).unwrap();
    let names: Vec<&str> = list.as_array().unwrap().iter().map(|run| run["run"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 3, "{names:?}"); // and not `latest`
    let run =
        |name: &str| list.as_array().unwrap().iter().find(|run| run["run"].as_str().unwrap().ends_with(name)).unwrap();
    assert_eq!(
        (&run("a")["state"], &run("a")["iterations"], &run("b")["seed"]),
        (&"finished".into(), &6.into(), &2.into())
    );
    assert!(run("a")["last"].is_f64() && run("a")["best"].is_f64() && run("b")["last"].is_null());
    assert_eq!((&run("c")["state"], &run("c")["iterations"]), (&"interrupted".into(), &1.into()));
    let told = place.expect(0, "runs list");
    assert!(told.contains("runs/tiny/a\n") && told.lines().all(|line| line.chars().count() <= 80), "{told}");
    let stored = fs::metadata(place.path("runs/tiny/a/eval/in-dist.json")).unwrap().modified().unwrap();
    let compared = place.expect(0, "compare runs/tiny/a runs/tiny/b --format json");
    let compared: Value = serde_json::from_str(&compared).unwrap();
    let returns = |at: usize| -> Vec<f64> { serde_json::from_value(compared["runs"][at]["returns"].clone()).unwrap() };
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let difference = compared["runs"][1]["minus_first"]["mean"].as_f64().unwrap();
    assert!((difference - (mean(&returns(1)) - mean(&returns(0)))).abs() < 1e-9 && returns(0).len() == 8);
    // what was stored was read, what was missing is stored now
    assert_eq!(fs::metadata(place.path("runs/tiny/a/eval/in-dist.json")).unwrap().modified().unwrap(), stored);
    assert!(place.path("runs/tiny/b/eval/in-dist.json").exists());
    let told = place.expect(0, "compare runs/tiny/a runs/tiny/b runs/tiny/a");
    assert!(told.contains("minus a") && told.lines().all(|line| line.chars().count() <= 80), "{told}");
    let told = place.expect(3, "compare runs/tiny/a runs/tiny/c");
    assert!(told.contains("its tasks are not those of") && told.contains("cannot be compared"), "{told}");
    place.expect(2, "compare runs/tiny/a");
}
