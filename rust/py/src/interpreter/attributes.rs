//! Attributes of objects: what their class says while it is unmodified, and what they have themselves.

use std::num::NonZeroU32;
use std::ptr::null_mut;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

/// The version of an object's class, which changes with the attributes of the class and of those that it inherits
/// from. No other class has it. `None` if there is none now, or the class looks attributes up in its own way.
#[inline]
pub(crate) fn class_version(object: &Bound<'_, PyAny>) -> Option<NonZeroU32> {
    // SAFETY: the class of a live reference, whose fields are read while the interpreter's lock is held. Before
    // 3.11 the flag says whether the version is valid; later it is zero otherwise.
    // Test: tests/runtime/test_inherited_interception.py.
    let (getter, flags, version) = unsafe {
        let class = &*ffi::Py_TYPE(object.as_ptr());
        (class.tp_getattro, class.tp_flags, class.tp_version_tag)
    };
    let usual: ffi::getattrofunc = ffi::PyObject_GenericGetAttr;
    let is_usual = getter.is_some_and(|getter| std::ptr::fn_addr_eq(getter, usual));
    let is_valid = cfg!(Py_3_11) || flags & ffi::Py_TPFLAGS_VALID_VERSION_TAG != 0;
    NonZeroU32::new(version).filter(|_| is_usual && is_valid)
}

/// Whether an object has an attribute that is not its class's.
#[inline]
pub(crate) fn has_own(object: &Bound<'_, PyAny>, name: &Bound<'_, PyString>) -> PyResult<bool> {
    let py = object.py();
    // SAFETY: a live reference; what is returned is a new one to a dict, or null with an exception set.
    let dict = unsafe {
        let dict = ffi::PyObject_GenericGetDict(object.as_ptr(), null_mut());
        Bound::from_owned_ptr_or_err(py, dict).map(|one| one.cast_into_unchecked::<PyDict>())
    };
    // An object without a dict has no attributes but those of its class.
    dict.map_or(Ok(false), |dict| dict.contains(name))
}
