//! A context that is entered for as long as a value lives.

use pyo3::ffi;
use pyo3::prelude::*;

/// Context variables are read and set in this context until the value is dropped.
pub(super) struct Entered<'py>(Bound<'py, PyAny>);

impl<'py> Entered<'py> {
    #[inline]
    pub(super) fn enter(context: Bound<'py, PyAny>) -> PyResult<Self> {
        // SAFETY: a live reference; anything but a context is refused with an exception.
        match unsafe { ffi::PyContext_Enter(context.as_ptr()) } {
            0 => Ok(Self(context)),
            _ => Err(PyErr::fetch(context.py())),
        }
    }

    /// A copy of a context.
    #[inline]
    pub(super) fn copy(context: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        // SAFETY: a live reference; anything but a context is refused with an exception.
        unsafe { Bound::from_owned_ptr_or_err(context.py(), ffi::PyContext_Copy(context.as_ptr())) }
    }

    /// A copy of the context that is entered now.
    pub(super) fn copy_of_current(py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        // SAFETY: attached.
        unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyContext_CopyCurrent()) }
    }

    pub(super) fn context(&self) -> &Bound<'py, PyAny> {
        &self.0
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        // SAFETY: it was entered by this value, and values of this type are dropped in the reverse
        // order of their making, so it is the innermost.
        if unsafe { ffi::PyContext_Exit(self.0.as_ptr()) } != 0 {
            PyErr::fetch(self.0.py()).write_unraisable(self.0.py(), Some(&self.0));
        }
    }
}
