//! Numbers of a task file that may have a law.

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};

use crate::tasks::law::Law;

/// A number in a configuration: fixed, or a law to draw it from.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Number {
    /// A plain number.
    Value(f64),
    /// The word `"random"`, for the phase of a periodic schedule: uniform over the cycle.
    Random(Random),
    /// A law.
    Law(Law),
}

/// The word `random`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Random {
    /// The word itself.
    Random,
}

impl Default for Number {
    fn default() -> Number {
        Number::Value(0.0)
    }
}

impl Number {
    /// The law of this number.
    pub fn law(&self) -> Law {
        match self {
            Number::Value(value) => Law::Fixed { value: *value },
            Number::Random(_) => Law::Uniform { low: 0.0, high: 1.0 },
            Number::Law(law) => law.clone(),
        }
    }
}

/// The implementation is by hand, so that an error in a law is reported as such and not as "no variant matched".
impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Number, D::Error> {
        struct NumberVisitor;

        impl<'de> Visitor<'de> for NumberVisitor {
            type Value = Number;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number or a law such as { law = \"uniform\", low = 0, high = 1 }")
            }

            fn visit_f64<E>(self, value: f64) -> Result<Number, E> {
                Ok(Number::Value(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Number, E> {
                Ok(Number::Value(value as f64))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Number, E> {
                Ok(Number::Value(value as f64))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Number, E> {
                let other = || E::invalid_value(serde::de::Unexpected::Str(text), &self);
                (text == "random").then_some(Number::Random(Random::Random)).ok_or_else(other)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Number, A::Error> {
                Law::deserialize(MapAccessDeserializer::new(map)).map(Number::Law)
            }
        }
        deserializer.deserialize_any(NumberVisitor)
    }
}

/// Reads two numbers: a third one would be dropped in silence by the reader of arrays in flattened tables.
pub(crate) fn two<'de, D: serde::Deserializer<'de>, T: serde::Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<[T; 2]>, D::Error> {
    let numbers = Vec::deserialize(deserializer)?;
    let count = numbers.len();
    numbers.try_into().map(Some).map_err(|_| serde::de::Error::invalid_length(count, &"two numbers, [first, last]"))
}
