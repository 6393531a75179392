//! The whole program, with an environment of one's own: `cargo run --release -- train integrator.toml`.

mod integrator;

fn main() -> std::process::ExitCode {
    metadrift::main_with(&[metadrift::own::<integrator::Integrator>()])
}
