//! What the engine needs of `CPython` beyond the binding's safe API. Most of the crate's `unsafe` code.
//!
//! - [`coroutine`]: stepping coroutines, and the slots by which the interpreter steps ours.
//! - [`current_task`]: the current task of an event loop.
//! - [`task_layout`]: the state of an `asyncio.Task`, compared and exchanged in place.
//! - [`context`]: entering and copying contexts, and comparing their variables.
//! - [`exception_state`]: the exception that the running code handles.
//! - [`attributes`]: whether a class is unmodified, and what an object has beside its class's attributes.
//! - [`recursion`]: the recursion limit, and the stack left in this thread.
//! - [`free_list`]: objects that are reused. [`arguments`]: vectorcall arguments.
//! - [`gil_mutex`], [`write_once`], [`release`]: what a mutex, a `OnceLock` and `drop` are to code that
//!   holds the interpreter's lock.

pub(crate) mod arguments;
pub(crate) mod attributes;
pub(crate) mod context;
pub(crate) mod coroutine;
pub(crate) mod current_task;
pub(crate) mod exception_state;
pub(crate) mod free_list;
pub(crate) mod gil_mutex;
pub(crate) mod recursion;
pub(crate) mod release;
pub(crate) mod task_layout;
pub(crate) mod threads;
pub(crate) mod write_once;

use pyo3::exceptions::PyImportError;
use pyo3::ffi;
use pyo3::prelude::*;

pub(crate) use gil_mutex::GilMutex;
pub(crate) use write_once::WriteOnce;

/// Refuses interpreters that the extension does not support, and probes the layout of the others.
pub(crate) fn prepare(py: Python<'_>) -> PyResult<()> {
    // SAFETY: attached, so there is a current interpreter.
    if unsafe { ffi::PyInterpreterState_GetID(ffi::PyInterpreterState_Get()) } != 0 {
        return Err(PyImportError::new_err(
            "ferrogen runs in the main interpreter only; use a process instead of a subinterpreter",
        ));
    }
    if cfg!(Py_GIL_DISABLED) {
        return Err(PyImportError::new_err(
            "ferrogen does not support free-threaded builds of Python; use a build with the GIL \
             (python3.14 instead of python3.14t)",
        ));
    }
    // Its accelerator alone, imported first, would be set up twice before 3.12.
    py.import("asyncio")?;
    threads::watch_forks(py)?;
    context::find_variables(py)?;
    exception_state::find_chain(py)?;
    task_layout::find(py)
}
