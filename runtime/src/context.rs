//! A code of the last transitions, and networks that see it: beside their other inputs, and as a factor of each. A sign
//! that flips is a factor, which a sum represents only piecewise (arXiv 2602.06550).

use crate::{
    host_policy::{HostPolicy, Scratch},
    kernels::{isa::Isa, scalar::Scalar},
    layout::{Core, Layout},
    prelude::*,
    with_isa,
};

/// Number of inputs of a network that sees `own` values and a code of `code`.
pub fn width(own: usize, code: usize) -> usize {
    own + code + own * code
}

/// Writes the inputs of a network that sees `own` and `code` to `seen`: the two, then the products of every value of `own`
/// with the code.
#[inline(always)]
pub fn combine<T: Scalar>(own: &[T], code: &[T], seen: &mut [T]) {
    let (first, rest) = seen.split_at_mut(own.len());
    let (second, products) = rest.split_at_mut(code.len());
    first.copy_from_slice(own);
    second.copy_from_slice(code);
    for (products, x) in products.chunks_exact_mut(code.len()).zip(own) {
        products.iter_mut().zip(code).for_each(|(product, z)| *product = *x * *z);
    }
}

/// The encoder of a policy on the host.
pub struct Encoder {
    network: HostPolicy,
    isa: Isa,
    own: usize,
    code: usize,
}

/// Work space of an [`Encoder`].
pub struct Sight {
    scratch: Scratch,
    /// `[lanes, window]`
    past: Vec<f32>,
    /// `[code, lanes]`
    code: Vec<f32>,
    /// The code of one lane, `[code]`.
    of_lane: Vec<f32>,
    /// `[lanes, seen]`
    seen: Vec<f32>,
}

impl Encoder {
    /// The encoder of the policy `params` `[num_params]`; `None` if `layout` has none.
    pub fn new(layout: &Layout, params: &[f32]) -> Option<Encoder> {
        let Core::Context { own, code } = layout.core() else { return None };
        let encoder = &layout.parts()[0];
        let network = HostPolicy::new(encoder, &params[..encoder.num_params()]);
        Some(Encoder { network, isa: Isa::detect(), own, code })
    }

    /// Work space for this encoder.
    pub fn sight(&self) -> Sight {
        Sight {
            scratch: self.network.scratch(),
            past: Vec::new(),
            code: Vec::new(),
            of_lane: vec![0.0; self.code],
            seen: Vec::new(),
        }
    }

    /// The inputs of the network behind it, `[lanes, seen]`, for `obs` `[lanes, obs_dim]`; the code lies in (-1, 1).
    pub fn see<'a>(&self, obs: &[f32], sight: &'a mut Sight) -> &'a [f32] {
        let obs_dim = self.own + self.network.obs_dim();
        let lanes = obs.len() / obs_dim;
        let Sight { scratch, past, code, of_lane, seen } = &mut *sight;
        past.clear();
        obs.chunks_exact(obs_dim).for_each(|obs| past.extend_from_slice(&obs[self.own..]));
        code.resize(self.code * lanes, 0.0);
        seen.resize(lanes * width(self.own, self.code), 0.0);
        self.network.forward(past, code, scratch);
        let (isa, own, code) = (self.isa, (self.own, obs_dim), (&code[..], &mut of_lane[..]));
        let seen = &mut seen[..];
        with_isa!(isa, [] (obs: &[f32], own: (usize, usize), code: Codes<'_>, seen: &mut [f32]) => see(obs, own, code, seen));
        &sight.seen
    }
}

/// The codes `[code, lanes]`, and room for that of one lane.
type Codes<'a> = (&'a [f32], &'a mut [f32]);

#[inline(always)]
fn see(obs: &[f32], (own, obs_dim): (usize, usize), (code, of_lane): Codes<'_>, seen: &mut [f32]) {
    let lanes = obs.len() / obs_dim;
    for (lane, seen) in seen.chunks_exact_mut(seen.len() / lanes).enumerate() {
        for (z, column) in of_lane.iter_mut().zip(code.chunks_exact(lanes)) {
            *z = Scalar::tanh(column[lane]);
        }
        combine(&obs[lane * obs_dim..][..own], of_lane, seen);
    }
}
