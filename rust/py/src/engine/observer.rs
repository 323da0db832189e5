//! Observers of messages: the event log and tracing. Both are written in Python, and called only if there is
//! something to report to (B2).

use std::sync::atomic::{AtomicU64, Ordering};

use pyo3::ffi;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::invoke::Handled;
use super::messages::Request;
use crate::agent_id::AgentId;
use crate::errors::exception;
use crate::message_context::MessageContext;
use crate::publish_envelope::PublishEnvelope;

/// The observer of a message that was sent, or of one delivery of a message that was published: an
/// object of `ferrogen.runtime.observation`, or none.
pub(super) struct Observation(Option<Py<PyAny>>);

impl Observation {
    pub(super) const NONE: Self = Self(None);

    /// Reports that a message is sent. Called in the sender's context.
    pub(super) fn of_send(host: &Bound<'_, PyAny>, request: &Request) -> PyResult<Self> {
        let py = host.py();
        let about = (&request.message, &request.sender, &request.to);
        Ok(Self(Some(host.call_method1(intern!(py, "observe_send"), about)?.unbind())))
    }

    /// Reports that a message is published. Returns the observer that its envelope carries. Called in the
    /// publisher's context.
    pub(super) fn of_publish(
        host: &Bound<'_, PyAny>,
        request: &Request,
    ) -> PyResult<Option<Py<PyAny>>> {
        let about = (&request.message, &request.sender, &request.to);
        let observed = host.call_method1(intern!(host.py(), "observe_publish"), about)?;
        Ok((!observed.is_none()).then(|| observed.unbind()))
    }

    /// The observer of one delivery of a published message.
    pub(super) fn of_delivery(
        host: &Bound<'_, PyAny>,
        recipient: &Bound<'_, AgentId>,
        envelope: &Bound<'_, PublishEnvelope>,
    ) -> PyResult<Self> {
        let about = (recipient, envelope);
        let observed = host.call_method1(intern!(host.py(), "observe_delivery"), about)?;
        Ok(Self(Some(observed.unbind())))
    }

    pub(super) fn is_some(&self) -> bool {
        self.0.is_some()
    }

    pub(super) fn object<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.0.as_ref().map(|one| one.bind(py).clone())
    }

    pub(super) fn clone_ref(&self, py: Python<'_>) -> Self {
        Self(self.0.as_ref().map(|one| one.clone_ref(py)))
    }

    /// Reports that the handler is about to begin. Called in its context.
    #[inline(always)]
    pub(super) fn begin(&self, context: &Bound<'_, MessageContext>) -> PyResult<()> {
        if self.0.is_none() { Ok(()) } else { self.report_begin(context) }
    }

    #[cold]
    fn report_begin(&self, context: &Bound<'_, MessageContext>) -> PyResult<()> {
        let Some(observer) = &self.0 else { return Ok(()) };
        observer.bind(context.py()).call_method1(intern!(context.py(), "begin"), (context,))?;
        Ok(())
    }

    /// Reports that the handler has ended, with its response.
    pub(super) fn handled(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        self.report(value.py(), intern!(value.py(), "handled"), value)
    }

    /// Reports that the response has reached the sender.
    pub(super) fn responded(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        self.report(value.py(), intern!(value.py(), "responded"), value)
    }

    fn report(
        &self,
        py: Python<'_>,
        event: &Bound<'_, pyo3::types::PyString>,
        about: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let Some(observer) = &self.0 else { return Ok(()) };
        observer.bind(py).call_method1(event, (about,)).map(|_| ())
    }

    /// Reports that the handler has raised. Returns the error that is raised in the end.
    pub(super) fn failed(&self, py: Python<'_>, error: PyErr) -> PyErr {
        let reported = self.report(py, intern!(py, "failed"), &exception(py, &error));
        reported.err().unwrap_or(error)
    }

    /// Reports how the handler has ended, and returns that.
    #[inline]
    pub(super) fn end<'py>(&self, py: Python<'py>, result: Handled<'py>) -> Handled<'py> {
        if self.0.is_none() { result } else { self.report_end(py, result) }
    }

    #[cold]
    fn report_end<'py>(&self, py: Python<'py>, result: Handled<'py>) -> Handled<'py> {
        match result {
            Ok(value) => self.handled(&value).map(|()| value).map_err(Box::new),
            Err(error) => Err(Box::new(self.failed(py, *error))),
        }
    }

    pub(super) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.0)
    }
}

/// Whether the loggers of the runtime are enabled for INFO, at the cost of reading two numbers.
pub(super) struct LogLevels {
    loggers: [Logger; 2],
    info: Py<PyAny>,
}

/// `Logger.isEnabledFor` caches its results by level in a dict, which `logging` clears whenever a level
/// or the manager changes. So a result found there is valid; otherwise the logger itself is asked.
struct Logger {
    logger: Py<PyAny>,
    cache: Py<PyDict>,
    /// The version of the cache in which INFO was last found disabled.
    disabled_in: AtomicU64,
}

impl LogLevels {
    pub(super) fn find(py: Python<'_>, names: [&str; 2]) -> PyResult<Self> {
        let logging = py.import("logging")?;
        let found = |name: &str| -> PyResult<Logger> {
            let logger = logging.call_method1("getLogger", (name,))?;
            let cache = logger.getattr("_cache")?.cast_into::<PyDict>()?.unbind();
            Ok(Logger { logger: logger.unbind(), cache, disabled_in: AtomicU64::new(NEVER) })
        };
        Ok(Self {
            loggers: [found(names[0])?, found(names[1])?],
            info: logging.getattr(intern!(py, "INFO"))?.unbind(),
        })
    }

    /// Whether both loggers are disabled for INFO.
    #[inline]
    pub(super) fn are_disabled(&self, py: Python<'_>) -> PyResult<bool> {
        for one in &self.loggers {
            let version = version(&one.cache);
            if version != NEVER && version == one.disabled_in.load(Ordering::Relaxed) {
                continue;
            }
            if is_cached_as_false(&one.cache, &self.info) {
                one.disabled_in.store(version, Ordering::Relaxed);
                continue;
            }
            let is_enabled = intern!(py, "isEnabledFor");
            if one.logger.bind(py).call_method1(is_enabled, (&self.info,))?.is_truthy()? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn is_cached_as_false(cache: &Py<PyDict>, level: &Py<PyAny>) -> bool {
    // SAFETY: both are live references. Hashing and comparing an int runs no Python; the value is
    // borrowed, and only compared with a constant of the interpreter.
    unsafe { ffi::PyDict_GetItemWithError(cache.as_ptr(), level.as_ptr()) == ffi::Py_False() }
}

/// No version of a dict.
const NEVER: u64 = 0;

/// A number that changes with each change of a dict, and is unique to it. From 3.14 on there is none.
#[cfg(not(Py_3_14))]
#[allow(deprecated, reason = "removed in 3.14, where the cache itself is read")]
fn version(dict: &Py<PyDict>) -> u64 {
    // SAFETY: a live dict; a number of its struct is read.
    unsafe { (*dict.as_ptr().cast::<ffi::PyDictObject>()).ma_version_tag }
}

#[cfg(Py_3_14)]
fn version(_dict: &Py<PyDict>) -> u64 {
    NEVER
}
