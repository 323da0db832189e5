//! Diversions: an intervention handler sends a message or a response elsewhere, or lets it come later.

use std::time::Duration;

use ferrogen_core::{DeliveryId, Outcome};
use pyo3::exceptions::PyTypeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;

use super::agents::now;
use super::engine::Engine;
use super::future;
use super::messages::{DirectMessage, Kind, Request, Taken};
use super::observer::Observation;
use super::options::MessageOptions;
use super::revision::Interception;
use super::send::Send;
use crate::agent_id::AgentId;
use crate::publish_envelope::PublishEnvelope;
use crate::python;

/// What intervention handlers have made of the way of a message.
#[derive(Default)]
pub(super) struct Diversion {
    pub(super) delay: Option<Duration>,
    /// The sender of a message or response that was redirected to a topic: no response follows.
    left: Option<(Py<Send>, Observation)>,
    /// The delivery of a response that was redirected.
    responded: Option<DeliveryId>,
}

impl Diversion {
    /// The observation of a message that was redirected to a topic.
    pub(super) fn observation(&self) -> Option<&Observation> {
        self.left.as_ref().map(|(_, observation)| observation)
    }

    pub(super) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some((send, observation)) = &self.left else { return Ok(()) };
        visit.call(send)?;
        observation.visit(visit)
    }
}

impl Interception {
    /// Applies a `Redirect`.
    pub(super) fn redirect(
        &mut self,
        engine: &Bound<'_, Engine>,
        redirect: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let py = engine.py();
        let to = redirect.getattr(intern!(py, "to"))?;
        let message = redirect.getattr(intern!(py, "message"))?;
        if !message.is_none() {
            self.replace(py, message.unbind());
        }
        let is_topic = to.is_instance(python::topic_id(py)?)?;
        if !is_topic && to.cast::<AgentId>().is_err() {
            let text = format!("a message is redirected to an AgentId or a TopicId, not to {to}");
            return Err(PyTypeError::new_err(text));
        }
        self.keep_context_fields(py);
        let mut diversion = self.diversion.take().unwrap_or_default();
        let to = to.unbind();
        match &mut self.taken {
            Taken::Direct(ticket, direct) if is_topic => {
                diversion.left =
                    Some((direct.send.clone_ref(py), direct.observation.clone_ref(py)));
                direct.request.to = to;
                let options = direct.request.options.clone_ref(py);
                let envelope = direct.request.envelope(py, None, options)?;
                self.taken = Taken::Published(*ticket, envelope.unbind());
            }
            Taken::Direct(_, direct) => direct.request.to = to,
            Taken::Published(_, envelope) => envelope.bind(py).get().redirect(py, to, is_topic),
            Taken::Response(delivery, response) => {
                diversion.responded = Some(*delivery);
                let ticket = engine.get().books.with(py, |books| books.machine.hold());
                let request = Request {
                    kind: if is_topic { Kind::Publish } else { Kind::Send },
                    engine: engine.clone().unbind(),
                    message: response.value.clone_ref(py),
                    to,
                    sender: response.recipient.as_ref().map(|one| one.clone_ref(py)),
                    cancellation_token: None,
                    message_id: None,
                    options: MessageOptions::default(),
                };
                let (send, observation) =
                    (response.send.clone_ref(py), response.observation.clone_ref(py));
                self.taken = if is_topic {
                    diversion.left = Some((send, observation));
                    let envelope = request.envelope(py, None, MessageOptions::default())?;
                    Taken::Published(ticket, envelope.unbind())
                } else {
                    let direct = DirectMessage { request, send, observation, caller: None };
                    Taken::Direct(ticket, Box::new(direct))
                };
            }
        }
        self.diversion = Some(diversion);
        Ok(())
    }
}

impl Engine {
    /// A message that was diverted is dropped, or a later intervention handler has raised: its first sender gets the
    /// error.
    pub(super) fn refuse_diverted(
        engine: &Bound<'_, Self>,
        diversion: Option<Diversion>,
        error: &PyErr,
    ) -> PyResult<()> {
        let py = engine.py();
        let Some(diversion) = diversion else { return Ok(()) };
        if let Some((send, observation)) = diversion.left {
            let error = observation.failed(py, error.clone_ref(py));
            Send::end(send.bind(py), future::Outcome::of(py, Err(error)))?;
        }
        match diversion.responded {
            Some(delivery) => Self::settle_delivery(engine, delivery, Outcome::Responded),
            None => Ok(()),
        }
    }

    /// Settles what an inline response was redirected as, which goes no further. Returns the outcome of the message
    /// that it responded to.
    pub(super) fn settle_redirected(
        engine: &Bound<'_, Self>,
        taken: &Taken,
        outcome: Outcome,
    ) -> PyResult<Outcome> {
        match taken.ticket() {
            Some(ticket) => Self::settle(engine, ticket, outcome).map(|()| Outcome::Responded),
            None => Ok(outcome),
        }
    }

    /// Goes on with a message that was diverted, now or after its delay.
    pub(super) fn divert(
        engine: &Bound<'_, Self>,
        taken: Taken,
        diversion: Diversion,
    ) -> PyResult<()> {
        let (py, this) = (engine.py(), engine.get());
        if let Some((send, observation)) = diversion.left {
            observation.responded(py.None().bind(py))?;
            Send::end(send.bind(py), future::Outcome::Response(py.None()))?;
        }
        let of_response = diversion.responded.is_some() || matches!(taken, Taken::Response(..));
        if let Some(delivery) = diversion.responded {
            Self::settle_delivery(engine, delivery, Outcome::Responded)?;
        }
        if of_response && this.state.with(py, |state| state.is_stopped()) {
            // What it was redirected as is a new message, which comes too late; and it is not delayed.
            let reason = "the runtime was stopped before the response was redirected";
            return Self::drain_taken(engine, taken, reason);
        }
        if let Taken::Direct(ticket, direct) = &taken {
            let request = &direct.request;
            let host = this.host.bind(py);
            if !host.call_method1(intern!(py, "is_registered"), (&request.to,))?.is_truthy()? {
                let about = (&request.message, &request.to, &request.sender, &request.message_id);
                let name = intern!(py, "recipient_not_found");
                let error = PyErr::from_value(host.call_method1(name, about)?);
                let error = direct.observation.failed(py, error);
                let outcome = Outcome::DeadLettered;
                return Self::drop_message(engine, *ticket, Some(direct), error, outcome);
            }
        }
        match (diversion.delay, this.bound_loop(py)) {
            (Some(delay), Some(event_loop)) => {
                let when = now(&event_loop)?.saturating_add(delay);
                Self::queue_at(engine, taken, true, when)
            }
            _ => Self::dispatch(engine, taken),
        }
    }
}

impl PublishEnvelope {
    /// Sends it to another topic, or to one agent only.
    fn redirect(&self, py: Python<'_>, to: Py<PyAny>, is_topic: bool) {
        if is_topic {
            self.set_recipient(py, None);
            self.set_topic_id(py, to);
        } else {
            self.set_recipient(py, Some(to));
        }
    }
}
