//! Whoever looks at a message on the short cut: the log of events, or a tracer.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;

use super::request::Request;
use crate::agent_id::AgentId;
use crate::message_context::MessageContext;
use crate::publish_envelope::PublishEnvelope;

/// What is told of a message, or of one recipient of it, if somebody looks: an object of
/// `ferrogen._runtime.watch`.
pub(super) struct Watch(Option<Py<PyAny>>);

impl Watch {
    pub(super) const NOBODY: Self = Self(None);

    /// Reports that a message is handed over. Called in the sender's context.
    pub(super) fn over(host: &Bound<'_, PyAny>, request: &Request) -> PyResult<Self> {
        let py = host.py();
        let about = (&request.message, &request.sender, &request.to);
        Ok(Self(Some(host.call_method1(intern!(py, "watch"), about)?.unbind())))
    }

    /// Reports that a message is published, and returns what it takes along. Called in the
    /// publisher's context.
    pub(super) fn published(
        host: &Bound<'_, PyAny>,
        request: &Request,
    ) -> PyResult<Option<Py<PyAny>>> {
        let about = (&request.message, &request.sender, &request.to);
        let link = host.call_method1(intern!(host.py(), "hand_over"), about)?;
        Ok((!link.is_none()).then(|| link.unbind()))
    }

    /// Finds who is to hear a message that was published. If nobody is named, it has been admitted
    /// on the plain way.
    pub(super) fn recipients(
        host: &Bound<'_, PyAny>,
        ticket: u64,
        envelope: &Bound<'_, PublishEnvelope>,
    ) -> PyResult<Option<Vec<Py<AgentId>>>> {
        host.call_method1(intern!(host.py(), "route"), (ticket, envelope))?.extract()
    }

    /// Looks at what one recipient does with a message that was published.
    pub(super) fn hearing(
        host: &Bound<'_, PyAny>,
        recipient: &Bound<'_, AgentId>,
        envelope: &Bound<'_, PublishEnvelope>,
    ) -> PyResult<Self> {
        let watch = host.call_method1(intern!(host.py(), "hearing"), (recipient, envelope))?;
        Ok(Self(Some(watch.unbind())))
    }

    /// Reports that the handler is about to begin. Called in its context.
    #[inline]
    pub(super) fn begin(&self, context: &Bound<'_, MessageContext>) -> PyResult<()> {
        let Some(watch) = &self.0 else { return Ok(()) };
        watch.bind(context.py()).call_method1(intern!(context.py(), "begin"), (context,))?;
        Ok(())
    }

    /// Whether somebody looks.
    pub(super) fn is_somebody(&self) -> bool {
        self.0.is_some()
    }

    /// Reports that the handler has ended.
    pub(super) fn answered(&self, answer: &Bound<'_, PyAny>) -> PyResult<()> {
        let Some(watch) = &self.0 else { return Ok(()) };
        watch.bind(answer.py()).call_method1(intern!(answer.py(), "answered"), (answer,))?;
        Ok(())
    }

    /// Reports that the handler has raised, and returns what is raised in the end.
    pub(super) fn failed(&self, py: Python<'_>, error: PyErr) -> PyErr {
        let Some(watch) = &self.0 else { return error };
        let reported = watch.call_method1(py, intern!(py, "failed"), (error.value(py),));
        reported.err().unwrap_or(error)
    }

    /// Reports how the handler has ended, and returns that.
    pub(super) fn end<'py>(
        &self,
        py: Python<'py>,
        result: PyResult<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        match result {
            Ok(answer) => self.answered(&answer).map(|()| answer),
            Err(error) => Err(self.failed(py, error)),
        }
    }

    pub(super) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.0)
    }
}
