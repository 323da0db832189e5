//! Dispatch: from the inbox to the mailboxes.

use ferrogen_core::{AgentSlot, DeliveryId, Outcome, Placement, Ticket};
use pyo3::intern;
use pyo3::prelude::*;

use super::engine::Engine;
use super::future;
use super::messages::{Payload, Taken};
use super::routing::without_sender;
use super::unknown::UnknownRecipients;
use crate::agent_id::AgentId;
use crate::errors::{exception, raised};
use crate::publish_envelope::PublishEnvelope;

impl Engine {
    /// Gives a message that was taken to its recipients, as deliveries that are due or wait.
    pub(super) fn dispatch(engine: &Bound<'_, Self>, taken: Taken) -> PyResult<()> {
        let py = engine.py();
        match taken {
            Taken::Direct(ticket, direct) => {
                let caller = direct.caller;
                let recipient = direct.request.to.bind(py).cast::<AgentId>()?.clone();
                let payload = Payload::Direct(direct);
                Self::place(engine, ticket, &recipient, payload, caller)?;
                Self::settle(engine, ticket, Outcome::Handled)?;
                Self::continue_if_due(engine)
            }
            Taken::Published(ticket, envelope) => {
                let envelope = envelope.bind(py);
                let Some(recipients) = Self::route(engine, ticket, envelope, || {})? else {
                    return Ok(());
                };
                let recipients = recipients.iter().map(|one| one.bind(py));
                let unknown = Self::place_all(engine, ticket, envelope, recipients)?;
                if !unknown.is_empty() {
                    Self::continue_if_due(engine)?;
                    if let Some(event_loop) = engine.get().bound_loop(py) {
                        return UnknownRecipients::report_soon(
                            engine,
                            &event_loop,
                            ticket,
                            envelope,
                            unknown,
                        );
                    }
                    Self::report_unknown(engine, envelope, unknown)?;
                }
                Self::end_routing(engine, ticket, envelope, Outcome::Handled)
            }
            Taken::Response(delivery, response) => {
                Self::deliver_response(engine, delivery, *response)
            }
        }
    }

    fn continue_if_due(engine: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (engine.py(), engine.get());
        if !this.books.with(py, |books| books.machine.is_due()) {
            return Ok(());
        }
        if this.is_task_mode {
            // The handlers make their first step before the next message is taken.
            return Self::run_steps_in_tasks(engine);
        }
        Self::continue_soon(engine)
    }

    /// The recipients of a published message. If there are none, the message has been settled.
    pub(super) fn route(
        engine: &Bound<'_, Self>,
        ticket: Ticket,
        envelope: &Bound<'_, PublishEnvelope>,
        mut leave: impl FnMut(),
    ) -> PyResult<Option<super::routing::Recipients>> {
        let (py, this) = (engine.py(), engine.get());
        if let Some(observer) = envelope.get().observer(py) {
            leave();
            observer.call_method0(py, intern!(py, "routing"))?;
        }
        if let Some(recipient) = envelope.get().recipient(py) {
            let recipient = recipient.into_bound(py).cast_into::<AgentId>()?;
            return Ok(Some(std::sync::Arc::new([recipient.unbind()])));
        }
        let topic = envelope.get().topic_id(py).into_bound(py);
        let routed = this.recipients(&topic, &mut leave).and_then(|all| {
            if all.is_empty() {
                leave();
                this.host.call_method1(py, intern!(py, "no_subscribers"), (envelope,))?;
                return Ok(None);
            }
            without_sender(all, envelope, &mut leave).map(Some)
        });
        match routed {
            Ok(Some(recipients)) => Ok(Some(recipients)),
            Ok(None) => {
                Self::end_routing(engine, ticket, envelope, Outcome::DeadLettered)?;
                Ok(None)
            }
            Err(error) => {
                leave();
                let about = (envelope, exception(py, &error));
                this.host.call_method1(py, intern!(py, "routing_failed"), about)?;
                Self::end_routing(engine, ticket, envelope, Outcome::Failed)?;
                Ok(None)
            }
        }
    }

    /// All recipients of a published message have their deliveries.
    pub(super) fn end_routing(
        engine: &Bound<'_, Self>,
        ticket: Ticket,
        envelope: &Bound<'_, PublishEnvelope>,
        outcome: Outcome,
    ) -> PyResult<()> {
        let py = engine.py();
        if let Some(observer) = envelope.get().observer(py) {
            observer.call_method0(py, intern!(py, "routed"))?;
        }
        Self::routed(engine, envelope)?;
        Self::settle(engine, ticket, outcome)?;
        Self::continue_if_due(engine)
    }

    /// Places the deliveries of a published message. Returns the recipients whose type is not registered: they
    /// are reported after the other deliveries have begun, since the error may halt the runtime.
    pub(super) fn place_all<'a, 'py: 'a>(
        engine: &Bound<'py, Self>,
        ticket: Ticket,
        envelope: &Bound<'py, PublishEnvelope>,
        recipients: impl Iterator<Item = &'a Bound<'py, AgentId>>,
    ) -> PyResult<Vec<&'a Bound<'py, AgentId>>> {
        let (py, this) = (engine.py(), engine.get());
        let host = this.host.bind(py);
        let mut unknown = Vec::new();
        for recipient in recipients {
            let is_known = this.books.lock(py).contains(recipient, this.number)?
                || host.call_method1(intern!(py, "is_registered"), (recipient,))?.is_truthy()?;
            if is_known {
                Self::count_delivery(envelope, true)?;
                let payload = Payload::Published(envelope.clone().unbind());
                Self::place(engine, ticket, recipient, payload, None)?;
            } else {
                unknown.push(recipient);
            }
        }
        Ok(unknown)
    }

    pub(super) fn report_unknown<'py>(
        engine: &Bound<'py, Self>,
        envelope: &Bound<'py, PublishEnvelope>,
        unknown: Vec<&Bound<'py, AgentId>>,
    ) -> PyResult<()> {
        let py = engine.py();
        for recipient in unknown {
            let name = intern!(py, "unreachable");
            engine.get().host.call_method1(py, name, (recipient, envelope))?;
        }
        Ok(())
    }

    fn place(
        engine: &Bound<'_, Self>,
        ticket: Ticket,
        recipient: &Bound<'_, AgentId>,
        payload: Payload,
        caller: Option<DeliveryId>,
    ) -> PyResult<()> {
        let (py, this) = (engine.py(), engine.get());
        let host = this.host.bind(py);
        let send = match &payload {
            Payload::Direct(direct) => Some(direct.send.bind(py).clone()),
            _ => None,
        };
        let class = payload.class(py);
        let awaits = this.awaits(py, &payload, caller);
        let envelope = match &payload {
            Payload::Published(envelope) => Some(envelope.bind(py).clone()),
            _ => None,
        };
        let placement = {
            let mut books = this.books.lock(py);
            let slot = books.find_or_build(recipient)?;
            books.machine.place(slot, ticket, payload, class, awaits).map_err(raised)?
        };
        match placement {
            Placement::Queued(delivery) | Placement::Blocked(delivery) => {
                if let Some(send) = send {
                    send.get().attach(engine, delivery, None);
                } else if let (Placement::Blocked(_), Some(envelope)) = (placement, envelope) {
                    Self::blocked(engine, delivery, &envelope);
                }
                Ok(())
            }
            Placement::Overflow { evicted, payload, .. } => {
                let message = payload.message(py);
                let error = host.call_method1(intern!(py, "mailbox_full"), (recipient, message))?;
                Self::refuse_delivery(engine, evicted, &payload, &error)
            }
            Placement::Deadlock { delivery, payload, cycle } => {
                let error = this.deadlock_error(py, &cycle, &payload.message(py))?;
                if let Some(envelope) = envelope {
                    Self::end_publisher(&envelope, future::Outcome::Error(error.clone().unbind()))?;
                }
                Self::refuse_delivery(engine, delivery, &payload, &error)
            }
        }
    }

    pub(super) fn deadlock_error<'py>(
        &self,
        py: Python<'py>,
        cycle: &[AgentSlot],
        message: &Py<PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let cycle: Vec<_> = self.books.with(py, |books| {
            let ids = cycle.iter().filter_map(|slot| books.records.get(*slot));
            ids.map(|record| record.id.clone_ref(py)).collect()
        });
        self.host.bind(py).call_method1(intern!(py, "deadlock"), (cycle, message))
    }
}
