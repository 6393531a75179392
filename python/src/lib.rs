//! metadrift for Python: the program, its environments as lanes on numpy arrays, and trained policies. The package around
//! it, `metadrift/`, checks shapes and types, so that this module sees arrays of the right ones only.
//!
//! Everything is one module, the program included: a second copy of the code, as a program of its own beside the module,
//! would make the wheel twice as large. Python's start costs a call of the program some 20 ms.

mod arrays;
mod lanes;
mod policy;
mod refusal;

use std::{ffi::OsString, process::ExitCode};

use metadrift::presets;
use pyo3::prelude::*;

/// Runs the program with a command line, its name included; returns its exit code. A process runs it once.
#[pyfunction]
fn run(py: Python<'_>, command_line: Vec<OsString>) -> u8 {
    let code = py.detach(|| metadrift::main_as(&[], command_line));
    // an `ExitCode` does not tell its number
    (0..=u8::MAX).find(|number| ExitCode::from(*number) == code).expect("an exit code is one of 256")
}

/// Names of the presets whose tasks have an environment.
#[pyfunction]
fn preset_names() -> Vec<&'static str> {
    presets::PRESETS.iter().map(|(name, _)| *name).collect()
}

/// The same with their descriptions.
#[pyfunction]
fn described_presets() -> PyResult<Vec<(&'static str, String)>> {
    let described = |(name, _): &(&'static str, &str)| {
        let experiment = presets::load(name, &[]).map_err(refusal::of)?;
        Ok((*name, experiment.description.clone()))
    };
    presets::PRESETS.iter().map(described).collect()
}

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("VERSION", env!("CARGO_PKG_VERSION"))?;
    module.add_function(wrap_pyfunction!(run, module)?)?;
    module.add_function(wrap_pyfunction!(preset_names, module)?)?;
    module.add_function(wrap_pyfunction!(described_presets, module)?)?;
    module.add_class::<lanes::Lanes>()?;
    module.add_class::<policy::Policy>()
}
