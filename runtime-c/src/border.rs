//! The layer between C and the library: codes and messages, pointers that may be null, panics.

use std::{
    cell::RefCell,
    ffi::{CStr, CString, c_char, c_int},
    panic::{AssertUnwindSafe, catch_unwind},
    slice,
};

use metadrift_runtime::{End, Fault};

use crate::Machine;

/// A code of `metadrift_code`, and its message.
pub struct Failed(pub c_int, pub String);

const NULL: c_int = 1;
pub(crate) const NOT_A_POLICY: c_int = 2;
pub(crate) const NOT_FINITE: c_int = 4;
const BROKEN: c_int = 9;

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        let code = match fault {
            Fault::Length { .. } => 3,
            Fault::NotFinite(_) => NOT_FINITE,
            Fault::NoAction | Fault::NotDrawn => 5,
            Fault::Full(_) => 6,
            Fault::NoGradient => 7,
            Fault::NoSteps => 8,
        };
        Failed(code, fault.to_string())
    }
}

thread_local! {
    static MESSAGE: RefCell<CString> = RefCell::default();
}

/// Runs `work`; keeps the message if it fails, and gives the code.
pub fn coded(work: impl FnOnce() -> Result<(), Failed>) -> c_int {
    let done = catch_unwind(AssertUnwindSafe(work));
    let failed = match done {
        Ok(Ok(())) => return 0,
        Ok(Err(failed)) => failed,
        Err(_) => Failed(BROKEN, "a mistake in the library: please report it".into()),
    };
    MESSAGE.with(|message| *message.borrow_mut() = CString::new(failed.1).unwrap_or_default());
    failed.0
}

/// The failure of a pointer that is null.
pub fn null(what: &str) -> Failed {
    Failed(NULL, format!("{what} is null"))
}

/// The machine behind a pointer.
///
/// # Safety
/// The pointer is null or comes from [`metadrift_open`], and nobody else uses the machine.
pub(crate) unsafe fn machine<'a>(at: *mut Machine) -> Result<&'a mut Machine, Failed> {
    // SAFETY: the caller guarantees it.
    unsafe { object(at, "the policy") }
}

/// The object behind a pointer.
///
/// # Safety
/// The pointer is null or leads to one, and nobody else uses it.
pub(crate) unsafe fn object<'a, T>(at: *mut T, what: &str) -> Result<&'a mut T, Failed> {
    // SAFETY: the caller guarantees it.
    unsafe { at.as_mut() }.ok_or_else(|| null(what))
}

/// The numbers behind a pointer.
///
/// # Safety
/// The pointer is null or leads to `count` numbers.
pub(crate) unsafe fn numbers<'a>(at: *const f32, count: usize, what: &str) -> Result<&'a [f32], Failed> {
    // SAFETY: the caller guarantees it.
    if at.is_null() { Err(null(what)) } else { Ok(unsafe { slice::from_raw_parts(at, count) }) }
}

/// As [`numbers`], to be written.
///
/// # Safety
/// As [`numbers`]; nobody else uses them.
pub(crate) unsafe fn numbers_mut<'a>(at: *mut f32, count: usize, what: &str) -> Result<&'a mut [f32], Failed> {
    // SAFETY: the caller guarantees it.
    if at.is_null() { Err(null(what)) } else { Ok(unsafe { slice::from_raw_parts_mut(at, count) }) }
}

/// The end of a step that C means.
pub(crate) fn end(end: c_int) -> Result<End, Failed> {
    match end {
        0 => Ok(End::Going),
        1 => Ok(End::Terminated),
        2 => Ok(End::Stopped),
        other => Err(Failed(NOT_FINITE, format!("{other} is no metadrift_end"))),
    }
}

/// The message of this thread's last failure.
pub(crate) fn message() -> *const c_char {
    MESSAGE.with(|message| CStr::as_ptr(&message.borrow()))
}
