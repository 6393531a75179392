//! The C library as a program in C uses it, for tests that hold it against the trainer.

use std::{
    ffi::{CStr, c_int},
    ptr,
};

use metadrift_agents::runtime::{End, uniforms};
use metadrift_c::*;

/// A policy that the library has opened.
pub struct Opened(*mut Machine);

fn ok(code: c_int) {
    // SAFETY: the message is never null, and stays until the next failure on this thread.
    assert_eq!(code, 0, "{:?}", unsafe { CStr::from_ptr(metadrift_error()) });
}

fn number(end: End) -> c_int {
    match end {
        End::Going => 0,
        End::Terminated => 1,
        End::Stopped => 2,
    }
}

impl Opened {
    /// The policy of a file, with room for `steps` steps to learn from if it adapts by gradient steps.
    pub fn new(file: &[u8], steps: usize) -> Opened {
        let mut policy = ptr::null_mut();
        // SAFETY: here and below, pointers lead to as many numbers as is said, and the policy is open.
        ok(unsafe { metadrift_open(file.as_ptr(), file.len(), &mut policy) });
        if steps > 0 {
            ok(unsafe { metadrift_room(policy, steps) });
        }
        Opened(policy)
    }

    pub fn act(&mut self, observation: &[f32], command: &mut [f32]) {
        let (n, dim) = (observation.len(), command.len());
        ok(unsafe { metadrift_act(self.0, observation.as_ptr(), n, command.as_mut_ptr(), dim) });
    }

    /// Draws a command by the library's own numbers for `seed` and `tick`.
    pub fn sample(&mut self, observation: &[f32], (seed, tick): (u64, u64), command: &mut [f32]) {
        let (n, dim) = (observation.len(), command.len());
        let mut drawn = [0.0; 4];
        ok(unsafe { metadrift_uniforms(seed, tick, drawn.as_mut_ptr()) });
        assert_eq!(drawn, uniforms(seed, tick));
        ok(unsafe { metadrift_sample(self.0, observation.as_ptr(), n, drawn.as_ptr(), command.as_mut_ptr(), dim) });
    }

    pub fn outcome(&mut self, reward: f32, observation: &[f32], end: End) {
        ok(unsafe { metadrift_outcome(self.0, reward, observation.as_ptr(), observation.len(), number(end)) });
    }

    pub fn record(&mut self, reward: f32, observation: &[f32], end: End) {
        ok(unsafe { metadrift_record(self.0, reward, observation.as_ptr(), observation.len(), number(end)) });
    }

    pub fn reset(&mut self) {
        ok(unsafe { metadrift_reset(self.0) });
    }

    /// Takes a step of adaptation; gives the parameters after it.
    pub fn adapt(&mut self) -> Vec<f32> {
        let mut change = Change::default();
        ok(unsafe { metadrift_adapt(self.0, &mut change) });
        let mut params = vec![0.0; unsafe { metadrift_parameter_count(self.0) }];
        ok(unsafe { metadrift_parameters(self.0, params.as_mut_ptr(), params.len()) });
        params
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        unsafe { metadrift_close(self.0) };
    }
}
