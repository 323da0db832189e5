//! Publications of a batch: a published message is delivered to all its recipients.

use std::sync::atomic::Ordering;

use ferrogen_core::{Outcome, Ticket};
use pyo3::prelude::*;

use crate::agent_id::AgentId;
use crate::engine::beginning::{Invocation, Start};
use crate::engine::engine::Engine;
use crate::engine::invoke::{Arguments, Delivered, Handled, Ran};
use crate::engine::observer::Observation;
use crate::engine::options::MessageOptions;
use crate::errors::raised;
use crate::publish_envelope::PublishEnvelope;

use super::{Batch, Progress};

/// A published message that is being delivered.
struct Publication<'a, 'py> {
    ticket: Ticket,
    envelope: &'a Bound<'py, PublishEnvelope>,
    is_observed: bool,
    has_options: bool,
}

impl<'py> Batch<'_, 'py> {
    /// Delivers a published message to all its recipients. Returns whether all their handlers have ended.
    pub(super) fn publish(
        &mut self,
        ticket: Ticket,
        envelope: &Bound<'py, PublishEnvelope>,
    ) -> PyResult<bool> {
        let (py, engine) = (self.py(), self.engine());
        let this = engine.get();
        let Some(recipients) = Engine::route(engine, ticket, envelope, || self.leave())? else {
            return Ok(false);
        };
        self.deliveries += recipients.len().max(1);
        let mut refused = Vec::new();
        let mut result = Ok(true);
        this.remaining.begin(py, &recipients);
        let publication = Publication {
            ticket,
            envelope,
            is_observed: envelope.get().is_observed(py),
            has_options: envelope.get().options(py, MessageOptions::is_some),
        };
        for (index, recipient) in recipients.iter().enumerate() {
            let recipient = recipient.bind(py);
            this.remaining.set_count(recipients.len() - index - 1);
            match self.publish_to(recipient, &publication) {
                Ok(Progress::Ended) => {}
                Ok(Progress::Suspended) => result = result.map(|_| false),
                Ok(Progress::Refused) => refused.push(recipient),
                Err(error) => result = result.and(Err(error)),
            }
        }
        this.remaining.end(py);
        this.clock.is_set.store(false, Ordering::Relaxed);
        self.clear_context();
        if !refused.is_empty() {
            self.leave();
            let unknown = Engine::place_all(engine, ticket, envelope, refused.into_iter())?;
            if !unknown.is_empty() {
                while self.run_step(&mut true)? {}
                self.leave();
                Engine::report_unknown(engine, envelope, unknown)?;
            }
            result = result.map(|_| false);
        }
        if publication.is_observed {
            self.leave();
            Engine::end_routing(engine, ticket, envelope, Outcome::Handled)?;
        } else {
            if this.uses_backpressure.load(Ordering::Relaxed) {
                self.leave();
                Engine::routed(engine, envelope)?;
            }
            let settled =
                this.books.with(py, |books| books.machine.settle(ticket, Outcome::Handled));
            settled.map_err(raised)?;
            if this.idle_is_awaited.load(Ordering::Relaxed) {
                self.leave();
                this.notify_if_idle(py)?;
            }
        }
        result
    }

    /// Runs one recipient's handler, unless something is ahead of the message.
    #[inline(always)]
    fn publish_to(
        &mut self,
        recipient: &Bound<'py, AgentId>,
        publication: &Publication<'_, 'py>,
    ) -> PyResult<Progress> {
        let (py, this) = (self.py(), self.engine().get());
        let &Publication { ticket, envelope, is_observed, has_options } = publication;
        let mut observation = Observation::NONE;
        if is_observed {
            if !this.books.lock(py).contains(recipient, this.number)? {
                return Ok(Progress::Refused); // the observer is made with the delivery
            }
            self.leave();
        }
        self.task()?;
        let mut place = None;
        let start = Start::Recipient { ticket, caller: None };
        this.begin(recipient, start, &mut place)?;
        let Some(invocation) = &mut place else { return Ok(Progress::Refused) };
        if has_options {
            let options =
                envelope.get().options(py, |options| options.of_handler(py, options.chain()));
            invocation.apply(this, options);
        }
        if is_observed {
            self.leave();
            Engine::count_delivery(envelope, true)?;
            match this.delivery_observation(recipient, envelope) {
                Ok(observed) => observation = observed,
                Err(error) => {
                    return self.fail_publication(invocation, envelope, error);
                }
            }
        }
        self.run_published(invocation, envelope, observation)
    }

    #[inline(always)]
    pub(super) fn run_published(
        &mut self,
        invocation: &mut Invocation<'py>,
        envelope: &Bound<'py, PublishEnvelope>,
        observation: Observation,
    ) -> PyResult<Progress> {
        let (py, this) = (self.py(), self.engine().get());
        let source = invocation.context.take();
        let invocation = &*invocation;
        let pooled = self.unchecked_task()?;
        let context = pooled.context_of(envelope);
        let message = &envelope.get().message(py).into_bound(py);
        let context = match context {
            Ok(context) => context,
            Err(error) => return self.fail_publication(invocation, envelope, error),
        };
        let arguments = Arguments { message, context: &context, is_rpc: false };
        match this.run(invocation, source, pooled, &arguments, &observation) {
            Ran::Ended(result) => {
                let own = pooled.leave(py);
                pooled.keep_context_of_recipient(context);
                if observation.is_some() || result.is_err() {
                    self.leave();
                }
                let result = observation.end(py, result);
                self.end_publication(invocation, envelope, result, own)
            }
            Ran::Suspended(suspension) => {
                let pooled = self.take_task();
                let work = Delivered::Published(envelope.clone().unbind(), observation);
                self.hold(invocation, pooled, work, suspension)
            }
        }
    }

    /// Settles a delivery whose handler has not begun.
    #[cold]
    #[inline(never)]
    pub(super) fn fail_publication(
        &mut self,
        invocation: &Invocation<'py>,
        envelope: &Bound<'py, PublishEnvelope>,
        error: PyErr,
    ) -> PyResult<Progress> {
        self.end_publication(invocation, envelope, Err(Box::new(error)), None)
    }

    #[inline(always)]
    fn end_publication(
        &mut self,
        invocation: &Invocation<'py>,
        envelope: &Bound<'py, PublishEnvelope>,
        result: Handled<'py>,
        own: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Progress> {
        let (py, engine) = (self.py(), self.engine());
        let (slot, delivery) = (invocation.slot, invocation.delivery);
        if result.is_ok() && !envelope.get().is_observed(py) {
            let after = engine.get().finish(py, slot, delivery, Outcome::Handled, own)?;
            if engine.get().has_work(after) {
                self.leave();
                Engine::follow_up(engine, slot, after)?;
            } else {
                engine.get().clock.is_set.store(true, Ordering::Relaxed);
            }
            return Ok(Progress::Ended);
        }
        self.leave();
        let agent_id = &invocation.agent_id;
        let result = result.map_err(|error| *error);
        Engine::end_publication(engine, slot, delivery, agent_id, envelope, result, own)?;
        Ok(Progress::Ended)
    }
}
