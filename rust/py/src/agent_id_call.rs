//! Fast construction of `AgentId`: many programs make one for each message.
//!
//! Two plain strings become a reused id at once. Other calls go through `__new__` and `__init__`.

use std::sync::atomic::{AtomicPtr, Ordering};

use pyo3::exceptions::PyRuntimeError;
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use crate::agent_id::{AgentId, Parts};
use crate::grammar::is_plain_agent_type;
use crate::interpreter::arguments::{addresses, arrange};
use crate::interpreter::free_list::{FreeList, Recycled, Unreferenced};

/// What `AgentId` began with: another `__init__` must be called.
static INIT: AtomicPtr<()> = AtomicPtr::new(std::ptr::null_mut());
static NEW: AtomicPtr<()> = AtomicPtr::new(std::ptr::null_mut());

/// Installs the fast constructor. Called once, at import.
pub(crate) fn install(py: Python<'_>) -> PyResult<()> {
    let class = py.get_type::<AgentId>();
    let raw = class.as_type_ptr();
    // SAFETY: a heap type of this module, written to before it has instances.
    unsafe {
        let (Some(init), Some(new)) = ((*raw).tp_init, (*raw).tp_new) else {
            return Err(PyRuntimeError::new_err("AgentId has no constructor"));
        };
        INIT.store(init as *mut (), Ordering::Relaxed);
        NEW.store(new as *mut (), Ordering::Relaxed);
        (*raw).tp_vectorcall = Some(construct);
    }
    Ok(())
}

unsafe extern "C" fn construct(
    class: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    flags: usize,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the slot is called, attached, with the class (subclasses do not inherit it), and with
    // arguments by the protocol of vectorcall. Nothing in here drops what the binding would put off
    // dropping.
    unsafe {
        let py = Python::assume_attached();
        let placed = ffi::PyVectorcall_NARGS(flags);
        let known = || addresses([intern!(py, "type"), intern!(py, "key")]);
        let mut given = [std::ptr::null_mut(); 2];
        let is_plain = arrange(&mut given, arguments, placed, names, 2, known);
        let [agent_type, key] = given;
        if is_plain
            && is_as_it_began(class.cast())
            && let Some(agent_type) = readable(py, agent_type, is_plain_agent_type)
            && let Some(key) = readable(py, key, |_| true)
        {
            let parts = Parts::of(agent_type.unbind(), key.unbind());
            return match make(py, parts) {
                Ok(id) => id.into_ptr(),
                Err(error) => {
                    error.restore(py);
                    std::ptr::null_mut()
                }
            };
        }
        call_type(class, arguments, placed.cast_unsigned(), names)
    }
}

unsafe fn is_as_it_began(class: *mut ffi::PyTypeObject) -> bool {
    let same = |one: *mut (), began: &AtomicPtr<()>| one == began.load(Ordering::Relaxed);
    // SAFETY: the caller has the class.
    unsafe {
        (*class).tp_init.is_some_and(|init| same(init as *mut (), &INIT))
            && (*class).tp_new.is_some_and(|new| same(new as *mut (), &NEW))
    }
}

/// A string, if it is one and no subclass's, can be read as UTF-8, and is of the right form.
unsafe fn readable(
    py: Python<'_>,
    given: *mut ffi::PyObject,
    is_right: impl FnOnce(&str) -> bool,
) -> Option<Bound<'_, PyString>> {
    // SAFETY: the caller has a live reference, or null. The text is the string's own, and lives as
    // long.
    unsafe {
        if given.is_null() || ffi::PyUnicode_CheckExact(given) == 0 {
            return None;
        }
        let mut length = 0;
        let text = ffi::PyUnicode_AsUTF8AndSize(given, &raw mut length);
        if text.is_null() {
            ffi::PyErr_Clear(); // the slow way says what is wrong
            return None;
        }
        let text = std::slice::from_raw_parts(text.cast::<u8>(), length.cast_unsigned());
        is_right(std::str::from_utf8_unchecked(text))
            .then(|| Bound::from_borrowed_ptr(py, given).cast_into_unchecked())
    }
}

/// Calls the class as every class is called: `type.__call__` makes the object and initialises it.
unsafe fn call_type(
    class: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    placed: usize,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: called from `construct`, with what it was called with.
    unsafe {
        Python::attach_unchecked(|py| {
            let given = |index| Bound::from_borrowed_ptr(py, *arguments.add(index));
            let called = || -> PyResult<*mut ffi::PyObject> {
                let by_place = PyTuple::new(py, (0..placed).map(given))?;
                let by_name = PyDict::new(py);
                if let Some(names) = Bound::from_borrowed_ptr_or_opt(py, names) {
                    for (index, name) in names.cast::<PyTuple>()?.iter().enumerate() {
                        by_name.set_item(name, given(placed + index))?;
                    }
                }
                let call = (*ffi::Py_TYPE(class)).tp_call;
                let call =
                    call.ok_or_else(|| PyRuntimeError::new_err("AgentId cannot be called"))?;
                Ok(call(class, by_place.as_ptr(), by_name.as_ptr()))
            };
            called().unwrap_or_else(|error| {
                error.restore(py);
                std::ptr::null_mut()
            })
        })
    }
}

/// An id of these parts, reused if possible.
pub(crate) fn make(py: Python<'_>, parts: Parts) -> PyResult<Bound<'_, AgentId>> {
    let Some(id) = FreeList::take::<AgentId>(py) else {
        return Bound::new(py, AgentId::of(parts));
    };
    id.get().renew(py, parts);
    Ok(id)
}

impl Recycled for AgentId {
    fn free_list() -> &'static FreeList {
        static FREE: FreeList = FreeList::new();
        &FREE
    }

    fn clear(&self, unreferenced: Unreferenced<'_>) -> bool {
        let py = unreferenced.py();
        // SAFETY: the caller's: the id is not referenced, and so its parts are not read.
        if let Some(parts) = unsafe { self.parts.take(py) } {
            parts.release(py);
        }
        true
    }
}
