//! `Send`: what `send_message` and `publish_message` return; a coroutine that takes the short cut if
//! it can.

use std::ffi::CStr;

use pyo3::exceptions::{PyRuntimeError, PyRuntimeWarning};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;

use super::coroutine::{Sent, Step, as_method, send, throw};
use super::drive::{Drive, First};
use super::gil_cell::GilCell;

/// What a message is sent as.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Errand {
    /// A message to one agent, whose answer the sender waits for.
    Send,
    /// A message to a topic.
    Publish,
}

impl Errand {
    fn never_awaited(self) -> &'static CStr {
        match self {
            Self::Send => c"coroutine 'SingleThreadedAgentRuntime.send_message' was never awaited",
            Self::Publish => {
                c"coroutine 'SingleThreadedAgentRuntime.publish_message' was never awaited"
            }
        }
    }
}

/// What was asked for.
pub(super) struct Request {
    pub(super) errand: Errand,
    pub(super) drive: Py<Drive>,
    pub(super) message: Py<PyAny>,
    /// The agent or the topic.
    pub(super) to: Py<PyAny>,
    pub(super) sender: Option<Py<PyAny>>,
    pub(super) cancellation_token: Option<Py<PyAny>>,
    pub(super) message_id: Option<Py<PyAny>>,
}

impl Request {
    /// Lets go of everything. Dropping a field would first look up whether it may.
    fn release(self, py: Python<'_>) {
        self.drive.drop_ref(py);
        self.message.drop_ref(py);
        self.to.drop_ref(py);
        for given in [self.sender, self.cancellation_token, self.message_id].into_iter().flatten() {
            given.drop_ref(py);
        }
    }
}

enum Stage {
    /// Nothing was done yet.
    Fresh(Request),
    /// It is being stepped, or has ended.
    Taken,
    /// Its steps are those of this coroutine or future.
    Waiting(Py<PyAny>),
}

#[pyclass(frozen, weakref, name = "Send", module = "ferrogen._core")]
pub(crate) struct Send {
    stage: GilCell<Stage>,
}

impl Send {
    pub(super) fn new(request: Request) -> Self {
        Self { stage: GilCell::new(Stage::Fresh(request)) }
    }

    fn take(&self, py: Python<'_>) -> Stage {
        // SAFETY: the stage is moved out.
        unsafe { self.stage.with(py, |stage| std::mem::replace(stage, Stage::Taken)) }
    }

    fn put(&self, py: Python<'_>, stage: Stage) {
        // SAFETY: the stage is moved in; the one before was moved out and holds no reference.
        let before = unsafe { self.stage.with(py, |place| std::mem::replace(place, stage)) };
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

    fn begin<'py>(&self, py: Python<'py>, request: Request) -> Sent<'py> {
        let drive = request.drive.bind(py).clone();
        let none = py.None().into_bound(py);
        let came_of_it = match request.errand {
            Errand::Send => Drive::first_step(&drive, &request),
            Errand::Publish => Drive::publish(&drive, &request),
        };
        match came_of_it {
            Ok(First::Ended(result)) => {
                request.release(py);
                match result {
                    Ok(answer) => Sent::Returned(answer),
                    Err(error) => Sent::Raised(error),
                }
            }
            Err(error) => Sent::Raised(error),
            Ok(First::Pause) => {
                self.put(py, Stage::Fresh(request));
                Sent::Yielded(none)
            }
            Ok(First::Suspended(answer)) => match answer.call_method0(intern!(py, "__await__")) {
                Ok(waiting) => self.delegate(waiting, |inner| send(inner, &none)),
                Err(error) => Sent::Raised(error),
            },
            Ok(First::PlainWay) => match Drive::plain_way(&drive, request) {
                Ok(coroutine) => self.delegate(coroutine, |inner| send(inner, &none)),
                Err(error) => Sent::Raised(error),
            },
        }
    }
}

impl Step for Send {
    fn step<'py>(this: &Bound<'py, Self>, value: &Bound<'py, PyAny>) -> Sent<'py> {
        let py = this.py();
        match this.get().take(py) {
            Stage::Fresh(request) => this.get().begin(py, request),
            Stage::Waiting(inner) => {
                this.get().delegate(inner.into_bound(py), |inner| send(inner, value))
            }
            Stage::Taken => {
                Sent::Raised(PyRuntimeError::new_err("cannot reuse already awaited coroutine"))
            }
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
        as_method(Self::step(slf, &slf.py().None().into_bound(slf.py())))
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
        }
    }

    fn close(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        if let Stage::Waiting(inner) = slf.get().take(py) {
            inner.call_method0(py, intern!(py, "close"))?;
        }
        Ok(())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.stage.visit(|stage| match stage {
            Stage::Fresh(request) => {
                visit.call(&request.drive)?;
                visit.call(&request.message)?;
                visit.call(&request.to)?;
                visit.call(&request.sender)?;
                visit.call(&request.cancellation_token)?;
                visit.call(&request.message_id)
            }
            Stage::Waiting(inner) => visit.call(inner),
            Stage::Taken => Ok(()),
        })
    }

    fn __clear__(&self, py: Python<'_>) {
        drop(self.take(py));
    }
}

impl Drop for Send {
    /// Warns, as a coroutine does, if nobody awaited it.
    fn drop(&mut self) {
        Python::attach(|py| {
            if let Stage::Fresh(request) = self.take(py) {
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
