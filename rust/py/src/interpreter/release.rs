//! Releasing references where the interpreter's lock is known to be held.

use pyo3::prelude::*;

/// Releases a reference. Dropping it would first look up whether it may.
#[inline]
pub(crate) fn release<T>(py: Python<'_>, reference: Option<Py<T>>) {
    if let Some(reference) = reference {
        reference.drop_ref(py);
    }
}
