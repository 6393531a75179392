//! Tells the program its commit and compiler, and the linker where libtorch is, if it is built with it (see
//! agents/build.rs).

use std::{path::Path, process::Command};

fn main() {
    provenance();
    let arguments = std::env::var("DEP_METADRIFT_AGENTS_LINK_ARGUMENTS").unwrap_or_default();
    for argument in arguments.split('\u{1f}').filter(|argument| !argument.is_empty()) {
        println!("cargo::rustc-link-arg={argument}");
    }
}

/// The compiler and, if this folder is a git repository of its own, the commit.
fn provenance() {
    let compiler = std::env::var_os("RUSTC").and_then(|rustc| output(Command::new(rustc).arg("--version")));
    println!("cargo::rustc-env=METADRIFT_RUSTC={}", compiler.unwrap_or_default());
    let git = |args: &[&str]| output(Command::new("git").args(args));
    // sources unpacked inside another repository are not of its commits
    let here = std::env::current_dir().and_then(|dir| dir.canonicalize()).ok();
    let Some(top) = git(&["rev-parse", "--show-toplevel"]) else { return };
    if here.is_none_or(|here| here != Path::new(&top)) {
        return;
    }
    if let Some(commit) = git(&["rev-parse", "HEAD"]) {
        let changed = git(&["status", "--porcelain", "--untracked-files=no"]).is_some();
        println!("cargo::rustc-env=METADRIFT_COMMIT={commit}{}", if changed { "-dirty" } else { "" });
    }
    // files that may have changed since
    for path in ["src", "agents/src", "envs/src", "random/src", "runtime/src", "presets", "Cargo.lock", "build.rs"] {
        println!("cargo::rerun-if-changed={path}");
    }
    // these change with each commit and checkout; a missing path would make cargo run this script always
    for path in ["logs/HEAD", "HEAD"].iter().filter_map(|name| git(&["rev-parse", "--git-path", name])) {
        if Path::new(&path).exists() {
            println!("cargo::rerun-if-changed={path}");
        }
    }
}

/// Output of a command, if it succeeds and prints anything.
fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (!text.is_empty()).then_some(text)
}
