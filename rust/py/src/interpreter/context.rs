//! Contexts of `contextvars`: entered while a value lives, copied, and compared by their variables.

use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;

/// The current context, until the value is dropped.
pub(crate) struct Entered<'py>(Bound<'py, PyAny>);

impl<'py> Entered<'py> {
    #[inline(always)]
    pub(crate) fn enter(context: Bound<'py, PyAny>) -> PyResult<Self> {
        // SAFETY: a live reference; anything but a context is refused with an exception.
        match unsafe { ffi::PyContext_Enter(context.as_ptr()) } {
            0 => Ok(Self(context)),
            _ => Err(PyErr::fetch(context.py())),
        }
    }

    /// A copy of a context.
    #[inline]
    pub(crate) fn copy(context: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        // SAFETY: a live reference; anything but a context is refused with an exception.
        unsafe { Bound::from_owned_ptr_or_err(context.py(), ffi::PyContext_Copy(context.as_ptr())) }
    }

    /// Sets a variable in it.
    #[expect(clippy::unused_self, reason = "the context is the current one while it is entered")]
    pub(crate) fn set(
        &self,
        variable: &Bound<'py, PyAny>,
        value: &Bound<'py, PyAny>,
    ) -> PyResult<()> {
        // SAFETY: live references; anything but a variable is refused with an exception. The token is dropped.
        let token = unsafe {
            let token = ffi::PyContextVar_Set(variable.as_ptr(), value.as_ptr());
            Bound::from_owned_ptr_or_err(variable.py(), token)
        };
        token.map(drop)
    }

    pub(crate) fn context(&self) -> &Bound<'py, PyAny> {
        &self.0
    }

    /// A copy of the current context.
    pub(crate) fn copy_of_current(py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        // SAFETY: attached.
        unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyContext_CopyCurrent()) }
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        // SAFETY: it was entered by this value, and values of this type are dropped in the reverse
        // order of their creation, so it is the innermost.
        if unsafe { ffi::PyContext_Exit(self.0.as_ptr()) } != 0 {
            PyErr::fetch(self.0.py()).write_unraisable(self.0.py(), Some(&self.0));
        }
    }
}

/// The value of a context variable in the current context, if it has one.
pub(crate) fn value_of<'py>(variable: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = variable.py();
    let mut value = std::ptr::null_mut();
    // SAFETY: a live reference; anything but a variable is refused with an exception. The value is a new
    // reference, or null.
    unsafe {
        match ffi::PyContextVar_Get(variable.as_ptr(), std::ptr::null_mut(), &raw mut value) {
            0 => Ok(Bound::from_owned_ptr_or_opt(py, value)),
            _ => Err(PyErr::fetch(py)),
        }
    }
}

/// The offset of the reference to its variables in a context; zero if unknown.
///
/// A context refers to an immutable mapping: setting a variable replaces it, and copies share it. Python
/// has no API for that reference, so its offset is found by an experiment at import.
static OFFSET: AtomicUsize = AtomicUsize::new(0);

/// The identity of the variables of a context. Equal identities mean equal variables while both contexts
/// are alive.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Variables(usize);

impl Variables {
    /// `None` if the offset is unknown.
    #[inline]
    pub(crate) fn of(context: &Bound<'_, PyAny>) -> Option<Self> {
        let offset = OFFSET.load(Ordering::Relaxed);
        // SAFETY: a context, as that in which the offset was found.
        (offset != 0).then(|| Self(unsafe { word(context, offset) }))
    }
}

/// Finds the offset. Called once, at import.
pub(crate) fn find_variables(py: Python<'_>) -> PyResult<()> {
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
    // SAFETY: the caller's: the object is longer than the offset. Its words are aligned.
    unsafe { of.as_ptr().byte_add(offset).cast::<usize>().read() }
}
