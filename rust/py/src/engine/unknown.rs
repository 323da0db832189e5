//! The report of recipients whose type is not registered, once the handlers of the other recipients have begun.

use ferrogen_core::{Outcome, Ticket};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;

use super::engine::Engine;
use crate::agent_id::AgentId;
use crate::publish_envelope::PublishEnvelope;

/// A callback for the event loop: reports unknown recipients, and ends the routing of their message.
#[pyclass(frozen, module = "ferrogen._core")]
pub(super) struct UnknownRecipients {
    engine: Py<Engine>,
    ticket: Ticket,
    envelope: Py<PublishEnvelope>,
    recipients: Vec<Py<AgentId>>,
}

impl UnknownRecipients {
    /// Schedules the report behind the first steps of the handlers, which are scheduled.
    pub(super) fn report_soon(
        engine: &Bound<'_, Engine>,
        event_loop: &Bound<'_, PyAny>,
        ticket: Ticket,
        envelope: &Bound<'_, PublishEnvelope>,
        recipients: Vec<&Bound<'_, AgentId>>,
    ) -> PyResult<()> {
        let report = Self {
            engine: engine.clone().unbind(),
            ticket,
            envelope: envelope.clone().unbind(),
            recipients: recipients.into_iter().map(|one| one.clone().unbind()).collect(),
        };
        event_loop.call_method1(intern!(engine.py(), "call_soon"), (report,)).map(|_| ())
    }
}

#[pymethods]
impl UnknownRecipients {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        let (engine, envelope) = (self.engine.bind(py), self.envelope.bind(py));
        let recipients = self.recipients.iter().map(|one| one.bind(py)).collect();
        let reported = Engine::report_unknown(engine, envelope, recipients);
        Engine::end_routing(engine, self.ticket, envelope, Outcome::Handled)?;
        reported
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.engine)?;
        visit.call(&self.envelope)
    }
}
