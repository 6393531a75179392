//! `report` as a user runs it.

use std::fs;

use crate::command::{Place, TINY};

const STUDY: &str = r#"
name = "tiny-study"
description = "<script>alert(1)</script> & more"
seeds = [3, 4]
presets = ["tiny.toml"]
methods = ["random", "controller", "ppo", "fine-tune"]
baseline = "ppo"
scale = { zero = "random", one = "controller" }
[budget]
env_steps = 10_000
[evaluation]
tasks = 16
episodes = 3
"#;

fn place() -> Place {
    let place = Place::new();
    let two = "task.vary.actuator_gain = { law = \"uniform\", low = 0.7, high = 1.3 }";
    let tiny =
        TINY.replace(two, &format!("{two}\ntask.vary.half_length = {{ law = \"uniform\", low = 0.4, high = 0.6 }}"));
    fs::write(place.path("tiny.toml"), tiny).unwrap();
    fs::write(place.path("study.toml"), STUDY).unwrap();
    place
}

fn read(place: &Place, name: &str) -> String {
    fs::read_to_string(place.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Fails unless every element of a page is closed in its order, and nothing is loaded from elsewhere or run.
fn check(page: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = page.strip_prefix("<!DOCTYPE html>").expect("a document");
    while let Some(start) = rest.find('<') {
        let (tag, after) = rest[start + 1..].split_once('>').expect("a tag ends");
        rest = after;
        if let Some(closed) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(closed), "in {open:?}");
        } else if !tag.ends_with('/') {
            let name = tag.split_whitespace().next().unwrap();
            if name == "style" {
                rest = &rest[rest.find("</style>").expect("a style ends")..];
            }
            open.extend((!["meta", "img"].contains(&name)).then_some(name));
        }
    }
    assert!(open.is_empty(), "{open:?}");
    let page = page.replace("src=\"data:image/gif;base64,", "");
    for foreign in ["<script", "http:", "https:", "url(", "@import", "src=", "<link"] {
        assert!(!page.contains(foreign), "{foreign}");
    }
}

#[test]
fn a_study_has_its_answer_its_numbers_and_its_figures() {
    let place = place();
    place.expect(0, "study study.toml --out out -q");
    place.expect(0, "report out --out report.html --assets files");
    let page = read(&place, "report.html");
    check(&page);
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp; more") && page.contains("prefers-color-scheme"));
    // the answer has the largest difference to the baseline of a method that does not know the task
    let mut reader = csv::Reader::from_path(place.path("out/results.csv")).unwrap();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let at = |row: &csv::StringRecord| [0, 1, 3, 4, 5, 8].map(|column| row[column].to_owned());
    let best = rows.iter().map(at).filter(|[method, _, split, metric, ..]| {
        method != "controller" && split == "in-dist" && metric == "difference"
    });
    let best = best.max_by(|a, b| a[5].parse::<f64>().unwrap().total_cmp(&b[5].parse().unwrap())).unwrap();
    let answer = page.split_once("class=\"answer\">").unwrap().1.split_once('<').unwrap().0;
    assert!(answer.contains(&best[0]) && answer.contains("95 % intervals"), "{best:?} {answer}");
    // every number is in the files, to the last digit
    for split in ["in-dist", "ood"] {
        let file = read(&place, &format!("files/numbers-tiny-{split}.csv"));
        let of_split = rows.iter().filter(|row| &row[3] == split);
        let lines: Vec<String> =
            of_split.map(|row| [0, 4, 5, 8, 9, 10].map(|at| row[at].to_owned()).join(",")).collect();
        assert!(lines.len() > 50);
        assert_eq!(file.lines().skip(1).collect::<Vec<_>>(), lines);
    }
    for row in rows.iter().filter(|row| &row[4] == "mean") {
        let (value, low): (f64, f64) = (row[8].parse().unwrap(), row[9].parse().unwrap());
        assert!(page.contains(&format!(">{value:.1} <span class=\"within\">[{low:.1}, ")), "{row:?}");
    }
    for figure in ["curves", "profiles", "heat"] {
        let picture = read(&place, &format!("files/{figure}-tiny.svg"));
        assert!(picture.starts_with("<svg") && picture.contains("prefers-color-scheme"), "{figure}");
    }
    let table: serde_json::Value = serde_json::from_str(&read(&place, "files/scores-tiny-in-dist.json")).unwrap();
    assert_eq!(table.as_array().unwrap().len(), 4);
    // the best method is filmed on its worst task of those that all methods meet
    assert!(best[0] != "random", "{best:?}");
    let film = fs::read(place.path("files/replay-tiny-in-dist.gif")).unwrap();
    assert!(film.starts_with(b"GIF89a"));
    let table: serde_json::Value = serde_json::from_str(&read(&place, "files/worst-tiny-in-dist.json")).unwrap();
    assert!(table.as_array().unwrap().iter().any(|row| row["method"] == best[0]), "{table}");
    assert!(page.contains(&format!("The worst task of tiny-in-dist with {}, seed 3, number ", best[0])));
    // the same input gives the same bytes
    place.expect(0, "report out --out again.html");
    assert!(read(&place, "again.html") == page);
}

#[test]
fn a_study_with_missing_cells_names_them_and_a_damaged_one_is_refused() {
    let place = place();
    place.expect(0, "study study.toml --out out -q");
    let results = read(&place, "out/results.json");
    // results of the study as it was before its file was changed
    let outline = read(&place, "out/study.json");
    fs::write(place.path("out/study.json"), outline.replace("\"digest\": \"", "\"digest\": \"0")).unwrap();
    place.expect(0, "report out --out stale.html");
    assert!(read(&place, "stale.html").contains("belongs to an earlier version of the study"));
    fs::write(place.path("out/study.json"), outline).unwrap();
    fs::write(place.path("out/results.json"), &results[..results.len() / 2]).unwrap();
    let told = place.expect(4, "report out --out report.html");
    assert!(told.contains("results.json") && !place.path("report.html").exists(), "{told}");
    fs::write(place.path("out/results.json"), results.replacen("\"schema\":1", "\"schema\":9", 1)).unwrap();
    assert!(place.expect(4, "report out --out report.html").contains("form 9"));
    fs::remove_file(place.path("out/results.json")).unwrap();
    fs::remove_file(place.path("out/cells/ppo--tiny--s4/result.json")).unwrap();
    fs::write(place.path("out/cells/random--tiny--s3/result.json"), "{").unwrap();
    place.expect(0, "report out --out report.html");
    let page = read(&place, "report.html");
    check(&page);
    assert!(page.contains("6 of 8 cells are there, 2 are missing"), "{page}");
    assert!(
        page.contains("random--tiny--s3\nppo--tiny--s4\n") || page.contains("random--tiny--s3\nppo--tiny--s4<"),
        "{page}"
    );
    assert!(page.contains("metadrift study study.toml --out out") && page.contains("env_steps = 10_000"));
    fs::create_dir(place.path("other")).unwrap();
    let told = place.expect(2, "report out other --out no.html");
    assert!(told.contains("other is neither a run") && !place.path("no.html").exists(), "{told}");
}

#[test]
fn a_run_has_its_curves_and_its_evaluations_or_the_commands_that_make_them() {
    let place = place();
    place.expect(0, "train tiny.toml --run-dir run -q --no-evaluate");
    place.expect(0, "report run --out before.html");
    let before = read(&place, "before.html");
    check(&before);
    assert!(before.contains("was not evaluated") && before.contains("metadrift evaluate run --split ood"));
    place.expect(0, "evaluate run --split in-dist --tasks 12 --episodes 3");
    place.expect(0, "report run --out report.html --assets files");
    let page = read(&place, "report.html");
    check(&page);
    assert!(page.contains("6 of 6") && page.contains("return/post") && page.contains("actuator_gain"));
    let stem = fs::read_dir(place.path("run/eval")).unwrap().map(|file| file.unwrap().path());
    let stored = stem.into_iter().find(|file| file.extension().is_some_and(|end| end == "json")).unwrap();
    let stored: serde_json::Value = serde_json::from_slice(&fs::read(stored).unwrap()).unwrap();
    let mean = stored["curve"][1]["deterministic"]["mean"].as_f64().unwrap();
    assert!(page.contains(&format!("the policy returns {mean:.1} [")), "{mean}");
    let worst = fs::read_dir(place.path("files")).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let worst = worst.into_iter().find(|name| name.starts_with("worst") && name.ends_with("csv")).unwrap();
    let least = stored["curve"][1]["deterministic"]["returns"].as_array().unwrap().iter();
    let least = least.map(|value| value.as_f64().unwrap()).fold(f64::INFINITY, f64::min);
    let first = read(&place, &format!("files/{worst}")).lines().nth(1).unwrap().to_owned();
    assert_eq!(first.split(',').nth(2).unwrap().parse::<f64>().unwrap(), least);
    // the film is the same in the page and as a file: two scenes side by side
    let split = stored_stem(&place);
    let film = fs::read(place.path(&format!("files/replay-{split}.gif"))).unwrap();
    assert_eq!((&film[..6], &film[6..10]), (&b"GIF89a"[..], &[0x20, 0x03, 0x2C, 0x01][..]), "800 by 300");
    let text = page.split_once("src=\"data:image/gif;base64,").unwrap().1.split_once('"').unwrap().0;
    assert!(
        text.len() == film.len().div_ceil(3) * 4 && text.len() < 1_500_000 && text.starts_with("R0lGODlh"),
        "{}",
        text.len()
    );
    assert!(page.contains("without adaptation: return") && page.contains("after adaptation: return"));
    // a changed preset is named, and the file of a run is not overwritten
    let config = read(&place, "run/config.toml");
    fs::write(place.path("run/config.toml"), config.replace("1.3", "1.4")).unwrap();
    place.expect(0, "report run --out changed.html");
    let changed = read(&place, "changed.html");
    assert!(
        changed.contains("draws other tasks") && changed.contains("was changed after the run wrote it"),
        "{changed}"
    );
    assert!(changed.contains("cannot be drawn by this program"));
    place.expect(2, "report run --out run/metrics.csv");
}

/// Name of the run's only evaluation.
fn stored_stem(place: &Place) -> String {
    let files = fs::read_dir(place.path("run/eval")).unwrap().map(|file| file.unwrap().path());
    let json = files.into_iter().find(|file| file.extension().is_some_and(|end| end == "json")).unwrap();
    json.file_stem().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn lives_have_their_numbers_and_two_of_them_on_an_axis_of_time() {
    let place = Place::new();
    place.expect(0, "train cartpole-switch --iterations 1 --set rollout.num_tasks=4 --run-dir run --no-evaluate");
    // the gain changes in all of these lives
    let told = place.expect(0, "live run --lives 3 --episodes 6 --seed 1 --detector prediction --format json");
    fs::write(place.path("life.jsonl"), &told).unwrap();
    place.expect(0, "report life.jsonl run --out report.html --assets files");
    let page = read(&place, "report.html");
    check(&page);
    let last: serde_json::Value = serde_json::from_str(told.lines().last().unwrap()).unwrap();
    let mean = last["summary"]["mean_return"]["value"].as_f64().unwrap();
    assert!(page.contains(&format!("maml returns {mean:.1} [")) && page.contains("sum of regrets"), "{mean}");
    for life in ["median", "worst"] {
        let picture = read(&place, &format!("files/1-life-life-{life}.svg"));
        assert!(picture.contains("actuator_gain") && picture.contains("full knowledge"), "{picture}");
    }
    let cut = told.trim_end().rsplit_once('\n').unwrap().0;
    fs::write(place.path("cut.jsonl"), cut).unwrap();
    let told = place.expect(4, "report cut.jsonl --out no.html");
    assert!(told.contains("cut.jsonl") && told.contains("the command was stopped"), "{told}");
}

#[test]
fn runs_on_other_tasks_are_named_beside_each_other() {
    let place = place();
    place.expect(0, "train tiny.toml --run-dir a -q --no-evaluate");
    place.expect(0, "train tiny.toml --run-dir b -q --no-evaluate --set task.vary.half_length.high=0.7");
    place.expect(0, "report a b --out report.html");
    let page = read(&place, "report.html");
    check(&page);
    assert!(page.contains("Its in-dist tasks of tiny are not those of"), "{page}");
}
