//! Python objects whose allocation can fail: a `MemoryError`, where pyo3 would panic.
//!
//! A lazy `PyErr` (`PyTypeError::new_err`) allocates its arguments when it is raised, outside of what
//! catches panics: there a failed allocation ends the process. `error` makes the exception at once.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyString, PyType};

/// Makes a `str`.
pub(crate) fn text<'py>(py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyString>> {
    // SAFETY: a text has at most `isize::MAX` bytes, all of them valid; the result is a new `str`, or
    // null with an exception set.
    unsafe {
        let made = ffi::PyUnicode_FromStringAndSize(text.as_ptr().cast(), text.len().cast_signed());
        Bound::from_owned_ptr_or_err(py, made).map(|made| made.cast_into_unchecked())
    }
}

/// Makes a `bytes`.
pub(crate) fn bytes<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    // SAFETY: a slice has at most `isize::MAX` bytes, all of them valid; the result is a new `bytes`,
    // or null with an exception set.
    unsafe {
        let made = ffi::PyBytes_FromStringAndSize(bytes.as_ptr().cast(), bytes.len().cast_signed());
        Bound::from_owned_ptr_or_err(py, made).map(|made| made.cast_into_unchecked())
    }
}

/// Makes an empty `dict`.
pub(crate) fn dict(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    // SAFETY: the result is a new `dict`, or null with an exception set.
    unsafe {
        Bound::from_owned_ptr_or_err(py, ffi::PyDict_New()).map(|made| made.cast_into_unchecked())
    }
}

/// Makes an exception of a class, or the one that this failed with.
#[cold]
#[inline(never)]
pub(crate) fn error(class: &Bound<'_, PyType>, message: &str) -> PyErr {
    match text(class.py(), message).and_then(|message| class.call1((message,))) {
        Ok(error) => PyErr::from_value(error),
        Err(error) => error,
    }
}

/// The `MemoryError` for an allocation that failed in Rust.
#[cold]
#[inline(never)]
pub(crate) fn out_of_memory(py: Python<'_>) -> PyErr {
    // SAFETY: it sets the `MemoryError` that the interpreter keeps for this, and returns null.
    unsafe { ffi::PyErr_NoMemory() };
    PyErr::fetch(py)
}

/// A name that Python keeps once, interned when it is first needed; `name!` makes one.
pub(crate) struct Name {
    text: &'static str,
    interned: PyOnceLock<Py<PyString>>,
}

impl Name {
    pub(crate) const fn new(text: &'static str) -> Self {
        Self { text, interned: PyOnceLock::new() }
    }

    #[inline]
    pub(crate) fn get<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyString>> {
        match self.interned.get(py) {
            Some(name) => Ok(name.bind(py)),
            None => self.intern(py),
        }
    }

    #[cold]
    fn intern<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyString>> {
        let mut name = text(py, self.text)?.into_ptr();
        // SAFETY: it takes the reference to the text, and gives one to the text or to an equal one,
        // also if it fails for lack of memory.
        let name = unsafe {
            ffi::PyUnicode_InternInPlace(&raw mut name);
            Bound::from_owned_ptr_or_err(py, name)?.cast_into_unchecked::<PyString>()
        };
        Ok(self.interned.get_or_init(py, || name.unbind()).bind(py))
    }
}

/// As `pyo3::intern!`, without its panic when no memory is left.
macro_rules! name {
    ($py:expr, $text:literal) => {{
        static NAME: $crate::fallible::Name = $crate::fallible::Name::new($text);
        NAME.get($py)
    }};
}
pub(crate) use name;
