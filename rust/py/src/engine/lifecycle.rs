//! The life cycle of an engine: bound to an event loop, open, shut.

use std::sync::atomic::Ordering;

use ferrogen_core as core;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::engine::{Engine, State};
use crate::interpreter::threads::ThreadOfProcess;

#[pymethods]
impl Engine {
    fn bind(
        slf: &Bound<'_, Self>,
        event_loop: Bound<'_, PyAny>,
        context: Py<PyAny>,
    ) -> PyResult<()> {
        slf.get().attach(&event_loop, context, |state| state.is_by_hand = true)?;
        // Messages with a delay may have been accepted before.
        Self::set_timer(slf)
    }

    #[pyo3(signature = (event_loop, context, *, is_traced))]
    fn open(
        slf: &Bound<'_, Self>,
        event_loop: Bound<'_, PyAny>,
        context: Py<PyAny>,
        is_traced: bool,
    ) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        this.is_traced.store(is_traced, Ordering::Relaxed);
        this.idle_is_awaited.store(false, Ordering::Relaxed);
        this.cancel_timer(py)?;
        let thread = ThreadOfProcess::current();
        let has_moved = this.attach(&event_loop, context, |state| {
            state.is_armed = false;
            state.is_checking = false;
            state.is_resuming = false;
            state.thread = thread;
            state.is_started = true;
            state.is_by_hand = false;
        })?;
        if has_moved {
            this.rest_all(&event_loop)?;
        }
        Self::set_timer(slf)?;
        Self::arm(slf)
    }

    fn shut(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let (pool, event_loop) = this.state.with(py, |state| {
            (state.is_started, state.is_by_hand) = (false, false);
            let event_loop = state.event_loop.as_ref().map(|one| one.clone_ref(py));
            (std::mem::take(&mut state.pool), event_loop)
        });
        for task in pool {
            task.retire(py, event_loop.as_ref().map(|one| one.bind(py)));
        }
        // The event loop must not keep the runtime alive.
        this.cancel_timer(py)?;
        Self::set_timer(slf)
    }

    #[getter]
    fn is_started(&self, py: Python<'_>) -> bool {
        self.state.with(py, |state| state.is_started)
    }

    #[getter]
    fn is_running(&self) -> bool {
        self.depth.load(Ordering::Relaxed) > 0
    }

    #[getter]
    fn is_paused(&self, py: Python<'_>) -> bool {
        self.books.with(py, |books| books.machine.is_paused())
    }

    #[getter]
    fn get_is_traced(&self) -> bool {
        self.is_traced.load(Ordering::Relaxed)
    }

    #[setter]
    fn set_is_traced(&self, is_traced: bool) {
        self.is_traced.store(is_traced, Ordering::Relaxed);
    }

    #[setter]
    fn set_idle_is_awaited(&self, awaited: bool) {
        self.idle_is_awaited.store(awaited, Ordering::Relaxed);
    }

    #[setter]
    fn set_interception_is_awaited(&self, awaited: bool) {
        self.interception_is_awaited.store(awaited, Ordering::Relaxed);
    }

    // Called by hand.

    fn take_one(slf: &Bound<'_, Self>) -> PyResult<bool> {
        Self::take_by_hand(slf)
    }

    fn drain(slf: &Bound<'_, Self>, reason: &str) -> PyResult<()> {
        Self::drain_all(slf, reason)
    }

    #[getter]
    fn waiting(&self, py: Python<'_>) -> usize {
        self.books.with(py, |books| books.machine.waiting())
    }

    #[getter]
    fn idle(&self, py: Python<'_>) -> bool {
        self.books.with(py, |books| books.machine.is_idle())
    }

    fn tally<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let tally: core::Tally = self.books.with(py, |books| books.machine.tally());
        let counts = PyDict::new(py);
        counts.set_item("accepted", tally.accepted)?;
        counts.set_item("handled", tally.handled)?;
        counts.set_item("responded", tally.responded)?;
        counts.set_item("dropped", tally.dropped)?;
        counts.set_item("cancelled", tally.cancelled)?;
        counts.set_item("failed", tally.failed)?;
        counts.set_item("expired", tally.expired)?;
        counts.set_item("dead_lettered", tally.dead_lettered)?;
        Ok(counts)
    }
}

impl Engine {
    /// Attaches the engine to an event loop and to the context of its handlers. Returns whether it was attached to
    /// another one before.
    fn attach(
        &self,
        event_loop: &Bound<'_, PyAny>,
        context: Py<PyAny>,
        change: impl FnOnce(&mut State),
    ) -> PyResult<bool> {
        let py = event_loop.py();
        let base = self.books.with(py, |books| books.set_base(context.clone_ref(py)));
        let before = self.state.with(py, |state| {
            change(state);
            let context = state.context.replace(context);
            (state.event_loop.replace(event_loop.clone().unbind()), context)
        });
        let has_moved = before.0.as_ref().is_none_or(|one| !one.is(event_loop));
        drop((base, before));
        if has_moved {
            self.clock.follow(event_loop)?;
        }
        Ok(has_moved)
    }
}
