//! The `metadrift` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    metadrift::main_with(&[])
}
