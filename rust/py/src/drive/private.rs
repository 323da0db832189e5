//! Whether an object is known to its holder alone, so that it can be used again.

use pyo3::ffi;
use pyo3::prelude::*;

/// Whether nobody but the caller knows of an object, strongly or weakly. Its class has a list of weak
/// references.
pub(crate) fn is_private<T>(object: &Bound<'_, T>) -> bool {
    let raw = object.as_ptr();
    // SAFETY: a live object of such a class.
    unsafe { ffi::Py_REFCNT(raw) == 1 && !is_referred_to(raw) }
}

/// Whether there are weak references to an object.
///
/// # Safety
///
/// Its class has a list of weak references, and its memory is still there.
pub(super) unsafe fn is_referred_to(raw: *mut ffi::PyObject) -> bool {
    // SAFETY: the offset of the list is the class's to tell, and may be negative where the
    // interpreter keeps the list before the object.
    unsafe {
        let offset = (*ffi::Py_TYPE(raw)).tp_weaklistoffset;
        !raw.byte_offset(offset).cast::<*mut ffi::PyObject>().read().is_null()
    }
}
