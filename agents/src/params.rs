//! One flat parameter vector with named parts, which are learned, saved and differentiated together.

use std::ops::Range;

/// Name of the parameters of a policy.
pub const POLICY: &str = "meta_params";
/// Name of the inner step sizes of a policy's parameters.
pub const RATES: &str = "inner_rates";
/// Name of the weights of a learned rule for the inner steps.
pub const RULE: &str = "inner_rule";

/// The point at which a meta-gradient is taken.
#[derive(Clone, Copy, Debug)]
pub struct Point<'a, T> {
    /// The meta-policy, `[num_params]`.
    pub policy: &'a [T],
    /// The inner step size of each of its parameters, `[num_params]`.
    pub rates: &'a [T],
    /// Weights of a learned rule for the inner steps, `[update_rule::WEIGHTS]`; empty for gradient steps.
    pub rule: &'a [T],
}

/// A flat vector `[len]` whose parts have names.
#[derive(Clone, Debug, PartialEq)]
pub struct Params {
    values: Vec<f32>,
    parts: Vec<(&'static str, Range<usize>)>,
}

impl Params {
    /// The vector of these parts, one behind the other.
    pub fn new<const N: usize>(parts: [(&'static str, Vec<f32>); N]) -> Self {
        let mut params = Params { values: Vec::new(), parts: Vec::new() };
        for (name, values) in parts {
            let start = params.values.len();
            params.values.extend(values);
            params.parts.push((name, start..params.values.len()));
        }
        params
    }

    /// The whole vector.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The whole vector, mutable.
    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }

    /// Names and values, in the order of the vector.
    pub fn parts(&self) -> impl Iterator<Item = (&'static str, &[f32])> {
        self.parts.iter().map(|(name, range)| (*name, &self.values[range.clone()]))
    }

    /// The place of a part in the vector.
    ///
    /// # Panics
    /// If there is no part with that name.
    pub fn range(&self, name: &str) -> Range<usize> {
        let found = self.parts.iter().find(|(known, _)| *known == name);
        found.unwrap_or_else(|| panic!("no parameters are called `{name}`")).1.clone()
    }

    /// The values of the parts that a meta-gradient is taken at.
    ///
    /// # Panics
    /// If there are no [`POLICY`] and [`RATES`].
    pub fn point(&self) -> Point<'_, f32> {
        let rule = self.parts().find(|(name, _)| *name == RULE).map_or(&[][..], |(_, weights)| weights);
        Point { policy: self.part(POLICY), rates: self.part(RATES), rule }
    }

    /// The values of a part.
    ///
    /// # Panics
    /// If there is no part with that name.
    pub fn part(&self, name: &str) -> &[f32] {
        &self.values[self.range(name)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_lie_one_behind_the_other() {
        let mut params = Params::new([("policy", vec![1.0, 2.0]), ("rates", vec![0.1, 0.2, 0.3])]);
        assert_eq!(params.values(), [1.0, 2.0, 0.1, 0.2, 0.3]);
        params.values_mut()[3] = 7.0;
        assert_eq!((params.part("policy"), params.part("rates")), (&[1.0, 2.0][..], &[0.1, 7.0, 0.3][..]));
        assert_eq!(
            params.parts().map(|(name, values)| (name, values.len())).collect::<Vec<_>>(),
            [("policy", 2), ("rates", 3)]
        );
    }
}
