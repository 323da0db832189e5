//! Letting go of references, where the interpreter's lock is known to be held.

use pyo3::prelude::*;

/// Lets go of a reference. Dropping it would first look up whether it may.
#[inline]
pub(crate) fn let_go<T>(py: Python<'_>, reference: Option<Py<T>>) {
    if let Some(reference) = reference {
        reference.drop_ref(py);
    }
}
