//! Stamps of draws.

use super::*;

#[test]
fn ranks_count_the_f32_numbers() {
    for (rank_of, number) in [(0, 0.0), (1, f32::from_bits(1)), (-1, -f32::from_bits(1)), (0x3f80_0000, 1.0)] {
        assert_eq!(rank(number), rank_of);
        assert_eq!(ranked(rank_of), number);
    }
    assert_eq!(rank(1.0 + f32::EPSILON) - rank(1.0), 1);
    assert_eq!(rank(-1.0 - f32::EPSILON) - rank(-1.0), -1);
}

#[test]
fn a_stamped_draw_stays_in_its_interval_and_next_to_its_value() {
    let intervals = [(7.0, 13.0), (-0.1, 0.1), (0.0, 2.0), (-2.0, 0.0), (-1.5, -0.5), (0.7, 0.700_02)];
    for (low, high) in intervals {
        for i in 0..=1000 {
            let value = low + (high - low) * f64::from(i) / 1000.0;
            for code in 0..3 {
                let stamped = Draw::continuous(value, low, high).stamped(code);
                assert_eq!(f64::from(stamped as f32), stamped);
                assert_eq!(rank(stamped as f32).rem_euclid(4), code);
                assert!((low..=high).contains(&stamped), "{stamped} not in [{low}, {high}]");
                // four steps of 2^-23 relative, and the rounding to f32
                assert!((stamped - value).abs() <= 5.0 * 1.2e-7 * value.abs() + 1e-44);
            }
        }
    }
    assert_eq!(Draw::discrete(0.1).stamped(2), 0.1);
}
