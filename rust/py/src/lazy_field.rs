//! A field behind a lock whose value is made when it is first read.

use pyo3::prelude::*;

use crate::interpreter::GilMutex;

/// Which field of the guarded ones.
pub(crate) type Field<F> = fn(&mut F) -> &mut Option<Py<PyAny>>;

/// Reads a field, making its value first if it has none. Making runs without the lock (B1); should
/// two threads make one, the first that is put in counts.
pub(crate) fn read_or_make<F>(
    fields: &GilMutex<F>,
    py: Python<'_>,
    field: Field<F>,
    make: impl FnOnce() -> PyResult<Py<PyAny>>,
) -> PyResult<Py<PyAny>> {
    if let Some(value) = field(&mut fields.lock(py)).as_ref() {
        return Ok(value.clone_ref(py));
    }
    let value = make()?;
    let mut fields = fields.lock(py);
    Ok(field(&mut fields).get_or_insert(value).clone_ref(py))
}
