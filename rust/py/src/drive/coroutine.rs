//! Stepping a coroutine, and the slots by which the interpreter steps ours.

use pyo3::PyClass;
use pyo3::exceptions::PyStopIteration;
use pyo3::ffi::{self, PySendResult};
use pyo3::intern;
use pyo3::prelude::*;

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

/// A class of ours that the interpreter steps.
pub(super) trait Step: PyClass {
    fn step<'py>(this: &Bound<'py, Self>, value: &Bound<'py, PyAny>) -> Sent<'py>;
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
        if table.is_null() {
            return Err(pyo3::exceptions::PyRuntimeError::new_err("class without async slots"));
        }
        (*table).am_send = Some(am_send::<T>);
        (*table).am_await = Some(itself);
        (*raw).tp_iternext = Some(iternext::<T>);
    }
    Ok(())
}

/// What `await` steps is the object itself.
unsafe extern "C" fn itself(this: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: a slot of the class is called with one of its live instances.
    unsafe { ffi::Py_NewRef(this) }
}

unsafe extern "C" fn am_send<T: Step>(
    this: *mut ffi::PyObject,
    value: *mut ffi::PyObject,
    result: *mut *mut ffi::PyObject,
) -> PySendResult {
    // SAFETY: a slot of the class is called with one of its instances, attached. It says so to the
    // binding, which else would put off every drop of a reference. A panic must not cross into C:
    // `guarded` turns it into an exception.
    unsafe {
        Python::attach_unchecked(|py| {
            let this = Bound::from_borrowed_ptr(py, this);
            let value = Bound::from_borrowed_ptr(py, value);
            match guarded(|| T::step(this.cast_unchecked::<T>(), &value)) {
                Sent::Returned(value) => {
                    *result = value.into_ptr();
                    PySendResult::PYGEN_RETURN
                }
                Sent::Yielded(value) => {
                    *result = value.into_ptr();
                    PySendResult::PYGEN_NEXT
                }
                Sent::Raised(error) => {
                    *result = std::ptr::null_mut();
                    error.restore(py);
                    PySendResult::PYGEN_ERROR
                }
            }
        })
    }
}

unsafe extern "C" fn iternext<T: Step>(this: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: as in `am_send`.
    unsafe {
        Python::attach_unchecked(|py| {
            let this = Bound::from_borrowed_ptr(py, this);
            let none = py.None();
            match guarded(|| T::step(this.cast_unchecked::<T>(), none.bind(py))) {
                Sent::Yielded(value) => value.into_ptr(),
                Sent::Returned(value) => {
                    // The end of an iterator without an exception means that it returned `None`.
                    if !value.is_none() {
                        stop_iteration(&value).restore(py);
                    }
                    std::ptr::null_mut()
                }
                Sent::Raised(error) => {
                    error.restore(py);
                    std::ptr::null_mut()
                }
            }
        })
    }
}

fn guarded<'py>(step: impl FnOnce() -> Sent<'py>) -> Sent<'py> {
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(step)) {
        Ok(sent) => sent,
        Err(panic) => Sent::Raised(pyo3::panic::PanicException::new_err(text_of(&*panic))),
    }
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panic in the extension".to_owned())
}
