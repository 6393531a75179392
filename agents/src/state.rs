//! The state of a learner or a source between two iterations, by name, as a checkpoint holds it.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

/// Named tensors, and named values of any other kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// Flat tensors in the order of their insertion.
    pub tensors: Vec<(String, Vec<f32>)>,
    /// All other values.
    pub values: Map<String, Value>,
}

/// A state that belongs to another configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the checkpoint does not belong to this configuration: {0}. Was config.toml changed after the run began?")]
pub struct Misfit(pub String);

impl State {
    /// Adds a tensor of finite numbers. Its name is new and has 1 to 100 characters of `a-z`, `0-9`, `_` and `.`;
    /// otherwise no checkpoint can be written.
    pub fn put(&mut self, name: &str, values: &[f32]) {
        self.tensors.push((name.to_owned(), values.to_vec()));
    }

    /// Adds a value, in place of an earlier one of that name. It holds neither NaN nor infinity, for which JSON has no
    /// number.
    ///
    /// # Panics
    /// If it has no JSON form.
    pub fn set(&mut self, name: &str, value: impl Serialize) {
        let value = serde_json::to_value(value).expect("a state's values have a JSON form");
        self.values.insert(name.to_owned(), value);
    }

    /// The tensor `name`, of any length.
    ///
    /// # Errors
    /// If there is none.
    pub fn find(&self, name: &str) -> Result<&[f32], Misfit> {
        let found = self.tensors.iter().find(|(known, _)| known == name);
        found.map(|(_, values)| &values[..]).ok_or_else(|| Misfit(format!("it has no `{name}`")))
    }

    /// The tensor `name`, `[length]`.
    ///
    /// # Errors
    /// If there is none, or one of another length.
    pub fn tensor(&self, name: &str, length: usize) -> Result<Vec<f32>, Misfit> {
        let found = self.find(name)?;
        if found.len() == length {
            Ok(found.to_vec())
        } else {
            Err(Misfit(format!("`{name}` has {} values where the configuration asks for {length}", found.len())))
        }
    }

    /// The value `name`.
    ///
    /// # Errors
    /// If there is none of that type.
    pub fn value<T: DeserializeOwned>(&self, name: &str) -> Result<T, Misfit> {
        let found = self.values.get(name).and_then(|value| T::deserialize(value).ok());
        found.ok_or_else(|| Misfit(format!("it has no `{name}`")))
    }

    /// Adds words `[groups, words]` as a tensor, each half of a word as one number, since `f32` is exact up to 2^24.
    /// Every group has equally many lanes and words. As text they would be ten times as long.
    pub fn put_words(&mut self, name: &str, groups: &[Vec<u32>]) {
        let halves = |word: &u32| [word & 0xffff, word >> 16].map(|half| half as f32);
        self.tensors.push((name.to_owned(), groups.iter().flatten().flat_map(halves).collect()));
    }

    /// The words of `groups` groups that [`State::put_words`] stored.
    ///
    /// # Errors
    /// If the tensor is missing or does not hold such words.
    pub fn words(&self, name: &str, groups: usize) -> Result<Vec<Vec<u32>>, Misfit> {
        let found = self.find(name)?;
        let is_half = |x: &f32| x.fract() == 0.0 && (0.0..65_536.0).contains(x);
        if found.is_empty() || !found.len().is_multiple_of(2 * groups) || !found.iter().all(is_half) {
            return Err(Misfit(format!("`{name}` does not hold the words of {groups} groups of lanes")));
        }
        let word = |halves: &[f32]| halves[0] as u32 | (halves[1] as u32) << 16;
        let group = |numbers: &[f32]| numbers.chunks_exact(2).map(word).collect();
        Ok(found.chunks_exact(found.len() / groups).map(group).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_comes_back_from_a_tensor() {
        let groups = vec![vec![0, 1, 0xffff, 0x1_0000], vec![0x7f80_0001, u32::MAX, 0x8000_0000, 12345]];
        let mut state = State::default();
        state.put_words("lanes", &groups);
        assert!(state.find("lanes").unwrap().iter().all(|x| x.is_finite()));
        assert_eq!(state.words("lanes", 2).unwrap(), groups);
        assert!(state.words("lanes", 3).is_err() && state.words("others", 2).is_err());
        state.tensors[0].1.iter_mut().for_each(|x| *x += 0.5);
        assert!(state.words("lanes", 2).is_err());
    }

    #[test]
    fn a_tensor_of_another_length_is_a_misfit() {
        let mut state = State::default();
        state.put("policy", &[1.0, 2.0]);
        state.set("step", 7_u64);
        assert_eq!((state.tensor("policy", 2).unwrap(), state.value::<u64>("step").unwrap()), (vec![1.0, 2.0], 7));
        let misfit = state.tensor("policy", 3).unwrap_err().to_string();
        assert!(misfit.contains("`policy` has 2 values where the configuration asks for 3"), "{misfit}");
        assert!(state.value::<String>("step").is_err());
    }
}
