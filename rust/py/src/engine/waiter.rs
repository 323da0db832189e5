//! `Waiter`: what an idle task waits for.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use super::send::Send;
use crate::interpreter::GilMutex;

/// What an idle task waits for: a future that never ends, and whose callback steps the task.
#[pyclass(frozen, weakref, module = "ferrogen._core")]
pub(crate) struct Waiter {
    event_loop: Py<PyAny>,
    state: GilMutex<WaiterState>,
}

struct WaiterState {
    is_blocking: bool,
    wakeup: Option<Py<PyAny>>,
    /// The send that the handler of the task awaits.
    awaited: Option<Py<Send>>,
    is_cancelled: bool,
}

impl Waiter {
    pub(super) fn new(event_loop: Py<PyAny>) -> Self {
        let state =
            WaiterState { is_blocking: true, wakeup: None, awaited: None, is_cancelled: false };
        Self { event_loop, state: GilMutex::new(state) }
    }

    /// A task is about to wait for it anew.
    pub(super) fn block_again(&self, py: Python<'_>) {
        self.state.with(py, |state| state.is_blocking = true);
    }

    pub(super) fn is_cancelled(&self, py: Python<'_>) -> bool {
        self.state.with(py, |state| state.is_cancelled)
    }

    pub(super) fn take_wakeup(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.state.with(py, |state| state.wakeup.take())
    }

    pub(super) fn forward_cancellation(&self, py: Python<'_>, send: Option<Py<Send>>) {
        let before = self.state.with(py, |state| std::mem::replace(&mut state.awaited, send));
        drop(before);
    }
}

#[pymethods]
impl Waiter {
    #[getter(_asyncio_future_blocking)]
    fn is_blocking(&self, py: Python<'_>) -> bool {
        self.state.with(py, |state| state.is_blocking)
    }

    #[setter(_asyncio_future_blocking)]
    fn set_is_blocking(&self, py: Python<'_>, is_blocking: bool) {
        self.state.with(py, |state| state.is_blocking = is_blocking);
    }

    fn get_loop(&self, py: Python<'_>) -> Py<PyAny> {
        self.event_loop.clone_ref(py)
    }

    #[pyo3(signature = (callback, *, context = None))]
    fn add_done_callback(&self, py: Python<'_>, callback: Py<PyAny>, context: Option<Py<PyAny>>) {
        let _ = context;
        let before = self.state.with(py, |state| state.wakeup.replace(callback));
        drop(before);
    }

    #[expect(clippy::unused_self, reason = "the protocol of futures")]
    fn remove_done_callback(&self, _callback: &Bound<'_, PyAny>) -> usize {
        0
    }

    /// Cancels the send that the handler awaits. An idle task is not used any more.
    #[pyo3(signature = (msg = None))]
    fn cancel(&self, py: Python<'_>, msg: Option<&Bound<'_, PyAny>>) -> PyResult<bool> {
        let awaited = self.state.with(py, |state| {
            let send = state.awaited.as_ref().map(|one| one.clone_ref(py));
            state.is_cancelled = send.is_none();
            send
        });
        match awaited {
            Some(send) => Send::cancel_future(send.bind(py), msg),
            None => Ok(false),
        }
    }

    #[expect(clippy::unused_self, reason = "the protocol of futures")]
    fn done(&self) -> bool {
        false
    }

    #[expect(clippy::unused_self, reason = "the protocol of futures")]
    fn cancelled(&self) -> bool {
        false
    }

    #[expect(clippy::unused_self, reason = "the protocol of futures")]
    fn result(&self) {}

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.event_loop)?;
        self.state.visit(|state| {
            visit.call(&state.wakeup)?;
            visit.call(&state.awaited)
        })
    }

    fn __clear__(&self, py: Python<'_>) {
        let cleared = self.state.with(py, |state| (state.wakeup.take(), state.awaited.take()));
        drop(cleared);
    }
}
