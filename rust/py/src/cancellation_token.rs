//! `CancellationToken`: carries a request to stop from a caller to the work it started.
//!
//! Callbacks run outside any lock (B1), so they can use the token. The thread that removes a
//! callback runs it.

use std::collections::BTreeMap;

use pyo3::exceptions::PyRuntimeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::engine::Send;
use crate::interpreter::GilMutex;

/// The action when the token is cancelled.
enum Linked {
    /// A function to call.
    Callback(Py<PyAny>),
    /// A future to cancel.
    Future(Py<PyAny>),
}

#[derive(Default)]
struct State {
    is_cancelled: bool,
    next: u64,
    /// In insertion order.
    linked: BTreeMap<u64, Linked>,
}

/// Carries a request to stop from a caller to the work it started.
#[pyclass(frozen, subclass, weakref, dict, module = "ferrogen")]
#[derive(Default)]
pub(crate) struct CancellationToken {
    state: GilMutex<State>,
}

impl CancellationToken {
    /// Stores an action for the cancellation, and returns its number; returns the action if the
    /// token is cancelled already.
    fn keep(&self, py: Python<'_>, linked: Linked) -> Result<u64, Linked> {
        self.state.with(py, |state| {
            if state.is_cancelled {
                return Err(linked);
            }
            state.next += 1;
            state.linked.insert(state.next, linked);
            Ok(state.next)
        })
    }

    fn forget(&self, py: Python<'_>, number: u64) {
        let forgotten = self.state.with(py, |state| state.linked.remove(&number));
        drop(forgotten);
    }
}

#[pymethods]
impl CancellationToken {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    fn cancel(&self, py: Python<'_>) -> PyResult<()> {
        let was_cancelled =
            self.state.with(py, |state| std::mem::replace(&mut state.is_cancelled, true));
        if was_cancelled {
            return Ok(());
        }
        let mut first_error = None;
        while let Some((_, linked)) = self.state.with(py, |state| state.linked.pop_first()) {
            if let Err(error) = linked.act(py) {
                first_error.get_or_insert(error);
            }
        }
        first_error.map_or(Ok(()), Err)
    }

    fn is_cancelled(&self, py: Python<'_>) -> bool {
        self.state.with(py, |state| state.is_cancelled)
    }

    fn add_callback(&self, py: Python<'_>, callback: Py<PyAny>) -> PyResult<()> {
        match self.keep(py, Linked::Callback(callback)) {
            Ok(_) => Ok(()),
            Err(linked) => linked.act(py),
        }
    }

    fn link_future<'py>(
        slf: &Bound<'py, Self>,
        future: Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (py, this) = (slf.py(), slf.get());
        if is_only_a_coroutine(&future)? || future.call_method0(intern!(py, "done"))?.is_truthy()? {
            return Ok(future);
        }
        match this.keep(py, Linked::Future(future.clone().unbind())) {
            Err(linked) => linked.act(py)?,
            Ok(number) => {
                let settled = Bound::new(py, Settled { token: slf.clone().unbind(), number })?;
                let added = future.call_method1(intern!(py, "add_done_callback"), (settled,));
                if added.is_err() {
                    this.forget(py, number);
                }
                added?;
            }
        }
        Ok(future)
    }

    /// The linked callbacks and futures, in insertion order. For tests that look for leaks.
    #[getter]
    fn _callbacks(&self, py: Python<'_>) -> Vec<Py<PyAny>> {
        self.state.with(py, |state| {
            let linked = state.linked.values();
            linked.map(|(Linked::Callback(one) | Linked::Future(one))| one.clone_ref(py)).collect()
        })
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.state.visit(|state| {
            state.linked.values().try_for_each(|linked| match linked {
                Linked::Callback(one) | Linked::Future(one) => visit.call(one),
            })
        })
    }

    fn __clear__(&self, py: Python<'_>) {
        let cleared = self.state.with(py, |state| std::mem::take(&mut state.linked));
        drop(cleared);
    }
}

impl Linked {
    fn act(self, py: Python<'_>) -> PyResult<()> {
        match self {
            Self::Callback(callback) => callback.call0(py).map(|_| ()),
            Self::Future(future) => cancel_in_its_loop(future.bind(py)),
        }
    }
}

/// The done callback of a linked future; unlinks it from the token.
#[pyclass(frozen, module = "ferrogen._core")]
struct Settled {
    token: Py<CancellationToken>,
    number: u64,
}

#[pymethods]
impl Settled {
    fn __call__(&self, py: Python<'_>, _future: &Bound<'_, PyAny>) {
        self.token.get().forget(py, self.number);
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.token)
    }
}

/// A coroutine runs inside its awaiting task, and only that task can be cancelled. A `Send` is a
/// future as well, while it has a waiter.
fn is_only_a_coroutine(future: &Bound<'_, PyAny>) -> PyResult<bool> {
    static ASKED: PyOnceLock<(Py<PyAny>, Py<PyAny>)> = PyOnceLock::new();
    let py = future.py();
    let (is_coroutine, is_future) = ASKED.get_or_try_init(py, || {
        let asyncio = py.import("asyncio")?;
        let found = |name: &str| PyResult::Ok(asyncio.getattr(name)?.unbind());
        PyResult::Ok((found("iscoroutine")?, found("isfuture")?))
    })?;
    let answers = |question: &Py<PyAny>| question.bind(py).call1((future,))?.is_truthy();
    Ok(!answers(is_future)? && answers(is_coroutine)?)
}

/// Cancels a future in the thread of its event loop.
fn cancel_in_its_loop(future: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = future.py();
    if future.call_method0(intern!(py, "done"))?.is_truthy()? {
        return Ok(());
    }
    let is_send = future.is_exact_instance_of::<Send>();
    let name = if is_send { intern!(py, "_cancel_by_token") } else { intern!(py, "cancel") };
    let cancel = future.getattr(name)?;
    let Some(get_loop) = future.getattr_opt(intern!(py, "get_loop"))? else {
        // A concurrent.futures.Future is thread-safe.
        return cancel.call0().map(|_| ());
    };
    let event_loop = get_loop.call0()?;
    let says = |question: &str| event_loop.call_method0(question)?.is_truthy();
    if says("is_closed")? {
        return Ok(());
    }
    let running = py.import("asyncio")?.call_method0("_get_running_loop")?;
    if running.is(&event_loop) || !says("is_running")? {
        return cancel.call0().map(|_| ());
    }
    match event_loop.call_method1(intern!(py, "call_soon_threadsafe"), (cancel,)) {
        // The loop was closed in between: the future has no waiter.
        Err(error) if error.is_instance_of::<PyRuntimeError>(py) && says("is_closed")? => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Ok(()),
    }
}
