//! Messages on their way through the engine: as requested, and as the core queues them.

use std::ffi::CStr;

use ferrogen_core::{DeliveryId, SchedulingClass, Ticket, Time};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use super::engine::Engine;
use super::observer::Observation;
use super::options::{HandlerOptions, MessageOptions};
use super::send::Send;
use crate::agent_id::AgentId;
use crate::interpreter::release::release;
use crate::message_context::{ContextFields, MessageContext};
use crate::publish_envelope::PublishEnvelope;

/// How a message is addressed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// To one agent, whose response the sender awaits.
    Send,
    /// To a topic.
    Publish,
}

impl Kind {
    pub(super) fn never_awaited(self) -> &'static CStr {
        match self {
            Self::Send => c"coroutine 'SingleThreadedAgentRuntime.send_message' was never awaited",
            Self::Publish => {
                c"coroutine 'SingleThreadedAgentRuntime.publish_message' was never awaited"
            }
        }
    }
}

/// The arguments of `send_message` or `publish_message`.
pub(super) struct Request {
    pub(super) kind: Kind,
    pub(super) engine: Py<Engine>,
    pub(super) message: Py<PyAny>,
    /// The agent or the topic.
    pub(super) to: Py<PyAny>,
    pub(super) sender: Option<Py<PyAny>>,
    pub(super) cancellation_token: Option<Py<PyAny>>,
    pub(super) message_id: Option<Py<PyAny>>,
    pub(super) options: MessageOptions,
}

fn clone_ref(py: Python<'_>, one: Option<&Py<PyAny>>) -> Option<Py<PyAny>> {
    one.map(|one| one.clone_ref(py))
}

impl Request {
    #[inline]
    pub(super) fn release(self, py: Python<'_>) {
        self.engine.drop_ref(py);
        self.message.drop_ref(py);
        self.to.drop_ref(py);
        release(py, self.sender);
        release(py, self.cancellation_token);
        release(py, self.message_id);
    }

    pub(super) fn clone_ref(&self, py: Python<'_>) -> Self {
        Self {
            kind: self.kind,
            engine: self.engine.clone_ref(py),
            message: self.message.clone_ref(py),
            to: self.to.clone_ref(py),
            sender: clone_ref(py, self.sender.as_ref()),
            cancellation_token: clone_ref(py, self.cancellation_token.as_ref()),
            message_id: clone_ref(py, self.message_id.as_ref()),
            options: self.options.clone_ref(py),
        }
    }

    /// Whether nothing is known of its context.
    #[inline]
    pub(super) fn has_blank_context(&self) -> bool {
        self.sender.is_none() && self.cancellation_token.is_none() && self.message_id.is_none()
    }

    /// The context of a message that was sent.
    #[inline]
    pub(super) fn context(&self, py: Python<'_>) -> ContextFields {
        ContextFields {
            sender: clone_ref(py, self.sender.as_ref()),
            cancellation_token: clone_ref(py, self.cancellation_token.as_ref()),
            message_id: clone_ref(py, self.message_id.as_ref()),
            ..ContextFields::default()
        }
    }

    /// The envelope of a message that is published.
    pub(super) fn envelope<'py>(
        &self,
        py: Python<'py>,
        observer: Option<Py<PyAny>>,
        options: MessageOptions,
    ) -> PyResult<Bound<'py, PublishEnvelope>> {
        PublishEnvelope::make(
            py,
            self.message.clone_ref(py),
            self.to.clone_ref(py),
            clone_ref(py, self.sender.as_ref()),
            clone_ref(py, self.cancellation_token.as_ref()),
            clone_ref(py, self.message_id.as_ref()),
            observer,
            options,
        )
    }

    pub(super) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.engine)?;
        visit.call(&self.message)?;
        visit.call(&self.to)?;
        visit.call(&self.sender)?;
        visit.call(&self.cancellation_token)?;
        visit.call(&self.message_id)?;
        self.options.visit(visit)
    }
}

/// A message to one agent that could not be delivered at once.
pub(super) struct DirectMessage {
    pub(super) request: Request,
    /// Where the sender awaits the response.
    pub(super) send: Py<Send>,
    pub(super) observation: Observation,
    /// The delivery whose handler sends it, if that handler awaits the response.
    pub(super) caller: Option<DeliveryId>,
}

/// A response that is not yet delivered to the sender.
pub(super) struct Response {
    pub(super) value: Py<PyAny>,
    pub(super) send: Py<Send>,
    pub(super) observation: Observation,
    /// The agent that responds.
    pub(super) agent_id: Py<AgentId>,
    /// The agent that asked, if an agent did.
    pub(super) recipient: Option<Py<PyAny>>,
}

/// What the core queues.
pub(super) enum Payload {
    Direct(Box<DirectMessage>),
    Published(Py<PublishEnvelope>),
    Response(Box<Response>),
}

impl Payload {
    /// Reads the options of the message; a response has the defaults.
    pub(super) fn options<R: Default>(
        &self,
        py: Python<'_>,
        read: impl FnOnce(&MessageOptions) -> R,
    ) -> R {
        match self {
            Self::Direct(direct) => read(&direct.request.options),
            Self::Published(envelope) => envelope.get().options(py, read),
            Self::Response(_) => R::default(),
        }
    }

    /// How the core orders it among others.
    pub(super) fn class(&self, py: Python<'_>) -> SchedulingClass {
        self.options(py, MessageOptions::class)
    }

    /// What its handlers need of the options of the message.
    pub(super) fn of_handler(&self, py: Python<'_>) -> Option<HandlerOptions> {
        self.options(py, |options| options.of_handler(py, options.chain()))
    }

    /// When the message expires.
    pub(super) fn deadline(&self, py: Python<'_>) -> Option<Time> {
        self.options(py, MessageOptions::deadline)
    }

    /// The agent or the topic that it is for.
    pub(super) fn to(&self, py: Python<'_>) -> Py<PyAny> {
        match self {
            Self::Direct(direct) => direct.request.to.clone_ref(py),
            Self::Published(envelope) => envelope.get().topic_id(py),
            Self::Response(response) => response.agent_id.clone_ref(py).into_any(),
        }
    }

    /// The user's message.
    pub(super) fn message(&self, py: Python<'_>) -> Py<PyAny> {
        match self {
            Self::Direct(direct) => direct.request.message.clone_ref(py),
            Self::Published(envelope) => envelope.get().message(py),
            Self::Response(response) => response.value.clone_ref(py),
        }
    }

    pub(super) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Self::Direct(direct) => direct.visit(visit),
            Self::Published(envelope) => visit.call(envelope),
            Self::Response(response) => response.visit(visit),
        }
    }
}

impl DirectMessage {
    /// Links a token that the handler may create to the send. A token that came with the message is linked.
    pub(super) fn link(&self, context: &Bound<'_, MessageContext>) -> PyResult<()> {
        match self.request.cancellation_token {
            Some(_) => Ok(()),
            None => context.get().link(self.send.bind(context.py()).as_any()),
        }
    }

    pub(super) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.request.visit(visit)?;
        visit.call(&self.send)?;
        self.observation.visit(visit)
    }
}

impl Response {
    pub(super) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.value)?;
        visit.call(&self.send)?;
        visit.call(&self.agent_id)?;
        visit.call(&self.recipient)?;
        self.observation.visit(visit)
    }
}

/// A message that was taken from the inbox, or a response, with what the core knows it by.
pub(super) enum Taken {
    Direct(Ticket, Box<DirectMessage>),
    Published(Ticket, Py<PublishEnvelope>),
    Response(DeliveryId, Box<Response>),
}

impl Taken {
    /// The ticket of a message.
    pub(super) fn ticket(&self) -> Option<Ticket> {
        match self {
            Self::Direct(ticket, _) | Self::Published(ticket, _) => Some(*ticket),
            Self::Response(..) => None,
        }
    }

    /// A message that was taken.
    pub(super) fn of(ticket: Ticket, payload: Payload) -> Self {
        match payload {
            Payload::Direct(direct) => Self::Direct(ticket, direct),
            Payload::Published(envelope) => Self::Published(ticket, envelope),
            Payload::Response(_) => unreachable!("a response has no ticket"),
        }
    }

    /// A message as the core queues it; a response is returned.
    pub(super) fn into_payload(self) -> Result<(Ticket, Payload), Self> {
        match self {
            Self::Direct(ticket, direct) => Ok((ticket, Payload::Direct(direct))),
            Self::Published(ticket, envelope) => Ok((ticket, Payload::Published(envelope))),
            Self::Response(..) => Err(self),
        }
    }

    pub(super) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Self::Direct(_, direct) => direct.visit(visit),
            Self::Published(_, envelope) => visit.call(envelope),
            Self::Response(_, response) => response.visit(visit),
        }
    }
}
