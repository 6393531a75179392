//! Errors of the library as exceptions.

use std::io::ErrorKind;

use metadrift::{
    failure::{Failure, code},
    message,
};
use pyo3::{
    PyErr,
    exceptions::{PyFileNotFoundError, PyOSError, PyRuntimeError, PyValueError},
};

/// The exception for an error: `ValueError` for wrong names and numbers, `OSError` for files, else `RuntimeError`.
pub(crate) fn of(error: impl Into<Failure>) -> PyErr {
    let failure = error.into();
    let message = message::of_error(&failure);
    match failure.code() {
        code::USAGE | code::CONFIG => PyValueError::new_err(message),
        code::FILE if failure.io().is_some_and(|io| io.kind() == ErrorKind::NotFound) => {
            PyFileNotFoundError::new_err(message)
        }
        code::FILE => PyOSError::new_err(message),
        _ => PyRuntimeError::new_err(message),
    }
}

/// A wrong argument.
pub(crate) fn wrong(reason: impl ToString) -> PyErr {
    PyValueError::new_err(reason.to_string())
}

/// A call at the wrong time.
pub(crate) fn untimely(reason: impl ToString) -> PyErr {
    PyRuntimeError::new_err(reason.to_string())
}
