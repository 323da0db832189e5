//! The drive runs handlers inside their sender's `await`, as long as they do not suspend.
//!
//! It is the one folder that calls handlers and steps coroutines, and the only one with `unsafe`
//! code. A message that it cannot take (something is ahead of it, somebody listens, its agent is
//! not ready) goes the plain way of `ferrogen._runtime`: the drive is a short cut, never a second
//! set of rules. One file a native type:
//!
//! - `drive`: `Drive`, the short cut of one runtime.
//! - `send`: `Send`, what `send_message` returns.
//! - `handling`: a handler that is being run.
//! - `delivery_task`: the task that it believes to be in.
//! - `handlers`: which method handles which message.
//! - `coroutine`, `entered`, `current_task`, `loggers`, `gil_cell`: what these stand on.

mod coroutine;
mod current_task;
pub(crate) mod delivery_task;
#[allow(clippy::module_inception, reason = "the drive of the folder's name")]
mod drive;
mod entered;
mod gil_cell;
mod handlers;
mod handling;
mod loggers;
mod send;

use pyo3::prelude::*;

pub(crate) use drive::Drive;
pub(crate) use handlers::Handlers;
pub(crate) use send::Send;

/// Gives the stepped classes their slots. Called once, while the module is made.
pub(crate) fn prepare(py: Python<'_>) -> PyResult<()> {
    coroutine::give_slots::<handling::Handling>(py)?;
    coroutine::give_slots::<Send>(py)
}
