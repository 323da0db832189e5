//! Callbacks of the event loop: methods of the engine, and functions of others in their contexts.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyTuple;

use super::engine::Engine;
use super::execution::Execution;
use crate::interpreter::coroutine::call_method;

/// A method that the event loop calls in its next iteration.
#[derive(Clone, Copy)]
pub(super) enum Callback {
    ProcessBatch,
    BeginGathered,
    FinishCancelled,
    CheckReturned,
    ResumeResponded,
    ResumeYielded,
}

impl Callback {
    const NAMES: [&str; 6] = [
        "process_batch",
        "begin_gathered",
        "finish_cancelled",
        "check_returned",
        "resume_responded",
        "resume_yielded",
    ];

    /// The unbound method: binding one to the engine for each call costs as much as the rest of the scheduling.
    fn method(self, py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
        static METHODS: PyOnceLock<[Py<PyAny>; Callback::NAMES.len()]> = PyOnceLock::new();
        let methods = METHODS.get_or_try_init(py, || {
            let class = py.get_type::<Engine>();
            let mut methods = Self::NAMES.map(|_| py.None());
            for (place, name) in methods.iter_mut().zip(Self::NAMES) {
                *place = class.getattr(name)?.unbind();
            }
            PyResult::Ok(methods)
        })?;
        Ok(methods[self as usize].bind(py))
    }

    /// Schedules the method.
    pub(super) fn call_soon(
        self,
        engine: &Bound<'_, Engine>,
        event_loop: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let py = engine.py();
        let arguments = (self.method(py)?, engine);
        event_loop.call_method1(intern!(py, "call_soon"), arguments).map(|_| ())
    }
}

impl Engine {
    /// Schedules a handler that has yielded to the event loop to be resumed.
    pub(super) fn resume_in_next_iteration(
        engine: &Bound<'_, Self>,
        execution: &Bound<'_, Execution>,
    ) -> PyResult<()> {
        let py = engine.py();
        let arguments = (Callback::ResumeYielded.method(py)?, engine, execution);
        let event_loop = execution.get().event_loop(py);
        event_loop.call_method1(intern!(py, "call_soon"), arguments).map(|_| ())
    }
}

/// Schedules a callback with one argument in a context.
pub(super) fn call_soon_in<'py>(
    event_loop: &Bound<'py, PyAny>,
    callback: &Bound<'py, PyAny>,
    argument: &Bound<'py, PyAny>,
    context: &Bound<'py, PyAny>,
) -> PyResult<()> {
    static NAMES: PyOnceLock<Py<PyTuple>> = PyOnceLock::new();
    let py = event_loop.py();
    let names = NAMES
        .get_or_try_init(py, || PyTuple::new(py, [intern!(py, "context")]).map(Bound::unbind))?;
    let arguments = [event_loop, callback, argument, context];
    call_method(intern!(py, "call_soon"), 3, arguments, names.bind(py)).map(|_| ())
}

#[pymethods]
impl Engine {
    fn process_batch(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::run_batch(slf)
    }

    fn begin_gathered(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::begin_all_gathered(slf)
    }

    fn finish_cancelled(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::finish_all_cancelled(slf)
    }

    fn check_returned(&self, py: Python<'_>) {
        self.take_returned(py);
    }

    fn resume_responded(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::resume_all(slf)
    }

    fn resume_yielded(slf: &Bound<'_, Self>, execution: &Bound<'_, Execution>) -> PyResult<()> {
        Self::resume(slf, execution)
    }

    fn wake_up(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::on_timer(slf)
    }
}
