//! Stack space left in the current thread, checked before each level of native recursion.
//!
//! The recursion limit of Python says nothing about the C stack: a thread may have a stack of 64 KB,
//! and the limit may be raised. The bounds of the stack are read once for each thread; a check is then
//! a read of a thread-local and a subtraction.

use std::cell::Cell;
use std::ops::Range;

use pyo3::exceptions::PyRecursionError;
use pyo3::prelude::*;

use crate::fallible;

/// Enough for one level of native recursion: its frames, one call into Python that returns or calls
/// back, and an exception.
pub(crate) const RESERVE: usize = 24 * 1024;

/// The room that is assumed below the first address seen, where the bounds are unknown: on other
/// platforms, and on a stack that a library has allocated and switched to.
const ASSUMED_ROOM: usize = 128 * 1024;

#[derive(Clone, Copy)]
struct Bounds {
    /// The address above the stack.
    end: usize,
    /// How many bytes below `end` may be used. Zero until the first check in the thread.
    room: usize,
    is_assumed: bool,
}

thread_local! {
    static BOUNDS: Cell<Bounds> = const { Cell::new(Bounds { end: 0, room: 0, is_assumed: false }) };
}

/// How many bytes of its stack the current thread may still use.
#[inline]
pub(crate) fn stack_left() -> usize {
    let here = address();
    match BOUNDS.get().left(here) {
        0 => refresh(here),
        left => left,
    }
}

/// Raises `RecursionError` if less than `reserve` bytes of the current thread's stack are left.
///
/// # Errors
///
/// `RecursionError`, or `MemoryError` if it cannot be allocated.
#[inline]
pub(crate) fn check(py: Python<'_>, reserve: usize) -> PyResult<()> {
    if is_left(reserve) { Ok(()) } else { Err(exhausted(py)) }
}

/// Whether at least `reserve` bytes of the current thread's stack are left.
#[inline]
pub(crate) fn is_left(reserve: usize) -> bool {
    let here = address();
    BOUNDS.get().left(here) >= reserve || refresh(here) >= reserve
}

/// The `RecursionError` that `check` raises.
#[cold]
#[inline(never)]
pub(crate) fn exhausted(py: Python<'_>) -> PyErr {
    let class = py.get_type::<PyRecursionError>();
    fallible::error(&class, "maximum recursion depth exceeded: the stack of this thread is full")
}

/// How many levels of native recursion the interpreter's own check (`Py_EnterRecursiveCall`) allows,
/// whatever the size of the stack.
pub(crate) fn interpreter_levels() -> usize {
    #[cfg(Py_3_12)]
    let levels = 10_000;
    #[cfg(not(Py_3_12))]
    // SAFETY: it reads a number.
    let levels = usize::try_from(unsafe { pyo3::ffi::Py_GetRecursionLimit() }).unwrap_or(0);
    levels
}

/// An address in the frame of the caller, or just below it.
#[inline]
fn address() -> usize {
    let mark = 0_u8;
    (&raw const mark).addr()
}

impl Bounds {
    #[inline]
    fn left(self, here: usize) -> usize {
        // An address above the end gives a huge number, and so nothing left.
        self.room.saturating_sub(self.end.wrapping_sub(here))
    }
}

/// Reads the bounds: for the first time, or anew, since the limit of the main thread can change.
#[cold]
#[inline(never)]
fn refresh(here: usize) -> usize {
    let known = BOUNDS.get();
    let bounds = match limits().filter(|limits| limits.stack.contains(&here)) {
        Some(Limits { stack, unusable }) => {
            let room = stack.len().saturating_sub(unusable);
            Bounds { end: stack.end, room, is_assumed: false }
        }
        // The same stack, further down than was assumed to be safe.
        None if known.is_assumed && known.end.wrapping_sub(here) < 8 * ASSUMED_ROOM => known,
        None => Bounds { end: here + 1, room: ASSUMED_ROOM, is_assumed: true },
    };
    BOUNDS.set(bounds);
    bounds.left(here)
}

/// The stack of the current thread, as the operating system describes it.
struct Limits {
    stack: Range<usize>,
    /// How many bytes at the low end cannot be used.
    unusable: usize,
}

/// The kernel keeps the stack of the main thread this far from other mappings.
#[cfg(target_os = "linux")]
const KERNEL_GAP: usize = 1 << 20;

#[cfg(target_os = "linux")]
fn limits() -> Option<Limits> {
    use std::mem::MaybeUninit;

    // SAFETY: neither has a precondition. `gettid` itself is missing from glibc before 2.30.
    let is_main = unsafe { libc::c_long::from(libc::getpid()) == libc::syscall(libc::SYS_gettid) };
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    let (mut low, mut size, mut guard) = (std::ptr::null_mut(), 0, 0);
    // SAFETY: the first call initializes the attributes of the running thread, or fails; they are read
    // and destroyed only if it succeeded, and all pointers are to live local variables.
    let done = unsafe {
        if libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) != 0 {
            return None;
        }
        let read = libc::pthread_attr_getstack(attributes.as_ptr(), &raw mut low, &raw mut size)
            | libc::pthread_attr_getguardsize(attributes.as_ptr(), &raw mut guard);
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        read == 0
    };
    if !done {
        return None;
    }
    let mut start = low.addr();
    let end = start.checked_add(size)?;
    if is_main && cfg!(target_env = "musl") {
        // musl reports only the part of the main thread's stack that is mapped so far.
        start = end.saturating_sub(main_size()).min(start);
    }
    // glibc before 2.27 counts the guard pages as part of the stack.
    let unusable = if is_main { KERNEL_GAP.min((end - start) / 8) } else { guard };
    Some(Limits { stack: start..end, unusable })
}

/// How large the stack of the main thread may become.
#[cfg(target_os = "linux")]
fn main_size() -> usize {
    const USUAL: libc::rlim_t = 8 << 20;
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a live local variable.
    let read = unsafe { libc::getrlimit(libc::RLIMIT_STACK, &raw mut limit) } == 0;
    usize::try_from(if read { limit.rlim_cur.min(USUAL) } else { 0 }).unwrap_or(0)
}

#[cfg(target_os = "macos")]
fn limits() -> Option<Limits> {
    // SAFETY: they read attributes of the running thread.
    let (end, size) = unsafe {
        let thread = libc::pthread_self();
        (libc::pthread_get_stackaddr_np(thread).addr(), libc::pthread_get_stacksize_np(thread))
    };
    Some(Limits { stack: end.checked_sub(size)?..end, unusable: 0 })
}

/// The guard page, and what Windows itself needs to report an overflow.
#[cfg(windows)]
const WINDOWS_RESERVE: usize = 16 * 1024;

#[cfg(windows)]
fn limits() -> Option<Limits> {
    #[link(name = "kernel32")]
    unsafe extern "system" {
        fn GetCurrentThreadStackLimits(low: *mut usize, high: *mut usize);
    }

    let (mut low, mut high) = (0, 0);
    // SAFETY: both pointers are to live local variables, of the size of a pointer each.
    unsafe { GetCurrentThreadStackLimits(&raw mut low, &raw mut high) };
    Some(Limits { stack: low..high, unusable: WINDOWS_RESERVE })
}

#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
fn limits() -> Option<Limits> {
    None
}
