//! The C library around `metadrift-runtime`; `metadrift.h` of that crate describes its functions.
//!
//! Every function checks its pointers for null, catches panics, and returns a code; the message of the last one that failed
//! stays with its thread.

#[doc(hidden)]
pub mod border;
mod watch;

use std::{
    ffi::{c_char, c_int},
    slice,
};

use metadrift_runtime::{Adapter, Fault, Policy, uniforms};

use border::{Failed, NOT_A_POLICY, coded, end, machine, message, null, numbers, numbers_mut};

/// A policy with its adapter, as C holds it.
pub struct Machine {
    policy: Policy,
    adapter: Option<Adapter>,
}

/// `metadrift_adapted`
#[derive(Default)]
#[repr(C)]
pub struct Change {
    episodes: usize,
    samples: usize,
    mean_return: f64,
    step_norm: f64,
}

/// `metadrift_error`
#[unsafe(no_mangle)]
pub extern "C" fn metadrift_error() -> *const c_char {
    message()
}

/// `metadrift_open`
///
/// # Safety
/// `bytes` leads to `length` bytes, `policy` to a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metadrift_open(bytes: *const u8, length: usize, policy: *mut *mut Machine) -> c_int {
    coded(|| {
        if bytes.is_null() || policy.is_null() {
            return Err(null(if bytes.is_null() { "the file" } else { "the place for the policy" }));
        }
        // SAFETY: the caller guarantees it, and the pointers are not null.
        let bytes = unsafe { slice::from_raw_parts(bytes, length) };
        let opened = Policy::from_bytes(bytes).map_err(|reason| Failed(NOT_A_POLICY, reason.to_string()))?;
        let machine = Box::new(Machine { policy: opened, adapter: None });
        // SAFETY: as above.
        unsafe { *policy = Box::into_raw(machine) };
        Ok(())
    })
}

/// `metadrift_close`
///
/// # Safety
/// `policy` is null or comes from [`metadrift_open`], and is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metadrift_close(policy: *mut Machine) {
    if !policy.is_null() {
        // SAFETY: the caller guarantees it.
        drop(unsafe { Box::from_raw(policy) });
    }
}

/// A number of a policy; 0 for none.
///
/// # Safety
/// `policy` is null or comes from [`metadrift_open`].
unsafe fn size(policy: *const Machine, of: impl FnOnce(&Machine) -> usize) -> usize {
    // SAFETY: the caller guarantees it.
    unsafe { policy.as_ref() }.map_or(0, of)
}

/// `metadrift_observation_size`
///
/// # Safety
/// `policy` is null or comes from [`metadrift_open`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metadrift_observation_size(policy: *const Machine) -> usize {
    // SAFETY: the caller guarantees it, here and below.
    unsafe { size(policy, |machine| machine.policy.obs_dim()) }
}

/// `metadrift_command_size`
///
/// # Safety
/// As [`metadrift_observation_size`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metadrift_command_size(policy: *const Machine) -> usize {
    unsafe { size(policy, |machine| machine.policy.act_dim()) }
}

/// `metadrift_parameter_count`
///
/// # Safety
/// As [`metadrift_observation_size`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metadrift_parameter_count(policy: *const Machine) -> usize {
    unsafe { size(policy, |machine| machine.policy.start().len()) }
}

/// `metadrift_episodes_per_step`
///
/// # Safety
/// As [`metadrift_observation_size`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metadrift_episodes_per_step(policy: *const Machine) -> usize {
    unsafe { size(policy, |machine| machine.policy.adaptation().map_or(0, |adaptation| adaptation.episodes)) }
}

/// `metadrift_horizon`
///
/// # Safety
/// As [`metadrift_observation_size`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metadrift_horizon(policy: *const Machine) -> usize {
    unsafe { size(policy, |machine| machine.policy.adaptation().map_or(0, |adaptation| adaptation.horizon)) }
}

/// `metadrift_set_command`
///
/// # Safety
/// As [`metadrift_act`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metadrift_set_command(
    policy: *mut Machine,
    command: *const f32,
    command_size: usize,
) -> c_int {
    coded(|| {
        let machine = unsafe { machine(policy) }?;
        Ok(machine.policy.set_command(unsafe { numbers(command, command_size, "the command") }?)?)
    })
}

/// `metadrift_begin`
///
/// # Safety
/// `policy` is null or comes from [`metadrift_open`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metadrift_begin(policy: *mut Machine) -> c_int {
    coded(|| {
        unsafe { machine(policy) }?.policy.begin();
        Ok(())
    })
}

/// `metadrift_act`
///
/// # Safety
/// `policy` is null or comes from [`metadrift_open`]; the other pointers are null or lead to as many numbers as is said.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metadrift_act(
    policy: *mut Machine,
    observation: *const f32,
    observation_size: usize,
    command: *mut f32,
    command_size: usize,
) -> c_int {
    coded(|| {
        let machine = unsafe { machine(policy) }?;
        let observation = unsafe { numbers(observation, observation_size, "the observation") }?;
        let command = unsafe { numbers_mut(command, command_size, "the command") }?;
        Ok(machine.policy.act(observation, command)?)
    })
}

/// `metadrift_sample`
///
/// # Safety
/// As [`metadrift_act`]; `random` is null or leads to four numbers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metadrift_sample(
    policy: *mut Machine,
    observation: *const f32,
    observation_size: usize,
    random: *const f32,
    command: *mut f32,
    command_size: usize,
) -> c_int {
    coded(|| {
        let machine = unsafe { machine(policy) }?;
        let observation = unsafe { numbers(observation, observation_size, "the observation") }?;
        let random = unsafe { numbers(random, 4, "the array of uniform numbers") }?;
        let command = unsafe { numbers_mut(command, command_size, "the command") }?;
        let random = *random.first_chunk().expect("four numbers");
        Ok(machine.policy.sample(observation, random, command)?)
    })
}

/// `metadrift_uniforms`
///
/// # Safety
/// `place` is null or leads to four numbers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metadrift_uniforms(seed: u64, tick: u64, place: *mut f32) -> c_int {
    coded(|| {
        unsafe { numbers_mut(place, 4, "the place for the numbers") }?.copy_from_slice(&uniforms(seed, tick));
        Ok(())
    })
}

/// `metadrift_outcome`
///
/// # Safety
/// As [`metadrift_act`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metadrift_outcome(
    policy: *mut Machine,
    reward: f32,
    observation: *const f32,
    observation_size: usize,
    ended: c_int,
) -> c_int {
    coded(|| {
        let machine = unsafe { machine(policy) }?;
        let observation = unsafe { numbers(observation, observation_size, "the observation") }?;
        Ok(machine.policy.outcome(reward, observation, end(ended)?)?)
    })
}

/// `metadrift_room`
///
/// # Safety
/// `policy` is null or comes from [`metadrift_open`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metadrift_room(policy: *mut Machine, steps: usize) -> c_int {
    coded(|| {
        let machine = unsafe { machine(policy) }?;
        match &mut machine.adapter {
            Some(adapter) => adapter.resize(steps),
            None => machine.adapter = Some(Adapter::new(&machine.policy, steps)?),
        }
        Ok(())
    })
}

/// The adapter of a machine, which [`metadrift_room`] has made.
fn adapter(machine: &mut Machine) -> Result<(&mut Adapter, &mut Policy), Failed> {
    let Machine { policy, adapter } = machine;
    let none = if policy.adaptation().is_some() { Fault::Full(0) } else { Fault::NoGradient };
    Ok((adapter.as_mut().ok_or(none)?, policy))
}

/// `metadrift_record`
///
/// # Safety
/// As [`metadrift_act`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metadrift_record(
    policy: *mut Machine,
    reward: f32,
    observation: *const f32,
    observation_size: usize,
    ended: c_int,
) -> c_int {
    coded(|| {
        let (adapter, policy) = adapter(unsafe { machine(policy) }?)?;
        let observation = unsafe { numbers(observation, observation_size, "the observation") }?;
        Ok(adapter.record(policy, reward, observation, end(ended)?)?)
    })
}

/// `metadrift_adapt`
///
/// # Safety
/// `policy` is null or comes from [`metadrift_open`], `adapted` is null or leads to a `metadrift_adapted`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metadrift_adapt(policy: *mut Machine, adapted: *mut Change) -> c_int {
    coded(|| {
        let (adapter, policy) = adapter(unsafe { machine(policy) }?)?;
        if adapted.is_null() {
            return Err(null("the place for the change"));
        }
        let change = adapter.adapt(policy)?;
        let (mean_return, step_norm) = (change.mean_return, change.step_norm);
        // SAFETY: the caller guarantees it, and the pointer is not null.
        unsafe { *adapted = Change { episodes: change.episodes, samples: change.samples, mean_return, step_norm } };
        Ok(())
    })
}

/// `metadrift_reset`
///
/// # Safety
/// `policy` is null or comes from [`metadrift_open`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metadrift_reset(policy: *mut Machine) -> c_int {
    coded(|| {
        let (adapter, policy) = adapter(unsafe { machine(policy) }?)?;
        adapter.reset(policy);
        Ok(())
    })
}

/// `metadrift_parameters`
///
/// # Safety
/// `policy` is null or comes from [`metadrift_open`], `parameters` is null or leads to `count` numbers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metadrift_parameters(policy: *const Machine, parameters: *mut f32, count: usize) -> c_int {
    coded(|| {
        // SAFETY: the caller guarantees it.
        let machine = unsafe { policy.as_ref() }.ok_or_else(|| null("the policy"))?;
        let place = unsafe { numbers_mut(parameters, count, "the place for the parameters") }?;
        let now = machine.adapter.as_ref().map_or(machine.policy.start(), Adapter::params);
        if place.len() != now.len() {
            return Err(Fault::Length { what: "the parameters", given: place.len(), wanted: now.len() }.into());
        }
        place.copy_from_slice(now);
        Ok(())
    })
}
