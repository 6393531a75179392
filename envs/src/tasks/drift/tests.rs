//! Drifts evaluated ahead.

use metadrift_random::{Purpose, Stream};

use super::*;

#[test]
fn ticks_evaluated_at_once_are_those_of_each() {
    let channel = Channel {
        name: "x".into(),
        unit: "1",
        doc: String::new(),
        default: 1.0,
        bounds: Bounds::closed(-100.0, 100.0),
    };
    let plain = Timing { bounds: Some([0.5, 1.2]), ..Timing::default() };
    let timings = [
        Timing { on_bound: Some(OnBound::Clamp), ..plain },
        Timing { on_bound: Some(OnBound::Reflect), apply: Apply::Add, ..plain },
        Timing { on_bound: Some(OnBound::Resample), apply: Apply::Scale, ..plain },
        Timing { on_bound: Some(OnBound::Clamp), hold: 5, ..plain },
        Timing { on_bound: Some(OnBound::Clamp), hold: 3, window: Some([40, 71]), ..plain },
        Timing { on_bound: Some(OnBound::Clamp), window: Some([3, 90]), ..plain },
    ];
    let ou = r#"{"kind": "ou", "mean": 0.8, "stationary_std": 0.4, "relax_time": 9}"#;
    let mut corrections = 0;
    for timing in timings {
        let schedule = serde_json::from_str(ou).unwrap();
        let noise = Noise::of(Stream::new(2, Purpose::Drift));
        let drift = Drift::new("x", (0, &channel), 0.7, schedule, timing, noise).unwrap();
        for first in [0, 32, 64, 96] {
            let mut values = [0.0; AHEAD];
            let corrected = drift.fill(0.7, first, &mut values);
            for (i, value) in values.into_iter().enumerate() {
                let clocks = Clocks { lifetime_step: first + i as u64, ..Clocks::default() };
                assert_eq!((value, corrected >> i & 1 == 1), drift.evaluate(0.7, &clocks), "{timing:?} {first} {i}");
            }
            corrections += corrected.count_ones();
        }
    }
    assert!(corrections > 100, "{corrections}: bounds were hardly met");
}
