//! The exception state: a handler that runs inline does not see the exception that its caller handles.
//!
//! The interpreter keeps the exceptions being handled in a chain: each coroutine that runs adds an item, and
//! looks through the items below while its own is empty. A task starts near the bottom of the chain.
//! So does an inline handler: while it runs, an item of its own stands directly on the bottom.

use std::ptr::null_mut;
use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::exceptions::PyRuntimeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyCFunction;

/// How many of the first words of a thread's state are looked through. Every version has more.
const LOOKED_AT: usize = 32;
/// Of an exception, an item has class, value and traceback up to 3.10, and the value from 3.11 on.
const PARTS: usize = if cfg!(Py_3_11) { 1 } else { 3 };

/// An item of the chain, as the interpreter lays it out.
#[repr(C)]
pub(crate) struct Item {
    exception: [*mut ffi::PyObject; PARTS],
    below: *mut Item,
}

impl Item {
    pub(crate) const NEW: Self = Self { exception: [null_mut(); PARTS], below: null_mut() };
}

/// A word of a thread's state, which may lead to an item.
type Word = *mut Item;

/// Where in a thread's state the chain is, in words.
#[derive(Clone, Copy)]
struct Place {
    /// The reference to the item on top.
    top: usize,
    /// The item at the bottom.
    bottom: usize,
}

static TOP: AtomicUsize = AtomicUsize::new(0);
static BOTTOM: AtomicUsize = AtomicUsize::new(0);

fn thread_state() -> *mut Word {
    // SAFETY: attached, so there is one.
    unsafe { ffi::PyThreadState_Get().cast() }
}

/// Looks through the state for the word that leads into a generator, and there to the exception that
/// it handles.
fn find(py: Python<'_>) -> PyResult<Place> {
    let source = c"
def handle(error):
    look = yield
    try:
        raise error
    except ValueError:
        look()
    yield

error = ValueError()
generator = handle(error)
next(generator)
";
    let probe = PyModule::from_code(py, source, c"probe.py", c"ferrogen_exception_state_probe")?;
    let (error, generator) = (probe.getattr("error")?, probe.getattr("generator")?);
    let (error, start) = (error.as_ptr() as usize, generator.as_ptr() as usize);
    let size: usize = generator.call_method0("__sizeof__")?.extract()?;
    let last = start + size - size_of::<Item>();
    let (sender, receiver) = std::sync::mpsc::channel();
    let look = PyCFunction::new_closure(py, None, None, move |_, _| {
        // SAFETY: the state has at least so many words, and what a word that leads into the generator
        // points to may be read as words. The one with the exception is an item of the chain.
        unsafe {
            let state = thread_state();
            let mut tops = (0..LOOKED_AT).filter(|&top| {
                let item = *state.add(top);
                (start..=last).contains(&(item as usize))
                    && item.is_aligned()
                    && (*item).exception.iter().any(|part| *part as usize == error)
            });
            if let (Some(top), None) = (tops.next(), tops.next()) {
                let mut item = *state.add(top);
                while !(*item).below.is_null() {
                    item = (*item).below;
                }
                let bottom = (item as usize).wrapping_sub(state as usize) / size_of::<Word>();
                let _ = sender.send(Place { top, bottom });
            }
        }
    })?;
    generator.call_method1("send", (look,))?;
    let found = receiver.try_recv().ok().filter(|place| place.bottom < A_STATE);
    found.ok_or_else(|| {
        PyRuntimeError::new_err("this build of Python keeps the exception being handled in an unknown place; ferrogen supports CPython 3.10 to 3.14")
    })
}

/// Finds the chain in the thread state. Called once, at import.
pub(crate) fn find_chain(py: Python<'_>) -> PyResult<()> {
    let place = find(py)?;
    TOP.store(place.top, Ordering::Relaxed);
    BOTTOM.store(place.bottom, Ordering::Relaxed);
    Ok(())
}

/// More words than a thread's state has.
const A_STATE: usize = 512;

/// While this lives, no exception is being handled, as at the start of a task.
pub(crate) struct CleanExceptionState<'a> {
    top: *mut Word,
    before: *mut Item,
    own: &'a mut Item,
}

impl<'a> CleanExceptionState<'a> {
    /// Puts an item directly on the bottom of the chain. The item does not move while it is there.
    #[inline]
    pub(crate) fn enter(_py: Python<'_>, own: &'a mut Item) -> Self {
        let state = thread_state();
        // SAFETY: the offsets were found in the state of one thread, and are the same in all. `own` is
        // removed from the chain before its borrow ends, also by a panic.
        // Test: tests/semantics/test_exceptions.py.
        unsafe {
            let top = state.add(TOP.load(Ordering::Relaxed));
            own.below = state.add(BOTTOM.load(Ordering::Relaxed)).cast();
            let before = std::mem::replace(&mut *top, own);
            Self { top, before, own }
        }
    }
}

impl Drop for CleanExceptionState<'_> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: attached; the items above ours have been removed.
        unsafe {
            *self.top = self.before;
            for part in self.own.exception {
                ffi::Py_XDECREF(part);
            }
        }
    }
}

/// An error as it is raised in the caller: its context is the exception that the caller handles.
pub(crate) fn raised_here(py: Python<'_>, error: PyErr) -> PyErr {
    let value = error.into_value(py).into_bound(py);
    // SAFETY: a live exception and its class; what was set is fetched at once.
    unsafe { ffi::PyErr_SetObject(value.get_type().as_ptr(), value.as_ptr()) };
    PyErr::fetch(py)
}
