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

/// Words of equally many lanes in each group as numbers that a tensor holds: each half of a word for itself, for `f32` is
/// exact up to 2^24. As text they would be ten times as long.
pub(super) fn words_as_numbers(groups: &[Vec<u32>]) -> Vec<f32> {
    let halves = |word: &u32| [word & 0xffff, word >> 16].map(|half| half as f32);
    groups.iter().flatten().flat_map(halves).collect()
}

/// The words of `groups` groups that [`words_as_numbers`] stored under `name`.
pub(super) fn numbers_as_words(checkpoint: &Checkpoint, name: &str, groups: usize) -> Result<Vec<Vec<u32>>, Misfit> {
    let found = checkpoint.tensors.iter().find(|(n, _)| n == name).map(|(_, values)| values);
    let found = found.ok_or_else(|| Misfit(format!("it has no `{name}`")))?;
    let is_half = |x: &f32| x.fract() == 0.0 && (0.0..65_536.0).contains(x);
    if found.is_empty() || !found.len().is_multiple_of(2 * groups) || !found.iter().all(is_half) {
        return Err(Misfit(format!("`{name}` does not hold the words of {groups} groups of lanes")));
    }
    let word = |halves: &[f32]| halves[0] as u32 | (halves[1] as u32) << 16;
    let group = |numbers: &[f32]| numbers.chunks_exact(2).map(word).collect();
    Ok(found.chunks_exact(found.len() / groups).map(group).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_comes_back_from_a_tensor() {
        let groups = vec![vec![0, 1, 0xffff, 0x1_0000], vec![0x7f80_0001, u32::MAX, 0x8000_0000, 12345]];
        let numbers = words_as_numbers(&groups);
        assert!(numbers.iter().all(|x| x.is_finite()));
        let with =
            |numbers| Checkpoint { step: 0, tensors: vec![("lanes".into(), numbers)], state: serde_json::json!({}) };
        assert_eq!(numbers_as_words(&with(numbers.clone()), "lanes", 2).unwrap(), groups);
        assert!(numbers_as_words(&with(numbers.clone()), "lanes", 3).is_err());
        let spoiled = numbers.iter().map(|x| x + 0.5).collect();
        assert!(numbers_as_words(&with(spoiled), "lanes", 2).is_err());
    }
}
