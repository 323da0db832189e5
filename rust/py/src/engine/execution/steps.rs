//! The steps of a task: from the yield of its own future to the end of the handler that runs in it.

use std::sync::atomic::Ordering;

use pyo3::exceptions::PyRuntimeError;
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyTuple;

use super::{Awaited, Execution, Stage};
use crate::engine::engine::Engine;
use crate::engine::settlement::Ended;
use crate::engine::waiter::Waiter;
use crate::interpreter::coroutine::{Sent, Step, send, send_none, throw};

/// Steps of the task.
impl Execution {
    /// Yields the task's own future.
    fn wait_idle<'py>(this: &Bound<'py, Self>) -> Sent<'py> {
        let (py, execution) = (this.py(), this.get());
        let waiter =
            execution.inner.with(py, |inner| inner.waiter.as_ref().map(|one| one.clone_ref(py)));
        if let Some(waiter) = waiter {
            waiter.get().block_again(py);
            return Sent::Yielded(waiter.into_bound(py).into_any());
        }
        let waiter = match Bound::new(py, Waiter::new(execution.event_loop.clone_ref(py))) {
            Ok(waiter) => waiter,
            Err(error) => return Sent::Raised(error),
        };
        let before =
            execution.inner.with(py, |inner| inner.waiter.replace(waiter.clone().unbind()));
        drop(before);
        Sent::Yielded(waiter.into_any())
    }

    /// A handler has ended in its task. If the task can be reused, it waits for its own future again.
    fn end_task<'py>(this: &Bound<'py, Self>, engine: Option<Bound<'py, Engine>>) -> Sent<'py> {
        let (py, execution) = (this.py(), this.get());
        let pooled = execution.inner.with(py, |inner| inner.pooled.take());
        // A task that others refer to is done as soon as its handler has ended.
        let pooled = pooled.filter(|pooled| pooled.is_private(py, 1)); // asyncio: it is the current task
        let (Some(engine), Some(pooled)) = (engine, pooled) else {
            return Sent::Returned(py.None().into_bound(py));
        };
        execution.put_stage(py, Stage::Idle);
        engine.get().state.with(py, |state| state.returned.push(pooled));
        Self::wait_idle(this)
    }

    /// The engine that may reuse the task of a handler that is about to end: it will check the task before
    /// anything sees the end of the handler.
    fn reuse<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, Engine>>> {
        let engine = self.inner.with(py, |inner| {
            let completion = inner.completion.as_ref().filter(|_| inner.pooled.is_some())?;
            Some(completion.engine.bind(py).clone())
        });
        match engine {
            Some(engine) if Engine::check_returned_soon(&engine)? => Ok(Some(engine)),
            _ => Ok(None),
        }
    }

    /// Steps the handler's coroutine.
    fn resume<'py>(
        &self,
        this: &Bound<'py, Self>,
        coroutine: Bound<'py, PyAny>,
        step: impl FnOnce(&Bound<'py, PyAny>) -> Sent<'py>,
    ) -> Sent<'py> {
        let py = this.py();
        self.put_stage(py, Stage::Waiting(coroutine.clone().unbind()));
        let entered = self.with_completion(py, |completion| completion.running(py)).flatten();
        let mut sent = match &entered {
            Some((engine, delivery, task)) => {
                if engine.get().uses_joins.load(Ordering::Relaxed) {
                    engine.get().end_join(py, *delivery);
                }
                let _running = engine.get().enter_handler(*delivery, task);
                step(&coroutine)
            }
            None => step(&coroutine),
        };
        drop((coroutine, entered));
        loop {
            let result = match sent {
                Sent::Yielded(value) => {
                    self.note_awaited(&value);
                    return Sent::Yielded(value);
                }
                Sent::Returned(value) => Ok(value),
                Sent::Raised(error) => Err(error),
            };
            self.put_stage(py, Stage::Ended);
            // Where no check can be scheduled, as in a deep recursion, the task ends.
            let engine = self.reuse(py).unwrap_or_default();
            match self.conclude(py, result) {
                Ok(None) => return Self::end_task(this, engine),
                // The next coroutine to run in this task.
                Ok(Some(coroutine)) => {
                    self.put_stage(py, Stage::Waiting(coroutine.clone().unbind()));
                    sent = send_none(&coroutine);
                }
                Err(error) => return Sent::Raised(error),
            }
        }
    }

    /// Completes the work of the task with what its coroutine has returned or raised.
    pub(in crate::engine) fn conclude<'py>(
        &self,
        py: Python<'py>,
        result: PyResult<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Some(completion) = self.take_completion(py) else { return Ok(None) };
        match completion.complete(py, result)? {
            Ended::Done => Ok(None),
            Ended::Outcome(outcome) => {
                let before = self.inner.with(py, |inner| inner.outcome.replace(outcome));
                drop(before);
                Ok(None)
            }
            Ended::Next(completion, coroutine) => {
                self.set_completion(py, completion);
                Ok(Some(coroutine))
            }
        }
    }

    fn yield_pending<'py>(
        &self,
        py: Python<'py>,
        coroutine: Py<PyAny>,
        Awaited(yielded, is_blocking): Awaited,
    ) -> Sent<'py> {
        self.put_stage(py, Stage::Waiting(coroutine));
        let yielded = yielded.into_bound(py);
        self.note_awaited(&yielded);
        if !is_blocking {
            return Sent::Yielded(yielded); // the task raises an error in the handler if it is not `None`
        }
        // Another awaiter may have reset it.
        match yielded.setattr(intern!(py, "_asyncio_future_blocking"), true) {
            Ok(()) => Sent::Yielded(yielded),
            Err(error) => Sent::Raised(error),
        }
    }

    pub(super) fn throw_in<'py>(this: &Bound<'py, Self>, error: &Bound<'py, PyAny>) -> Sent<'py> {
        let (py, execution) = (this.py(), this.get());
        let raised = || Sent::Raised(PyErr::from_value(error.clone()));
        if execution.is_running(py) {
            return Self::wait_idle(this);
        }
        match execution.take_stage(py, Stage::Ended) {
            Stage::Idle | Stage::Ended => raised(),
            stage @ Stage::Inline => {
                execution.put_stage(py, stage);
                Self::wait_idle(this)
            }
            Stage::Unstarted(handler) => {
                let outcome = (*handler).fail(py, PyErr::from_value(error.clone()));
                outcome.map_or_else(Sent::Raised, |()| raised())
            }
            // Only a direct call gets here: the task waits for its own future.
            stage @ (Stage::Yielded(..) | Stage::AwaitsSend(..)) => {
                execution.put_stage(py, stage);
                Sent::Raised(PyRuntimeError::new_err("the handler is resumed by the engine"))
            }
            Stage::Pending(coroutine, yielded) => match cancel(yielded.0.bind(py), error) {
                Ok(true) => execution.yield_pending(py, coroutine, yielded),
                Ok(false) => {
                    execution.resume(this, coroutine.into_bound(py), |one| throw(one, error))
                }
                Err(error) => Sent::Raised(error),
            },
            Stage::Waiting(coroutine) => {
                execution.resume(this, coroutine.into_bound(py), |one| throw(one, error))
            }
        }
    }
}

/// Cancels a future with the message of a `CancelledError`. Returns whether it was; false for no future.
fn cancel(yielded: &Bound<'_, PyAny>, error: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = yielded.py();
    let Some(cancel) = yielded.getattr_opt(intern!(py, "cancel"))? else { return Ok(false) };
    let arguments = error.getattr(intern!(py, "args"))?.cast_into::<PyTuple>()?;
    cancel.call1(arguments)?.is_truthy()
}

impl Step for Execution {
    fn entry() -> &'static PyOnceLock<ffi::iternextfunc> {
        static ENTRY: PyOnceLock<ffi::iternextfunc> = PyOnceLock::new();
        &ENTRY
    }

    fn step<'py>(this: &Bound<'py, Self>, value: &Bound<'py, PyAny>) -> Sent<'py> {
        let (py, execution) = (this.py(), this.get());
        match execution.take_stage(py, Stage::Ended) {
            Stage::Pending(coroutine, yielded) => execution.yield_pending(py, coroutine, yielded),
            Stage::Waiting(coroutine) => {
                execution.resume(this, coroutine.into_bound(py), |one| send(one, value))
            }
            Stage::Unstarted(handler) => match (*handler).begin(this) {
                Ok(Some(coroutine)) => execution.resume(this, coroutine, |one| send(one, value)),
                Ok(None) => Sent::Returned(py.None().into_bound(py)),
                Err(error) => Sent::Raised(error),
            },
            Stage::Ended => Sent::Returned(py.None().into_bound(py)),
            stage => {
                execution.put_stage(py, stage);
                Self::wait_idle(this)
            }
        }
    }
}
