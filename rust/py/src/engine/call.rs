//! Fast calls of `send_message` and `publish_message`, which skip the binding's parsing of arguments.
//!
//! The binding's own functions are called for all calls that are not simple: too few or too many
//! arguments, or names that are not interned.

use std::ptr::null_mut;

use pyo3::exceptions::PyRuntimeError;
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyString;

use super::engine::Engine;
use super::messages::{Kind, Request};
use super::options::MessageOptions;
use super::send::Send;
use crate::interpreter::arguments::{addresses, arrange};

/// The most positional arguments: the message and its address.
const PLACED: usize = 2;

/// One of the methods.
struct Method {
    name: &'static str,
    kind: Kind,
    name_of_address: fn(Python<'_>) -> &Bound<'_, PyString>,
    /// What the binding made of the method.
    made: PyOnceLock<ffi::PyCFunctionFastWithKeywords>,
}

static METHODS: [Method; 2] = [
    Method {
        name: "send_message",
        kind: Kind::Send,
        name_of_address: |py| intern!(py, "recipient"),
        made: PyOnceLock::new(),
    },
    Method {
        name: "publish_message",
        kind: Kind::Publish,
        name_of_address: |py| intern!(py, "topic_id"),
        made: PyOnceLock::new(),
    },
];

/// Installs the fast calls. Called once, at import.
pub(super) fn install(py: Python<'_>) -> PyResult<()> {
    install_one::<0>(py)?;
    install_one::<1>(py)
}

fn install_one<const INDEX: usize>(py: Python<'_>) -> PyResult<()> {
    let method = &METHODS[INDEX];
    let descriptor = py.get_type::<Engine>().getattr(method.name)?;
    // SAFETY: the type of the descriptor is checked before it is read as one. Its method definition is on
    // the heap and never freed; its flags say which kind of function it holds.
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
        let _ = method.made.set(py, place.replace(call::<INDEX>));
    }
    Ok(())
}

unsafe extern "C" fn call<const INDEX: usize>(
    engine: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    placed: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: called as a method of an engine, attached, with its arguments by the protocol of
    // METH_FASTCALL. Nothing in here releases references whose release the binding would defer.
    // Test: tests/boundary/test_calling.py.
    unsafe {
        let (py, method) = (Python::assume_attached(), &METHODS[INDEX]);
        let known = || {
            addresses([
                intern!(py, "message"),
                (method.name_of_address)(py),
                intern!(py, "sender"),
                intern!(py, "cancellation_token"),
                intern!(py, "message_id"),
            ])
        };
        let mut given = [null_mut(); 5];
        let is_plain = arrange(&mut given, arguments, placed, names, PLACED, known);
        let [message, to, sender, cancellation_token, message_id] = given;
        if !is_plain || message.is_null() || to.is_null() {
            let made = method.made.get(py).expect("it is set with the place");
            return made(engine, arguments, placed, names);
        }
        let owned = |one| Bound::from_borrowed_ptr(py, one).unbind();
        let unless_none =
            |one: *mut ffi::PyObject| (!one.is_null() && one != ffi::Py_None()).then(|| owned(one));
        let request = Request {
            kind: method.kind,
            engine: Bound::from_borrowed_ptr(py, engine).cast_into_unchecked::<Engine>().unbind(),
            message: owned(message),
            to: owned(to),
            sender: unless_none(sender),
            cancellation_token: unless_none(cancellation_token),
            message_id: unless_none(message_id),
            options: MessageOptions::default(),
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
