//! The device that tensors live on. A program built with libtorch serves CPU and CUDA.

use std::{fmt, str::FromStr};

pub use metadrift_agents::device::Device;

/// Version of the libtorch that this program was built for, or `none`.
pub const LIBTORCH_VERSION: &str = if cfg!(feature = "torch") { "2.11.0" } else { "none" };

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
    let found = gpus();
    match (choice, &found) {
        (DeviceChoice::Cuda(index), Ok(count)) if index.unwrap_or(0) < *count => Ok(Device::Cuda(index.unwrap_or(0))),
        (DeviceChoice::Cuda(_), _) => {
            let reason = match found {
                Err(reason) => format!("{reason}; or use --device cpu"),
                Ok(0) => "no usable NVIDIA GPU or driver was found; use --device cpu".into(),
                Ok(count) => format!("there are {count} GPUs, numbered from 0"),
            };
            Err(DeviceError { asked: choice, reason })
        }
        (_, Ok(1..)) => Ok(Device::Cuda(0)),
        _ => Ok(Device::Cpu),
    }
}

/// Number of GPUs that this program can use.
///
/// # Errors
/// If none could ever be used: says why, and which command helps.
pub fn gpus() -> Result<usize, String> {
    #[cfg(feature = "torch")]
    return metadrift_agents::tch_backend::gpus()
        .map_err(|_| "this libtorch has no CUDA part. `./x setup --cuda` fetches one that has".to_owned());
    #[cfg(not(feature = "torch"))]
    Err("this program was built without libtorch. Run `./x setup --cuda`; `./x` then builds with it".to_owned())
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
