//! A study that several processes make.

use std::{fs, process::Stdio, thread::sleep, time::Duration};

use crate::{
    command::text,
    study::{STUDY, place, results},
};

#[test]
fn processes_share_a_study_and_take_over_from_the_dead() {
    let place = place();
    place.expect(0, "study study.toml --out whole -q");
    let claims = || -> Vec<String> {
        let listed = fs::read_dir(place.path("shared/workers")).into_iter().flatten();
        let names = listed.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".claim")).collect()
    };
    let begin = || {
        let mut command = place.command("study study.toml --out shared --jobs 1");
        command.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
    };
    let mut dead = begin();
    while !claims().iter().any(|claim| claim.starts_with("ppo")) {
        assert!(dead.try_wait().unwrap().is_none(), "it is over already");
        sleep(Duration::from_millis(2));
    }
    // what is made there belongs to this study, and not to another one
    fs::write(place.path("other.toml"), STUDY.replace("maml.inner_lr=0.2", "maml.inner_lr=0.3")).unwrap();
    let told = place.expect(2, "study other.toml --out shared");
    assert!(told.contains("makes the study tiny-study there, which differs"), "{told}");
    let living = [begin(), begin()];
    sleep(Duration::from_millis(100));
    dead.kill().unwrap();
    dead.wait().unwrap();
    for child in living {
        let output = child.wait_with_output().unwrap();
        let told = text(&output);
        assert!(output.status.success() && told.contains("minus ppo"), "{told}");
        // cells of other processes are told, too
        let last = told.lines().rfind(|line| line.starts_with("cell")).unwrap();
        let (done, all) = last.split_whitespace().nth(1).and_then(|count| count.split_once('/')).unwrap();
        assert_eq!(done, all, "{told}");
    }
    assert_eq!(results(&place.path("shared")), results(&place.path("whole")));
    assert_eq!(claims(), Vec::<String>::new());
}
