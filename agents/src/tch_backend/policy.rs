//! The policy as a function of its parameters, for many tasks at once.

use tch::{Device, Kind, Tensor, kind::Element};

use crate::layout::{Activation, Block, Layout};

/// Flat vectors `[tasks, num_params]` as one tensor per block, `[tasks, in, out]`, on `device` and in `kind`; they are
/// leaves of a graph if `grad`. They need one transfer, whatever the number of blocks.
pub(super) fn blocks<T: Element + Clone, V: AsRef<[T]>>(
    layout: &Layout,
    params: &[V],
    device: Device,
    kind: Kind,
    grad: bool,
) -> Vec<Tensor> {
    let tasks = params.len() as i64;
    let n = layout.num_params();
    assert!(params.iter().all(|p| p.as_ref().len() == n), "parameter vector and layout differ");
    let flat: Vec<T> = params.iter().flat_map(|p| p.as_ref().iter().cloned()).collect();
    let rows = upload(Tensor::from_slice(&flat).view([tasks, n as i64]), device, kind);
    let of_block = |block: &Block| {
        let columns = rows.narrow(1, block.range.start as i64, block.range.len() as i64);
        let dims = [tasks, block.dims[0] as i64, block.dims[1] as i64];
        columns.contiguous().view(dims).set_requires_grad(grad)
    };
    layout.blocks().iter().map(of_block).collect()
}

/// The tensor `host` on `device` and in `kind`. A transfer to a GPU starts from page-locked memory and is asynchronous.
pub(super) fn upload(host: Tensor, device: Device, kind: Kind) -> Tensor {
    let host = if device.is_cuda() { host.pin_memory(device) } else { host };
    let there = host.to_device_(device, host.kind(), device.is_cuda(), false);
    there.to_kind(kind)
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
    let mut params: Vec<Tensor> = params.iter().map(Tensor::shallow_clone).collect();
    for added in layout.added() {
        params[added.to] = &params[added.to] + params[added.left].bmm(&params[added.right]);
    }
    let mut x = obs.shallow_clone();
    for (i, pair) in params[..2 * layers].chunks_exact(2).enumerate() {
        x = pair[1].baddbmm(&x, &pair[0], 1.0, 1.0);
        if i + 1 < layers {
            x = match layout.activation() {
                Activation::Tanh => x.tanh(),
                Activation::Relu => x.relu(),
            };
        }
    }
    x
}
