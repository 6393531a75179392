//! `completions` and `man` know every command; `config keys` and `tasks laws` print JSON.

use std::{fs, process::Command};

fn metadrift(args: &[&str]) -> (bool, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_metadrift")).args(args).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

/// Names of the commands, by the help text.
fn commands() -> Vec<String> {
    let (_, help, _) = metadrift(&["--help"]);
    let rows = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = rows.filter(|row| row.starts_with("  ") && !row.starts_with("   "));
    names.map(|row| row.split_whitespace().next().unwrap().to_owned()).collect()
}

#[test]
fn every_shell_completes_every_command() {
    let commands = commands();
    assert!(commands.len() >= 12 && commands.contains(&"train".into()), "{commands:?}");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (done, script, _) = metadrift(&["completions", shell]);
        assert!(done);
        for name in &commands {
            assert!(script.contains(name.as_str()), "{shell}: {name}");
        }
    }
    let (done, script, _) = metadrift(&["completions", "bash"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("metadrift.bash");
    fs::write(&file, script).unwrap();
    let bash = "source \"$1\"; COMP_WORDS=(metadrift tr); COMP_CWORD=1; _metadrift metadrift tr metadrift; echo ${COMPREPLY[@]}";
    let output = Command::new("bash").args(["-c", bash, "bash"]).arg(&file).output().unwrap();
    assert!(done && String::from_utf8_lossy(&output.stdout).trim() == "train", "{output:?}");
}

#[test]
fn there_is_a_manual_page_for_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("man/man1");
    let (done, said, _) = metadrift(&["man", dir.to_str().unwrap()]);
    assert!(done, "{said}");
    let page = |name: &str| fs::read_to_string(dir.join(format!("{name}.1"))).unwrap_or_else(|e| panic!("{name}: {e}"));
    for command in commands().iter().filter(|command| *command != "help") {
        assert!(page(&format!("metadrift-{command}")).contains(".SH SYNOPSIS"), "{command}");
    }
    assert!(page("metadrift-tasks-laws").contains("sinusoid"));
    let (done, printed, _) = metadrift(&["man"]);
    assert!(done && printed == page("metadrift"));
}

#[test]
fn the_references_print_json_and_name_the_nearest_word() {
    let (_, keys, _) = metadrift(&["config", "keys", "ppo.gamma", "--format", "json"]);
    let keys: serde_json::Value = serde_json::from_str(&keys).unwrap();
    assert_eq!((&keys[0]["key"], &keys[0]["default"]), (&"ppo.gamma".into(), &0.99.into()));
    let (_, words, _) = metadrift(&["tasks", "laws", "shell", "--format", "json"]);
    let words: serde_json::Value = serde_json::from_str(&words).unwrap();
    assert_eq!(words[0]["fields"][0]["name"], "outer");
    let (done, _, error) = metadrift(&["config", "keys", "mml"]);
    assert!(!done && error.contains("did you mean `maml"), "{error}");
    let (done, _, error) = metadrift(&["tasks", "laws", "sinusod"]);
    assert!(!done && error.contains("did you mean `sinusoid`?"), "{error}");
}
