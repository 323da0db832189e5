//! Stepping a coroutine, and the slots by which the interpreter steps ours.

use std::cell::Cell;

use pyo3::PyClass;
use pyo3::exceptions::PyStopIteration;
use pyo3::ffi::{self, PySendResult};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// What came of a step.
pub(super) enum Sent<'py> {
    Returned(Bound<'py, PyAny>),
    Yielded(Bound<'py, PyAny>),
    Raised(PyErr),
}

/// Calls a function with three arguments.
#[inline]
pub(super) fn call<'py>(
    function: &Bound<'py, PyAny>,
    arguments: [&Bound<'py, PyAny>; 3],
) -> PyResult<Bound<'py, PyAny>> {
    let [first, second, third] = arguments.map(Bound::as_ptr);
    // A place before the arguments lets who is called put an argument of its own there.
    let mut places = [std::ptr::null_mut(), first, second, third];
    let count = 3 | ffi::PY_VECTORCALL_ARGUMENTS_OFFSET;
    // SAFETY: live references, as many as are counted.
    unsafe {
        let arguments = places.as_mut_ptr().add(1);
        let returned =
            ffi::PyObject_Vectorcall(function.as_ptr(), arguments, count, std::ptr::null_mut());
        Bound::from_owned_ptr_or_err(function.py(), returned)
    }
}

/// Steps a coroutine or an iterator.
pub(super) fn send<'py>(coroutine: &Bound<'py, PyAny>, value: &Bound<'py, PyAny>) -> Sent<'py> {
    let py = coroutine.py();
    let mut result = std::ptr::null_mut();
    // SAFETY: both are live references; on success the interpreter hands over a new reference.
    unsafe {
        match ffi::PyIter_Send(coroutine.as_ptr(), value.as_ptr(), &raw mut result) {
            PySendResult::PYGEN_RETURN => Sent::Returned(Bound::from_owned_ptr(py, result)),
            PySendResult::PYGEN_NEXT => Sent::Yielded(Bound::from_owned_ptr(py, result)),
            PySendResult::PYGEN_ERROR => Sent::Raised(PyErr::fetch(py)),
        }
    }
}

/// Throws an exception into a coroutine.
pub(super) fn throw<'py>(coroutine: &Bound<'py, PyAny>, error: &Bound<'py, PyAny>) -> Sent<'py> {
    let py = coroutine.py();
    match coroutine.call_method1(intern!(py, "throw"), (error,)) {
        Ok(yielded) => Sent::Yielded(yielded),
        Err(error) => returned_or_raised(py, error),
    }
}

fn returned_or_raised(py: Python<'_>, error: PyErr) -> Sent<'_> {
    if !error.is_instance_of::<PyStopIteration>(py) {
        return Sent::Raised(error);
    }
    match error.value(py).getattr(intern!(py, "value")) {
        Ok(value) => Sent::Returned(value),
        Err(error) => Sent::Raised(error),
    }
}

/// Turns what came of a step into what `send()` and `throw()` methods do: a value is a yield, and
/// a return is a `StopIteration`.
pub(super) fn as_method(sent: Sent<'_>) -> PyResult<Py<PyAny>> {
    match sent {
        Sent::Yielded(value) => Ok(value.unbind()),
        Sent::Returned(value) => Err(stop_iteration(&value)),
        Sent::Raised(error) => Err(error),
    }
}

fn stop_iteration(value: &Bound<'_, PyAny>) -> PyErr {
    let py = value.py();
    // The class is called: a tuple or an exception for a value would otherwise be unpacked.
    match py.get_type::<PyStopIteration>().call1((value,)) {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}

/// A class of ours that the interpreter steps. Its `__next__` is [`next`].
pub(super) trait Step: PyClass {
    fn step<'py>(this: &Bound<'py, Self>, value: &Bound<'py, PyAny>) -> Sent<'py>;

    /// `__next__` as the binding made it.
    fn entry() -> &'static PyOnceLock<ffi::iternextfunc>;
}

/// What is said past the binding, between a slot of ours and the function that the binding made.
struct Aside {
    /// What is sent in; null if `__next__` was called by somebody else.
    value: Cell<*mut ffi::PyObject>,
    /// Whether what came out is the end.
    is_end: Cell<bool>,
}

// SAFETY: it is touched only by who is attached.
unsafe impl Sync for Aside {}

static ASIDE: Aside = Aside { value: Cell::new(std::ptr::null_mut()), is_end: Cell::new(false) };

/// `__next__`, and what all slots come by: the binding's function tells the binding that the
/// interpreter's lock is held (else it would put off every drop of a reference), for less than
/// attaching costs, and lets no panic cross into C.
#[inline]
pub(super) fn next<T: Step>(this: &Bound<'_, T>) -> PyResult<Py<PyAny>> {
    let py = this.py();
    let value = ASIDE.value.replace(std::ptr::null_mut());
    // SAFETY: null, or what a slot was called with, which lives until the slot returns.
    let Some(value) = (unsafe { Bound::from_borrowed_ptr_or_opt(py, value) }) else {
        return as_method(T::step(this, py.None().bind(py)));
    };
    let sent = T::step(this, &value);
    drop(value);
    ASIDE.is_end.set(matches!(sent, Sent::Returned(_)));
    match sent {
        Sent::Yielded(value) | Sent::Returned(value) => Ok(value.unbind()),
        Sent::Raised(error) => Err(error),
    }
}

/// Gives a class the slots that `await` steps it by, which the binding's macros cannot.
///
/// `am_await` returns the object without a detour through its method. `am_send` returns a result without an exception (all versions from a C task, `await` up to
/// 3.11); `tp_iternext` is what `await` calls from 3.12, and everywhere under a tracer.
pub(super) fn give_slots<T: Step>(py: Python<'_>) -> PyResult<()> {
    let class = py.get_type::<T>();
    let raw = class.as_type_ptr();
    // SAFETY: the class is a heap type of this module, and no instance of it exists yet. It has
    // `__await__` and `__next__`, so the tables that are written to are its own.
    unsafe {
        let table = (*raw).tp_as_async;
        let made = (*raw).tp_iternext.replace(iternext::<T>);
        let (false, Some(made)) = (table.is_null(), made) else {
            return Err(pyo3::exceptions::PyRuntimeError::new_err("class without async slots"));
        };
        let _ = T::entry().set(py, made);
        (*table).am_send = Some(am_send::<T>);
        (*table).am_await = Some(itself);
    }
    Ok(())
}

/// What `await` steps is the object itself.
unsafe extern "C" fn itself(this: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: a slot of the class is called with one of its live instances.
    unsafe { ffi::Py_NewRef(this) }
}

/// Steps an object by the function that the binding made. Returns null if that raised.
#[inline]
unsafe fn enter<T: Step>(
    this: *mut ffi::PyObject,
    value: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the caller is a slot, called attached with an instance of the class and a live value.
    unsafe {
        let made = T::entry().get(Python::assume_attached()).expect("it is set with the slots");
        ASIDE.value.set(value);
        made(this)
    }
}

unsafe extern "C" fn am_send<T: Step>(
    this: *mut ffi::PyObject,
    value: *mut ffi::PyObject,
    result: *mut *mut ffi::PyObject,
) -> PySendResult {
    // SAFETY: as the slot is called: with an instance, a value, and a place for the result.
    unsafe {
        *result = enter::<T>(this, value);
        if (*result).is_null() {
            return ended_by_exception(result);
        }
        if ASIDE.is_end.get() { PySendResult::PYGEN_RETURN } else { PySendResult::PYGEN_NEXT }
    }
}

/// What came out if it was nothing: an exception. Before its function begins, the binding drops what it
/// has put off dropping, and that may run a step, also in another thread, which hears what was said to
/// ours. Then `__next__` has told the end as it tells everybody.
#[cold]
unsafe fn ended_by_exception(result: *mut *mut ffi::PyObject) -> PySendResult {
    // SAFETY: called from `am_send`, with the place for the result and an exception set.
    unsafe {
        if ffi::PyErr_ExceptionMatches(ffi::PyExc_StopIteration) == 0 {
            return PySendResult::PYGEN_ERROR;
        }
        Python::attach_unchecked(|py| match returned_or_raised(py, PyErr::fetch(py)) {
            Sent::Returned(value) => {
                *result = value.into_ptr();
                PySendResult::PYGEN_RETURN
            }
            Sent::Raised(error) => {
                error.restore(py);
                PySendResult::PYGEN_ERROR
            }
            Sent::Yielded(_) => unreachable!("an exception yields nothing"),
        })
    }
}

unsafe extern "C" fn iternext<T: Step>(this: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: as the slot is called: with an instance. What comes out is a new reference.
    unsafe {
        let out = enter::<T>(this, ffi::Py_None());
        if out.is_null() || !ASIDE.is_end.get() {
            return out;
        }
        let py = Python::assume_attached();
        let value = Bound::from_owned_ptr(py, out);
        // The end of an iterator without an exception means that it returned `None`.
        if !value.is_none() {
            stop_iteration(&value).restore(py);
        }
        std::ptr::null_mut()
    }
}
