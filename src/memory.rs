//! Available memory, and a check before more of it is allocated.
//!
//! Code that makes something whose size the user chooses adds up a [`Need`] and calls [`Need::check`] before it
//! allocates. Estimates are upper bounds by a small factor, measured against the peaks of real runs; sizes are `u128`,
//! so that no product of legal settings wraps.

mod estimate;
mod limits;

pub use estimate::{Arithmetic, Training, audit, evaluation, film, series};
pub use limits::available;

use crate::config::ConfigError;

/// Memory kept free beside the estimate (B): stacks, buffers of files, the allocator's slack.
const RESERVE: u128 = 64 << 20;

/// Memory that something is about to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// Peak memory (B).
    pub bytes: u128,
    /// Settings that reduce the memory when made smaller.
    pub keys: &'static str,
}

impl Need {
    /// Refuses a need that does not fit. If the system does not report its memory, everything fits.
    ///
    /// # Errors
    /// [`ConfigError::TooLarge`] with both figures and the settings to lower.
    pub fn check(self) -> Result<(), ConfigError> {
        match self.shortage() {
            Some(available) => Err(ConfigError::TooLarge {
                need: size(self.bytes),
                available: size(available.into()),
                keys: self.keys,
            }),
            None => Ok(()),
        }
    }

    /// The available memory (B), if it is too small.
    pub fn shortage(self) -> Option<u64> {
        available().filter(|there| self.bytes + RESERVE > u128::from(*there))
    }
}

/// A size as text: `310 MB`, `84 GB`, `1.2 million TB`.
pub fn size(bytes: u128) -> String {
    let bytes = bytes as f64;
    match bytes {
        b if b < 999.5e6 => format!("{:.0} MB", (b / 1e6).ceil()),
        b if b < 9.95e9 => format!("{:.1} GB", b / 1e9),
        b if b < 999.5e9 => format!("{:.0} GB", b / 1e9),
        b if b < 999.5e12 => format!("{:.0} TB", b / 1e12),
        b => format!("{:.1} million TB", b / 1e18),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_people_write_them() {
        let sizes = [1, 310_000_000, 1_500_000_000, 84_000_000_000, 2_000_000_000_000, 1_200_000_000_000_000_000];
        assert_eq!(sizes.map(size), ["1 MB", "310 MB", "1.5 GB", "84 GB", "2 TB", "1.2 million TB"]);
    }

    #[test]
    fn what_does_not_fit_is_refused_with_both_figures() {
        let there = available().expect("Linux says how much memory there is");
        assert!(there > 100 << 20, "{there}");
        let keys = "rollout.num_envs";
        Need { bytes: 1, keys }.check().unwrap();
        let message = Need { bytes: u128::MAX / 4, keys }.check().unwrap_err().to_string();
        assert!(message.contains("million TB") && message.contains(" GB") && message.contains(keys), "{message}");
    }
}
