//! Detectors of changes and the guard of an adapted policy, as C holds them.

use std::ffi::{c_double, c_int};

use metadrift_runtime::{
    detector::{Detector, Test},
    guard::{Guard, Opinion},
};

use crate::{
    Machine,
    border::{Failed, NOT_FINITE, coded, null, numbers, object},
};

/// Writes an answer to the place that C gives for it.
///
/// # Safety
/// The pointer is null or leads to a place for it.
unsafe fn answer<T>(place: *mut T, what: &str, value: impl FnOnce() -> Result<T, Failed>) -> Result<(), Failed> {
    if place.is_null() {
        return Err(null(what));
    }
    let value = value()?;
    // SAFETY: the caller guarantees it, and the pointer is not null.
    unsafe { place.write(value) };
    Ok(())
}

/// Closes an object; null is allowed.
///
/// # Safety
/// The pointer is null or comes from a `Box`, and is not used again.
unsafe fn close<T>(at: *mut T) {
    if !at.is_null() {
        // SAFETY: the caller guarantees it.
        drop(unsafe { Box::from_raw(at) });
    }
}

/// `metadrift_detector_open`
///
/// # Safety
/// `policy` is null or comes from `metadrift_open`, `detector` is null or leads to a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metadrift_detector_open(
    policy: *const Machine,
    watch: c_int,
    test: c_int,
    threshold: c_double,
    detector: *mut *mut Detector,
) -> c_int {
    coded(|| {
        // SAFETY: the caller guarantees it, here and below.
        let machine = unsafe { policy.as_ref() }.ok_or_else(|| null("the policy"))?;
        let test = match test {
            0 => Test::Cusum,
            1 => Test::PageHinkley,
            other => return Err(Failed(NOT_FINITE, format!("{other} is no metadrift_test"))),
        };
        if !(threshold > 0.0 && threshold.is_finite()) {
            return Err(Failed(NOT_FINITE, format!("{threshold} is no threshold: it must be a positive number")));
        }
        let opened = match watch {
            0 => Detector::of_returns(test, threshold),
            1 => Detector::of_prediction(test, threshold, machine.policy.window()),
            other => return Err(Failed(NOT_FINITE, format!("{other} is no metadrift_watch"))),
        };
        unsafe { answer(detector, "the place for the detector", || Ok(Box::into_raw(Box::new(opened)))) }
    })
}

/// `metadrift_detector_close`
///
/// # Safety
/// `detector` is null or comes from [`metadrift_detector_open`], and is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metadrift_detector_close(detector: *mut Detector) {
    unsafe { close(detector) }
}

/// `metadrift_detector_step`
///
/// # Safety
/// `detector` is null or comes from [`metadrift_detector_open`]; the other pointers are null or lead to as many numbers as is
/// said.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metadrift_detector_step(
    detector: *mut Detector,
    observation: *const f32,
    observation_size: usize,
    command: *const f32,
    command_size: usize,
    next_observation: *const f32,
    alarm: *mut c_int,
) -> c_int {
    coded(|| {
        let detector = unsafe { object(detector, "the detector") }?;
        let observation = unsafe { numbers(observation, observation_size, "the observation") }?;
        let command = unsafe { numbers(command, command_size, "the command") }?;
        let next = unsafe { numbers(next_observation, observation_size, "the next observation") }?;
        unsafe { answer(alarm, "the place for the alarm", || Ok(detector.step(observation, command, next)?.into())) }
    })
}

/// `metadrift_detector_episode`
///
/// # Safety
/// As [`metadrift_detector_step`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metadrift_detector_episode(
    detector: *mut Detector,
    episode_return: c_double,
    alarm: *mut c_int,
) -> c_int {
    coded(|| {
        let detector = unsafe { object(detector, "the detector") }?;
        unsafe { answer(alarm, "the place for the alarm", || Ok(detector.episode(episode_return)?.into())) }
    })
}

/// `metadrift_detector_restart`
///
/// # Safety
/// As [`metadrift_detector_step`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metadrift_detector_restart(detector: *mut Detector) -> c_int {
    coded(|| {
        unsafe { object(detector, "the detector") }?.restart();
        Ok(())
    })
}

/// `metadrift_guard_open`
///
/// # Safety
/// `guard` is null or leads to a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metadrift_guard_open(level: c_double, guard: *mut *mut Guard) -> c_int {
    coded(|| unsafe { answer(guard, "the place for the guard", || Ok(Box::into_raw(Box::new(Guard::new(level)?)))) })
}

/// `metadrift_guard_close`
///
/// # Safety
/// `guard` is null or comes from [`metadrift_guard_open`], and is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metadrift_guard_close(guard: *mut Guard) {
    unsafe { close(guard) }
}

/// `metadrift_guard_toss`
///
/// # Safety
/// `guard` is null or comes from [`metadrift_guard_open`], `adapted_acts` is null or leads to a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metadrift_guard_toss(guard: *mut Guard, uniform: c_double, adapted_acts: *mut c_int) -> c_int {
    coded(|| {
        let guard = unsafe { object(guard, "the guard") }?;
        unsafe { answer(adapted_acts, "the place for the answer", || Ok(guard.adapted_acts(uniform)?.into())) }
    })
}

/// `metadrift_guard_see`
///
/// # Safety
/// As [`metadrift_guard_toss`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metadrift_guard_see(
    guard: *mut Guard,
    episode_return: c_double,
    adapted_acted: c_int,
    rolled_back: *mut c_int,
) -> c_int {
    coded(|| {
        let guard = unsafe { object(guard, "the guard") }?;
        let see = || Ok(guard.see(episode_return, adapted_acted != 0)?.into());
        unsafe { answer(rolled_back, "the place for the answer", see) }
    })
}

/// `metadrift_guard_renew`
///
/// # Safety
/// As [`metadrift_guard_toss`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metadrift_guard_renew(guard: *mut Guard) -> c_int {
    coded(|| {
        unsafe { object(guard, "the guard") }?.renew();
        Ok(())
    })
}

/// `metadrift_guard_state`
///
/// # Safety
/// As [`metadrift_guard_toss`]; `evidence` is null or leads to a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metadrift_guard_state(
    guard: *mut Guard,
    opinion: *mut c_int,
    evidence: *mut c_double,
) -> c_int {
    coded(|| {
        let guard = unsafe { object(guard, "the guard") }?;
        if evidence.is_null() {
            return Err(null("the place for the evidence"));
        }
        let number = match guard.opinion() {
            Opinion::Trial => 0,
            Opinion::Trusted => 1,
            Opinion::RolledBack => 2,
        };
        unsafe { answer(opinion, "the place for the opinion", || Ok(number)) }?;
        unsafe { answer(evidence, "the place for the evidence", || Ok(guard.evidence())) }
    })
}
