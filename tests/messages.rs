//! Messages on the terminal, and their loss without a reader.
#![cfg(target_os = "linux")]

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::process::CommandExt,
    process::Stdio,
};

use crate::command::{Place, TINY, text};

fn full() -> File {
    OpenOptions::new().write(true).open("/dev/full").unwrap()
}

/// The writing end of a pipe whose reader is gone.
fn broken() -> Stdio {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    writer.into()
}

#[test]
fn exit_codes_stay_where_nobody_reads_the_messages() {
    let place = Place::new();
    let cases = [
        (0, "train tiny.toml --run-dir R --iterations 2"),
        (0, "train tiny.toml --run-dir R --smoke"),
        (3, "train nope"),
        (2, "train tiny.toml --seed x"),
        (4, "resume nowhere"),
        (7, "train tiny.toml --run-dir R --set ppo.outer_lr=1e38 --set ppo.max_grad_norm=1e30"),
    ];
    for (at, (code, args)) in cases.into_iter().enumerate() {
        for (kind, stderr) in [("full", Stdio::from(full())), ("broken", broken())] {
            let args = args.replace('R', &format!("{kind}{at}"));
            let output = place.command(&args).stderr(stderr).output().unwrap();
            assert_eq!(output.status.code(), Some(code), "{args}, stderr {kind}");
        }
    }
}

#[test]
fn a_result_that_cannot_be_written_is_an_error_unless_its_reader_has_gone() {
    let place = Place::new();
    for args in ["presets list", "env show cartpole", "tasks sample cartpole-flip", "--help", "--version"] {
        let output = place.command(args).stdout(full()).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(output.status.code(), Some(8), "{args}: {}", text(&output));
        let output = place.command(args).stdout(broken()).stderr(Stdio::piped()).output().unwrap();
        assert_eq!((output.status.code(), text(&output).as_str()), (Some(0), ""), "{args}");
    }
}

#[test]
fn control_characters_are_shown_escaped() {
    let place = Place::new();
    let escape = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}1m\u{202e}";
    let toml = r"\u001b]0;owned\u0007\u001b[2J\u009b1m\u202e";
    fs::write(place.path("description.toml"), format!("description = \"{toml}\"\n{TINY}")).unwrap();
    fs::write(place.path("comment.toml"), format!("# {escape}\n{TINY}")).unwrap();
    fs::write(place.path("env.toml"), format!("name = \"a\"\ntask.env = \"{toml}\"\n")).unwrap();
    fs::write(place.path("key.toml"), format!("name = \"a\"\n\"{toml}\" = 1\ntask.env = \"cartpole\"\n")).unwrap();
    fs::write(place.path("line.jsonl"), format!("{{\"env\": \"{toml}\"}}\n")).unwrap();
    fs::write(place.path(&format!("{escape}.toml")), "x").unwrap();
    let run = |args: &[&str]| text(&place.command("").args(args).output().unwrap());
    let lines = [
        run(&["tasks", "describe", "description.toml"]),
        run(&["train", "description.toml", "--run-dir", "r", "--no-evaluate", "--iterations", "1"]),
        run(&["train", "description.toml", "--dry-run"]),
        run(&["train", "comment.toml", "--dry-run"]),
        run(&["train", "env.toml", "--dry-run"]),
        run(&["train", "key.toml", "--dry-run"]),
        run(&["train", &format!("{escape}.toml")]),
        run(&["train", escape]),
        run(&["train", "tiny.toml", "--set", &format!("{escape}=1")]),
        run(&["train", "tiny.toml", "--set", &format!("name={escape}")]),
        run(&["train", "tiny.toml", &format!("--{escape}")]),
        run(&["train", "tiny.toml", "--device", escape]),
        run(&["evaluate", escape]),
        run(&["resume", escape]),
        run(&["presets", "show", escape]),
        run(&["env", "show", escape]),
        run(&["env", "replay", "line.jsonl"]),
        run(&["env", "trace", "tiny.toml", "--task", escape, "--out", "o.csv"]),
        run(&["tasks", "plot", "cartpole-drift", "--out", &format!("nowhere/{escape}")]),
    ];
    for (at, line) in lines.iter().enumerate() {
        let raw = |c: char| (c.is_control() && c != '\n' && c != '\t') || c == '\u{202e}';
        assert!(!line.contains(raw), "case {at}: {line:?}");
        assert!(!line.is_empty(), "case {at}");
    }
}

#[test]
fn a_limit_on_the_size_of_files_is_a_full_disk() {
    let place = Place::new();
    for (args, limit) in
        [("train tiny.toml --run-dir R", 2048), ("train tiny.toml --run-dir R --set policy.hidden=[64]", 6000)]
    {
        let mut command = place.command(&args.replace('R', &format!("run{limit}")));
        // SAFETY: one system call on a valid struct, which is allowed between fork and exec.
        unsafe {
            command.pre_exec(move || {
                let limit = libc::rlimit { rlim_cur: limit, rlim_max: limit };
                if libc::setrlimit(libc::RLIMIT_FSIZE, &limit) == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
            });
        }
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(8), "{args}: {}", text(&output));
        assert!(text(&output).contains("free some space"), "{}", text(&output));
    }
}

#[test]
fn printed_commands_work_in_a_shell() {
    let place = Place::new();
    let folder = "it's my run; $HOME";
    let mut command = place.command("train tiny.toml --iterations 1 --no-evaluate --run-dir");
    let told = text(&command.arg(folder).output().unwrap());
    let advice =
        told.lines().find_map(|line| line.strip_prefix("Next: metadrift ")).unwrap_or_else(|| panic!("{told}"));
    let line = format!("{} {advice} --tasks 2", env!("CARGO_BIN_EXE_metadrift"));
    let output = std::process::Command::new("sh").args(["-c", &line]).current_dir(place.path("")).output().unwrap();
    assert!(output.status.success(), "{line}: {}", text(&output));
}
