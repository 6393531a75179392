//! The contract of all learners, and a learner of another crate.

mod characters;
#[path = "learners/climber.rs"]
mod climber;
#[path = "learners/collapse.rs"]
mod collapse;
#[path = "learners/inputs.rs"]
mod inputs;
#[path = "learners/recipes.rs"]
mod recipe_tests;
#[path = "learners/values.rs"]
mod values;

use std::{collections::BTreeMap, path::Path};

use climber::CLIMBER;
use metadrift::{config::Experiment, train::Trainer};
use metadrift_agents::{
    backend::BackendChoice,
    device::Device,
    keys::Section,
    learner::{Entry, Learns},
    learners::{self, recipes},
    report::Report,
    team,
};

/// Every learner, with the toy among them.
fn all() -> Vec<&'static Entry> {
    static REGISTERED: std::sync::Once = std::sync::Once::new();
    REGISTERED.call_once(|| learners::register(&[&CLIMBER]).unwrap());
    learners::all().collect()
}

/// Names of every learner and of every recipe.
fn names() -> Vec<&'static str> {
    all().iter().map(|entry| entry.name).chain(recipes::ALL.iter().map(|recipe| recipe.name)).collect()
}

/// A small experiment: every learner takes what it reads of these settings.
fn experiment(name: &str, sets: &[&str]) -> Result<Experiment, String> {
    let learner = if recipes::find(name).is_some() { "maml" } else { name };
    let entry = all().into_iter().find(|entry| entry.name == learner).unwrap();
    let reads = |(key, _): &(&str, &str)| {
        let own = entry.own.is_some_and(|own| own.keys.iter().any(|known| known.key == *key));
        own || !(key.starts_with("recurrent.") || entry.ignores(key))
    };
    let small = [
        ("policy.hidden", "[4]"),
        ("policy.window", "1"),
        ("rollout.num_envs", "8"),
        ("recurrent.lanes", "64"),
        ("recurrent.embedding", "4"),
        ("recurrent.hidden", "4"),
    ];
    let small = small.into_iter().filter(reads).map(|(key, value)| format!("{key} = {value}\n"));
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "name = \"x\"\nlearner = \"{learner}\"\niterations = 40\n{}{}\n",
        small.collect::<String>(),
        match learner {
            // no controller knows a probe
            "distill" | "distill-window" | "adaptive-control" => "[task]\nenv = \"cartpole\"\nhorizon = 20".to_owned(),
            _ if entry.learns == Learns::Classes => classes(folder.path()),
            _ => "[task]\nenv = \"probe-action\"".to_owned(),
        }
    );
    let chosen = (learner != name).then(|| format!("learner={name}"));
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).chain(chosen).collect();
    Experiment::parse("x", &text, &sets).map_err(|error| error.to_string())
}

/// Tasks of labelled examples in `folder`, which are read with the configuration.
fn classes(folder: &Path) -> String {
    characters::draw_characters(folder);
    let data = toml::Value::from(folder.display().to_string());
    format!("[examples]\nfamily = \"images\"\nways = 3\nsupport = 6\nquery = 6\ndata = {data}")
}

fn trainer(learner: &str, actors: usize) -> Trainer {
    Trainer::new(experiment(learner, &[]).unwrap(), Device::Cpu, BackendChoice::Native, actors).unwrap()
}

#[test]
fn any_number_of_actors_learns_the_same() {
    for name in names() {
        let (mut one, mut three) = (trainer(name, 1), trainer(name, 3));
        for _ in 0..3 {
            assert_eq!(one.iterate().unwrap().metrics, three.iterate().unwrap().metrics, "{name}");
        }
        assert!(one.checkpoint() == three.checkpoint(), "{name}");
    }
}

#[test]
fn any_number_of_ranks_learns_the_same() {
    // three groups of lanes and more, for those that have lanes
    let lanes: &[(&str, &str)] =
        &[("ppo", "rollout.num_envs=96"), ("context", "rollout.num_envs=96"), ("rl2", "recurrent.lanes=128")];
    let learned = |name: &str| {
        let set = lanes.iter().find(|(known, _)| *known == name).map(|(_, set)| *set);
        let experiment = experiment(name, &Vec::from_iter(set)).unwrap();
        let mut trainer = Trainer::new(experiment, Device::Cpu, BackendChoice::Native, 1).unwrap();
        let metrics: Vec<_> = (0..3).map(|_| trainer.iterate().unwrap().metrics).collect();
        (metrics, trainer.checkpoint())
    };
    for name in names() {
        let alone = learned(name);
        for size in [2, 3] {
            for (rank, (metrics, checkpoint)) in team::local::run(size, |_| learned(name)).into_iter().enumerate() {
                assert_eq!(metrics, alone.0, "{name}, rank {rank} of {size}");
                assert!(checkpoint == alone.1, "{name}, rank {rank} of {size}");
            }
        }
    }
}

#[test]
fn a_saved_learner_goes_on_to_the_byte_and_a_misfit_changes_nothing() {
    for name in names() {
        let mut whole = trainer(name, 2);
        whole.iterate().unwrap();
        let saved = whole.checkpoint();
        let mut again = trainer(name, 2);
        again.restore(&saved).unwrap();
        assert!(again.checkpoint() == saved, "{name}");
        whole.iterate().unwrap();
        again.iterate().unwrap();
        let now = again.checkpoint();
        assert!(now == whole.checkpoint() && now != saved, "{name}");
        for at in 0..saved.tensors.len() {
            let mut wrong = saved.clone();
            wrong.tensors[at].1.push(0.5);
            assert!(again.restore(&wrong).is_err(), "{name}: {}", wrong.tensors[at].0);
            assert!(again.checkpoint() == now, "{name}: {}", wrong.tensors[at].0);
        }
    }
}

#[test]
fn an_agent_adapts_copies_of_what_was_learned_and_forgets() {
    for name in names() {
        let mut trainer = trainer(name, 1);
        trainer.iterate().unwrap();
        let mut agent = trainer.agent();
        agent.begin(2);
        let before: Vec<Vec<f32>> = agent.policies().params.to_vec();
        assert_eq!(before.len(), 2);
        let copy = agent.duplicate();
        assert_eq!(copy.policies().params, before);
        agent.begin(3);
        assert_eq!(agent.policies().params[2], before[0]);
    }
}

#[test]
fn a_learner_of_another_crate_is_known_everywhere() {
    let refused = experiment("climber", &["climber.sigma=-1.0"]).unwrap_err();
    assert!(refused.contains("climber.sigma = -1: must be 0, or from"), "{refused}");
    let typo = experiment("climber", &["climber.sigm=1.0"]).unwrap_err();
    assert!(typo.contains("did you mean `sigma`?"), "{typo}");
    let ignored = experiment("climber", &["ppo.clip_eps=0.1"]).unwrap_err();
    assert!(
        ignored
            .contains("ppo.clip_eps = 0.1: must be left out or at its default: learner = \"climber\" does not read it"),
        "{ignored}"
    );
    let foreign = experiment("maml", &["climber.sigma=0.1"]).unwrap_err();
    assert!(foreign.contains("[climber] is only read with learner = \"climber\""), "{foreign}");
    let written = experiment("climber", &["climber.sigma=0.25"]).unwrap().to_toml();
    assert!(written.contains("[climber]\nfalls = 0\nsigma = 0.25"), "{written}");
    let keys: BTreeMap<&str, String> =
        metadrift::reference::keys::all().map(|key| (key.key, metadrift::reference::keys::readers(key))).collect();
    assert_eq!(
        (keys["climber.sigma"].as_str(), keys["ppo.clip_eps"].as_str()),
        ("climber", "maml, ppo, rl2, distill, context, continual")
    );
}

#[test]
fn what_a_learner_does_not_read_is_a_key_of_the_common_sections() {
    let keys: Vec<&str> = metadrift::reference::keys::all().map(|key| key.key).collect();
    for entry in all() {
        for ignored in entry.ignores {
            let name = ignored.trim_start_matches('!');
            let common = ["rollout", "policy", "maml", "ppo"].contains(&name.split('.').next().unwrap());
            let known = |key: &&str| name.strip_suffix('*').map_or(*key == name, |section| key.starts_with(section));
            assert!(common && keys.iter().any(known), "{}: {ignored}", entry.name);
        }
        for key in entry.own.map_or(&[][..], |own| own.keys) {
            assert!(key.key.starts_with(&format!("{}.", entry.own.unwrap().name)), "{}", key.key);
        }
    }
}

/// A pattern names a section, and an exception behind it takes a key out again.
#[test]
fn a_learner_reads_the_exceptions_from_what_it_does_not_read() {
    let of = |ignores| Entry { ignores, ..CLIMBER };
    let some = of(&["maml.*", "!maml.inner_lr", "ppo.gamma"]);
    let read = ["maml.inner_lr", "ppo.outer_lr", "rollout.num_envs"];
    assert!(read.iter().all(|key| !some.ignores(key)));
    assert!(["maml.inner_steps", "maml.outer", "ppo.gamma"].iter().all(|key| some.ignores(key)));
}

#[test]
fn no_learner_takes_the_name_of_a_common_section() {
    let own: Vec<&str> = all().iter().filter_map(|entry| entry.own).map(|own| own.name).collect();
    let names = metadrift::reference::keys::all().map(|key| key.key.split('.').next().unwrap());
    let common: std::collections::BTreeSet<&str> = names.filter(|name| !own.contains(name)).collect();
    assert!(common.len() > 10, "{common:?}");
    for name in common {
        let section = Section { name, ..CLIMBER.own.unwrap() };
        let entry: &Entry = Box::leak(Box::new(Entry { name: "another", own: Some(section), ..CLIMBER }));
        let refused = learners::register(&[entry]).unwrap_err();
        assert!(refused.contains(&format!("[{name}] of `another` is a common part")), "{refused}");
    }
}

#[test]
fn the_toy_climbs() {
    let mut trainer = trainer("climber", 2);
    let reports: Vec<Report> = (0..40).map(|_| trainer.iterate().unwrap()).collect();
    let best = |report: &Report| report.metrics[1].1;
    assert!(reports.windows(2).all(|pair| best(&pair[0]) <= best(&pair[1])));
    // an action at random earns 0 on average, the right one 1
    assert!(best(&reports[39]) > 0.9, "{}", best(&reports[39]));
}
