//! Whether an object is known to its holder alone, so that it can be used again.

use pyo3::ffi;
use pyo3::prelude::*;

/// Whether nobody but the caller knows of an object, strongly or weakly. Its class has a list of weak
/// references.
pub(super) fn is_private<T>(object: &Bound<'_, T>) -> bool {
    let raw = object.as_ptr();
    // SAFETY: a live object; the offset of its list of weak references is its class's to tell, and
    // may be negative where the interpreter keeps the list before the object.
    unsafe {
        let offset = (*ffi::Py_TYPE(raw)).tp_weaklistoffset;
        let weak = raw.byte_offset(offset).cast::<*mut ffi::PyObject>();
        ffi::Py_REFCNT(raw) == 1 && (*weak).is_null()
    }
}
