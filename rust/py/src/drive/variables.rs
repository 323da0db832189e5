//! Which variables a context has, told by where it keeps them.
//!
//! A context refers to a mapping that never changes: to set a variable puts another one in its place.
//! Copies share it. Python does not show it, so where it lies is found out once, by trying.

use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;

use super::entered::Entered;

/// Where in a context the reference to its variables lies; zero if that is not known.
static OFFSET: AtomicUsize = AtomicUsize::new(0);

/// Where the variables of a context are, which tells them from all others for as long as the context is
/// left as it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Variables(usize);

impl Variables {
    /// `None` if that is not known.
    #[inline]
    pub(crate) fn of(context: &Bound<'_, PyAny>) -> Option<Self> {
        let offset = OFFSET.load(Ordering::Relaxed);
        // SAFETY: a context, as that in which the offset was found.
        (offset != 0).then(|| Self(unsafe { word(context, offset) }))
    }
}

/// Finds out where a context refers to its variables. Called once, with the module.
pub(super) fn find_variables(py: Python<'_>) -> PyResult<()> {
    let contextvars = py.import("contextvars")?;
    let variable = contextvars.getattr("ContextVar")?.call1(("ferrogen_probe",))?;
    let context = contextvars.getattr("Context")?.call0()?;
    let copy = Entered::copy(&context)?;
    // SAFETY: an object of the class is so many bytes long.
    let size = usize::try_from(unsafe { (*ffi::Py_TYPE(context.as_ptr())).tp_basicsize })?;
    let words = |of: &Bound<'_, PyAny>| -> Vec<usize> {
        let offsets = (size_of::<ffi::PyObject>()..size).step_by(size_of::<usize>());
        // SAFETY: within the object, which is only read.
        offsets.map(|offset| unsafe { word(of, offset) }).collect()
    };
    let before = words(&context);
    context.call_method1(intern!(py, "run"), (variable.getattr("set")?, 1))?;
    let (after, shared) = (words(&context), words(&copy));
    let mut changed = (0..before.len())
        .filter(|&index| before[index] != after[index] && before[index] == shared[index]);
    if let (Some(index), None) = (changed.next(), changed.next()) {
        OFFSET.store(size_of::<ffi::PyObject>() + index * size_of::<usize>(), Ordering::Relaxed);
    }
    Ok(())
}

unsafe fn word(of: &Bound<'_, PyAny>, offset: usize) -> usize {
    // SAFETY: the caller knows that the object is longer than that, and its words are aligned.
    unsafe { of.as_ptr().byte_add(offset).cast::<usize>().read() }
}
