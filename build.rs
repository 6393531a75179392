//! Writes the directory of the libtorch that torch-sys found into the rpath of every program and test,
//! so that they start without LD_LIBRARY_PATH, and tells the program its commit and compiler. Shared by the root crate
//! and `agents`.

use std::{path::Path, process::Command};

fn main() {
    // not rerun-if-changed=build.rs: in `agents` that names a file that is not there, so cargo would always rerun
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    if std::env::var("CARGO_PKG_NAME").is_ok_and(|name| name == "metadrift") {
        provenance();
    }
    let Some(lib) = std::env::var_os("DEP_TCH_LIBTORCH_LIB").map(std::path::PathBuf::from) else {
        return;
    };
    // ./x may exchange the slim set for the full one in the same place
    let stamp = lib.join("../../STAMP");
    if stamp.exists() {
        println!("cargo::rerun-if-changed={}", stamp.display());
    }
    println!("cargo::rustc-link-arg=-Wl,-rpath,{}", lib.display());
    println!("cargo::rustc-link-arg=-Wl,-rpath,$ORIGIN/../lib"); // a packaged bin/ + lib/
    // a project folder that was moved: from target/release/ and target/release/deps/
    println!("cargo::rustc-link-arg=-Wl,-rpath,$ORIGIN/../../.libtorch/torch/lib");
    println!("cargo::rustc-link-arg=-Wl,-rpath,$ORIGIN/../../../.libtorch/torch/lib");
    // Only with the full set: the slim one has no libtorch_cuda.so, and linking libtorch.so would ask for it.
    if lib.join("libtorch_cuda.so").exists() {
        for arg in ["-Wl,--no-as-needed", "-ltorch", "-ltorch_cuda"] {
            println!("cargo::rustc-link-arg={arg}");
        }
    }
}

/// The compiler and, where this folder is a git repository of its own, the commit. Without git there is none.
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
        println!("cargo::rustc-env=METADRIFT_COMMIT={commit}");
    }
    // changes with each commit and checkout; a path that is not there would make cargo run this always
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
