//! Reading a checkpoint's parts.

use serde::de::DeserializeOwned;

use super::Misfit;
use crate::checkpoint::Checkpoint;

/// The tensor `name`, of that length.
pub(super) fn tensor(checkpoint: &Checkpoint, name: &str, length: usize) -> Result<Vec<f32>, Misfit> {
    let found = checkpoint.tensors.iter().find(|(n, _)| n == name).map(|(_, values)| values);
    let found = found.ok_or_else(|| Misfit(format!("it has no `{name}`")))?;
    if found.len() == length {
        Ok(found.clone())
    } else {
        Err(Misfit(format!("`{name}` has {} values where the configuration asks for {length}", found.len())))
    }
}

/// What else is stored under `name`.
pub(super) fn value<T: DeserializeOwned>(checkpoint: &Checkpoint, name: &str) -> Result<T, Misfit> {
    let found = checkpoint.state.get(name).and_then(|value| T::deserialize(value).ok());
    found.ok_or_else(|| Misfit(format!("it has no `{name}`")))
}
