//! The checked-in task lists: published numbers refer to these tasks.

use std::{collections::HashSet, fmt::Write as _};

use metadrift::{config::Experiment, presets};
use metadrift_envs::Split;

/// Tasks of a list by split.
const COUNTS: [(Split, u32); 3] = [(Split::Train, 256), (Split::InDist, 64), (Split::Ood, 64)];

/// The text of a list, one line per task: split, index, digest.
fn list(config: &Experiment) -> String {
    let spec = config.env().spec();
    let mut text = String::from("# split index digest; written by tests/task_lists.rs\n");
    for (split, count) in COUNTS {
        for (index, task) in config.tasks(split).list(count).iter().enumerate() {
            let _ = writeln!(text, "{split} {index} {:016x}", task.digest(spec));
        }
    }
    text
}

#[test]
fn task_lists_are_those_checked_in_and_their_splits_share_no_task() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("presets/lists");
    let write = std::env::var_os("METADRIFT_WRITE_LISTS").is_some();
    for (name, _) in presets::PRESETS {
        let path = folder.join(format!("{name}.txt"));
        let found = list(&presets::load(name, &[]).unwrap());
        if write {
            std::fs::write(&path, &found).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        assert!(found == expected, "{name}: the tasks have changed; METADRIFT_WRITE_LISTS=1 accepts that");
        let tasks: HashSet<_> = found.lines().skip(1).map(|line| line.rsplit(' ').next()).collect();
        if tasks.len() == 1 {
            continue; // the environment as it is: there is but one task
        }
        let mut others = HashSet::new();
        for (split, _) in COUNTS {
            let start = format!("{split} ");
            let digests = found.lines().filter(|line| line.starts_with(&start)).map(|line| line.rsplit(' ').next());
            let digests: HashSet<_> = digests.collect();
            if digests.len() == 1 && split == Split::InDist && digests == others {
                continue; // learned on the environment as it is: the splits differ in initial states only
            }
            assert!(digests.is_disjoint(&others), "{name}: {split} has a task of another split");
            others.extend(digests);
        }
    }
}
