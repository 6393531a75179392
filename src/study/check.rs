//! Problems of a study's file that need no training to be seen.

use std::collections::BTreeSet;

use metadrift_envs::EnvKind;

use super::{file::StudyFile, lives::LivesConfig, methods::Method, plan::PresetPlan};

/// Checks the lists of the file that need no look at presets or methods.
pub(super) fn check_lists(file: &StudyFile, problems: &mut Vec<String>) {
    let empty = [("seeds", file.seeds.is_empty()), ("presets", file.presets.is_empty())];
    let none = file.methods.is_empty() && file.method.is_empty();
    for (what, _) in empty.into_iter().chain([("methods", none)]).filter(|(_, empty)| *empty) {
        problems.push(format!("{what} is empty"));
    }
    let twice = |what: &str, names: Vec<String>, problems: &mut Vec<String>| {
        let mut seen = BTreeSet::new();
        problems.extend(
            names
                .into_iter()
                .filter(|name| !seen.insert(name.clone()))
                .map(|name| format!("{what}: {name} is there twice")),
        );
    };
    twice("seeds", file.seeds.iter().map(u64::to_string).collect(), problems);
    twice("presets", file.presets.clone(), problems);
    let own = file.method.iter().map(|method| &method.name);
    twice("methods", file.methods.iter().chain(own).cloned().collect(), problems);
    if file.budget.env_steps == 0 || file.budget.presets.values().any(|steps| *steps == 0) {
        problems.push("budget: 0 environment steps train nothing; leave the method out, or name `scratch`".to_owned());
    }
    problems.extend(file.lives.and_then(LivesConfig::problems));
    if let Some(seed) = file.seeds.iter().find(|seed| **seed > i64::MAX as u64) {
        problems.push(format!("seeds: {seed} is above {}", i64::MAX));
    }
}

/// Refuses names that cannot be those of folders.
pub(super) fn check_methods(methods: &[Method], problems: &mut Vec<String>) {
    let legal = |c: char| c.is_ascii_alphanumeric() || "-_.=+".contains(c);
    for Method { name, .. } in methods {
        let tame = !name.is_empty() && name.len() <= 40 && name.chars().all(legal) && !name.starts_with(['.', '-']);
        if !tame || name.contains("--") {
            problems.push(format!(
                "method `{name}`: its name is to have at most 40 letters, digits and -_.=+, no `--`, and none of `-.` first"
            ));
        }
    }
}

/// Refuses names of presets and environments that the study does not have.
pub(super) fn check_places(file: &StudyFile, presets: &[PresetPlan], problems: &mut Vec<String>) {
    let known = |name: &str| presets.iter().any(|preset| preset.name == name);
    for (at, PresetPlan { name, source, .. }) in presets.iter().enumerate() {
        if name.contains("--") {
            problems.push(format!("presets: the name `{name}` has `--`, which separates the parts of a cell's name"));
        }
        if let Some(other) = presets[..at].iter().find(|other| other.name == *name && other.source != *source) {
            problems.push(format!("presets: {source} and {} have the same name, {name}", other.source));
        }
    }
    for name in file.budget.presets.keys().filter(|name| !known(name)) {
        problems.push(format!("budget.presets: `{name}` is none of the study's presets"));
    }
    for (method, place) in file.method.iter().flat_map(|method| method.on.keys().map(move |place| (method, place))) {
        let of_env =
            EnvKind::from_name(place).is_ok() && presets.iter().any(|preset| preset.experiment.task.env == *place);
        if !of_env && !known(place) {
            problems.push(format!(
                "method `{}`: on.{place} is neither a preset of the study nor its environment",
                method.name
            ));
        }
    }
}
