//! Mistakes in the use of a policy.

use core::fmt;

/// The reason why a policy does not act or adapt. Nothing has changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A slice has another length than the policy's.
    Length {
        /// Name of the slice.
        what: &'static str,
        /// Its length.
        given: usize,
        /// The length that it should have.
        wanted: usize,
    },
    /// A number is NaN or infinite.
    NotFinite(&'static str),
    /// An outcome was told before there was an action.
    NoAction,
    /// The step to learn from was not drawn: the most likely action tells nothing about others.
    NotDrawn,
    /// There is no room for that many steps.
    Full(usize),
    /// There are no steps to learn from.
    NoSteps,
    /// The policy does not adapt by gradient steps.
    NoGradient,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Length { what, given, wanted } => write!(f, "{what}: {given} numbers where {wanted} belong"),
            Fault::NotFinite(what) => write!(f, "{what} is not a finite number"),
            Fault::NoAction => f.write_str("an outcome without an action before it"),
            Fault::NotDrawn => f.write_str("the action was not drawn: a policy learns only from actions by `sample`"),
            Fault::Full(steps) => write!(f, "there is room for {steps} steps and no more: adapt, or forget the steps"),
            Fault::NoSteps => f.write_str("there are no steps to learn from"),
            Fault::NoGradient => f.write_str("this policy does not adapt by gradient steps"),
        }
    }
}

impl core::error::Error for Fault {}

/// Refuses a slice of another length, or with a number that is not finite.
pub(crate) fn check(what: &'static str, numbers: &[f32], wanted: usize) -> Result<(), Fault> {
    if numbers.len() != wanted {
        return Err(Fault::Length { what, given: numbers.len(), wanted });
    }
    if numbers.iter().all(|number| number.is_finite()) { Ok(()) } else { Err(Fault::NotFinite(what)) }
}
