//! How Python calls `send_message` and `publish_message`, without the binding's reading of arguments.
//!
//! The binding makes the methods, and what it made is called for whatever is not plain: too few
//! arguments or too many, and names that are not to be told by where they lie.

use std::ptr::null_mut;

use pyo3::exceptions::PyRuntimeError;
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyString;

use super::arguments::{addresses, arrange};
use super::drive::Drive;
use super::request::{Errand, Request};
use super::send::Send;

/// How many arguments are given by their place, at the most: the message, and to whom.
const PLACED: usize = 2;

/// One of the methods.
trait Method {
    const NAME: &str;
    const ERRAND: Errand;

    /// What the binding made of the method.
    fn made() -> &'static PyOnceLock<ffi::PyCFunctionFastWithKeywords>;
    fn name_of_address(py: Python<'_>) -> &Bound<'_, PyString>;
}

struct SendMessage;
struct PublishMessage;

impl Method for SendMessage {
    const NAME: &str = "send_message";
    const ERRAND: Errand = Errand::Send;

    fn made() -> &'static PyOnceLock<ffi::PyCFunctionFastWithKeywords> {
        static MADE: PyOnceLock<ffi::PyCFunctionFastWithKeywords> = PyOnceLock::new();
        &MADE
    }

    fn name_of_address(py: Python<'_>) -> &Bound<'_, PyString> {
        intern!(py, "recipient")
    }
}

impl Method for PublishMessage {
    const NAME: &str = "publish_message";
    const ERRAND: Errand = Errand::Publish;

    fn made() -> &'static PyOnceLock<ffi::PyCFunctionFastWithKeywords> {
        static MADE: PyOnceLock<ffi::PyCFunctionFastWithKeywords> = PyOnceLock::new();
        &MADE
    }

    fn name_of_address(py: Python<'_>) -> &Bound<'_, PyString> {
        intern!(py, "topic_id")
    }
}

/// Puts the quick ways in the place of those that the binding made. Called once, with the module.
pub(super) fn quicken(py: Python<'_>) -> PyResult<()> {
    quicken_one::<SendMessage>(py)?;
    quicken_one::<PublishMessage>(py)
}

fn quicken_one<M: Method>(py: Python<'_>) -> PyResult<()> {
    let descriptor = py.get_type::<Drive>().getattr(M::NAME)?;
    // SAFETY: the type of the descriptor is looked at before it is read as one. What it describes was
    // made by the binding, on the heap and for good; its flags say which kind of function it holds.
    unsafe {
        let known = &raw mut ffi::PyMethodDescr_Type;
        if ffi::Py_TYPE(descriptor.as_ptr()) != known {
            return Err(PyRuntimeError::new_err("the binding made no method descriptor"));
        }
        let described = (*descriptor.as_ptr().cast::<ffi::PyMethodDescrObject>()).d_method;
        if (*described).ml_flags != ffi::METH_FASTCALL | ffi::METH_KEYWORDS {
            return Err(PyRuntimeError::new_err("the binding takes arguments in another way"));
        }
        let place = &raw mut (*described).ml_meth.PyCFunctionFastWithKeywords;
        let _ = M::made().set(py, place.replace(call::<M>));
    }
    Ok(())
}

unsafe extern "C" fn call<M: Method>(
    drive: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    placed: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: called as the method of a drive, attached, with its arguments by the protocol of
    // METH_FASTCALL. Nothing in here drops what the binding would put off dropping.
    unsafe {
        let py = Python::assume_attached();
        let known = || {
            addresses([
                intern!(py, "message"),
                M::name_of_address(py),
                intern!(py, "sender"),
                intern!(py, "cancellation_token"),
                intern!(py, "message_id"),
            ])
        };
        let mut given = [null_mut(); 5];
        let is_plain = arrange(&mut given, arguments, placed, names, PLACED, known);
        let [message, to, sender, cancellation_token, message_id] = given;
        if !is_plain || message.is_null() || to.is_null() {
            let made = M::made().get(py).expect("it is set with the place");
            return made(drive, arguments, placed, names);
        }
        let owned = |one| Bound::from_borrowed_ptr(py, one).unbind();
        let unless_none =
            |one: *mut ffi::PyObject| (!one.is_null() && one != ffi::Py_None()).then(|| owned(one));
        let request = Request {
            errand: M::ERRAND,
            drive: Bound::from_borrowed_ptr(py, drive).cast_into_unchecked::<Drive>().unbind(),
            message: owned(message),
            to: owned(to),
            sender: unless_none(sender),
            cancellation_token: unless_none(cancellation_token),
            message_id: unless_none(message_id),
        };
        match Send::make(py, request) {
            Ok(send) => send.into_ptr(),
            Err(error) => {
                error.restore(py);
                null_mut()
            }
        }
    }
}
