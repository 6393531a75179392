//! The memory that `--dry-run` prints, compared with the peak of a run; and a stop that is requested in this process.
#![cfg(target_os = "linux")]

mod command;
mod stopped;

use command::Place;

/// Peak memory of any child of this process (MB).
fn peak() -> f64 {
    // SAFETY: an all-zero rusage is a valid one for the call to fill.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        assert_eq!(libc::getrusage(libc::RUSAGE_CHILDREN, &mut usage), 0);
        usage
    };
    usage.ru_maxrss as f64 / 1024.0
}

/// The number in "about 310 MB of memory".
fn foretold(told: &str) -> f64 {
    let figure = told.rsplit("about ").next().unwrap();
    let mut words = figure.split_whitespace();
    let number: f64 = words.next().unwrap().parse().unwrap();
    match words.next().unwrap() {
        "MB" => number,
        "GB" => 1000.0 * number,
        unit => panic!("{unit}"),
    }
}

#[test]
fn a_run_takes_what_was_foretold() {
    let place = Place::new();
    place.expect(0, "env list");
    let idle = peak();
    // from the smallest to the largest: the peak is over all children so far
    let sizes = "--set task.env=pendulum --set ppo.outer_epochs=1 --iterations 1 --no-evaluate --actors 2";
    for sets in [
        "--set rollout.num_tasks=10 --set rollout.num_envs=500 --set task.horizon=100",
        "--set rollout.num_tasks=10 --set rollout.num_envs=500 --set task.horizon=100 --set maml.baseline=network",
        #[cfg(feature = "torch")]
        "--set rollout.num_tasks=4 --set rollout.num_envs=500 --set task.horizon=100 --backend tch",
        "--set rollout.num_tasks=4 --set rollout.num_envs=2 --set policy.hidden=[1500,1500]",
    ] {
        let told = place.expect(0, &format!("train tiny.toml --dry-run {sizes} {sets}"));
        place.expect(0, &format!("train tiny.toml {sizes} {sets}"));
        let foretold = foretold(&told);
        let taken = peak() - idle;
        assert!(taken <= 1.1 * foretold + 64.0, "{sets}: {taken:.0} MB taken, {foretold} foretold");
        assert!(foretold <= 3.0 * taken + 64.0, "{sets}: {taken:.0} MB taken, {foretold} foretold");
    }
}
