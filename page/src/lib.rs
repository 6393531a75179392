//! A trained policy and its environment as WebAssembly, for a page or any other program that loads such modules.
//!
//! The functions of `metadrift.h` are here (crate `metadrift-runtime-c`): a policy alone. Those that begin with
//! `metadrift_world` put it into an environment ([`World`]). They return 0, or another number and keep a message for
//! `metadrift_error`. Memory for arguments comes from [`metadrift_alloc`].

mod setup;
pub mod world;

use std::{ffi::c_int, slice, str};

use metadrift_c::border::{Failed, coded, null};

pub use setup::Setup;
pub use world::World;

/// The number of this interface: it grows with every change that a page would notice.
pub const ABI: u32 = 1;

/// The versions in the module itself, in its section `metadrift`: interface, and format of policies.
#[cfg_attr(target_arch = "wasm32", unsafe(link_section = "metadrift"))]
#[used]
pub static VERSIONS: [u8; VERSIONS_TEXT.len()] = {
    let mut bytes = [0; VERSIONS_TEXT.len()];
    bytes.copy_from_slice(VERSIONS_TEXT.as_bytes());
    bytes
};

/// The text of [`VERSIONS`]. A static has no formatting, so the numbers are written out, and compared here.
const VERSIONS_TEXT: &str = "abi=1 policy=1";
const _: () = assert!(ABI == 1 && metadrift_runtime::VERSION == 1, "VERSIONS_TEXT has other numbers");

/// The code of a failure in a world.
const IN_WORLD: c_int = 10;

fn failed(message: String) -> Failed {
    Failed(IN_WORLD, message)
}

/// Memory for `bytes` bytes, aligned for every number.
#[unsafe(no_mangle)]
pub extern "C" fn metadrift_alloc(bytes: usize) -> *mut u64 {
    Box::into_raw(vec![0_u64; bytes.div_ceil(8)].into_boxed_slice()).cast()
}

/// Gives memory back.
///
/// # Safety
/// `at` comes from [`metadrift_alloc`] for as many `bytes`, and is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metadrift_free(at: *mut u64, bytes: usize) {
    if !at.is_null() {
        // SAFETY: the caller guarantees it.
        drop(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(at, bytes.div_ceil(8))) });
    }
}

/// [`ABI`]
#[unsafe(no_mangle)]
pub extern "C" fn metadrift_abi() -> u32 {
    ABI
}

/// Opens a world: [`World::open`].
///
/// # Safety
/// The pointers are null or lead to as many bytes as is said, and `place` to a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metadrift_world_open(
    setup: *const u8,
    setup_size: usize,
    policy: *const u8,
    policy_size: usize,
    place: *mut *mut World,
) -> c_int {
    coded(|| {
        if setup.is_null() || policy.is_null() || place.is_null() {
            return Err(null("an argument"));
        }
        // SAFETY: the caller guarantees it, and the pointers are not null.
        let (setup, policy) =
            unsafe { (slice::from_raw_parts(setup, setup_size), slice::from_raw_parts(policy, policy_size)) };
        let setup = str::from_utf8(setup).map_err(|_| failed("the description of the world is no text".into()))?;
        let world = Box::new(World::open(setup, policy).map_err(failed)?);
        // SAFETY: as above.
        unsafe { *place = Box::into_raw(world) };
        Ok(())
    })
}

/// Closes a world.
///
/// # Safety
/// `world` is null or comes from [`metadrift_world_open`], and is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metadrift_world_close(world: *mut World) {
    if !world.is_null() {
        // SAFETY: the caller guarantees it.
        drop(unsafe { Box::from_raw(world) });
    }
}

/// The world behind a pointer.
///
/// # Safety
/// The pointer is null or comes from [`metadrift_world_open`], and nobody else uses the world.
unsafe fn world<'a>(at: *mut World) -> Result<&'a mut World, Failed> {
    // SAFETY: the caller guarantees it.
    unsafe { at.as_mut() }.ok_or_else(|| null("the world"))
}

/// Takes a step, with `learn` other than 0 by a drawn command that is recorded: [`World::step`].
///
/// # Safety
/// `at` is null or comes from [`metadrift_world_open`], here and below.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metadrift_world_step(at: *mut World, learn: c_int) -> c_int {
    coded(|| unsafe { world(at) }?.step(learn != 0).map_err(failed))
}

/// Changes a channel: [`World::set`].
///
/// # Safety
/// As [`metadrift_world_step`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metadrift_world_set(at: *mut World, place: usize, value: f64) -> c_int {
    coded(|| unsafe { world(at) }?.set(place, value).map_err(failed))
}

/// Adapts: [`World::adapt`]. Writes the numbers of episodes and steps, the mean return and the length of the change.
///
/// # Safety
/// As [`metadrift_world_step`]; `told` is null or leads to four numbers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metadrift_world_adapt(at: *mut World, told: *mut f64) -> c_int {
    coded(|| {
        if told.is_null() {
            return Err(null("the place for what is told"));
        }
        let adapted = unsafe { world(at) }?.adapt().map_err(failed)?;
        let numbers = [adapted.episodes as f64, adapted.samples as f64, adapted.mean_return, adapted.step_norm];
        // SAFETY: the caller guarantees it, and the pointer is not null.
        unsafe { slice::from_raw_parts_mut(told, numbers.len()) }.copy_from_slice(&numbers);
        Ok(())
    })
}

/// Takes all adaptation or memory back: [`World::reset`].
///
/// # Safety
/// As [`metadrift_world_step`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metadrift_world_reset(at: *mut World) -> c_int {
    coded(|| {
        unsafe { world(at) }?.reset();
        Ok(())
    })
}

/// The number of episodes that a step of adaptation learns from; 0 for a policy that adapts while it acts.
///
/// # Safety
/// As [`metadrift_world_step`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metadrift_world_episodes_per_step(at: *const World) -> usize {
    // SAFETY: the caller guarantees it.
    unsafe { at.as_ref() }.map_or(0, World::episodes_per_step)
}

/// The numbers to show, see [`world::View::numbers`]; they stay until the next call for this world. Null without a world.
///
/// # Safety
/// As [`metadrift_world_step`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metadrift_world_view(at: *const World) -> *const f64 {
    // SAFETY: the caller guarantees it.
    unsafe { at.as_ref() }.map_or(std::ptr::null(), |world| world.view().numbers().as_ptr())
}
