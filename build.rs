//! Writes the directory of the libtorch that torch-sys found into the rpath of every program and test,
//! so that they start without LD_LIBRARY_PATH. Shared by the root crate and `agents`.

fn main() {
    // not rerun-if-changed=build.rs: in `agents` that names a file that is not there, so cargo would always rerun
    println!("cargo::rerun-if-env-changed=LIBTORCH");
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
