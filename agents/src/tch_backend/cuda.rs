//! Detection of GPUs that libtorch can use, and a test of a device.

use tch::{Kind, Tensor};

use crate::device::Device;

impl From<Device> for tch::Device {
    fn from(device: Device) -> Self {
        match device {
            Device::Cpu => tch::Device::Cpu,
            Device::Cuda(index) => tch::Device::Cuda(index),
        }
    }
}

/// Number of GPUs.
///
/// # Errors
/// If libtorch has no CUDA part; the text is the system loader's.
pub fn gpus() -> Result<usize, String> {
    load_cuda()?;
    Ok(if tch::Cuda::is_available() { tch::Cuda::device_count() as usize } else { 0 })
}

/// Opens libtorch's CUDA library so that the backend registers itself. It must happen before libtorch is first asked
/// about CUDA, with its symbols visible to all, and it must never be closed.
#[cfg(target_os = "linux")]
fn load_cuda() -> Result<(), String> {
    use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
    // SAFETY: the library belongs to the build of libtorch that this program is linked to; its initialisers only
    // register kernels.
    let library = unsafe { Library::open(Some("libtorch_cuda.so"), RTLD_NOW | RTLD_GLOBAL) };
    library.map(std::mem::forget).map_err(|e| e.to_string())
}

#[cfg(not(target_os = "linux"))]
fn load_cuda() -> Result<(), String> {
    Err("only Linux builds of libtorch have CUDA".into())
}

/// Checks on `device` that `[[1, 2], [3, 4]]` times `[[5, 6], [7, 8]]` is `[[19, 22], [43, 50]]`.
///
/// # Errors
/// If the product is another one, or libtorch fails.
pub fn product(device: Device) -> Result<(), String> {
    let found = try_product(device.into()).map_err(|error| error.to_string())?;
    let right = [19., 22., 43., 50.];
    if found == right { Ok(()) } else { Err(format!("a matrix product is {found:?} instead of {right:?}")) }
}

fn try_product(device: tch::Device) -> Result<[f32; 4], tch::TchError> {
    let matrix = |values: [f32; 4]| Tensor::from_slice(&values).view([2, 2]).f_to_device(device);
    let product = matrix([1., 2., 3., 4.])?.f_matmul(&matrix([5., 6., 7., 8.])?)?;
    let mut found = [0f32; 4];
    product.f_to_device(tch::Device::Cpu)?.f_to_kind(Kind::Float)?.f_copy_data(&mut found, 4)?;
    Ok(found)
}
