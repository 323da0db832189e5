//! Back-pressure: who publishes to a full mailbox with the policy `wait` goes on when there is room.
//!
//! The `await` of the publisher ends when the message has its place in the mailboxes of all recipients. A sender
//! awaits the response in any case, and so needs nothing of this but a place that is taken back when it leaves.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use ferrogen_core::{Awaits, DeliveryId};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use slotmap::SecondaryMap;

use super::engine::Engine;
use super::execution::Execution;
use super::future::Outcome;
use super::messages::Payload;
use super::send::Send;
use crate::interpreter::current_task;
use crate::publish_envelope::PublishEnvelope;

/// The published messages whose deliveries wait for room.
pub(super) type BlockedMessages = SecondaryMap<DeliveryId, Py<PublishEnvelope>>;

/// The published messages whose publishers wait outside of handlers and that have no recipients yet, by their address.
pub(super) type UnroutedMessages = HashMap<usize, Py<PublishEnvelope>>;

/// Who waits until a published message has its places.
pub(crate) struct Publisher {
    send: Py<Send>,
    /// The delivery whose handler it is.
    caller: Option<DeliveryId>,
    /// The deliveries that wait for room.
    blocked: Vec<DeliveryId>,
    /// Whether all recipients have their deliveries.
    is_routed: bool,
}

impl Publisher {
    pub(crate) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.send)
    }

    fn may_go_on(&self) -> bool {
        self.is_routed && self.blocked.is_empty()
    }
}

impl Engine {
    /// Lets the publisher of a message wait. Returns whether it does.
    ///
    /// An intervention handler does not wait: no message is routed before it has ended. Its own tasks are not known
    /// as such, so only handlers wait while one is suspended; see also [`Engine::release_unrouted`].
    pub(super) fn hold_publisher(
        &self,
        send: &Bound<'_, Send>,
        envelope: &Bound<'_, PublishEnvelope>,
        event_loop: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        let py = send.py();
        let task = current_task::get(event_loop)?;
        let caller = self.caller(task.as_ref());
        if caller.is_none() {
            let is_paused = self.books.with(py, |books| books.machine.is_paused());
            let coroutine = task.and_then(|task| task.call_method0(intern!(py, "get_coro")).ok());
            let intercepts = coroutine.is_some_and(|one| one.cast::<Execution>().is_ok());
            if is_paused || intercepts {
                return Ok(false);
            }
        }
        let send = send.clone().unbind();
        let publisher = Publisher { send, caller, blocked: Vec::new(), is_routed: false };
        envelope.get().set_publisher(py, publisher);
        if caller.is_none() {
            let (address, envelope) = (envelope.as_ptr() as usize, envelope.clone().unbind());
            let before = self.unrouted.with(py, |unrouted| unrouted.insert(address, envelope));
            drop(before);
        }
        Ok(true)
    }

    /// An intervention handler has suspended. Publishers whose messages are not routed go on, unless they are handlers:
    /// it may wait for one of them, and no message is routed before it has ended.
    pub(super) fn release_unrouted(&self, py: Python<'_>) -> PyResult<()> {
        if !self.uses_backpressure.load(Ordering::Relaxed) {
            return Ok(());
        }
        for envelope in self.unrouted.with(py, std::mem::take).into_values() {
            Self::end_publisher(envelope.bind(py), Outcome::Response(py.None()))?;
        }
        Ok(())
    }

    /// What the sender of a message waits for.
    pub(super) fn awaits(
        &self,
        py: Python<'_>,
        payload: &Payload,
        caller: Option<DeliveryId>,
    ) -> Awaits {
        match payload {
            Payload::Published(envelope) if self.uses_backpressure.load(Ordering::Relaxed) => {
                let publisher = envelope.get().publisher(py, |publisher| publisher.caller);
                publisher.flatten().map_or(Awaits::Nothing, Awaits::Room)
            }
            _ => Awaits::response(caller),
        }
    }

    /// A delivery of a published message waits for room.
    pub(super) fn blocked(
        engine: &Bound<'_, Self>,
        delivery: DeliveryId,
        envelope: &Bound<'_, PublishEnvelope>,
    ) {
        let (py, this) = (engine.py(), engine.get());
        let send = envelope.get().publisher(py, |publisher| {
            publisher.blocked.push(delivery);
            publisher.send.clone_ref(py)
        });
        let Some(send) = send else { return };
        send.get().attach(engine, delivery, None);
        let envelope = envelope.clone().unbind();
        let before = this.blocked.with(py, |blocked| blocked.insert(delivery, envelope));
        drop(before);
    }

    /// There is room for a delivery.
    pub(super) fn admitted(engine: &Bound<'_, Self>, delivery: DeliveryId) -> PyResult<()> {
        let (py, this) = (engine.py(), engine.get());
        let Some(envelope) = this.take_blocked(py, delivery) else { return Ok(()) };
        let envelope = envelope.bind(py);
        let rest = envelope.get().publisher(py, |publisher| publisher.blocked.last().copied());
        let Some(Some(next)) = rest else { return Self::release_publisher(engine, envelope) };
        let Some(cycle) = this.books.with(py, |books| books.machine.await_room(next)) else {
            return Ok(());
        };
        let message = envelope.get().message(py);
        let error = this.deadlock_error(py, &cycle, &message)?;
        Self::end_publisher(envelope, Outcome::Error(error.unbind()))
    }

    /// A delivery will have no place, and no error either: it has failed where no publisher looks. Its publisher goes
    /// on as if there had been room.
    pub(super) fn leave_queue(engine: &Bound<'_, Self>, delivery: DeliveryId) -> PyResult<()> {
        if !engine.get().uses_backpressure.load(Ordering::Relaxed) {
            return Ok(());
        }
        Self::admitted(engine, delivery)
    }

    fn take_blocked(&self, py: Python<'_>, delivery: DeliveryId) -> Option<Py<PublishEnvelope>> {
        let envelope = self.blocked.with(py, |blocked| blocked.remove(delivery))?;
        envelope.get().publisher(py, |publisher| publisher.blocked.retain(|one| *one != delivery));
        Some(envelope)
    }

    /// All recipients of a message have their deliveries, or it has none.
    pub(super) fn routed(
        engine: &Bound<'_, Self>,
        envelope: &Bound<'_, PublishEnvelope>,
    ) -> PyResult<()> {
        let py = engine.py();
        if !engine.get().uses_backpressure.load(Ordering::Relaxed) {
            return Ok(());
        }
        envelope.get().publisher(py, |publisher| publisher.is_routed = true);
        let address = envelope.as_ptr() as usize;
        let unrouted = engine.get().unrouted.with(py, |unrouted| unrouted.remove(&address));
        drop(unrouted);
        Self::release_publisher(engine, envelope)
    }

    fn release_publisher(
        engine: &Bound<'_, Self>,
        envelope: &Bound<'_, PublishEnvelope>,
    ) -> PyResult<()> {
        let py = engine.py();
        if envelope.get().publisher(py, |publisher| publisher.may_go_on()) == Some(true) {
            return Self::end_publisher(envelope, Outcome::Response(py.None()));
        }
        Ok(())
    }

    pub(super) fn end_publisher(
        envelope: &Bound<'_, PublishEnvelope>,
        outcome: Outcome,
    ) -> PyResult<()> {
        let py = envelope.py();
        match envelope.get().take_publisher(py) {
            Some(publisher) => Send::end(publisher.send.bind(py), outcome),
            None => Ok(()),
        }
    }

    /// A delivery will have no place: its publisher gets the error, if it waits for that.
    pub(super) fn refuse_place(
        &self,
        py: Python<'_>,
        delivery: DeliveryId,
        envelope: &Bound<'_, PublishEnvelope>,
        error: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        if !self.uses_backpressure.load(Ordering::Relaxed)
            || self.take_blocked(py, delivery).is_none()
        {
            return Ok(());
        }
        Self::end_publisher(envelope, Outcome::Error(error.clone().unbind()))
    }

    /// The sender of a message does not wait any more: what has no place yet is taken back.
    pub(super) fn withdraw(engine: &Bound<'_, Self>, delivery: DeliveryId) -> PyResult<()> {
        let (py, this) = (engine.py(), engine.get());
        if !this.uses_backpressure.load(Ordering::Relaxed) {
            return Ok(());
        }
        let envelope = this
            .blocked
            .with(py, |blocked| blocked.get(delivery).map(|envelope| envelope.clone_ref(py)));
        let publisher = envelope.and_then(|envelope| envelope.get().take_publisher(py));
        let all = publisher.map_or_else(|| vec![delivery], |publisher| publisher.blocked);
        for delivery in all {
            let envelope = this.blocked.with(py, |blocked| blocked.remove(delivery));
            drop(envelope);
            let withdrawn = this.books.with(py, |books| {
                let slot = books.machine.agent_of(delivery)?;
                let payload = books.machine.withdraw(delivery)?;
                Some((books.records.get(slot)?.id.clone_ref(py), payload))
            });
            let Some((recipient, payload)) = withdrawn else { continue };
            let about = (recipient, payload.message(py));
            let error = this.host.bind(py).call_method1(intern!(py, "withdrawn"), about)?;
            Self::refuse_delivery(engine, delivery, &payload, &error)?;
        }
        Ok(())
    }
}
