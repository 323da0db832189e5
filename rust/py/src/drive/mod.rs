//! The drive runs handlers inside their sender's `await`, as long as they do not suspend.
//!
//! It is the one folder that calls handlers and steps coroutines, and the only one with `unsafe`
//! code. A message that it cannot take (something is ahead of it, somebody may change it, its agent is
//! not ready) goes the plain way of `ferrogen._runtime`: the drive is a short cut, never a second
//! set of rules. One file a native type:
//!
//! - `drive`: `Drive`, the short cut of one runtime.
//! - `seats`: who may run a handler inline.
//! - `ending`: what is done when a handler that suspended ends.
//! - `send`: `Send`, what `send_message` and `publish_message` return; `request`: what is asked for;
//!   `calling`: how Python calls them; `constructing`: how it makes an `AgentId`.
//! - `future`: a `Send` that somebody waits for; `awaited`: how it becomes one.
//! - `gathering`: beginning what `asyncio.gather` waits for.
//! - `parking`: handlers that wait for other agents; `turns`: those that give others a turn; `spares`: tasks
//!   for handlers that do neither.
//! - `sending`: a message that is sent.
//! - `publishing`: handing out what was published; `heard`: to whom; `desk`: in which task; `untold`: who
//!   is still to hear it.
//! - `first_step`: a handler is called, and stepped once.
//! - `handling`: the handler, as the coroutine of its task.
//! - `delivery_task`: the task that it believes to be in.
//! - `handlers`: which method handles which message.
//! - `watch`: who looks at a message that was sent.
//! - `coroutine`, `entered`, `current_task`, `loggers`, `headroom`, `unhandled`, `private`, `free_list`,
//!   `arguments`, `variables`, `settled`, `gil_mutex`: what these stand on.

mod arguments;
mod awaited;
mod calling;
mod constructing;
mod coroutine;
mod current_task;
pub(crate) mod delivery_task;
mod desk;
#[allow(clippy::module_inception, reason = "the drive of the folder's name")]
mod drive;
mod ending;
mod entered;
mod first_step;
mod free_list;
mod future;
mod gathering;
mod gil_mutex;
mod handlers;
mod handling;
mod headroom;
mod heard;
mod loggers;
mod parking;
mod private;
mod publishing;
mod request;
mod seats;
mod send;
mod sending;
mod settled;
mod spares;
mod turns;
mod unhandled;
mod untold;
mod variables;
mod watch;

use std::sync::atomic::{AtomicU32, Ordering};

use pyo3::exceptions::PyImportError;
use pyo3::exceptions::asyncio::CancelledError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::agent_id::AgentId;
use crate::publish_envelope::PublishEnvelope;

pub(crate) use drive::Drive;
pub(crate) use free_list::FreeList;
pub(crate) use gil_mutex::{GilMutex, Held};
pub(crate) use handlers::{BoundWay, Handlers, Way};
pub(crate) use private::is_private;
pub(crate) use send::Send;
pub(crate) use settled::Settled;
pub(crate) use variables::Variables;

/// How often this process is a fork of one that had the module loaded.
static FORKS: AtomicU32 = AtomicU32::new(0);

#[pyfunction]
fn count_fork() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}

/// Gives the stepped classes their slots. Called once, while the module is made.
pub(crate) fn prepare(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    // SAFETY: attached, so there is a current interpreter.
    if unsafe { ffi::PyInterpreterState_GetID(ffi::PyInterpreterState_Get()) } != 0 {
        return Err(PyImportError::new_err(
            "ferrogen runs in the main interpreter only; use a process instead of a subinterpreter",
        ));
    }
    coroutine::give_slots::<handling::Handling>(py)?;
    coroutine::give_slots::<Send>(py)?;
    variables::find_variables(py)?;
    unhandled::find_chain(py)?;
    free_list::recycle::<Send>(py);
    free_list::recycle::<PublishEnvelope>(py);
    free_list::recycle::<AgentId>(py);
    calling::quicken(py)?;
    constructing::quicken(py)?;
    // The binding imports the class when it is first asked for, which may be when a handler that waits is
    // closed at the end of the interpreter, where nothing can be imported: it would panic.
    py.get_type::<CancelledError>();
    let keywords = PyDict::new(py);
    keywords.set_item("after_in_child", wrap_pyfunction!(count_fork, module)?)?;
    py.import("os")?.call_method("register_at_fork", (), Some(&keywords))?;
    Ok(())
}
