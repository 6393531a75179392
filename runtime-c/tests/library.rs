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

#[test]
fn a_controller_in_c_notices_a_turned_motor_adapts_and_goes_on() {
    let example = root().join("examples/c_controller");
    let Some(program) = built(&example.join("controller.c"), "controller") else { return };
    let output = Command::new(program).arg(example.join("policy.bin")).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let lines: Vec<&str> = text.lines().collect();
    let at = |line: &str| lines.iter().position(|other| *other == line).expect(line);
    let returns = |lines: &[&str]| -> Vec<f64> {
        let of = |line: &&str| line.strip_prefix("episode ")?.split_once(": return ")?.1.parse().ok();
        lines.iter().filter_map(of).collect()
    };
    let adaptations: Vec<usize> = (0..lines.len()).filter(|at| lines[*at].starts_with("adapted to")).collect();
    let turned = at("the motor is turned round");
    assert_eq!((adaptations.len(), adaptations[0]), (2, 0), "{text}");
    assert!(turned < adaptations[1], "{text}");
    let [before, collapsed, after] =
        [returns(&lines[..turned]), returns(&lines[turned..adaptations[1]]), returns(&lines[adaptations[1]..])];
    let mean = |returns: &[f64]| returns.iter().sum::<f64>() / returns.len() as f64;
    assert!(mean(&before) > 400.0 && mean(&collapsed) < 50.0 && mean(&after) > 400.0, "{text}");
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
    let library = fs::read_to_string(root().join("runtime-c/src/lib.rs")).unwrap();
    let names = library.split("extern \"C\" fn ").skip(1).map(|rest| rest.split('(').next().unwrap());
    let names: Vec<&str> = names.collect();
    assert!(names.len() >= 15, "{names:?}");
    for name in names {
        assert!(header.contains(&format!("{name}(")), "{name}");
    }
}
