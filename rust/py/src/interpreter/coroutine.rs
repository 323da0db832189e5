//! Stepping a coroutine, and the slots by which the interpreter steps ours.

use std::cell::Cell;

use pyo3::PyClass;
use pyo3::exceptions::{PyRuntimeError, PyStopIteration, PyTypeError};
use pyo3::ffi::{self, PySendResult};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyNone, PyString, PyTuple};

/// What came of a step.
pub(crate) enum Sent<'py> {
    Returned(Bound<'py, PyAny>),
    Yielded(Bound<'py, PyAny>),
    Raised(PyErr),
}

/// Calls a function with three arguments.
#[inline(always)]
pub(crate) fn call<'py>(
    function: &Bound<'py, PyAny>,
    arguments: [&Bound<'py, PyAny>; 3],
) -> PyResult<Bound<'py, PyAny>> {
    let [first, second, third] = arguments.map(Bound::as_ptr);
    // A free place before the arguments lets the callee put `self` there.
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

/// Calls a method. Its object and its arguments are `positional`; the rest are keyword arguments, one for each of
/// the names.
pub(crate) fn call_method<'py, const N: usize>(
    name: &Bound<'py, PyString>,
    positional: usize,
    arguments: [&Bound<'py, PyAny>; N],
    names: &Bound<'py, PyTuple>,
) -> PyResult<Bound<'py, PyAny>> {
    assert!(positional > 0 && positional + names.len() <= N, "each argument has a name or a place");
    let places = arguments.map(Bound::as_ptr);
    // SAFETY: live references, as many as are counted and named.
    unsafe {
        let (places, names) = (places.as_ptr(), names.as_ptr());
        let returned = ffi::PyObject_VectorcallMethod(name.as_ptr(), places, positional, names);
        Bound::from_owned_ptr_or_err(name.py(), returned)
    }
}

/// Steps a coroutine or an iterator with `None`.
#[inline(always)]
pub(crate) fn send_none<'py>(coroutine: &Bound<'py, PyAny>) -> Sent<'py> {
    // An owned `None` would be dropped, which first looks up whether it may.
    send(coroutine, PyNone::get(coroutine.py()).as_any())
}

/// Steps a coroutine or an iterator.
#[inline(always)]
pub(crate) fn send<'py>(coroutine: &Bound<'py, PyAny>, value: &Bound<'py, PyAny>) -> Sent<'py> {
    let py = coroutine.py();
    let mut result = std::ptr::null_mut();
    // SAFETY: both are live references; on success the interpreter passes a new reference.
    unsafe {
        match ffi::PyIter_Send(coroutine.as_ptr(), value.as_ptr(), &raw mut result) {
            PySendResult::PYGEN_RETURN => Sent::Returned(Bound::from_owned_ptr(py, result)),
            PySendResult::PYGEN_NEXT => Sent::Yielded(Bound::from_owned_ptr(py, result)),
            PySendResult::PYGEN_ERROR => Sent::Raised(PyErr::fetch(py)),
        }
    }
}

/// Throws an exception into a coroutine.
pub(crate) fn throw<'py>(coroutine: &Bound<'py, PyAny>, error: &Bound<'py, PyAny>) -> Sent<'py> {
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
pub(crate) fn as_method(sent: Sent<'_>) -> PyResult<Py<PyAny>> {
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
pub(crate) trait Step: PyClass {
    fn step<'py>(this: &Bound<'py, Self>, value: &Bound<'py, PyAny>) -> Sent<'py>;

    /// `__next__` as the binding made it.
    fn entry() -> &'static PyOnceLock<ffi::iternextfunc>;
}

/// Passed past the binding, between a slot of ours and the function that the binding made.
struct SideChannel {
    /// The value sent in; null if `__next__` was called by other code.
    value: Cell<*mut ffi::PyObject>,
    /// Whether the result ended the coroutine.
    is_end: Cell<bool>,
}

// SAFETY: used only by code that holds the interpreter's lock.
unsafe impl Sync for SideChannel {}

static SIDE_CHANNEL: SideChannel =
    SideChannel { value: Cell::new(std::ptr::null_mut()), is_end: Cell::new(false) };

/// The methods by which Python steps a coroutine of the binding: those of the two classes are the same.
macro_rules! coroutine_methods {
    ($class:ty) => {
        #[pymethods]
        impl $class {
            fn __await__(slf: Py<Self>) -> Py<Self> {
                slf
            }

            fn __iter__(slf: Py<Self>) -> Py<Self> {
                slf
            }

            fn __next__(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
                $crate::interpreter::coroutine::next(slf)
            }

            fn send(slf: &Bound<'_, Self>, value: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
                use $crate::interpreter::coroutine::{Step, as_method};
                as_method(Self::step(slf, value))
            }
        }
    };
}

pub(crate) use coroutine_methods;

/// `__next__`, which all slots go through: the function that the binding made of it marks the thread as
/// attached (else the binding would defer each release of a reference), for less than attaching costs, and
/// lets no panic cross into C.
#[inline]
pub(crate) fn next<T: Step>(this: &Bound<'_, T>) -> PyResult<Py<PyAny>> {
    let py = this.py();
    let value = SIDE_CHANNEL.value.replace(std::ptr::null_mut());
    // SAFETY: null, or the argument of a slot, which lives until the slot returns.
    let Some(value) = (unsafe { Bound::from_borrowed_ptr_or_opt(py, value) }) else {
        return as_method(T::step(this, py.None().bind(py)));
    };
    let sent = T::step(this, &value);
    drop(value);
    SIDE_CHANNEL.is_end.set(matches!(sent, Sent::Returned(_)));
    match sent {
        Sent::Yielded(value) | Sent::Returned(value) => Ok(value.unbind()),
        Sent::Raised(error) => Err(error),
    }
}

/// Sets the slots by which `await` steps a class, which the binding's macros cannot.
///
/// `am_await` returns the object without calling its method. `am_send` returns a result without an
/// exception (called by C tasks in all versions, by `await` up to 3.11); `tp_iternext` is what `await` calls
/// from 3.12 on, and everywhere under a tracer.
pub(crate) fn give_slots<T: Step>(py: Python<'_>) -> PyResult<()> {
    let class = py.get_type::<T>();
    let raw = class.as_type_ptr();
    // SAFETY: the class is a heap type of this module, and no instance of it exists yet. It has
    // `__await__` and `__next__`, so the tables that are written to are its own.
    unsafe {
        let table = (*raw).tp_as_async;
        let made = (*raw).tp_iternext.replace(iternext::<T>);
        let (false, Some(made)) = (table.is_null(), made) else {
            return Err(PyRuntimeError::new_err("class without async slots"));
        };
        let _ = T::entry().set(py, made);
        (*table).am_send = Some(am_send::<T>);
        (*table).am_await = Some(itself);
    }
    Ok(())
}

/// `__await__` returns the object itself.
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
        SIDE_CHANNEL.value.set(value);
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
        if SIDE_CHANNEL.is_end.get() {
            PySendResult::PYGEN_RETURN
        } else {
            PySendResult::PYGEN_NEXT
        }
    }
}

/// The result of a step that returned null. Before the binding's function begins, the binding releases the
/// references whose release it has deferred. That may run another step, which takes the value out of the side
/// channel; then `__next__` has reported its end by `StopIteration`.
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
        if out.is_null() || !SIDE_CHANNEL.is_end.get() {
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

/// What `await` would step: the coroutine itself, or the iterator that its `__await__` returns.
#[inline(always)]
pub(crate) fn awaited(awaitable: Bound<'_, PyAny>) -> PyResult<Bound<'_, PyAny>> {
    // SAFETY: a live reference is compared with a static type.
    let is_coroutine = unsafe { ffi::PyCoro_CheckExact(awaitable.as_ptr()) != 0 };
    if is_coroutine { Ok(awaitable) } else { awaited_by_iterating(awaitable) }
}

#[cold]
fn awaited_by_iterating(awaitable: Bound<'_, PyAny>) -> PyResult<Bound<'_, PyAny>> {
    // SAFETY: a live reference is compared with a static type.
    let is_generator = unsafe { ffi::PyGen_CheckExact(awaitable.as_ptr()) != 0 };
    if is_generator && is_generator_based_coroutine(&awaitable)? {
        return Ok(awaitable);
    }
    iterator_of(awaitable)
}

/// The iterator that the `__await__` of an awaitable returns.
fn iterator_of(awaitable: Bound<'_, PyAny>) -> PyResult<Bound<'_, PyAny>> {
    let py = awaitable.py();
    match awaitable.getattr_opt(intern!(py, "__await__"))? {
        Some(method) => method.call0(),
        None => Err(PyTypeError::new_err(format!(
            "object {} can't be used in 'await' expression",
            awaitable.get_type().name()?
        ))),
    }
}

/// Whether a generator was made by a function decorated with `types.coroutine`.
fn is_generator_based_coroutine(generator: &Bound<'_, PyAny>) -> PyResult<bool> {
    const CO_ITERABLE_COROUTINE: u32 = 0x100;
    let code = generator.getattr(intern!(generator.py(), "gi_code"))?;
    let flags: u32 = code.getattr(intern!(generator.py(), "co_flags"))?.extract()?;
    Ok(flags & CO_ITERABLE_COROUTINE != 0)
}

/// An error as it leaves a coroutine, where `StopIteration` would pass for the end.
pub(crate) fn as_raised(py: Python<'_>, error: PyErr) -> PyErr {
    if !error.is_instance_of::<PyStopIteration>(py) {
        return error;
    }
    let raised = PyRuntimeError::new_err("coroutine raised StopIteration");
    raised.set_cause(py, Some(error));
    raised
}

/// The code object of the function that called the function that runs, `levels` frames above.
pub(crate) fn code_of_caller(py: Python<'_>, levels: usize) -> Option<Bound<'_, PyAny>> {
    // SAFETY: attached. The frame that runs is borrowed; those above it, and the code of each, are
    // new references.
    unsafe {
        let mut frame = ffi::PyEval_GetFrame();
        if frame.is_null() {
            return None;
        }
        ffi::Py_INCREF(frame.cast());
        for _ in 0..levels {
            let caller = ffi::PyFrame_GetBack(frame);
            ffi::Py_DECREF(frame.cast());
            if caller.is_null() {
                return None;
            }
            frame = caller;
        }
        let code = ffi::PyFrame_GetCode(frame);
        ffi::Py_DECREF(frame.cast());
        Bound::from_owned_ptr_or_opt(py, code.cast())
    }
}

unsafe extern "C" {
    static mut PyMethod_Type: ffi::PyTypeObject;
    fn PyMethod_Function(method: *mut ffi::PyObject) -> *mut ffi::PyObject;
}

/// The function of a bound method, as an address; `None` for anything else.
#[inline]
pub(crate) fn function_of_method(method: &Bound<'_, PyAny>) -> Option<*mut ffi::PyObject> {
    // SAFETY: a live reference, which is a bound method where its function is read.
    unsafe {
        let raw = method.as_ptr();
        let is_method = ffi::Py_TYPE(raw) == &raw mut PyMethod_Type;
        is_method.then(|| PyMethod_Function(raw))
    }
}
