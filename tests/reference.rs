//! The reference of configuration and task language covers exactly the words that the parsers know, and the documents
//! show it.

use std::{collections::BTreeSet, path::Path};

use metadrift::{
    config::{Config, Experiment},
    reference::{
        keys::{self, readers, with_prefix},
        keys_markdown,
        language::{EXAMPLE_HEAD, Entry, Section, entries},
        language_markdown,
    },
};
use metadrift_agents::{
    keys::{Absent, Key, Legal},
    learners,
};
use metadrift_envs::{DriftConfig, Law, TaskConfig};
use serde::de::DeserializeOwned;

/// The smallest file that reads a key.
fn minimal(key: &Key) -> String {
    let readers = readers(key);
    let learner = if readers == "all" { "maml" } else { readers.split(',').next().unwrap() };
    let torques = ["policy.log_std", "task.filter.max_step_authority"].contains(&key.key);
    let env = if torques || key.key.starts_with("task.filter.e") { "pendulum" } else { "cartpole" };
    let filter = if key.key.starts_with("task.filter.") { "filter = {}\n" } else { "" };
    let window = if ["context", "distill-window"].contains(&learner) { "[policy]\nwindow = 1\n" } else { "" };
    if key.key.starts_with("examples.") || learner == "prototypes" {
        // without a folder no data are read
        let classes = ["examples.ways", "examples.data", "prototypes.size"].contains(&key.key);
        let family = if classes { "\"images\"\nways = 5" } else { "\"sinusoid\"" };
        return format!("name = \"x\"\nlearner = \"{learner}\"\n[examples]\nfamily = {family}\n");
    }
    format!("name = \"x\"\nlearner = \"{learner}\"\n{window}[task]\nenv = \"{env}\"\n{filter}")
}

fn with(key: &Key, value: &str) -> Result<Experiment, String> {
    let set = format!("{}={value}", key.key);
    Experiment::parse("x", &minimal(key), &[set]).map_err(|error| error.to_string())
}

/// Weights of a learned optimiser.
fn rule() -> String {
    format!("{:?}", vec![0.5; 834])
}

/// The value together with the setting that makes it count.
fn with_companion(key: &Key, value: &str) -> Result<Experiment, String> {
    let companion = match key.key {
        "maml.dice_lambda" => "maml.estimator=loaded-dice",
        "maml.sampling_term" => "maml.estimator=score",
        "maml.max_kl" => "maml.outer=trpo",
        "maml.adapts_size" => "maml.adapts=context",
        "maml.value_hidden" | "maml.value_lr" | "maml.value_epochs" => "maml.baseline=network",
        "maml.risk" => "maml.risk_level=0.5",
        "maml.risk_level" => "maml.risk=variance",
        "ppo_learner.optimizer" => &format!("ppo_learner.optimizer_weights={}", rule()),
        "ppo_learner.optimizer_weights" => "ppo_learner.optimizer=learned",
        _ => return with(key, value),
    };
    let sets = [companion.to_owned(), format!("{}={value}", key.key)];
    Experiment::parse("x", &minimal(key), &sets).map_err(|error| error.to_string())
}

/// The names that serde lists when it meets one that it does not know.
fn known<T: DeserializeOwned>(text: &str) -> BTreeSet<String> {
    listed(&toml::from_str::<T>(text).err().expect("`zzz` is refused").to_string())
}

/// The same of a whole configuration.
fn known_keys(text: &str) -> BTreeSet<String> {
    listed(&Experiment::parse("x", text, &[]).expect_err("`zzz` is refused").to_string())
}

fn listed(message: &str) -> BTreeSet<String> {
    let line = message.lines().find(|line| line.contains("`zzz`, ")).unwrap_or_else(|| panic!("{message}"));
    let common = line.split_once(", or of all kinds").map_or(line, |(own, _)| own);
    let names = common.split('`').skip(3).step_by(2);
    names.map(str::to_owned).collect()
}

fn names<'a>(names: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    names.into_iter().map(str::to_owned).collect()
}

/// First parts of the keys below a table.
fn below(table: &str) -> BTreeSet<String> {
    let rest = |key: &'static str| match table {
        "" => Some(key),
        _ => key.strip_prefix(table)?.strip_prefix('.'),
    };
    names(keys::all().filter_map(|key| rest(key.key)?.split('.').next()))
}

#[test]
fn the_keys_are_those_that_the_parser_knows() {
    let start = "name = \"x\"\ntask = { env = \"cartpole\" }\n";
    assert_eq!(known_keys(&format!("{start}zzz = 1")), below(""));
    for table in [
        "rollout",
        "evaluation",
        "policy",
        "maml",
        "ppo",
        "ppo_learner",
        "recurrent",
        "distill_window",
        "context",
        "continual",
        "adaptive_control",
        "prototypes",
        "checkpoint",
        "log",
    ] {
        assert_eq!(known_keys(&format!("{start}{table}.zzz = 1")), below(table), "{table}");
    }
    assert_eq!(known::<TaskConfig>("env = \"cartpole\"\nzzz = 1"), below("task"));
    for table in ["notify", "filter", "split"] {
        let text = format!("env = \"cartpole\"\n{table}.zzz = 1");
        assert_eq!(known::<TaskConfig>(&text), below(&format!("task.{table}")), "{table}");
    }
    // and no table of the configuration is missing above
    let tables: BTreeSet<&str> = keys::all().filter_map(|key| Some(key.key.split_once('.')?.0)).collect();
    assert_eq!(tables.len(), 16, "{tables:?}: a table that this test does not know");
}

#[test]
fn a_default_that_is_written_out_changes_nothing() {
    for key in keys::all() {
        let without = Experiment::parse("x", &minimal(key), &[]).unwrap();
        let written = toml::Table::try_from(Config::clone(&without)).unwrap();
        match key.default {
            Absent::Is(default) => assert_eq!(*with(key, default).unwrap(), *without, "{} = {default}", key.key),
            Absent::Words(_) if ["examples.family", "examples.ways"].contains(&key.key) => {} // needed with [examples]
            Absent::Required => assert!(["name", "task.env"].contains(&key.key), "{}", key.key),
            // `[evaluation]` is resolved and then written
            Absent::Words(_) if key.key.starts_with("evaluation.") || key.legal == Legal::Table => {}
            Absent::Words(_) => {
                let value = key.key.split('.').try_fold(&toml::Value::Table(written), |at, part| at.get(part)).cloned();
                assert_eq!(value, None, "{} has a default that can be written", key.key);
            }
        }
    }
}

#[test]
fn what_lies_outside_the_legal_values_is_refused_in_the_same_words() {
    for key in keys::all() {
        match key.legal {
            Legal::Range { words, refused } => {
                let message =
                    with_companion(key, refused).err().unwrap_or_else(|| panic!("{} = {refused} is accepted", key.key));
                // a number of the wrong sign does not reach the range check, names have their own errors
                let typed = message.contains("expected u") || ["learner", "task.env"].contains(&key.key);
                let limit = words.trim_start_matches("a ");
                assert!(message.contains(limit) || typed, "{}: {words}, but the error says: {message}", key.key);
            }
            Legal::OneOf(words) => {
                let message = with(key, "zzz").unwrap_err();
                assert_eq!(quoted_after_expected(&message), names(words.iter().copied()), "{}", key.key);
            }
            Legal::Any => {
                let right = if key.kind == "text" { "\"some text\"" } else { "true" };
                match with(key, right) {
                    Err(error) if key.key == "examples.data" => {
                        assert!(error.contains("cannot read the folder"), "{error}")
                    }
                    Err(error) if key.key == "ppo_learner.optimizer_file" => {
                        assert!(error.contains("left out with ppo_learner.optimizer = \"adam\""), "{error}")
                    }
                    found => drop(found.unwrap_or_else(|error| panic!("{}: {error}", key.key))),
                }
            }
            Legal::Table => {
                let name = key.key.trim_start_matches("task.").split('.').next().unwrap();
                assert!(entries().any(|entry| entry.name == name), "{} is in no section of the language", key.key);
            }
        }
    }
}

fn quoted_after_expected(message: &str) -> BTreeSet<String> {
    let list = message.split_once("expected ").unwrap_or_else(|| panic!("{message}")).1;
    let list = list.split("; did you mean").next().unwrap().lines().next().unwrap();
    names(list.split('`').skip(1).step_by(2))
}

#[test]
fn a_key_that_a_learner_does_not_read_is_refused_by_it() {
    let mut refusals = 0;
    for key in keys::all().filter(|key| readers(key) != "all") {
        let another = match key.default {
            Absent::Is(default) if let Legal::OneOf(words) = key.legal => {
                words.iter().find(|word| !default.contains(*word)).unwrap()
            }
            Absent::Is("false") => "true",
            Absent::Is("true") => "false",
            Absent::Is("0.25") => "0.5",
            Absent::Is("3") => "2",
            Absent::Is(text) if text.starts_with('[') => "[8]",
            Absent::Is(text) if text.contains(['.', 'e']) => "0.25",
            _ if key.key == "ppo_learner.optimizer_weights" => &rule(),
            _ => "3",
        };
        if !key.key.starts_with("examples.") && !key.key.ends_with("_file") {
            with_companion(key, another).unwrap_or_else(|error| panic!("{} = {another}: {error}", key.key));
        }
        let readers = readers(key);
        for other in learners::all().filter(|entry| !readers.split(", ").any(|reader| reader == entry.name)) {
            let sets = [format!("learner={}", other.name), format!("{}={another}", key.key)];
            // of tasks that these learners can learn
            let of = if key.key == "prototypes.size" { keys::all().next().unwrap() } else { key };
            let refused = Experiment::parse("x", &minimal(of), &sets).unwrap_err().to_string();
            assert!(refused.contains(key.key.split('.').next().unwrap()), "{}: {refused}", key.key);
            refusals += 1;
        }
    }
    assert_eq!(
        refusals,
        19 + 2 * 29 + 29 + 24 + 38 + 16 + 5 + 32 + 9 * (9 + 3 + 7 + 3 + 2) + 8 * 9 + 7 * 5,
        "keys that plain PPO, the two recurrent learners, distillation into a window, latent context, adaptive control, \
         Reptile, continual MAML and prototypes ignore; keys of their own, by the nine others; 9 of recurrent policies, by \
         eight; 5 of examples, by seven"
    );
}

fn of(section: Section) -> impl Iterator<Item = &'static Entry> {
    entries().filter(move |entry| entry.section == section)
}

fn names_of(section: Section) -> BTreeSet<String> {
    names(of(section).map(|entry| entry.name))
}

fn fields(entry: &Entry) -> BTreeSet<String> {
    names(entry.fields.iter().map(|field| field.name))
}

#[test]
fn the_words_are_those_that_the_parser_knows() {
    let mut schedules = known::<DriftConfig>("kind = \"zzz\"");
    assert!(schedules.remove("ramp_hold"), "the other name of `linear`");
    assert_eq!(schedules, names_of(Section::Schedule));
    assert_eq!(known::<Law>("law = \"zzz\""), names_of(Section::Law));
    for (field, section) in [("clock", Section::Clock), ("apply", Section::Apply), ("on_bound", Section::OnBound)] {
        let text = format!("kind = \"constant\"\nvalue = 1.0\n{field} = \"zzz\"");
        assert_eq!(known::<DriftConfig>(&text), names_of(section));
    }
    let message = toml::from_str::<DriftConfig>("kind = \"constant\"\nzzz = 1").unwrap_err().to_string();
    let common = message.split_once("or of all kinds ").unwrap().1.lines().next().unwrap();
    assert_eq!(names(common.split('`').skip(1).step_by(2)), names_of(Section::Timing));
}

#[test]
fn the_fields_are_those_that_the_parser_knows() {
    for entry in of(Section::Law) {
        assert_eq!(known::<Law>(&format!("law = \"{}\"\nzzz = 1", entry.name)), fields(entry), "{}", entry.name);
    }
    for entry in of(Section::Schedule) {
        let text = format!("kind = \"{}\"\nzzz = 1", entry.name);
        assert_eq!(known::<DriftConfig>(&text), fields(entry), "{}", entry.name);
    }
    for (table, start) in [("notify", "notify.zzz"), ("filter", "filter.zzz"), ("split", "split.ood.zzz")] {
        let entry = of(Section::Table).find(|entry| entry.name == table).unwrap();
        assert_eq!(known::<TaskConfig>(&format!("env = \"cartpole\"\n{start} = 1")), fields(entry), "{table}");
    }
    let correlated = of(Section::Table).find(|entry| entry.name == "correlated").unwrap();
    assert_eq!(known::<TaskConfig>("env = \"cartpole\"\ncorrelated = [{ zzz = 1 }]"), fields(correlated));
}

/// The table of an example that holds the entry's fields.
fn table_of(entry: &Entry) -> toml::Table {
    let task: toml::Table = toml::from_str(entry.example).unwrap();
    let parent = if entry.section == Section::Law { "vary" } else { "drift" };
    let channels = task[parent].as_table().unwrap();
    channels.values().next().unwrap().as_table().unwrap().clone()
}

#[test]
fn a_field_is_needed_or_has_the_default_that_is_stated() {
    fn check<T: DeserializeOwned + PartialEq + std::fmt::Debug>(entry: &Entry) {
        let read = |table: &toml::Table| T::deserialize(table.clone()).map_err(|error| error.to_string());
        let whole = table_of(entry);
        for field in entry.fields {
            let mut without = whole.clone();
            without.remove(field.name);
            let Some(default) = field.default else {
                let error = read(&without).unwrap_err();
                assert!(error.contains(&format!("missing field `{}`", field.name)), "{}: {error}", entry.name);
                continue;
            };
            let mut with = without.clone();
            let value = toml::from_str::<toml::Table>(&format!("v = {default}"));
            let stated = value.ok().filter(|_| field.name != "duty");
            if let Some(value) = stated {
                with.insert(field.name.into(), value["v"].clone());
                assert_eq!(read(&with).unwrap(), read(&without).unwrap(), "{}.{}", entry.name, field.name);
            } else {
                read(&without).unwrap();
            }
        }
    }
    of(Section::Law).for_each(check::<Law>);
    of(Section::Schedule).for_each(check::<DriftConfig>);
}

#[test]
fn every_example_loads_and_shows_its_word() {
    for entry in entries() {
        let text = format!("{EXAMPLE_HEAD}{}\n", entry.example);
        let config =
            Experiment::parse("example.toml", &text, &[]).unwrap_or_else(|e| panic!("{}: {e}\n{text}", entry.name));
        for split in metadrift_envs::Split::ALL {
            config.tasks(split).sample(0, 0, 0);
        }
        assert!(entry.example.contains(entry.name), "{}: {}", entry.name, entry.example);
    }
}

#[test]
fn the_task_in_the_readme_is_what_its_name_says() {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let text = readme.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let config = Experiment::parse("README.md", text, &[]).unwrap();
    assert_eq!(config.name, "weak-motor");
    let spec = config.env().spec();
    let gain = metadrift_envs::channel_index(spec, "actuator_gain").unwrap();
    let tasks = config.tasks(metadrift_envs::Split::Train);
    let at_start: Vec<f64> = (0..64).map(|index| tasks.sample(0, 0, index).values_at(0)[gain]).collect();
    let mean = at_start.iter().sum::<f64>() / 64.0;
    // 0.8 + 0.3 sin of a random phase: standard error 0.3 / sqrt(2 * 64)
    assert!((mean - 0.8).abs() < 4.0 * 0.3 / 128f64.sqrt(), "{mean}");
    assert!(at_start.iter().any(|gain| *gain < 0.6) && at_start.iter().any(|gain| *gain > 1.0), "{at_start:?}");
}

#[test]
fn the_documents_are_what_the_commands_print() {
    let documents = [
        ("docs/config.md", keys_markdown(&with_prefix("")), "config keys"),
        ("docs/task-language.md", language_markdown(&entries().collect::<Vec<_>>()), "tasks laws"),
    ];
    for (file, text, command) in documents {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let stored = std::fs::read_to_string(path).unwrap_or_default();
        assert!(stored == text, "{file} is stale; run: metadrift {command} --format markdown > {file}");
    }
}
