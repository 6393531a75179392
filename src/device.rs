//! The device of the tensors. A program built with libtorch runs on CPU and CUDA.

use std::{fmt, str::FromStr};

use crate::failure::{Coded, code};

pub use metadrift_agents::device::Device;

/// Version of the libtorch that this program was built for, or `none`.
pub const LIBTORCH_VERSION: &str = if cfg!(feature = "torch") { "2.11.0" } else { "none" };

/// The device that the user asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceChoice {
    /// A GPU if there is one, else the CPU.
    Auto,
    /// The CPU.
    Cpu,
    /// This GPU and no other device; the first GPU if no number was given.
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

/// The error if a GPU cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("--device {asked}: {reason}")]
pub struct DeviceError {
    asked: DeviceChoice,
    reason: String,
}

impl Coded for DeviceError {
    fn code(&self) -> u8 {
        code::DEVICE
    }
}

/// The device for `choice`.
///
/// # Errors
/// If a GPU is asked for by name and cannot be used.
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
/// If this build can use no GPU; the message names the command that helps.
pub fn gpus() -> Result<usize, String> {
    #[cfg(feature = "torch")]
    return metadrift_agents::tch_backend::gpus()
        .map_err(|_| "this libtorch has no CUDA part. `./x setup --cuda` fetches one that has".to_owned());
    #[cfg(not(feature = "torch"))]
    Err("this program was built without libtorch. Run `./x setup --cuda`; `./x` then builds with it".to_owned())
}

/// Sets up libtorch and the allocator for this program; call it once, before any tensor or thread.
///
/// TF32 is switched off. By default glibc maps and unmaps every multi-megabyte tensor, and the page faults cost about a
/// tenth of an update.
///
/// # Safety
/// No other thread may run yet: if one reads the environment or allocates meanwhile, behaviour is undefined.
pub unsafe fn prepare() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: plain settings of malloc; the caller guarantees that no other thread runs.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 30);
        libc::mallopt(libc::M_MMAP_MAX, 0);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
        libc::mallopt(libc::M_TOP_PAD, 64 << 20);
    }
    if std::env::var_os("NVIDIA_TF32_OVERRIDE").is_none() {
        // SAFETY: the caller guarantees that no other thread runs.
        unsafe { std::env::set_var("NVIDIA_TF32_OVERRIDE", "0") };
    }
}
