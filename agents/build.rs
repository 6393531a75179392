//! Writes the directory of the libtorch that torch-sys found into the rpath of every test and benchmark here, so that they
//! start without LD_LIBRARY_PATH, and hands the linker's arguments on to the build scripts of the packages that depend on
//! this one, as `DEP_METADRIFT_AGENTS_LINK_ARGUMENTS`. Without the feature `torch` there is nothing to do.

use std::path::PathBuf;

/// The separator of two arguments.
const SEPARATOR: &str = "\u{1f}";

fn main() {
    // not rerun-if-changed=build.rs alone: the user's own libtorch counts, too
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    let Some(lib) = std::env::var_os("DEP_TCH_LIBTORCH_LIB").map(PathBuf::from) else {
        return;
    };
    // ./x may exchange the slim set for the full one in the same place
    let stamp = lib.join("../../STAMP");
    if stamp.exists() {
        println!("cargo::rerun-if-changed={}", stamp.display());
    }
    let mut arguments = vec![
        format!("-Wl,-rpath,{}", lib.display()),
        "-Wl,-rpath,$ORIGIN/../lib".to_owned(), // a packaged bin/ + lib/
        // a project folder that was moved: from target/release/ and target/release/deps/
        "-Wl,-rpath,$ORIGIN/../../.libtorch/torch/lib".to_owned(),
        "-Wl,-rpath,$ORIGIN/../../../.libtorch/torch/lib".to_owned(),
    ];
    // Only with the full set: the slim one has no libtorch_cuda.so, and linking libtorch.so would ask for it.
    if lib.join("libtorch_cuda.so").exists() {
        arguments.extend(["-Wl,--no-as-needed", "-ltorch", "-ltorch_cuda"].map(str::to_owned));
    }
    arguments.iter().for_each(|argument| println!("cargo::rustc-link-arg={argument}"));
    println!("cargo::metadata=LINK_ARGUMENTS={}", arguments.join(SEPARATOR));
}
