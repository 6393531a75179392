//! The policy as a function of its parameters, for many tasks at once.

use tch::{Device, Kind, Tensor, kind::Element};

use crate::layout::Layout;

/// A flat vector as one tensor per block, `[in, out]` each, on `device` and in `kind`; leaves of a graph if `grad`.
pub(super) fn blocks<T: Element>(layout: &Layout, flat: &[T], device: Device, kind: Kind, grad: bool) -> Vec<Tensor> {
    assert_eq!(flat.len(), layout.num_params(), "parameter vector and layout differ");
    let block = |b: &crate::layout::Block| {
        let dims = b.dims.map(|d| d as i64);
        Tensor::from_slice(&flat[b.range.clone()]).view(dims).to_device(device).to_kind(kind).set_requires_grad(grad)
    };
    layout.blocks().iter().map(block).collect()
}

/// The inverse of [`blocks`] for one task: `[num_params]`.
pub(super) fn flatten<T: Element + Default + Clone>(blocks: &[Tensor]) -> Vec<T> {
    let flat = Tensor::cat(&blocks.iter().map(|b| b.detach().reshape([-1])).collect::<Vec<_>>(), 0);
    let mut out = vec![T::default(); flat.numel()];
    flat.to_kind(T::KIND).to_device(Device::Cpu).copy_data(&mut out, flat.numel());
    out
}

/// Head outputs `[tasks, samples, outputs]` of parameters `[tasks, in, out]` at `obs` `[tasks, samples, obs_dim]`.
pub(super) fn forward(layout: &Layout, params: &[Tensor], obs: &Tensor) -> Tensor {
    let layers = layout.num_layers();
    let mut x = obs.shallow_clone();
    for (i, pair) in params[..2 * layers].chunks_exact(2).enumerate() {
        x = pair[1].baddbmm(&x, &pair[0], 1.0, 1.0);
        if i + 1 < layers {
            x = x.tanh();
        }
    }
    x
}
