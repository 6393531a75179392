//! MPI, found at run time: no header, no compiler wrapper, no feature. There are three binary interfaces.
//!
//! | library | handles | `MPI_COMM_WORLD` |
//! |---|---|---|
//! | the standard one of MPI 5.0 (`libmpi_abi.so.1`) | pointers with fixed values | 0x101 |
//! | MPICH, Intel MPI, MVAPICH, Cray (`libmpi.so.12`, Debian's `libmpich.so.12`) | numbers | 0x44000000 |
//! | Open MPI 4 and 5 (`libmpi.so.40`) | addresses of exported objects | `&ompi_mpi_comm_world` |

use std::{
    ffi::{CStr, c_char, c_int, c_void},
    ptr,
};

use libloading::{
    Library,
    os::unix::{Library as Unix, RTLD_GLOBAL, RTLD_NOW},
};
use metadrift_agents::team::Transport;

use super::{error::RanksError, launch::Launch};

/// The variable that names a library.
pub const VARIABLE: &str = "METADRIFT_MPI";

/// The part of MPI that is needed, whatever the kind of a handle.
trait Api: Send + Sync {
    fn version(&self) -> String;
    fn init(&self) -> Result<(), String>;
    fn rank(&self) -> Result<usize, String>;
    fn size(&self) -> Result<usize, String>;
    fn gather(&self, mine: &[u8], all: &mut [u8], lengths: &[c_int], places: &[c_int]) -> Result<(), String>;
    fn abort(&self, code: c_int);
    fn finalize(&self) -> Result<(), String>;
}

/// The team of all processes that a launcher started.
#[derive(Clone, Copy)]
pub struct Mpi {
    api: &'static dyn Api,
    rank: usize,
    size: usize,
}

impl Mpi {
    /// Opens the library and starts it.
    ///
    /// # Errors
    /// If there is none, it does not start, or it does not belong to the launcher.
    pub fn start(launch: &Launch) -> Result<Self, RanksError> {
        let (name, api) = find(launch)?;
        let failed = |reason: String| RanksError::Library(format!("{name}: {reason}"));
        if let Some(reason) = launch.contradicts(&api.version()) {
            return Err(failed(reason));
        }
        api.init().map_err(failed)?;
        let (rank, size) = (api.rank().map_err(failed)?, api.size().map_err(failed)?);
        if size != launch.size {
            let library = format!("{name} ({})", api.version());
            return Err(RanksError::OtherLauncher { launcher: launch.name, launched: launch.size, library, size });
        }
        Ok(Mpi { api, rank, size })
    }

    /// Ends all ranks with the exit code `code`, as far as MPI can. May return.
    pub fn abort(&self, code: u8) {
        self.api.abort(code.into());
    }

    /// Takes leave of the library, when all ranks do.
    ///
    /// # Errors
    /// In words.
    pub fn finalize(&self) -> Result<(), String> {
        self.api.finalize()
    }
}

impl Transport for Mpi {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn gather(&self, mine: &[u8], lengths: &[usize]) -> Result<Vec<u8>, String> {
        let mut total: c_int = 0;
        let mut places = Vec::with_capacity(lengths.len());
        let mut counts = Vec::with_capacity(lengths.len());
        for length in lengths {
            let count = c_int::try_from(*length).ok();
            let sum = count.and_then(|count| total.checked_add(count)).ok_or("an exchange of more than 2 GiB")?;
            places.push(total);
            counts.push(sum - total);
            total = sum;
        }
        let mut all = vec![0; total as usize];
        self.api.gather(mine, &mut all, &counts, &places)?;
        Ok(all)
    }
}

/// Values of handles and constants.
struct Handles<H> {
    world: H,
    byte: H,
    errors_return: H,
    /// `MPI_THREAD_FUNNELED`
    funneled: c_int,
}

type Ask<H> = unsafe extern "C" fn(H, *mut c_int) -> c_int;
type Text = unsafe extern "C" fn(*mut c_char, *mut c_int) -> c_int;

/// The functions of a library whose handles are of type `H`.
struct Loaded<H> {
    handles: Handles<H>,
    get_version: Text,
    init_thread: unsafe extern "C" fn(*mut c_int, *mut c_void, c_int, *mut c_int) -> c_int,
    set_errhandler: unsafe extern "C" fn(H, H) -> c_int,
    comm_rank: Ask<H>,
    comm_size: Ask<H>,
    allgatherv: unsafe extern "C" fn(*const c_void, c_int, H, *mut c_void, *const c_int, *const c_int, H, H) -> c_int,
    error_string: unsafe extern "C" fn(c_int, *mut c_char, *mut c_int) -> c_int,
    comm_abort: unsafe extern "C" fn(H, c_int) -> c_int,
    finalize: unsafe extern "C" fn() -> c_int,
}

// SAFETY: handles are constants, and functions have no state here; only the thread that started MPI calls them, but for
// `abort`, which ends the process.
unsafe impl<H> Send for Loaded<H> {}
// SAFETY: as above.
unsafe impl<H> Sync for Loaded<H> {}

fn symbol<T: Copy>(library: &'static Library, name: &str) -> Result<T, String> {
    // SAFETY: the types above are those of the standard's C binding.
    unsafe { library.get::<T>(name.as_bytes()).map(|symbol| *symbol).map_err(|error| error.to_string()) }
}

impl<H: Copy> Loaded<H> {
    fn new(library: &'static Library, handles: Handles<H>) -> Result<Self, String> {
        Ok(Loaded {
            handles,
            get_version: symbol(library, "MPI_Get_library_version")?,
            init_thread: symbol(library, "MPI_Init_thread")?,
            set_errhandler: symbol(library, "MPI_Comm_set_errhandler")?,
            comm_rank: symbol(library, "MPI_Comm_rank")?,
            comm_size: symbol(library, "MPI_Comm_size")?,
            allgatherv: symbol(library, "MPI_Allgatherv")?,
            error_string: symbol(library, "MPI_Error_string")?,
            comm_abort: symbol(library, "MPI_Abort")?,
            finalize: symbol(library, "MPI_Finalize")?,
        })
    }

    fn check(&self, code: c_int) -> Result<(), String> {
        match code {
            0 => Ok(()),
            // SAFETY: `text` gives a buffer longer than any implementation's MPI_MAX_ERROR_STRING.
            code => Err(text(|at, length| unsafe { (self.error_string)(code, at, length) })),
        }
    }

    fn number(&self, ask: Ask<H>) -> Result<usize, String> {
        let mut number = 0;
        // SAFETY: the handle is that of the communicator, and the place outlives the call.
        self.check(unsafe { ask(self.handles.world, &mut number) })?;
        usize::try_from(number).map_err(|_| format!("{number} ranks"))
    }
}

/// The first line of the text that `write` writes.
fn text(write: impl FnOnce(*mut c_char, *mut c_int) -> c_int) -> String {
    let mut buffer: [c_char; 16_384] = [0; 16_384];
    let mut length = 0;
    write(buffer.as_mut_ptr(), &mut length);
    // SAFETY: the buffer ends in zeros, which no implementation's texts reach.
    let text = unsafe { CStr::from_ptr(buffer.as_ptr()) }.to_string_lossy().into_owned();
    text.lines().next().unwrap_or_default().trim().to_owned()
}

impl<H: Copy> Api for Loaded<H> {
    fn version(&self) -> String {
        // SAFETY: the buffer is longer than any implementation's MPI_MAX_LIBRARY_VERSION_STRING.
        text(|at, length| unsafe { (self.get_version)(at, length) })
    }

    fn init(&self) -> Result<(), String> {
        let (mut granted, funneled) = (0, self.handles.funneled);
        // SAFETY: since MPI 2.0 the arguments of the program may be null.
        self.check(unsafe { (self.init_thread)(ptr::null_mut(), ptr::null_mut(), funneled, &mut granted) })?;
        if granted < funneled {
            return Err("it grants no threads beside the one that calls it".into());
        }
        // SAFETY: both handles are constants of the library.
        self.check(unsafe { (self.set_errhandler)(self.handles.world, self.handles.errors_return) })
    }

    fn rank(&self) -> Result<usize, String> {
        self.number(self.comm_rank)
    }

    fn size(&self) -> Result<usize, String> {
        self.number(self.comm_size)
    }

    fn gather(&self, mine: &[u8], all: &mut [u8], lengths: &[c_int], places: &[c_int]) -> Result<(), String> {
        let Handles { byte, world, .. } = self.handles;
        let (from, to) = (mine.as_ptr().cast(), all.as_mut_ptr().cast());
        let count = c_int::try_from(mine.len()).map_err(|_| "an exchange of more than 2 GiB")?;
        // SAFETY: `all` has room for the sum of `lengths`, whose places do not overlap.
        self.check(unsafe { (self.allgatherv)(from, count, byte, to, lengths.as_ptr(), places.as_ptr(), byte, world) })
    }

    fn abort(&self, code: c_int) {
        // SAFETY: the handle is that of the communicator.
        unsafe { (self.comm_abort)(self.handles.world, code) };
    }

    fn finalize(&self) -> Result<(), String> {
        // SAFETY: MPI was started, and nothing is under way.
        self.check(unsafe { (self.finalize)() })
    }
}

/// Opens `path` and finds out which of the three interfaces it has.
fn open(path: &str) -> Result<&'static dyn Api, String> {
    // SAFETY: loading an MPI library runs its own initialisers alone. RTLD_GLOBAL: plug-ins of Open MPI look for its symbols.
    let library: Library =
        unsafe { Unix::open(Some(path), RTLD_NOW | RTLD_GLOBAL) }.map_err(|error| reason(&error))?.into();
    // never closed: MPI leaves threads and exit handlers behind
    let library: &'static Library = Box::leak(Box::new(library));
    let at = ptr::without_provenance_mut::<c_void>;
    let standard = path.rsplit('/').next().is_some_and(|name| name.starts_with("libmpi_abi"));
    if standard && symbol::<*const c_void>(library, "MPI_Abi_get_version").is_ok() {
        let handles = Handles { world: at(0x101), byte: at(0x247), errors_return: at(0x143), funneled: 1024 };
        return Ok(Box::leak(Box::new(Loaded::<*mut c_void>::new(library, handles)?)));
    }
    if let Ok(world) = symbol::<*mut c_void>(library, "ompi_mpi_comm_world") {
        let object = |name| symbol::<*mut c_void>(library, name);
        let (byte, errors_return) = (object("ompi_mpi_byte")?, object("ompi_mpi_errors_return")?);
        let handles = Handles { world, byte, errors_return, funneled: 1 };
        return Ok(Box::leak(Box::new(Loaded::<*mut c_void>::new(library, handles)?)));
    }
    let handles = Handles { world: 0x4400_0000, byte: 0x4c00_010d, errors_return: 0x5400_0001, funneled: 1 };
    Ok(Box::leak(Box::new(Loaded::<c_int>::new(library, handles)?)))
}

/// The system's own words, which the crate keeps apart from its message.
fn reason(error: &libloading::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

/// The library of the launcher, or the one that [`VARIABLE`] names, and its name.
fn find(launch: &Launch) -> Result<(String, &'static dyn Api), RanksError> {
    if let Some(named) = std::env::var(VARIABLE).ok().filter(|named| !named.is_empty()) {
        return match open(&named) {
            Ok(api) => Ok((named, api)),
            Err(reason) => Err(RanksError::Library(format!("{VARIABLE}={named}: {reason}"))),
        };
    }
    let mut errors = Vec::new();
    for name in launch.libraries() {
        match open(name) {
            Ok(api) => return Ok((name.to_owned(), api)),
            Err(error) => errors.push(error),
        }
    }
    Err(RanksError::Library(format!("no MPI library is where the system looks for libraries: {}", errors.join("; "))))
}
