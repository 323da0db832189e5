//! `Send`: what `send_message` and `publish_message` return, an awaitable and, once it waits, a future.

use pyo3::exceptions::asyncio::CancelledError;
use pyo3::exceptions::{PyRuntimeError, PyRuntimeWarning};
use pyo3::ffi;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use super::accept::First;
use super::cancellation::cancelled_error;
use super::engine::Engine;
use super::execution::Execution;
use super::future::{Future, Waiting};
use super::messages::{Kind, Request};
use super::resumed_by_sender::{go_on_alone, leave_alone};
use crate::interpreter::GilMutex;
use crate::interpreter::coroutine::{Sent, Step, coroutine_methods};
use crate::interpreter::exception_state::raised_here;
use crate::interpreter::free_list::{FreeList, Recycled, Unreferenced};

pub(super) enum Stage {
    /// It has not been stepped.
    Fresh(Request),
    /// It is being stepped, or has ended.
    Taken,
    /// It is a future that is awaited.
    Future(Box<Future>),
    /// This handler has yielded to the event loop, and is resumed in the next step.
    ResumesHandler(Py<Execution>),
}

#[pyclass(frozen, weakref, name = "Send", module = "ferrogen._core")]
pub(crate) struct Send {
    pub(super) stage: GilMutex<Stage>,
}

impl Send {
    #[inline]
    pub(super) fn make(py: Python<'_>, request: Request) -> PyResult<Bound<'_, Self>> {
        if let Some(send) = FreeList::take::<Self>(py) {
            // A cleared one has nothing to drop.
            send.get().stage.with(py, |stage| *stage = Stage::Fresh(request));
            return Ok(send);
        }
        Bound::new(py, Self { stage: GilMutex::new(Stage::Fresh(request)) })
    }

    pub(super) fn take(&self, py: Python<'_>) -> Stage {
        self.stage.with(py, |stage| std::mem::replace(stage, Stage::Taken))
    }

    pub(super) fn put(&self, py: Python<'_>, stage: Stage) {
        let before = self.stage.with(py, |place| std::mem::replace(place, stage));
        drop(before);
    }

    /// A second awaiter steps it while it waits, which ends it for both, as it ends a coroutine.
    fn stepped_by_another<'py>(this: &Bound<'py, Self>, future: Box<Future>) -> Sent<'py> {
        let py = this.py();
        let error = PyRuntimeError::new_err("await wasn't used with future").into_value(py);
        let error = error.into_bound(py).into_any();
        match Self::leave(this, future, &error) {
            Ok(()) => Sent::Raised(PyErr::from_value(error)),
            Err(error) => Sent::Raised(error),
        }
    }

    fn begin<'py>(this: &Bound<'py, Self>, request: Request) -> Sent<'py> {
        let py = this.py();
        let engine = request.engine.bind(py).clone();
        let first = match request.kind {
            Kind::Send => Engine::send(&engine, this, &request, true),
            Kind::Publish => Engine::publish(&engine, this, &request),
        };
        match first {
            Ok(First::Ended(result)) => {
                request.release(py);
                match result {
                    Ok(value) => Sent::Returned(value),
                    Err(error) => Sent::Raised(raised_here(py, *error)),
                }
            }
            Err(error) => {
                request.release(py);
                Sent::Raised(raised_here(py, error))
            }
            Ok(First::Yielded(execution)) => {
                request.release(py);
                this.get().put(py, Stage::ResumesHandler(execution));
                Sent::Yielded(py.None().into_bound(py))
            }
            Ok(First::Suspended) => {
                request.release(py);
                Self::wait(this)
            }
        }
    }
}

impl Recycled for Send {
    fn free_list() -> &'static FreeList {
        static FREE: FreeList = FreeList::new();
        &FREE
    }

    fn clear(&self, unreferenced: Unreferenced<'_>) -> bool {
        let py = unreferenced.py();
        self.stage.with(py, |stage| matches!(stage, Stage::Taken))
    }
}

pub(super) const REUSED: &str = "cannot reuse already awaited coroutine";

impl Step for Send {
    fn entry() -> &'static PyOnceLock<ffi::iternextfunc> {
        static ENTRY: PyOnceLock<ffi::iternextfunc> = PyOnceLock::new();
        &ENTRY
    }

    fn step<'py>(this: &Bound<'py, Self>, _value: &Bound<'py, PyAny>) -> Sent<'py> {
        let py = this.py();
        match this.get().take(py) {
            Stage::Fresh(request) => Self::begin(this, request),
            Stage::Future(future)
                if matches!(future.waiting, Waiting::Gather(_) | Waiting::Nothing) =>
            {
                this.get().put(py, Stage::Future(future));
                Sent::Raised(PyRuntimeError::new_err(REUSED))
            }
            Stage::Future(future) if future.is_stepped_again() => {
                this.get().put(py, Stage::Future(future));
                Self::wait(this)
            }
            Stage::Future(mut future) => {
                if let Some(outcome) = future.leave_with_deadline(py) {
                    this.get().put(py, Stage::Future(future));
                    return outcome.into_sent(py);
                }
                match future.into_outcome() {
                    Ok(outcome) => outcome.into_sent(py),
                    Err(future) => Self::stepped_by_another(this, future),
                }
            }
            Stage::ResumesHandler(execution) => {
                Self::resume_handler(this, execution.into_bound(py))
            }
            Stage::Taken => Sent::Raised(PyRuntimeError::new_err(REUSED)),
        }
    }
}

coroutine_methods!(Send);

#[pymethods]
impl Send {
    #[pyo3(signature = (error, value = None, traceback = None))]
    fn throw(
        slf: &Bound<'_, Self>,
        error: Bound<'_, PyAny>,
        value: Option<Bound<'_, PyAny>>,
        traceback: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        let error = normalized(error, value, traceback)?;
        let py = slf.py();
        match slf.get().take(py) {
            Stage::Fresh(_) | Stage::Taken => Err(PyErr::from_value(error)),
            Stage::Future(future) => {
                Self::leave(slf, future, &error)?;
                Err(PyErr::from_value(error))
            }
            Stage::ResumesHandler(execution) => {
                Self::leave_handler(slf, execution.bind(py), &error)?;
                Err(PyErr::from_value(error))
            }
        }
    }

    fn close(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        match slf.get().take(py) {
            Stage::Future(future) => {
                let event_loop = future.event_loop(py);
                let error = py.get_type::<CancelledError>().call0()?;
                let left = Self::leave(slf, future, &error);
                // Like a future, it does not complain when it ends after its event loop.
                if left.is_err()
                    && event_loop.call_method0(intern!(py, "is_closed"))?.is_truthy()?
                {
                    return Ok(());
                }
                left
            }
            Stage::ResumesHandler(execution) => go_on_alone(execution.bind(py)),
            Stage::Fresh(_) | Stage::Taken => Ok(()),
        }
    }

    // A future has this attribute, and it is not None. `gather` reads it, and so does a task to which
    // something is yielded.
    #[getter(_asyncio_future_blocking)]
    fn is_future(slf: &Bound<'_, Self>) -> PyResult<Option<bool>> {
        let py = slf.py();
        let known = slf.get().stage.with(py, |stage| match stage {
            Stage::Fresh(request) => Ok(request.engine.bind(py).clone()),
            Stage::Future(future) => Err(Some(matches!(
                future.waiting,
                Waiting::Await { is_blocking: true } | Waiting::Handler(_)
            ))),
            Stage::Taken | Stage::ResumesHandler(_) => Err(None),
        });
        match known {
            Ok(engine) => Ok(Engine::gather(&engine, slf)?.then_some(false)),
            Err(is_blocking) => Ok(is_blocking),
        }
    }

    #[setter(_asyncio_future_blocking)]
    fn set_is_blocking(&self, py: Python<'_>, is_blocking: bool) {
        let before = self.if_future(py, |future| match future.waiting {
            Waiting::Gather(_) | Waiting::Nothing => None,
            _ => Some(std::mem::replace(&mut future.waiting, Waiting::Await { is_blocking })),
        });
        drop(before);
    }

    fn get_loop<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.event_loop(py)
    }

    fn done(&self, py: Python<'_>) -> PyResult<bool> {
        self.is_done(py)
    }

    fn cancelled(&self, py: Python<'_>) -> PyResult<bool> {
        self.cancellation(py).map(|error| error.is_some())
    }

    fn result(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.error_or_response(py)?.map_err(|error| PyErr::from_value(error.into_bound(py)))
    }

    fn exception(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        self.error_or_response(py).map(Result::err)
    }

    #[pyo3(signature = (callback, *, context = None))]
    fn add_done_callback(
        slf: &Bound<'_, Self>,
        callback: &Bound<'_, PyAny>,
        context: Option<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        Self::add_callback(slf, callback, context)
    }

    fn remove_done_callback(&self, callback: &Bound<'_, PyAny>) -> PyResult<usize> {
        self.remove_callback(callback)
    }

    #[pyo3(signature = (msg = None))]
    fn cancel(slf: &Bound<'_, Self>, msg: Option<&Bound<'_, PyAny>>) -> PyResult<bool> {
        Self::cancel_future(slf, msg)
    }

    fn _cancel_by_token(slf: &Bound<'_, Self>) -> PyResult<bool> {
        Self::cancel_by_token(slf)
    }

    // A cancelled `gather` calls this of its last future, which may have its result.
    fn _make_cancelled_error(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.cancellation(py)?.map_or_else(|| cancelled_error(py, None), Ok)
    }

    // As in a task that ended with a `CancelledError`: the message is that of the error.
    #[classattr]
    fn _cancel_message() -> Option<()> {
        None
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.stage.visit(|stage| match stage {
            Stage::Fresh(request) => request.visit(&visit),
            Stage::Future(future) => future.visit(&visit),
            Stage::ResumesHandler(execution) => visit.call(execution),
            Stage::Taken => Ok(()),
        })
    }

    fn __clear__(&self, py: Python<'_>) {
        match self.take(py) {
            Stage::ResumesHandler(execution) => leave_alone(execution.bind(py)),
            stage => drop(stage),
        }
    }
}

impl Drop for Send {
    /// Warns, as a coroutine does, if it was never awaited. A handler that it would have resumed goes on
    /// in its task.
    fn drop(&mut self) {
        // Attaching costs more than all else here.
        if !matches!(self.stage.get_mut(), Stage::Fresh(_) | Stage::ResumesHandler(_)) {
            return;
        }
        Python::attach(|py| match self.take(py) {
            Stage::Fresh(request) => {
                // It may be dropped by a frame that an exception leaves. Python must not run with that
                // exception set.
                let leaving = PyErr::take(py);
                let class = py.get_type::<PyRuntimeWarning>();
                let text = request.kind.never_awaited();
                if let Err(error) = PyErr::warn(py, &class, text, 1) {
                    error.write_unraisable(py, None);
                }
                request.release(py);
                if let Some(error) = leaving {
                    error.restore(py);
                }
            }
            Stage::ResumesHandler(execution) => leave_alone(execution.bind(py)),
            _ => {}
        });
    }
}

/// The exception of a `throw(type, value, traceback)` call, in any of its forms.
pub(super) fn normalized<'py>(
    error: Bound<'py, PyAny>,
    value: Option<Bound<'py, PyAny>>,
    traceback: Option<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let error = match value {
        Some(value) if value.is_instance_of::<pyo3::exceptions::PyBaseException>() => value,
        Some(value) => error.call1((value,))?,
        None if error.is_instance_of::<pyo3::types::PyType>() => error.call0()?,
        None => error,
    };
    if let Some(traceback) = traceback {
        error.setattr("__traceback__", traceback)?;
    }
    Ok(error)
}

#[inline(always)]
pub(super) fn is_cancelled(py: Python<'_>, token: Option<&Py<PyAny>>) -> PyResult<bool> {
    token.map_or(Ok(false), |token| is_token_cancelled(token.bind(py)))
}

#[cold]
fn is_token_cancelled(token: &Bound<'_, PyAny>) -> PyResult<bool> {
    token.call_method0(intern!(token.py(), "is_cancelled"))?.is_truthy()
}
