//! Settlement: what happens when a handler ends, or a message reaches no handler.

use ferrogen_core::{AgentSlot, DeliveryId, Outcome, Ticket};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;

use super::engine::Engine;
use super::future::{self, ends_program};
use super::handlers::Handler;
use super::interception::Intercepted;
use super::intervention_methods::Method;
use super::invoke::Handled;
use super::messages::{DirectMessage, Payload, Response, Taken};
use super::observer::Observation;
use super::revision::Interception;
use super::send::Send;
use super::statistics::outcome_of_refusal;
use crate::agent_id::AgentId;
use crate::errors::{exception, raised};
use crate::message_context::MessageContext;
use crate::publish_envelope::PublishEnvelope;
use crate::python;

/// What a task completes when its coroutine ends.
pub(super) struct Completion {
    pub(super) engine: Py<Engine>,
    pub(super) task: Py<PyAny>,
    pub(super) work: Work,
}

pub(super) enum Work {
    Handler(HandlerWork),
    Interception(Box<Interception>),
}

/// The delivery that a handler is to settle.
pub(super) struct HandlerWork {
    pub(super) slot: AgentSlot,
    pub(super) delivery: DeliveryId,
    pub(super) agent_id: Py<AgentId>,
    pub(super) handler: Option<Py<Handler>>,
    pub(super) reply: Reply,
}

/// Where the result of a handler goes.
pub(super) enum Reply {
    /// To the sender, who awaits a future.
    Sender { send: Py<Send>, observation: Observation, recipient: Option<Py<PyAny>> },
    /// Nowhere: the message was published.
    Publication { envelope: Py<PublishEnvelope>, observation: Observation },
    /// To the sender, when it is stepped again. This is the handler's message context.
    ResumedBySender(Py<MessageContext>),
}

/// What follows the end of a coroutine.
pub(super) enum Ended<'py> {
    Done,
    /// The sender takes this outcome when it is stepped again.
    Outcome(future::Outcome),
    /// Another coroutine runs in the same task.
    Next(Completion, Bound<'py, PyAny>),
}

impl Completion {
    /// Takes it apart. The engine refers to the task no longer.
    pub(super) fn release(self, py: Python<'_>) -> PyResult<(Py<Engine>, Py<PyAny>, Work)> {
        let Self { engine, task, work } = self;
        engine.get().kept.bind(py).discard(&task)?;
        Ok((engine, task, work))
    }

    pub(super) fn complete<'py>(
        self,
        py: Python<'py>,
        result: PyResult<Bound<'py, PyAny>>,
    ) -> PyResult<Ended<'py>> {
        let (engine, task, work) = self.release(py)?;
        let engine = engine.bind(py);
        match work {
            Work::Interception(interception) => interception.resume(engine, task, result),
            Work::Handler(HandlerWork { slot, delivery, agent_id, handler, reply }) => {
                let result = result.and_then(|value| match &handler {
                    Some(handler) => handler.get().check(value),
                    None => Ok(value),
                });
                let result = result.map_err(Box::new);
                let agent_id = agent_id.into_bound(py);
                match reply {
                    Reply::Sender { send, observation, recipient } => {
                        let result = observation.end(py, result);
                        let to = Destination { send, observation, recipient };
                        let result = result.map_err(|error| *error);
                        Engine::end_send(engine, slot, delivery, agent_id, to, result)?;
                    }
                    Reply::Publication { envelope, observation } => {
                        let result = observation.end(py, result).map_err(|error| *error);
                        let envelope = envelope.bind(py);
                        Engine::end_publication(
                            engine, slot, delivery, &agent_id, envelope, result, None,
                        )?;
                    }
                    Reply::ResumedBySender(_) => {
                        let result = Engine::settle_inline(engine, slot, delivery, result, None);
                        let result = result.map_err(|error| *error);
                        return Ok(Ended::Outcome(future::Outcome::of(py, result)));
                    }
                }
                Ok(Ended::Done)
            }
        }
    }

    pub(super) fn is_interception(&mut self) -> bool {
        matches!(self.work, Work::Interception(_))
    }

    /// The delivery of a handler.
    pub(super) fn delivery(&self) -> Option<DeliveryId> {
        match &self.work {
            Work::Handler(work) => Some(work.delivery),
            Work::Interception(_) => None,
        }
    }

    /// The agent that awaits the response of a handler.
    pub(super) fn sender<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        let Work::Handler(work) = &self.work else { return None };
        let Reply::Sender { recipient, .. } = &work.reply else { return None };
        recipient.as_ref().map(|sender| sender.bind(py).clone())
    }

    /// The engine, the delivery and the task of a handler.
    pub(super) fn running<'py>(
        &self,
        py: Python<'py>,
    ) -> Option<(Bound<'py, Engine>, DeliveryId, Bound<'py, PyAny>)> {
        let Work::Handler(work) = &self.work else { return None };
        Some((self.engine.bind(py).clone(), work.delivery, self.task.bind(py).clone()))
    }

    pub(super) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.engine)?;
        visit.call(&self.task)?;
        match &self.work {
            Work::Interception(interception) => interception.visit(visit),
            Work::Handler(work) => {
                visit.call(&work.agent_id)?;
                visit.call(&work.handler)?;
                match &work.reply {
                    Reply::Sender { send, observation, recipient } => {
                        visit.call(send)?;
                        visit.call(recipient)?;
                        observation.visit(visit)
                    }
                    Reply::Publication { envelope, observation } => {
                        visit.call(envelope)?;
                        observation.visit(visit)
                    }
                    Reply::ResumedBySender(context) => visit.call(context),
                }
            }
        }
    }
}

/// A sender that awaits a response.
pub(super) struct Destination {
    pub(super) send: Py<Send>,
    pub(super) observation: Observation,
    pub(super) recipient: Option<Py<PyAny>>,
}

/// Ends of handlers.
impl Engine {
    /// Settles a message whose sender is being stepped, and takes the result.
    #[inline(always)]
    pub(super) fn settle_inline<'py>(
        engine: &Bound<'py, Self>,
        slot: AgentSlot,
        delivery: DeliveryId,
        result: Handled<'py>,
        context: Option<Bound<'py, PyAny>>,
    ) -> Handled<'py> {
        let outcome = match &result {
            Ok(_) => Outcome::Responded,
            Err(error) => engine.get().outcome_of(engine.py(), delivery, error),
        };
        let after = engine.get().finish(engine.py(), slot, delivery, outcome, context);
        let after = after.map_err(Box::new)?;
        if engine.get().has_work(after) {
            Self::follow_up(engine, slot, after).map_err(Box::new)?;
        }
        result
    }

    /// Settles a delivery that is settled elsewhere in the code than where its handler ends.
    pub(super) fn settle_delivery(
        engine: &Bound<'_, Self>,
        delivery: DeliveryId,
        outcome: Outcome,
    ) -> PyResult<()> {
        let (py, this) = (engine.py(), engine.get());
        let slot = this.books.with(py, |books| books.machine.agent_of(delivery));
        let after = this.finish(py, slot.unwrap_or_default(), delivery, outcome, None)?;
        if this.has_work(after) {
            Self::follow_up(engine, slot.unwrap_or_default(), after)
        } else {
            Ok(())
        }
    }

    /// A handler has ended whose sender awaits a future.
    pub(super) fn end_send<'py>(
        engine: &Bound<'py, Self>,
        slot: AgentSlot,
        delivery: DeliveryId,
        agent_id: Bound<'py, AgentId>,
        to: Destination,
        result: PyResult<Bound<'py, PyAny>>,
    ) -> PyResult<()> {
        let (py, this) = (engine.py(), engine.get());
        let value = match result {
            Ok(value) => value,
            Err(error) => {
                let outcome = this.outcome_of(py, delivery, &error);
                let ended = Send::end(to.send.bind(py), future::Outcome::of(py, Err(error)));
                Self::settle_delivery(engine, delivery, outcome)?;
                return ended;
            }
        };
        let Destination { send, observation, recipient } = to;
        let agent_id = agent_id.unbind();
        let value = value.unbind();
        let response = Box::new(Response { value, send, observation, agent_id, recipient });
        let is_by_hand = this.is_by_hand(py);
        let is_intercepted = this.is_intercepted(py, Method::Response)?;
        if !is_by_hand && !is_intercepted {
            return Self::deliver_response(engine, delivery, *response);
        }
        if is_by_hand || this.books.with(py, |books| books.machine.is_paused()) {
            this.set_time(py);
            let rests = this
                .books
                .with(py, |books| books.machine.respond(delivery, Payload::Response(response)));
            let after = this.aftermath(py, rests.map_err(raised)?);
            Self::follow_up(engine, slot, after)?;
            return Self::continue_soon(engine);
        }
        let after = this.release_agent(py, delivery)?;
        Self::follow_up(engine, slot, after)?;
        let (send, is_from_outside) = (response.send.clone_ref(py), response.recipient.is_none());
        match Self::intercept(engine, Taken::Response(delivery, response))? {
            Intercepted::Suspended { has_yielded } => {
                send.get().expect_progress(py, has_yielded, is_from_outside);
                Ok(())
            }
            intercepted => Self::process_intercepted(engine, intercepted),
        }
    }

    /// Delivers a response to the sender, and settles the message.
    pub(super) fn deliver_response(
        engine: &Bound<'_, Self>,
        delivery: DeliveryId,
        response: Response,
    ) -> PyResult<()> {
        let py = engine.py();
        let observed = response.observation.responded(response.value.bind(py));
        let outcome = match observed {
            Ok(()) => future::Outcome::Response(response.value),
            Err(error) => future::Outcome::of(py, Err(error)),
        };
        let ended = Send::end(response.send.bind(py), outcome);
        Self::settle_delivery(engine, delivery, Outcome::Responded)?;
        ended
    }

    /// A response was dropped by an intervention handler, or one raised.
    pub(super) fn refuse_response(
        engine: &Bound<'_, Self>,
        delivery: DeliveryId,
        response: &Response,
        error: PyErr,
        outcome: Outcome,
    ) -> PyResult<()> {
        let py = engine.py();
        let ended = Send::end(response.send.bind(py), future::Outcome::of(py, Err(error)));
        Self::settle_delivery(engine, delivery, outcome)?;
        ended
    }

    /// A handler of a published message has ended.
    pub(super) fn end_publication<'py>(
        engine: &Bound<'py, Self>,
        slot: AgentSlot,
        delivery: DeliveryId,
        agent_id: &Bound<'py, AgentId>,
        envelope: &Bound<'py, PublishEnvelope>,
        result: PyResult<Bound<'py, PyAny>>,
        context: Option<Bound<'py, PyAny>>,
    ) -> PyResult<()> {
        let (py, this) = (engine.py(), engine.get());
        let Err(error) = result else {
            Self::count_delivery(envelope, false)?;
            let after = this.finish(py, slot, delivery, Outcome::Handled, context)?;
            return if this.has_work(after) {
                Self::follow_up(engine, slot, after)
            } else {
                Ok(())
            };
        };
        let outcome = this.outcome_of(py, delivery, &error);
        let error = this.error_at_deadline(py, delivery, envelope, error);
        let about = (agent_id, envelope, exception(py, &error));
        let reported = this.host.call_method1(py, intern!(py, "publish_failed"), about);
        Self::count_delivery(envelope, false)?;
        Self::settle_delivery(engine, delivery, outcome)?;
        reported?;
        if ends_program(py, &error) { Err(error) } else { Ok(()) }
    }
}

/// Messages that reach no handler.
impl Engine {
    /// Ends the hold of a message, with its outcome.
    pub(super) fn settle(
        engine: &Bound<'_, Self>,
        ticket: Ticket,
        outcome: Outcome,
    ) -> PyResult<()> {
        let (py, this) = (engine.py(), engine.get());
        this.books.with(py, |books| books.machine.settle(ticket, outcome)).map_err(raised)?;
        this.notify_if_idle(py)
    }

    /// Settles a message as failed whose processing has raised: no error leaves a message open (L1).
    pub(super) fn settle_after_error<T>(
        engine: &Bound<'_, Self>,
        ticket: Option<Ticket>,
        processed: PyResult<T>,
    ) -> PyResult<T> {
        if processed.is_err()
            && let Some(ticket) = ticket
        {
            let py = engine.py();
            // It may be settled already.
            let _ = engine.get().books.with(py, |one| one.machine.settle(ticket, Outcome::Failed));
            engine.get().notify_if_idle(py)?;
        }
        processed
    }

    /// An agent could not be built: its messages fail. Those of an agent that was stopped are dead letters.
    pub(super) fn fail_undelivered(
        engine: &Bound<'_, Self>,
        delivery: DeliveryId,
        payload: Payload,
        error: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let (py, this) = (engine.py(), engine.get());
        if error.is_instance(python::agent_stopped_error(py)?)? {
            let done = this.dead_letter(py, &payload, error);
            if let Payload::Published(envelope) = &payload {
                Self::count_delivery(envelope.bind(py), false)?;
            }
            Self::settle_delivery(engine, delivery, Outcome::DeadLettered)?;
            Self::leave_queue(engine, delivery)?;
            return done;
        }
        let done = match &payload {
            Payload::Direct(direct) => {
                let error = direct.observation.failed(py, PyErr::from_value(error.clone()));
                Send::end(direct.send.bind(py), future::Outcome::of(py, Err(error)))
            }
            Payload::Published(envelope) => {
                let about = (envelope, error);
                let reported = this.host.call_method1(py, intern!(py, "delivery_failed"), about);
                Self::count_delivery(envelope.bind(py), false).and(reported.map(|_| ()))
            }
            Payload::Response(_) => Ok(()),
        };
        Self::settle_delivery(engine, delivery, Outcome::Failed)?;
        if matches!(payload, Payload::Published(_)) {
            Self::leave_queue(engine, delivery)?;
        }
        done
    }

    /// Gives the sender of a message an error, and makes the message a dead letter.
    pub(super) fn dead_letter(
        &self,
        py: Python<'_>,
        payload: &Payload,
        error: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let host = self.host.bind(py);
        match payload {
            Payload::Direct(direct) => {
                let request = &direct.request;
                let failed = direct.observation.failed(py, PyErr::from_value(error.clone()));
                let ended = Send::end(direct.send.bind(py), future::Outcome::of(py, Err(failed)));
                let about =
                    (&request.message, &request.sender, &request.to, &request.message_id, error);
                host.call_method1(intern!(py, "add_dead_letter"), about)?;
                ended
            }
            Payload::Published(envelope) => {
                let about = (envelope, error);
                host.call_method1(intern!(py, "undelivered"), about).map(|_| ())
            }
            Payload::Response(_) => Ok(()),
        }
    }

    /// Settles a delivery that the core has returned.
    pub(super) fn refuse_delivery(
        engine: &Bound<'_, Self>,
        delivery: DeliveryId,
        payload: &Payload,
        error: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let outcome = outcome_of_refusal(engine.py(), error);
        let refused = engine.get().dead_letter(engine.py(), payload, error);
        if let Payload::Published(envelope) = payload {
            let envelope = envelope.bind(engine.py());
            Self::count_delivery(envelope, false)?;
            engine.get().refuse_place(engine.py(), delivery, envelope, error)?;
        }
        Self::settle_delivery(engine, delivery, outcome)?;
        refused
    }

    /// Drops a message that was taken, because an intervention handler said so.
    pub(super) fn drop_message(
        engine: &Bound<'_, Self>,
        ticket: Ticket,
        direct: Option<&DirectMessage>,
        error: PyErr,
        outcome: Outcome,
    ) -> PyResult<()> {
        let py = engine.py();
        let ended = match direct {
            Some(direct) => Send::end(direct.send.bind(py), future::Outcome::of(py, Err(error))),
            None => Ok(()),
        };
        Self::settle(engine, ticket, outcome)?;
        ended
    }
}
