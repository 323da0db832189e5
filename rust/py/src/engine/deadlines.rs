//! Deadlines: a message that is not handled in time expires, wherever it is.
//!
//! A message in a queue is never started after its deadline. A handler that runs is cancelled, and its sender
//! gets a `DeadlineExceededError`. What a handler sends inherits its deadline.

use std::collections::BTreeMap;

use ferrogen_core::{DeliveryId, Time};
use pyo3::exceptions::asyncio::CancelledError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use slotmap::SecondaryMap;

use super::agents::now;
use super::chain;
use super::engine::Engine;
use super::execution::Execution;
use super::messages::{Payload, Request, Taken};
use super::send::Send;
use super::statistics::outcome_of_refusal;
use crate::publish_envelope::PublishEnvelope;

/// The key of a deadline that is watched: its time, then the order of watching.
pub(super) type DeadlineKey = (Time, u64);

/// What happens at a time.
pub(super) enum Watched {
    /// A message whose sender awaits the response.
    Send { send: Py<Send>, message: Py<PyAny>, to: Py<PyAny> },
    /// The suspended handler of a published message.
    Handler { execution: Py<Execution>, delivery: DeliveryId },
    /// A message that is queued then; or, if the intervention handlers have seen it, dispatched.
    Delayed { taken: Taken, is_intercepted: bool },
}

/// The deadlines of one runtime, and its delayed messages.
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

    pub(super) fn watch(&mut self, deadline: Time, watched: Watched) -> DeadlineKey {
        let key = (deadline, self.next);
        self.next += 1;
        self.watched.insert(key, watched);
        key
    }

    fn take_due(&mut self, now: Time) -> Option<Watched> {
        let entry = self.watched.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
    }

    /// Removes the delayed messages, in the order of their times.
    pub(super) fn take_delayed(&mut self) -> Vec<Taken> {
        let delayed = self.watched.iter().filter(|(_, one)| matches!(one, Watched::Delayed { .. }));
        let keys: Vec<_> = delayed.map(|(key, _)| *key).collect();
        let taken = keys.iter().filter_map(|key| match self.watched.remove(key)? {
            Watched::Delayed { taken, .. } => Some(taken),
            _ => None,
        });
        taken.collect()
    }

    pub(super) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.watched.values().try_for_each(|watched| match watched {
            Watched::Send { send, message, to } => {
                visit.call(send)?;
                visit.call(message)?;
                visit.call(to)
            }
            Watched::Handler { execution, .. } => visit.call(execution),
            Watched::Delayed { taken, .. } => taken.visit(visit),
        })
    }
}

impl Engine {
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

    /// Notes the deadline of a handler that begins.
    #[cold]
    pub(super) fn note_deadline(&self, py: Python<'_>, delivery: DeliveryId, deadline: Time) {
        self.deadlines.with(py, |all| all.of_handlers.insert(delivery, deadline));
    }

    /// Whether the deadline of a handler has passed.
    #[cold]
    pub(super) fn is_late(&self, py: Python<'_>, delivery: DeliveryId) -> bool {
        let deadline = self.deadlines.with(py, |all| all.of_handlers.get(delivery).copied());
        self.has_passed(py, deadline).unwrap_or(false)
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
                Watched::Delayed { taken, is_intercepted } => {
                    Self::queue_delayed(engine, taken, is_intercepted)?;
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
    #[inline]
    pub(super) fn has_passed(&self, py: Python<'_>, deadline: Option<Time>) -> PyResult<bool> {
        match (deadline, self.bound_loop(py)) {
            (Some(deadline), Some(event_loop)) => Ok(now(&event_loop)? >= deadline),
            _ => Ok(false),
        }
    }

    /// Makes a message that was taken too late a dead letter. Returns any other.
    #[inline(always)]
    pub(super) fn drop_if_expired(
        engine: &Bound<'_, Self>,
        taken: Taken,
    ) -> PyResult<Option<Taken>> {
        if chain::are_used() { Self::drop_expired(engine, taken) } else { Ok(Some(taken)) }
    }

    #[cold]
    fn drop_expired(engine: &Bound<'_, Self>, taken: Taken) -> PyResult<Option<Taken>> {
        let (py, this) = (engine.py(), engine.get());
        let (ticket, payload) = match taken.into_payload() {
            Ok(message) => message,
            Err(response) => return Ok(Some(response)),
        };
        let Some(error) = this.lateness(py, &payload)? else {
            return Ok(Some(Taken::of(ticket, payload)));
        };
        let outcome = outcome_of_refusal(py, error.bind(py));
        let dropped = this.dead_letter(py, &payload, error.bind(py));
        if let Payload::Published(envelope) = &payload {
            Self::routed(engine, envelope.bind(py))?;
        }
        Self::settle(engine, ticket, outcome)?;
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
        if !chain::are_used() {
            return Ok(false);
        }
        let Some(error) = this.lateness(py, payload)? else { return Ok(false) };
        Self::refuse_delivery(engine, delivery, payload, error.bind(py))?;
        Ok(true)
    }

    /// The error of a message that is not to be handled any more: its deadline has passed, or it was cancelled.
    fn lateness(&self, py: Python<'_>, payload: &Payload) -> PyResult<Option<Py<PyAny>>> {
        if self.has_passed(py, payload.deadline(py))? {
            return self.deadline_error(py, &payload.message(py), &payload.to(py)).map(Some);
        }
        self.cancelled_error(py, payload)
    }

    /// The error of a handler of a published message: its deadline, if it was cancelled for that.
    pub(super) fn error_at_deadline(
        &self,
        py: Python<'_>,
        delivery: DeliveryId,
        envelope: &Bound<'_, PublishEnvelope>,
        error: PyErr,
    ) -> PyErr {
        let was_expired = chain::are_used()
            && self.deadlines.with(py, |all| all.expired.remove(delivery)).is_some();
        if !was_expired || !error.is_instance_of::<CancelledError>(py) {
            return error;
        }
        let (message, to) = (envelope.get().message(py), envelope.get().topic_id(py));
        let expired = self.deadline_error(py, &message, &to);
        expired.map_or_else(|error| error, |error| PyErr::from_value(error.into_bound(py)))
    }
}
