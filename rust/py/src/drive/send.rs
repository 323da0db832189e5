//! `Send`: what `send_message` and `publish_message` return; a coroutine that takes the short cut if
//! it can.

use pyo3::exceptions::asyncio::CancelledError;
use pyo3::exceptions::{PyRuntimeError, PyRuntimeWarning};
use pyo3::ffi;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use super::coroutine::{Sent, Step, as_method, next, send, throw};
use super::drive::Drive;
use super::free_list::{FreeList, Recycled};
use super::future::{Future, Waiting, cancelled_error};
use super::gil_mutex::GilMutex;
use super::handling::Handling;
use super::request::{Errand, Request};
use super::sending::First;
use super::turns::{go_on_alone, leave_alone};
use super::unhandled::raised_here;

pub(super) enum Stage {
    /// Nothing was done yet.
    Fresh(Request),
    /// It is being stepped, or has ended.
    Taken,
    /// Its steps are those of this coroutine or future.
    Waiting(Py<PyAny>),
    /// It is a future, which somebody waits for.
    Future(Box<Future>),
    /// This handler has given others a turn, and goes on in the next of its sender.
    Turn(Py<Handling>),
}

#[pyclass(frozen, weakref, name = "Send", module = "ferrogen._core")]
pub(crate) struct Send {
    pub(super) stage: GilMutex<Stage>,
}

impl Send {
    #[inline]
    pub(super) fn make(py: Python<'_>, request: Request) -> PyResult<Bound<'_, Self>> {
        if let Some(send) = FreeList::take::<Self>(py) {
            // What is there, in one that was cleared, has nothing to drop.
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

    /// Goes on with the coroutine or future whose steps are ours from now on.
    fn delegate<'py>(
        &self,
        inner: Bound<'py, PyAny>,
        step: impl FnOnce(&Bound<'py, PyAny>) -> Sent<'py>,
    ) -> Sent<'py> {
        let py = inner.py();
        let sent = step(&inner);
        if matches!(sent, Sent::Yielded(_)) {
            self.put(py, Stage::Waiting(inner.unbind()));
        }
        sent
    }

    /// Somebody else steps what is being waited for, which ends it for both, as it ends a coroutine.
    fn stepped_by_another<'py>(this: &Bound<'py, Self>, future: Future) -> Sent<'py> {
        let py = this.py();
        let error = PyRuntimeError::new_err("await wasn't used with future").into_value(py);
        let error = error.into_bound(py).into_any();
        match Self::leave(this, Box::new(future), &error) {
            Ok(()) => Sent::Raised(PyErr::from_value(error)),
            Err(error) => Sent::Raised(error),
        }
    }

    fn begin<'py>(this: &Bound<'py, Self>, request: Request) -> Sent<'py> {
        let (py, send_itself) = (this.py(), this.get());
        let drive = request.drive.bind(py).clone();
        let none = py.None().into_bound(py);
        let came_of_it = match request.errand {
            Errand::Send => Drive::first_step(&drive, this, &request, true),
            Errand::Publish => Drive::publish(&drive, &request),
        };
        match came_of_it {
            Ok(First::Ended(result)) => {
                request.release(py);
                match result {
                    Ok(answer) => Sent::Returned(answer),
                    Err(error) => Sent::Raised(raised_here(py, error)),
                }
            }
            Err(error) => Sent::Raised(raised_here(py, error)),
            Ok(First::Pause) => {
                send_itself.put(py, Stage::Fresh(request));
                Sent::Yielded(none)
            }
            Ok(First::Turn(handling)) => {
                request.release(py);
                send_itself.put(py, Stage::Turn(handling));
                Sent::Yielded(none)
            }
            Ok(First::Suspended) => {
                request.release(py);
                Self::wait(this)
            }
            Ok(First::PlainWay) => match Drive::plain_way(&drive, request) {
                Ok(coroutine) => send_itself.delegate(coroutine, |inner| send(inner, &none)),
                Err(error) => Sent::Raised(error),
            },
        }
    }
}

impl Recycled for Send {
    fn free_list() -> &'static FreeList {
        static FREE: FreeList = FreeList::new();
        &FREE
    }

    unsafe fn clear(&self, py: Python<'_>) -> bool {
        self.stage.with(py, |stage| matches!(stage, Stage::Taken))
    }
}

pub(super) const REUSED: &str = "cannot reuse already awaited coroutine";

impl Step for Send {
    fn entry() -> &'static PyOnceLock<ffi::iternextfunc> {
        static ENTRY: PyOnceLock<ffi::iternextfunc> = PyOnceLock::new();
        &ENTRY
    }

    fn step<'py>(this: &Bound<'py, Self>, value: &Bound<'py, PyAny>) -> Sent<'py> {
        let py = this.py();
        match this.get().take(py) {
            Stage::Fresh(request) => Self::begin(this, request),
            Stage::Waiting(inner) => {
                this.get().delegate(inner.into_bound(py), |inner| send(inner, value))
            }
            Stage::Future(future)
                if matches!(future.waiting, Waiting::Gather(_) | Waiting::Nobody) =>
            {
                this.get().put(py, Stage::Future(future));
                Sent::Raised(PyRuntimeError::new_err(REUSED))
            }
            Stage::Future(future) => match future.into_outcome() {
                Ok(outcome) => outcome.into_sent(py),
                Err(future) => Self::stepped_by_another(this, future),
            },
            Stage::Turn(handling) => Self::take_turn(this, handling),
            Stage::Taken => Sent::Raised(PyRuntimeError::new_err(REUSED)),
        }
    }
}

#[pymethods]
impl Send {
    fn __await__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        next(slf)
    }

    fn send(slf: &Bound<'_, Self>, value: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        as_method(Self::step(slf, value))
    }

    #[pyo3(signature = (error, value = None, traceback = None))]
    fn throw(
        slf: &Bound<'_, Self>,
        error: Bound<'_, PyAny>,
        value: Option<Bound<'_, PyAny>>,
        traceback: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        let error = normalised(error, value, traceback)?;
        let py = slf.py();
        match slf.get().take(py) {
            Stage::Fresh(_) | Stage::Taken => Err(PyErr::from_value(error)),
            Stage::Waiting(inner) => {
                let inner = inner.into_bound(py);
                as_method(slf.get().delegate(inner, |inner| throw(inner, &error)))
            }
            Stage::Future(future) => {
                Self::leave(slf, future, &error)?;
                Err(PyErr::from_value(error))
            }
            Stage::Turn(handling) => {
                Self::leave_turn(slf, handling, &error)?;
                Err(PyErr::from_value(error))
            }
        }
    }

    fn close(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        match slf.get().take(py) {
            Stage::Waiting(inner) => inner.call_method0(py, intern!(py, "close")).map(|_| ()),
            Stage::Future(future) => {
                let error = py.get_type::<CancelledError>().call0()?;
                Self::leave(slf, future, &error)
            }
            Stage::Turn(handling) => go_on_alone(handling.bind(py)),
            Stage::Fresh(_) | Stage::Taken => Ok(()),
        }
    }

    // A future is what has this attribute, and not None for it. `gather` asks, and so does a task to
    // which something is yielded.
    #[getter(_asyncio_future_blocking)]
    fn is_future(slf: &Bound<'_, Self>) -> PyResult<Option<bool>> {
        let py = slf.py();
        let known = slf.get().stage.with(py, |stage| match stage {
            Stage::Fresh(request) => Ok(request.drive.bind(py).clone()),
            Stage::Future(future) => Err(Some(matches!(
                future.waiting,
                Waiting::Await { is_blocking: true } | Waiting::Parked(_)
            ))),
            Stage::Taken | Stage::Waiting(_) | Stage::Turn(_) => Err(None),
        });
        match known {
            Ok(drive) => Ok(Drive::gather(&drive, slf)?.then_some(false)),
            Err(is_blocking) => Ok(is_blocking),
        }
    }

    #[setter(_asyncio_future_blocking)]
    fn set_is_blocking(&self, py: Python<'_>, is_blocking: bool) {
        let before = self.if_future(py, |future| match future.waiting {
            Waiting::Gather(_) | Waiting::Nobody => None,
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
        self.error_or_answer(py)?.map_err(|error| PyErr::from_value(error.into_bound(py)))
    }

    fn exception(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        self.error_or_answer(py).map(Result::err)
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

    // `gather` asks the last of its futures, when it was cancelled itself; that one may have its answer.
    fn _make_cancelled_error(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.cancellation(py)?.map_or_else(|| cancelled_error(py, None), Ok)
    }

    // A task that ended with a `CancelledError` has none either: the words are those of the error.
    #[classattr]
    fn _cancel_message() -> Option<()> {
        None
    }

    #[pyo3(name = "_followed")]
    fn hear(slf: &Bound<'_, Self>, one: &Bound<'_, PyAny>) -> PyResult<()> {
        Self::followed(slf, one)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.stage.visit(|stage| match stage {
            Stage::Fresh(request) => request.visit(&visit),
            Stage::Waiting(inner) => visit.call(inner),
            Stage::Future(future) => future.visit(&visit),
            Stage::Turn(handling) => visit.call(handling),
            Stage::Taken => Ok(()),
        })
    }

    fn __clear__(&self, py: Python<'_>) {
        match self.take(py) {
            Stage::Turn(handling) => leave_alone(handling.bind(py)),
            stage => drop(stage),
        }
    }
}

impl Drop for Send {
    /// Warns, as a coroutine does, if nobody awaited it. A handler that waits for its sender's turn
    /// goes on without.
    fn drop(&mut self) {
        // To attach costs more than all else that is dropped here.
        if !matches!(self.stage.get_mut(), Stage::Fresh(_) | Stage::Turn(_)) {
            return;
        }
        Python::attach(|py| match self.take(py) {
            Stage::Fresh(request) => {
                // It may be on its way out of a frame that an exception leaves. Python must not
                // run with that one set.
                let leaving = PyErr::take(py);
                let class = py.get_type::<PyRuntimeWarning>();
                let text = request.errand.never_awaited();
                if let Err(error) = PyErr::warn(py, &class, text, 1) {
                    error.write_unraisable(py, None);
                }
                request.release(py);
                if let Some(error) = leaving {
                    error.restore(py);
                }
            }
            Stage::Turn(handling) => leave_alone(handling.bind(py)),
            _ => {}
        });
    }
}

/// The exception of a `throw(type, value, traceback)` call, in any of its forms.
fn normalised<'py>(
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
