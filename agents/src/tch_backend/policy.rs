//! The policy as a function of its parameters, for many tasks at once.

use tch::{Device, Kind, Tensor, kind::Element};

use crate::layout::{Block, Layout};

/// Flat vectors `[tasks][num_params]` as one tensor per block, `[tasks, in, out]`, on `device` and in `kind`; leaves of
/// a graph if `grad`.
pub(super) fn blocks<T: Element, V: AsRef<[T]>>(
    layout: &Layout,
    params: &[V],
    device: Device,
    kind: Kind,
    grad: bool,
) -> Vec<Tensor> {
    assert!(params.iter().all(|p| p.as_ref().len() == layout.num_params()), "parameter vector and layout differ");
    let of_block = |block: &Block| {
        let rows: Vec<Tensor> = params.iter().map(|p| Tensor::from_slice(&p.as_ref()[block.range.clone()])).collect();
        let dims = [params.len() as i64, block.dims[0] as i64, block.dims[1] as i64];
        Tensor::cat(&rows, 0).view(dims).to_device(device).to_kind(kind).set_requires_grad(grad)
    };
    layout.blocks().iter().map(of_block).collect()
}

/// The inverse of [`blocks`].
pub(super) fn flatten<T: Element + Default + Clone>(blocks: &[Tensor]) -> Vec<Vec<T>> {
    let tasks = blocks[0].size()[0];
    let rows = Tensor::cat(&blocks.iter().map(|b| b.detach().reshape([tasks, -1])).collect::<Vec<_>>(), 1);
    let mut flat = vec![T::default(); rows.numel()];
    rows.to_kind(T::KIND).to_device(Device::Cpu).copy_data(&mut flat, rows.numel());
    flat.chunks_exact(flat.len() / tasks as usize).map(<[T]>::to_vec).collect()
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
