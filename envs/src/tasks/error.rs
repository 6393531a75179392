//! Errors of task descriptions, and the checks of single numbers.

use crate::physics::spec::Bounds;

/// The largest magnitude of a number in a law or schedule: the engine computes with `f32`, which ends
/// at 3.4e38.
pub(crate) const LARGEST: f64 = 1e38;

/// An error in a task description, with its place and a remedy.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TaskError {
    /// A channel that the environment does not have.
    #[error(
        "{path}: {env} has no channel `{name}`; did you mean `{}`? (others like it: {})",
        known[0],
        known[1..].iter().take(4).map(String::as_str).collect::<Vec<_>>().join(", ")
    )]
    UnknownChannel {
        /// Key path.
        path: String,
        /// The name as written.
        name: String,
        /// Name of the environment.
        env: &'static str,
        /// The names it has, nearest first.
        known: Vec<String>,
    },
    /// An environment that does not exist.
    #[error(
        "{path}: there is no environment `{name}`; did you mean `{}`? (others like it: {})",
        known[0],
        known[1..].iter().take(4).map(String::as_str).collect::<Vec<_>>().join(", ")
    )]
    UnknownEnv {
        /// Key path.
        path: String,
        /// The name as written.
        name: String,
        /// The names that exist, nearest first.
        known: Vec<String>,
    },
    /// A value that the channel must not take.
    #[error(
        "{path}: {value} is outside the legal range {bounds} of `{channel}` ({unit}); {}",
        nearest_legal(bounds, *value)
    )]
    OutOfRange {
        /// Key path.
        path: String,
        /// Name of the channel.
        channel: String,
        /// Unit of the channel.
        unit: &'static str,
        /// The value as written, or reached by a schedule.
        value: f64,
        /// The legal values.
        bounds: Bounds,
    },
    /// A number that is NaN or infinite.
    #[error("{path}: {value} is not a finite number")]
    NotFinite {
        /// Key path.
        path: String,
        /// The value as written.
        value: f64,
    },
    /// Any other error.
    #[error("{path}: {problem}")]
    Invalid {
        /// Key path.
        path: String,
        /// The message.
        problem: String,
    },
}

impl TaskError {
    /// The key path of the error.
    pub fn path(&self) -> &str {
        match self {
            TaskError::UnknownChannel { path, .. }
            | TaskError::UnknownEnv { path, .. }
            | TaskError::OutOfRange { path, .. }
            | TaskError::NotFinite { path, .. }
            | TaskError::Invalid { path, .. } => path,
        }
    }
}

/// The error [`TaskError::Invalid`] at a key path.
pub(crate) fn invalid(path: &str, problem: impl Into<String>) -> TaskError {
    TaskError::Invalid { path: path.to_string(), problem: problem.into() }
}

fn nearest_legal(bounds: &Bounds, value: f64) -> String {
    if value > bounds.max {
        format!("the nearest legal value is {}", bounds.max)
    } else if bounds.above_min {
        format!("it must be above {}", bounds.min)
    } else {
        format!("the nearest legal value is {}", bounds.min)
    }
}

/// The known names, the most similar to `name` first.
pub(crate) fn nearest_first(name: &str, known: impl Iterator<Item = String>) -> Vec<String> {
    let mut ranked: Vec<(f64, String)> = known.map(|k| (strsim::normalized_damerau_levenshtein(name, &k), k)).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    ranked.into_iter().map(|(_, k)| k).collect()
}

/// Refuses a number that is not finite, or larger than [`LARGEST`].
pub(crate) fn check_finite(path: &str, value: f64) -> Result<(), TaskError> {
    if !value.is_finite() {
        return Err(TaskError::NotFinite { path: path.to_string(), value });
    }
    if value.abs() > LARGEST {
        return Err(TaskError::Invalid { path: path.to_string(), problem: too_large(value) });
    }
    Ok(())
}

/// The message for a number beyond [`LARGEST`].
pub(crate) fn too_large(value: f64) -> String {
    format!("{value:e} is beyond the numbers that the engine computes with; at most {LARGEST:e} in magnitude")
}
