//! Deliberate faults for tests of what a user sees, only in builds with debug assertions.

/// Panics if the environment variable `METADRIFT_FAULT` names `place`.
#[cfg(debug_assertions)]
pub fn trip(place: &str) {
    if std::env::var("METADRIFT_FAULT").is_ok_and(|fault| fault == place) {
        panic!("fault injected: {place}");
    }
}

/// Does nothing in a release build.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn trip(_place: &str) {}
