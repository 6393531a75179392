//! The example of an environment of one's own runs.

#[path = "../examples/own_environment.rs"]
mod example;

#[test]
fn the_example_runs() {
    example::main();
}
