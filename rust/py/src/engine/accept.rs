//! Acceptance: a message that is sent runs its handler inline, see [`inline`](super::inline), or is queued; one
//! that is published is queued.

use std::sync::atomic::Ordering;

use ferrogen_core::{DeliveryId, Time};
use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;

use super::chain::Chain;
use super::engine::Engine;
use super::execution::Execution;
use super::invoke::Handled;
use super::messages::{DirectMessage, Payload, Request};
use super::observer::Observation;
use super::send::{Send, is_cancelled};
use crate::agent_id::AgentId;
use crate::interpreter::current_task::{self};
use crate::python;

/// The result of the first step of a send.
pub(super) enum First<'py> {
    /// The handler ended.
    Ended(Handled<'py>),
    /// The handler has yielded to the event loop, and is resumed in the next step of the sender.
    Yielded(Py<Execution>),
    /// The message is queued or its handler suspended. The send has become a future.
    Suspended,
}

/// A message that is being sent, and its sender.
pub(super) struct Sending<'a, 'py> {
    pub(super) engine: &'a Bound<'py, Engine>,
    pub(super) send: &'a Bound<'py, Send>,
    pub(super) request: &'a Request,
    pub(super) recipient: &'a Bound<'py, AgentId>,
    /// Whether the sender's task is the current one, in which a factory may run.
    pub(super) is_awaited: bool,
    /// Whether it is logged or traced.
    pub(super) is_observed: bool,
    /// What the message inherits, and what those of its handler inherit.
    pub(super) chain: Option<Py<Chain>>,
}

impl Engine {
    /// Sends a message. `is_awaited` says that the sender's task is the current one.
    pub(super) fn send<'py>(
        engine: &Bound<'py, Self>,
        send: &Bound<'py, Send>,
        request: &Request,
        is_awaited: bool,
    ) -> PyResult<First<'py>> {
        let (py, this) = (engine.py(), engine.get());
        let Ok(recipient) = request.to.bind(py).cast::<AgentId>() else {
            this.host.call_method0(py, intern!(py, "enter"))?;
            let to = request.to.bind(py).repr()?;
            let text = format!("a message is sent to an AgentId, not to {to}");
            return Err(PyTypeError::new_err(text));
        };
        let is_observed = this.is_observed(py)?;
        let chain = this.chain(py, request)?;
        let sending = Sending { engine, send, request, recipient, is_awaited, is_observed, chain };
        let is_late = match &sending.chain {
            Some(chain) => this.has_passed(py, chain.get().deadline)?,
            None => false,
        };
        if request.options.delay().is_none()
            && !is_late
            && !this.remaining.contains(recipient)
            && !is_cancelled(py, request.cancellation_token.as_ref())?
            && let Some(guard) = Self::admit(engine)
            && let Some(first) = sending.run_inline(&guard)?
        {
            return Ok(first);
        }
        sending.enqueue()
    }

    /// Publishes a message: it is delivered in the next iteration of the event loop.
    pub(super) fn publish<'py>(
        engine: &Bound<'py, Self>,
        send: &Bound<'py, Send>,
        request: &Request,
    ) -> PyResult<First<'py>> {
        let (py, this) = (engine.py(), engine.get());
        let event_loop = this.open_loop(py)?;
        if event_loop.is_none() {
            this.host.call_method0(py, intern!(py, "enter"))?;
        }
        let to = request.to.bind(py);
        let class = to.get_type();
        let is_topic = class.is(python::topic_id(py)?)
            || class.is(python::default_topic_id(py)?)
            || to.is_instance(python::topic_id(py)?)?;
        if !is_topic {
            let text = format!("a message is published to a TopicId, not to {}", to.repr()?);
            return Err(PyTypeError::new_err(text));
        }
        let observer = if this.is_observed(py)? {
            Observation::of_publish(this.host.bind(py), request)?
        } else {
            None
        };
        let chain = this.chain(py, request)?;
        let options = request.options.sent(py, chain.as_ref());
        let envelope = request.envelope(py, observer, options)?;
        Self::continue_soon(engine)?;
        let first = match &event_loop {
            // The sender of a delayed message does not wait.
            Some(event_loop)
                if this.uses_backpressure.load(Ordering::Relaxed)
                    && request.options.delay().is_none()
                    && this.hold_publisher(send, &envelope, event_loop)? =>
            {
                let deadline = chain.and_then(|chain| chain.get().deadline);
                Self::suspend(engine, send, request, deadline, event_loop)?
            }
            _ => First::Ended(Ok(py.None().into_bound(py))),
        };
        Self::queue(engine, Payload::Published(envelope.unbind()), &request.options)?;
        Ok(first)
    }

    /// A send becomes a future, which its token cancels, and which expires.
    fn suspend<'py>(
        engine: &Bound<'py, Self>,
        send: &Bound<'py, Send>,
        request: &Request,
        deadline: Option<Time>,
        event_loop: &Bound<'py, PyAny>,
    ) -> PyResult<First<'py>> {
        let py = engine.py();
        let cancelled = send.get().suspend(py, event_loop);
        if let Some(token) = &request.cancellation_token {
            token.call_method1(py, intern!(py, "link_future"), (send,))?;
        }
        if let Some(error) = cancelled {
            Send::cancel_with(send, error.bind(py))?;
        }
        if let Some(deadline) = deadline {
            Self::watch_send(engine, send, request, deadline)?;
        }
        Ok(First::Suspended)
    }
}

impl<'py> Sending<'_, 'py> {
    pub(super) fn is_registered(&self) -> PyResult<bool> {
        let (engine, py) = (self.engine.get(), self.engine.py());
        if engine.books.lock(py).contains(self.recipient, engine.number)? {
            return Ok(true);
        }
        let host = engine.host.bind(py);
        host.call_method1(intern!(py, "is_registered"), (self.recipient,))?.is_truthy()
    }

    pub(super) fn direct_message(&self, caller: Option<DeliveryId>) -> PyResult<DirectMessage> {
        let py = self.engine.py();
        let observation = if self.is_observed {
            Observation::of_send(self.engine.get().host.bind(py), self.request)?
        } else {
            Observation::NONE
        };
        let mut request = self.request.clone_ref(py);
        request.options = request.options.sent(py, self.chain.as_ref());
        Ok(DirectMessage { request, send: self.send.clone().unbind(), observation, caller })
    }

    /// Queues the message. The sender awaits a future.
    #[cold]
    fn enqueue(&self) -> PyResult<First<'py>> {
        let (engine, py) = (self.engine.get(), self.engine.py());
        let event_loop = match engine.open_loop(py)? {
            Some(event_loop) => event_loop,
            None => engine.host.bind(py).call_method0(intern!(py, "enter"))?,
        };
        let task = current_task::get(&event_loop)?;
        let direct = self.direct_message(engine.caller(task.as_ref()))?;
        if !self.is_registered()? {
            let request = self.request;
            let about = (&request.message, self.recipient, &request.sender, &request.message_id);
            let name = intern!(py, "recipient_not_found");
            let error = PyErr::from_value(engine.host.bind(py).call_method1(name, about)?);
            return Err(direct.observation.failed(py, error));
        }
        Engine::continue_soon(self.engine)?;
        let suspended = self.suspend(&event_loop)?;
        let payload = Payload::Direct(Box::new(direct));
        let ticket = Engine::queue(self.engine, payload, &self.request.options)?;
        engine.address(ticket, self.recipient)?;
        Ok(suspended)
    }

    /// The send becomes a future, which its token cancels.
    pub(super) fn suspend(&self, event_loop: &Bound<'py, PyAny>) -> PyResult<First<'py>> {
        Engine::suspend(self.engine, self.send, self.request, self.deadline(), event_loop)
    }

    /// When the message expires.
    #[inline]
    pub(super) fn deadline(&self) -> Option<Time> {
        self.chain.as_ref()?.get().deadline
    }

    /// Lets the send, a future now, expire.
    #[inline]
    pub(super) fn watch(&self) -> PyResult<()> {
        match self.deadline() {
            Some(deadline) => Engine::watch_send(self.engine, self.send, self.request, deadline),
            None => Ok(()),
        }
    }
}
