//! The coroutine that Python sees: what tasks, debuggers and the garbage collector ask of it.

use pyo3::exceptions::PyRuntimeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;

use super::{Execution, Stage};
use crate::engine::send;
use crate::interpreter::coroutine::{as_method, coroutine_methods};

coroutine_methods!(Execution);

#[pymethods]
impl Execution {
    #[pyo3(signature = (error, value = None, traceback = None))]
    fn throw(
        slf: &Bound<'_, Self>,
        error: Bound<'_, PyAny>,
        value: Option<Bound<'_, PyAny>>,
        traceback: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        let error = send::normalized(error, value, traceback)?;
        as_method(Self::throw_in(slf, &error))
    }

    fn close(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (py, execution) = (slf.py(), slf.get());
        let is_running = || PyRuntimeError::new_err("the handler is running");
        if execution.is_running(py) {
            return Err(is_running());
        }
        let coroutine = match execution.take_stage(py, Stage::Ended) {
            Stage::Yielded(coroutine, _)
            | Stage::AwaitsSend(coroutine, ..)
            | Stage::Pending(coroutine, _)
            | Stage::Waiting(coroutine) => coroutine,
            Stage::Unstarted(handler) => {
                return (*handler).fail(py, pyo3::exceptions::asyncio::CancelledError::new_err(()));
            }
            stage @ Stage::Inline => {
                execution.put_stage(py, stage);
                return Err(is_running());
            }
            Stage::Idle | Stage::Ended => return Ok(()),
        };
        coroutine.call_method0(py, intern!(py, "close"))?;
        let closed = pyo3::exceptions::asyncio::CancelledError::new_err(());
        execution.conclude(py, Err(closed)).map(|_| ())
    }

    /// The frame of the handler's own coroutine, for `Task.get_stack()`.
    #[getter]
    fn cr_frame(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.of_coroutine(py, "cr_frame")
    }

    #[getter]
    fn cr_code(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.of_coroutine(py, "cr_code")
    }

    #[getter]
    fn cr_running(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.of_coroutine(py, "cr_running")
    }

    #[getter]
    fn cr_await(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.of_coroutine(py, "cr_await")
    }

    /// The name of the handler, for the representation of its task.
    #[getter(__qualname__)]
    fn qualname(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.of_coroutine(py, "__qualname__")
    }

    #[getter(__name__)]
    fn name(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.of_coroutine(py, "__name__")
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(match self.coroutine(py) {
            Some(coroutine) => coroutine.repr()?.to_string(),
            None => "<ferrogen handler>".to_owned(),
        })
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.event_loop)?;
        self.running.visit(|running| visit.call(running))?;
        self.inner.visit(|inner| {
            match &inner.stage {
                Stage::Idle | Stage::Inline | Stage::Ended => {}
                Stage::Unstarted(handler) => handler.visit(&visit)?,
                Stage::Yielded(coroutine, pooled) => {
                    visit.call(coroutine)?;
                    pooled.visit(&visit)?;
                }
                Stage::AwaitsSend(coroutine, pooled, send) => {
                    visit.call(coroutine)?;
                    pooled.visit(&visit)?;
                    visit.call(send)?;
                }
                Stage::Pending(coroutine, yielded) => {
                    visit.call(coroutine)?;
                    visit.call(&yielded.0)?;
                }
                Stage::Waiting(coroutine) => visit.call(coroutine)?,
            }
            if let Some(completion) = &inner.completion {
                completion.visit(&visit)?;
            }
            if let Some(pooled) = &inner.pooled {
                pooled.visit(&visit)?;
            }
            if let Some(outcome) = &inner.outcome {
                outcome.visit(&visit)?;
            }
            visit.call(&inner.awaited)?;
            visit.call(&inner.waiter)
        })
    }

    fn __clear__(&self, py: Python<'_>) {
        let cleared = self.inner.with(py, |inner| {
            let stage = std::mem::replace(&mut inner.stage, Stage::Ended);
            let futures = (inner.awaited.take(), inner.waiter.take(), inner.pooled.take());
            (stage, inner.completion.take(), inner.outcome.take(), futures)
        });
        drop(cleared);
    }
}
