//! A handler that runs inside its sender handles no exception, whatever its sender handles.
//!
//! The interpreter keeps what is being handled in a chain: each coroutine that runs adds an item, and
//! looks through those under it while its own is empty. A task begins near the bottom of the chain.
//! So does a handler: for as long as it runs, an item of its own stands on the bottom.

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
pub(super) struct Item {
    exception: [*mut ffi::PyObject; PARTS],
    below: *mut Item,
}

impl Item {
    pub(super) const NEW: Self = Self { exception: [null_mut(); PARTS], below: null_mut() };
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
    let probe = PyModule::from_code(py, source, c"probe.py", c"ferrogen_unhandled_probe")?;
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
        PyRuntimeError::new_err("this Python keeps the exception being handled in no known place")
    })
}

/// Finds out where the chain is. Called once, with the module.
pub(super) fn find_chain(py: Python<'_>) -> PyResult<()> {
    let place = find(py)?;
    TOP.store(place.top, Ordering::Relaxed);
    BOTTOM.store(place.bottom, Ordering::Relaxed);
    Ok(())
}

/// More words than a thread's state has.
const A_STATE: usize = 512;

/// For as long as this lives, nobody seems to handle an exception, as if a task had just begun.
pub(super) struct Unhandled<'a> {
    top: *mut Word,
    before: *mut Item,
    own: &'a mut Item,
}

impl<'a> Unhandled<'a> {
    /// Stands an item on the bottom of the chain. It stays where it is for as long as it is in there.
    #[inline]
    pub(super) fn enter(_py: Python<'_>, own: &'a mut Item) -> Self {
        let state = thread_state();
        // SAFETY: the places were found in the state of a thread, and are the same in each. `own` is
        // taken out of the chain before the borrow of it ends, also by a panic.
        unsafe {
            let top = state.add(TOP.load(Ordering::Relaxed));
            own.below = state.add(BOTTOM.load(Ordering::Relaxed)).cast();
            let before = std::mem::replace(&mut *top, own);
            Self { top, before, own }
        }
    }
}

impl Drop for Unhandled<'_> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: attached; what stood on our item has been taken off.
        unsafe {
            *self.top = self.before;
            for part in self.own.exception {
                ffi::Py_XDECREF(part);
            }
        }
    }
}

/// An error as it is raised where its sender stands: it says what the sender was handling meanwhile.
pub(super) fn raised_here(py: Python<'_>, error: PyErr) -> PyErr {
    let value = error.into_value(py).into_bound(py);
    // SAFETY: a live exception and its class; what was set is fetched at once.
    unsafe { ffi::PyErr_SetObject(value.get_type().as_ptr(), value.as_ptr()) };
    PyErr::fetch(py)
}
