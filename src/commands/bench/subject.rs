//! The environments that are measured.

use metadrift_envs::{EnvKind, ParamSpec};

/// An environment, and the quantity that differs from lane to lane or task to task, with its range.
pub(super) struct Subject {
    pub(super) kind: EnvKind,
    pub(super) param: &'static str,
    pub(super) low: f64,
    pub(super) high: f64,
}

/// The environments of this crate that are measured.
pub(super) const SUBJECTS: [Subject; 2] = [
    Subject { kind: EnvKind::CartPole, param: "half_length", low: 0.25, high: 1.0 },
    Subject { kind: EnvKind::Pendulum, param: "length", low: 0.7, high: 1.3 },
];

/// [`SUBJECTS`], then the environments of other crates that the program was given.
pub(super) fn subjects() -> impl Iterator<Item = Subject> {
    let own = EnvKind::all().filter(|kind| matches!(kind, EnvKind::Own(_)));
    SUBJECTS.into_iter().chain(own.map(Subject::of))
}

impl Subject {
    /// An environment of any kind: its first parameter differs or, if it has none that can, the actuator's gain.
    pub(super) fn of(kind: EnvKind) -> Subject {
        let range = kind.spec().params.first().and_then(about_default);
        let (param, low, high) = range.unwrap_or(("actuator_gain", 0.8, 1.2));
        Subject { kind, param, low, high }
    }

    /// Name of the environment.
    pub(super) fn name(&self) -> &'static str {
        self.kind.spec().name
    }
}

/// Name and range of a parameter: a fifth of its default to either side, or a twentieth of the legal range if the default
/// is 0; a side that is not legal is left out.
fn about_default(spec: &ParamSpec) -> Option<(&'static str, f64, f64)> {
    let ParamSpec { name, default, bounds, .. } = *spec;
    let reach = if default == 0.0 { 0.05 * (bounds.max - bounds.min).min(20.0) } else { 0.2 * default.abs() };
    let legal = |value: f64| if bounds.contains(value) { value } else { default };
    let low = legal(default - reach);
    let high = legal(default + reach);
    (low < high).then_some((name, low, high))
}

#[cfg(test)]
mod tests {
    use metadrift_envs::Bounds;

    use super::*;

    #[test]
    fn the_range_of_a_parameter_is_legal() {
        let cases = [
            (1.0, Bounds::closed(0.1, 10.0), Some(("mass", 0.8, 1.2))),
            (10.0, Bounds::closed(0.0, 10.0), Some(("mass", 8.0, 10.0))),
            (0.0, Bounds::closed(0.0, 1.0), Some(("mass", 0.0, 0.05))),
            (-2.0, Bounds::above(-2.1, 2.0), Some(("mass", -2.0, -1.6))),
            (1.0, Bounds::closed(1.0, 1.0), None),
        ];
        for (default, bounds, range) in cases {
            assert_eq!(about_default(&ParamSpec::new("mass", "kg", "the mass", default, bounds)), range);
        }
    }
}
