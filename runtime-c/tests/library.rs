//! The library as C programs use it: the example controller, and misuse.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The C compiler; none if this machine has none. On a continuous integration server there must be one.
fn compiler() -> Option<String> {
    let name = env::var("CC").unwrap_or_else(|_| "cc".into());
    let found = Command::new(&name).arg("--version").output().is_ok_and(|output| output.status.success());
    assert!(found || env::var_os("CI").is_none(), "there is no C compiler `{name}`: set CC, or install one");
    if !found {
        eprintln!("SKIPPED: there is no C compiler `{name}`; set CC");
    }
    found.then_some(name)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Compiles a program with the library, warnings as errors; none without a compiler.
fn built(source: &Path, name: &str) -> Option<PathBuf> {
    let compiler = compiler()?;
    // cargo has built the library for this test, and put it beside it
    let library = env::current_exe().unwrap().parent().unwrap().join("libmetadrift_c.a");
    assert!(library.exists(), "{} is missing", library.display());
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let output = Command::new(compiler)
        .args(["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-O1", "-o"])
        .arg(&program)
        .arg("-I")
        .arg(root().join("runtime/export"))
        .arg(source)
        .arg(library)
        .args(["-lpthread", "-ldl", "-lm"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(program)
}

/// Makes sure that a controller adapted at first, noticed within two episodes that its motor was turned round, adapted
/// once more, and went on as well as before.
fn noticed_adapted_and_went_on(mut controller: Command) {
    let output = controller.arg(root().join("examples/c_controller/policy.bin")).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let lines: Vec<&str> = text.lines().collect();
    let places = |start: &str| -> Vec<usize> { (0..lines.len()).filter(|at| lines[*at].starts_with(start)).collect() };
    let [turned] = places("the motor is turned round")[..] else { panic!("{text}") };
    let [first, second] = places("adapted to")[..] else { panic!("{text}") };
    assert!(first == 0 && places("noticed a change").iter().all(|at| (turned..second).contains(at)), "{text}");
    let returns = |lines: &[&str]| -> Vec<f64> {
        let of = |line: &&str| line.strip_prefix("episode ")?.split_once(": return ")?.1.parse().ok();
        lines.iter().filter_map(of).collect()
    };
    let [before, collapsed, after] = [&lines[..turned], &lines[turned..second], &lines[second..]].map(returns);
    let mean = |returns: &[f64]| returns.iter().sum::<f64>() / returns.len() as f64;
    assert!(before.len() == 10 && collapsed.len() <= 2, "{text}");
    assert!(mean(&before) > 400.0 && mean(&collapsed) < 50.0 && mean(&after) > 400.0, "{text}");
}

#[test]
fn a_controller_in_c_notices_a_turned_motor_adapts_and_goes_on() {
    let source = root().join("examples/c_controller/controller.c");
    let Some(program) = built(&source, "controller") else { return };
    noticed_adapted_and_went_on(Command::new(program));
}

#[test]
fn a_controller_in_python_notices_a_turned_motor_adapts_and_goes_on() {
    let found = Command::new("python3").arg("--version").output().is_ok_and(|output| output.status.success());
    assert!(found || env::var_os("CI").is_none(), "there is no python3: install one");
    if !found {
        eprintln!("SKIPPED: there is no python3");
        return;
    }
    let name = format!("{}metadrift_c{}", env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX);
    let mut python = Command::new("python3");
    python.arg(root().join("examples/python_controller/controller.py"));
    python.arg(env::current_exe().unwrap().parent().unwrap().join(name));
    noticed_adapted_and_went_on(python);
}

#[test]
fn misuse_gives_a_code_and_a_message() {
    let Some(program) = built(&root().join("runtime-c/tests/misuse.c"), "misuse") else { return };
    let output = Command::new(program).arg(root().join("examples/c_controller/policy.bin")).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.ends_with("all refused\n"), "{text}");
}

#[test]
fn the_header_has_every_function_of_the_library() {
    let header = fs::read_to_string(root().join("runtime/export/metadrift.h")).unwrap();
    let source = |name: &str| fs::read_to_string(root().join("runtime-c/src").join(name)).unwrap();
    let library = source("lib.rs") + &source("watch.rs");
    let names = library.split("extern \"C\" fn ").skip(1).map(|rest| rest.split('(').next().unwrap());
    let names: Vec<&str> = names.collect();
    assert!(names.len() >= 27, "{names:?}");
    for name in names {
        assert!(header.contains(&format!("{name}(")), "{name}");
    }
}
