//! The space of a search: its parameters, and their values in units of the samplers, as settings and in Optuna's journal.

use serde_json::{Value as Json, json};
use toml::Value;

/// A parameter of a search.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Path of the configuration key.
    pub key: String,
    /// Its values.
    pub domain: Domain,
    /// Number of values that a grid has.
    pub points: Option<usize>,
}

/// The values of a parameter. A value is stored as Optuna stores it: the number itself, or the index of a choice.
#[derive(Clone, Debug, PartialEq)]
pub enum Domain {
    /// Real numbers.
    Real {
        /// The least.
        low: f64,
        /// The largest.
        high: f64,
        /// True if their logarithm is searched.
        log: bool,
    },
    /// Whole numbers.
    Whole {
        /// The least.
        low: i64,
        /// The largest.
        high: i64,
        /// True if their logarithm is searched.
        log: bool,
    },
    /// Some of which one is chosen.
    Choice(Vec<Value>),
}

/// The largest number below 1.
const BELOW_ONE: f64 = 1.0 - f64::EPSILON / 2.0;

impl Parameter {
    /// The number of choices; none of a number.
    pub fn choices(&self) -> Option<usize> {
        if let Domain::Choice(choices) = &self.domain { Some(choices.len()) } else { None }
    }

    /// The ends of a number on the scale that is searched: whole numbers own half a unit on both sides.
    fn ends(&self) -> (f64, f64, bool) {
        match self.domain {
            Domain::Real { low, high, log } => (scaled(low, log), scaled(high, log), log),
            Domain::Whole { low, high, log } => (scaled(low as f64 - 0.5, log), scaled(high as f64 + 0.5, log), log),
            Domain::Choice(_) => (0.0, self.choices().unwrap_or(0) as f64, false),
        }
    }

    /// The value at share `unit` of the range, 0 to below 1. Real numbers have four digits, so that people can read them.
    pub fn at(&self, unit: f64) -> f64 {
        let (low, high, log) = self.ends();
        let x = low + unit * (high - low);
        let x = if log { x.exp() } else { x };
        match &self.domain {
            Domain::Real { low, high, .. } => format!("{x:.3e}").parse().unwrap_or(x).clamp(*low, *high),
            Domain::Whole { low, high, .. } => x.round().clamp(*low as f64, *high as f64),
            Domain::Choice(choices) => x.floor().clamp(0.0, choices.len() as f64 - 1.0),
        }
    }

    /// The share of the range below a value, 0 to below 1; none for a value outside the range.
    pub fn unit(&self, value: f64) -> Option<f64> {
        let (low, high, log) = self.ends();
        let inside = match &self.domain {
            Domain::Real { low, high, .. } => (*low..=*high).contains(&value),
            Domain::Whole { low, high, .. } => (*low as f64..=*high as f64).contains(&value) && value.fract() == 0.0,
            Domain::Choice(choices) => value >= 0.0 && value < choices.len() as f64 && value.fract() == 0.0,
        };
        inside.then(|| ((scaled(value, log) - low) / (high - low)).clamp(0.0, BELOW_ONE))
    }

    /// A value as TOML.
    pub fn text(&self, value: f64) -> String {
        match &self.domain {
            Domain::Real { .. } => format!("{value:?}"),
            Domain::Whole { .. } => format!("{}", value as i64),
            Domain::Choice(choices) => choices[value as usize].to_string(),
        }
    }

    /// The values of a grid, in order.
    pub fn grid(&self) -> Vec<f64> {
        if let Some(choices) = self.choices() {
            return (0..choices).map(|index| index as f64).collect();
        }
        let (low, high, log) = match self.domain {
            Domain::Whole { low, high, .. } if self.points.is_none() => {
                return (low..=high).map(|value| value as f64).collect();
            }
            Domain::Whole { low, high, log } => (low as f64, high as f64, log),
            Domain::Real { low, high, log } => (low, high, log),
            Domain::Choice(_) => unreachable!("choices are above"),
        };
        let last = self.points.unwrap_or(2) - 1;
        let value = |at: usize| {
            let x = scaled(low, log) + at as f64 / last as f64 * (scaled(high, log) - scaled(low, log));
            let x = if log { x.exp() } else { x };
            let whole = matches!(self.domain, Domain::Whole { .. });
            if whole { x.round() } else { format!("{x:.3e}").parse().unwrap_or(x).clamp(low, high) }
        };
        let mut values: Vec<f64> = (0..=last).map(value).collect();
        values.dedup();
        values
    }

    /// The distribution as Optuna stores it.
    pub fn distribution(&self) -> Json {
        match &self.domain {
            Domain::Real { low, high, log } => json!({
                "name": "FloatDistribution", "attributes": { "step": null, "low": low, "high": high, "log": log },
            }),
            Domain::Whole { low, high, log } => json!({
                "name": "IntDistribution", "attributes": { "log": log, "step": 1, "low": low, "high": high },
            }),
            Domain::Choice(choices) => json!({
                "name": "CategoricalDistribution",
                "attributes": { "choices": choices.iter().map(choice).collect::<Vec<_>>() },
            }),
        }
    }

    /// True if a value of that distribution means the same here.
    pub fn understands(&self, distribution: &Json) -> bool {
        let own = self.distribution();
        let choices = |of: &Json| of["attributes"]["choices"].clone();
        own["name"] == distribution["name"] && choices(&own) == choices(distribution)
    }
}

/// A choice as Optuna stores it, which knows no lists.
fn choice(value: &Value) -> Json {
    match value {
        Value::Boolean(value) => json!(value),
        Value::Integer(value) => json!(value),
        Value::Float(value) => json!(value),
        Value::String(value) => json!(value),
        other => json!(other.to_string()),
    }
}

fn scaled(x: f64, log: bool) -> f64 {
    if log { x.ln() } else { x }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn real(low: f64, high: f64, log: bool) -> Parameter {
        Parameter { key: "x".into(), domain: Domain::Real { low, high, log }, points: None }
    }

    #[test]
    fn values_and_shares_of_the_range_belong_together() {
        // the middle of a logarithmic range is the geometric mean of its ends
        let rate = real(0.001, 0.1, true);
        assert_eq!((rate.at(0.0), rate.at(0.5), rate.at(BELOW_ONE)), (0.001, 0.01, 0.1));
        assert!((rate.unit(0.01).unwrap() - 0.5).abs() < 1e-12);
        assert_eq!((rate.unit(0.1), rate.unit(0.2)), (Some(BELOW_ONE), None));
        // each of 1, 2, 3 and 4 owns a quarter
        let whole = Parameter { domain: Domain::Whole { low: 1, high: 4, log: false }, ..real(0.0, 1.0, false) };
        let found: Vec<f64> = [0.0, 0.24, 0.26, 0.51, 0.74, 0.76, BELOW_ONE].map(|unit| whole.at(unit)).into();
        assert_eq!(found, [1.0, 1.0, 2.0, 3.0, 3.0, 4.0, 4.0]);
        assert_eq!((whole.unit(1.0), whole.unit(1.5)), (Some(0.125), None));
    }

    #[test]
    fn a_grid_has_the_values_of_a_hand() {
        let points = |domain: Domain, points| Parameter { key: "x".into(), domain, points }.grid();
        assert_eq!(points(Domain::Real { low: 0.01, high: 1.0, log: true }, Some(3)), [0.01, 0.1, 1.0]);
        assert_eq!(points(Domain::Real { low: 0.0, high: 1.0, log: false }, Some(5)), [0.0, 0.25, 0.5, 0.75, 1.0]);
        assert_eq!(points(Domain::Whole { low: 1, high: 4, log: false }, None), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(points(Domain::Whole { low: 1, high: 64, log: true }, Some(4)), [1.0, 4.0, 16.0, 64.0]);
        let two = Domain::Choice(vec![Value::String("lvc".into()), Value::String("dice".into())]);
        assert_eq!(points(two, None), [0.0, 1.0]);
    }
}
