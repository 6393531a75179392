//! Which device tensors live on. One binary serves CPU and CUDA.

use std::{fmt, str::FromStr};

use tch::Device;

/// Version of the libtorch this program was built for.
pub const LIBTORCH_VERSION: &str = "2.11.0";

/// What the user asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceChoice {
    /// A GPU if there is one, else the CPU.
    Auto,
    /// The CPU.
    Cpu,
    /// This GPU or none; the first if no number was given.
    Cuda(Option<usize>),
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(DeviceChoice::Auto),
            "cpu" => Ok(DeviceChoice::Cpu),
            "cuda" => Ok(DeviceChoice::Cuda(None)),
            _ => match text.strip_prefix("cuda:").map(str::parse) {
                Some(Ok(index)) => Ok(DeviceChoice::Cuda(Some(index))),
                _ => Err("expected cpu, cuda, cuda:N or auto".into()),
            },
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeviceChoice::Auto => f.write_str("auto"),
            DeviceChoice::Cpu => f.write_str("cpu"),
            DeviceChoice::Cuda(None) => f.write_str("cuda"),
            DeviceChoice::Cuda(Some(index)) => write!(f, "cuda:{index}"),
        }
    }
}

/// A GPU that is not there.
#[derive(Debug, thiserror::Error)]
#[error("--device {asked}: {reason}")]
pub struct DeviceError {
    asked: DeviceChoice,
    reason: String,
}

/// The device for `choice`.
///
/// # Errors
/// If a GPU is asked for by name and cannot be used: says why.
pub fn open(choice: DeviceChoice) -> Result<Device, DeviceError> {
    if choice == DeviceChoice::Cpu {
        return Ok(Device::Cpu);
    }
    let library = load_cuda();
    let found = if library.is_ok() && tch::Cuda::is_available() { tch::Cuda::device_count() as usize } else { 0 };
    match choice {
        DeviceChoice::Cuda(index) if index.unwrap_or(0) < found => Ok(Device::Cuda(index.unwrap_or(0))),
        DeviceChoice::Cuda(_) => {
            let reason = match library {
                Err(_) => {
                    "this libtorch has no CUDA part. `./x setup --cuda` fetches one that has; or use --device cpu"
                        .into()
                }
                Ok(()) if found == 0 => "no usable NVIDIA GPU or driver was found; use --device cpu".into(),
                Ok(()) => format!("there are {found} GPUs, numbered from 0"),
            };
            Err(DeviceError { asked: choice, reason })
        }
        _ if found > 0 => Ok(Device::Cuda(0)),
        _ => Ok(Device::Cpu),
    }
}

/// Opens libtorch's CUDA library so that the backend registers itself. It must happen before libtorch is first asked
/// about CUDA, with its symbols visible to all, and it must never be closed.
#[cfg(target_os = "linux")]
fn load_cuda() -> Result<(), String> {
    use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
    // SAFETY: libtorch's own library, of the build this program is linked to; its initialisers only register kernels.
    let library = unsafe { Library::open(Some("libtorch_cuda.so"), RTLD_NOW | RTLD_GLOBAL) };
    library.map(std::mem::forget).map_err(|e| e.to_string())
}

#[cfg(not(target_os = "linux"))]
fn load_cuda() -> Result<(), String> {
    Err("only Linux builds of libtorch have CUDA".into())
}

/// `cpu` or `cuda:0`, as [`DeviceChoice`] reads it.
pub fn name(device: Device) -> String {
    match device {
        Device::Cuda(index) => format!("cuda:{index}"),
        _ => "cpu".into(),
    }
}

/// Settings of libtorch and of the allocator that this program always wants; call once, before any tensor or thread.
///
/// TF32 off. glibc maps and unmaps every multi-megabyte tensor by default, and page faults then cost about a tenth of an
/// update.
///
/// # Safety
/// No other thread may run yet: one that reads the environment or allocates meanwhile is undefined behaviour.
pub unsafe fn prepare() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: plain settings of malloc; no other thread runs, by the caller's word.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 30);
        libc::mallopt(libc::M_MMAP_MAX, 0);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
        libc::mallopt(libc::M_TOP_PAD, 64 << 20);
    }
    if std::env::var_os("NVIDIA_TF32_OVERRIDE").is_none() {
        // SAFETY: no other thread runs, by the caller's word.
        unsafe { std::env::set_var("NVIDIA_TF32_OVERRIDE", "0") };
    }
}
