//! Deadlines: a message that is not handled in time expires, wherever it is.
//!
//! A message in a queue is never started after its deadline. A handler that runs is cancelled, and its sender
//! gets a `DeadlineExceededError`. What a handler sends inherits its deadline.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use ferrogen_core::{DeliveryId, Outcome, Time};
use pyo3::exceptions::asyncio::CancelledError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use slotmap::SecondaryMap;

use super::agents::now;
use super::engine::Engine;
use super::execution::Execution;
use super::messages::{Payload, Request, Taken};
use super::options::MessageOptions;
use super::send::Send;
use crate::interpreter::current_task;
use crate::publish_envelope::PublishEnvelope;

/// The key of a deadline that is watched: its time, then the order of watching.
pub(super) type DeadlineKey = (Time, u64);

/// What expires.
enum Watched {
    /// A message whose sender awaits the response.
    Send { send: Py<Send>, message: Py<PyAny>, to: Py<PyAny> },
    /// The suspended handler of a published message.
    Handler { execution: Py<Execution>, delivery: DeliveryId },
}

/// The deadlines of one runtime.
#[derive(Default)]
pub(super) struct Deadlines {
    watched: BTreeMap<DeadlineKey, Watched>,
    next: u64,
    /// Of handlers that have one. Entries of deliveries that have ended are replaced by later ones.
    of_handlers: SecondaryMap<DeliveryId, Time>,
    /// The handlers of published messages that were cancelled at their deadlines.
    expired: SecondaryMap<DeliveryId, ()>,
}

impl Deadlines {
    /// When the next one passes.
    pub(super) fn next_wake(&self) -> Option<Time> {
        self.watched.first_key_value().map(|((time, _), _)| *time)
    }

    fn watch(&mut self, deadline: Time, watched: Watched) -> DeadlineKey {
        let key = (deadline, self.next);
        self.next += 1;
        self.watched.insert(key, watched);
        key
    }

    fn take_due(&mut self, now: Time) -> Option<Watched> {
        let entry = self.watched.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
    }

    pub(super) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.watched.values().try_for_each(|watched| match watched {
            Watched::Send { send, message, to } => {
                visit.call(send)?;
                visit.call(message)?;
                visit.call(to)
            }
            Watched::Handler { execution, .. } => visit.call(execution),
        })
    }
}

impl Engine {
    /// The deadline of a message that is sent now: its own, or that of the handler that sends it.
    #[inline]
    pub(super) fn deadline(&self, py: Python<'_>, request: &Request) -> PyResult<Option<Time>> {
        let uses_deadlines = self.uses_deadlines.load(Ordering::Relaxed);
        if !uses_deadlines && request.options.timeout().is_none() {
            return Ok(None);
        }
        self.find_deadline(py, request)
    }

    #[cold]
    fn find_deadline(&self, py: Python<'_>, request: &Request) -> PyResult<Option<Time>> {
        self.uses_deadlines.store(true, Ordering::Relaxed);
        let asyncio = py.import(intern!(py, "asyncio"))?;
        let event_loop = asyncio.call_method0(intern!(py, "get_running_loop"))?;
        let task = current_task::get(&event_loop)?;
        let caller = self.caller(task.as_ref());
        let inherited = caller.and_then(|caller| {
            self.deadlines.with(py, |deadlines| deadlines.of_handlers.get(caller).copied())
        });
        let own = match request.options.timeout() {
            Some(timeout) => now(&event_loop)?.checked_add(timeout),
            None => None,
        };
        Ok(match (own, inherited) {
            (Some(own), Some(inherited)) => Some(own.min(inherited)),
            (own, inherited) => own.or(inherited),
        })
    }

    /// Notes the deadline of a handler that begins, for the messages that it sends.
    #[inline]
    pub(super) fn note_deadline(
        &self,
        py: Python<'_>,
        delivery: DeliveryId,
        deadline: Option<Time>,
    ) {
        if let Some(deadline) = deadline {
            self.deadlines.with(py, |all| all.of_handlers.insert(delivery, deadline));
        }
    }

    /// Lets a send expire at its deadline. It is awaited as a future.
    #[cold]
    pub(super) fn watch_send(
        engine: &Bound<'_, Self>,
        send: &Bound<'_, Send>,
        request: &Request,
        deadline: Time,
    ) -> PyResult<()> {
        let py = engine.py();
        let watched = Watched::Send {
            send: send.clone().unbind(),
            message: request.message.clone_ref(py),
            to: request.to.clone_ref(py),
        };
        let key = engine.get().deadlines.with(py, |all| all.watch(deadline, watched));
        send.get().set_deadline(py, engine, key);
        Self::set_timer(engine)
    }

    /// Lets the suspended handler of a published message be cancelled at its deadline.
    #[cold]
    pub(super) fn watch_handler(
        engine: &Bound<'_, Self>,
        execution: &Bound<'_, Execution>,
        delivery: DeliveryId,
        deadline: Time,
    ) -> PyResult<()> {
        let py = engine.py();
        let watched = Watched::Handler { execution: execution.clone().unbind(), delivery };
        engine.get().deadlines.with(py, |all| all.watch(deadline, watched));
        Self::set_timer(engine)
    }

    /// The send has ended.
    pub(super) fn forget_deadline(&self, py: Python<'_>, key: DeadlineKey) {
        let watched = self.deadlines.with(py, |all| all.watched.remove(&key));
        drop(watched);
    }

    /// Ends what has passed its deadline.
    pub(super) fn expire(engine: &Bound<'_, Self>, now: Time) -> PyResult<()> {
        let (py, this) = (engine.py(), engine.get());
        while let Some(watched) = this.deadlines.with(py, |all| all.take_due(now)) {
            match watched {
                Watched::Send { send, message, to } => {
                    let error = this.deadline_error(py, &message, &to)?;
                    Send::expire(send.bind(py), error)?;
                }
                Watched::Handler { execution, delivery } => {
                    if execution.get().cancel_handler(py, delivery)? {
                        this.deadlines.with(py, |all| all.expired.insert(delivery, ()));
                    }
                }
            }
        }
        Ok(())
    }

    fn deadline_error(
        &self,
        py: Python<'_>,
        message: &Py<PyAny>,
        to: &Py<PyAny>,
    ) -> PyResult<Py<PyAny>> {
        self.host.call_method1(py, intern!(py, "deadline_exceeded"), (message, to))
    }

    /// Whether a deadline has passed.
    fn has_passed(&self, py: Python<'_>, deadline: Option<Time>) -> PyResult<bool> {
        match (deadline, self.bound_loop(py)) {
            (Some(deadline), Some(event_loop)) => Ok(now(&event_loop)? >= deadline),
            _ => Ok(false),
        }
    }

    /// Makes a message that was taken too late a dead letter. Returns any other.
    #[inline]
    pub(super) fn drop_if_expired(
        engine: &Bound<'_, Self>,
        taken: Taken,
    ) -> PyResult<Option<Taken>> {
        let (py, this) = (engine.py(), engine.get());
        if !this.uses_deadlines.load(Ordering::Relaxed) {
            return Ok(Some(taken));
        }
        let deadline = match &taken {
            Taken::Direct(_, direct) => direct.request.options.deadline(),
            Taken::Published(_, envelope) => envelope.get().options(py, MessageOptions::deadline),
            Taken::Response(..) => None,
        };
        if !this.has_passed(py, deadline)? {
            return Ok(Some(taken));
        }
        let (ticket, payload) = match taken {
            Taken::Direct(ticket, direct) => (ticket, Payload::Direct(direct)),
            Taken::Published(ticket, envelope) => (ticket, Payload::Published(envelope)),
            other @ Taken::Response(..) => return Ok(Some(other)),
        };
        let error = this.expired_error(py, &payload)?;
        let dropped = this.dead_letter(py, &payload, error.bind(py));
        Self::settle(engine, ticket, Outcome::DeadLettered)?;
        dropped.map(|()| None)
    }

    /// Refuses a delivery that starts too late. Returns whether it was refused.
    #[inline]
    pub(super) fn refuse_if_expired(
        engine: &Bound<'_, Self>,
        delivery: DeliveryId,
        payload: &Payload,
    ) -> PyResult<bool> {
        let (py, this) = (engine.py(), engine.get());
        if !this.uses_deadlines.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let deadline = payload.deadline(py);
        if !this.has_passed(py, deadline)? {
            this.note_deadline(py, delivery, deadline);
            return Ok(false);
        }
        let error = this.expired_error(py, payload)?;
        Self::refuse_delivery(engine, delivery, payload, error.bind(py))?;
        Ok(true)
    }

    fn expired_error(&self, py: Python<'_>, payload: &Payload) -> PyResult<Py<PyAny>> {
        let to = match payload {
            Payload::Direct(direct) => direct.request.to.clone_ref(py),
            Payload::Published(envelope) => envelope.get().topic_id(py),
            Payload::Response(response) => response.agent_id.clone_ref(py).into_any(),
        };
        self.deadline_error(py, &payload.message(py), &to)
    }

    /// The error of a handler of a published message: its deadline, if it was cancelled for that.
    pub(super) fn error_at_deadline(
        &self,
        py: Python<'_>,
        delivery: DeliveryId,
        envelope: &Bound<'_, PublishEnvelope>,
        error: PyErr,
    ) -> PyErr {
        let was_expired = self.uses_deadlines.load(Ordering::Relaxed)
            && self.deadlines.with(py, |all| all.expired.remove(delivery)).is_some();
        if !was_expired || !error.is_instance_of::<CancelledError>(py) {
            return error;
        }
        let (message, to) = (envelope.get().message(py), envelope.get().topic_id(py));
        let expired = self.deadline_error(py, &message, &to);
        expired.map_or_else(|error| error, |error| PyErr::from_value(error.into_bound(py)))
    }
}
