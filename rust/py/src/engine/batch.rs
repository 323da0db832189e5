//! One batch of the pump: due deliveries and queued messages, whose handlers run inline one after the other.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ferrogen_core::{AgentSlot, DeliveryId, Outcome, Step, Ticket};
use pyo3::intern;
use pyo3::prelude::*;

use super::admission::InlineGuard;
use super::beginning::{Invocation, Start};
use super::engine::Engine;
use super::interception::Intercepted;
use super::invoke::{Arguments, Delivered, Handled, Ran, Suspension};
use super::messages::{DirectMessage, Payload, Taken};
use super::observer::Observation;
use super::options::MessageOptions;
use super::pump::taken;
use super::settlement::{Completion, Destination, HandlerWork, Work};
use super::task_pool::PooledTask;
use crate::agent_id::AgentId;
use crate::errors::raised;
use crate::interpreter::current_task::CurrentTask;
use crate::publish_envelope::PublishEnvelope;

/// How long a batch takes before the event loop gets an iteration.
const BATCH: Duration = Duration::from_millis(1);
/// After how many deliveries the clock is read.
const BETWEEN_READINGS: usize = 16;

/// One batch: handlers run inline, one after the other, in one task while it is untouched.
pub(super) struct Batch<'a, 'py> {
    guard: &'a InlineGuard<'py>,
    current: CurrentTask<'a, 'py>,
    /// The current task, if there is one.
    pooled: Option<Box<PooledTask>>,
    began: Instant,
    deliveries: usize,
}

/// A published message that is being delivered.
struct Publication<'a, 'py> {
    ticket: Ticket,
    envelope: &'a Bound<'py, PublishEnvelope>,
    is_observed: bool,
    has_options: bool,
}

/// How far a delivery of the batch has come.
#[derive(PartialEq, Eq)]
enum Progress {
    Ended,
    Suspended,
    /// Something is ahead of it.
    Refused,
}

impl<'a, 'py> Batch<'a, 'py> {
    pub(super) fn new(guard: &'a InlineGuard<'py>) -> PyResult<Self> {
        let current = CurrentTask::new(&guard.event_loop)?;
        Ok(Self { guard, current, pooled: None, began: Instant::now(), deliveries: 0 })
    }

    fn py(&self) -> Python<'py> {
        self.guard.event_loop.py()
    }

    fn engine(&self) -> &'a Bound<'py, Engine> {
        &self.guard.engine
    }

    /// Runs the batch. Returns whether nothing is left to do. Suspended handlers and agents that are built get
    /// their turn before the next message.
    pub(super) fn run(&mut self) -> PyResult<bool> {
        let (py, engine) = (self.py(), self.engine());
        let mut goes_on = true;
        loop {
            if !engine.get().state.with(py, |state| state.is_open_here()) {
                return Ok(true);
            }
            if self.run_step(&mut goes_on)? {
                // Other steps come before the next message.
            } else if !goes_on {
                return Ok(false);
            } else if let Some(arrival) = engine.get().books.with(py, |books| books.machine.take())
            {
                goes_on = self.process(taken(arrival))?;
            } else {
                return Ok(true);
            }
            if self.deliveries >= BETWEEN_READINGS {
                self.deliveries = 0;
                if self.began.elapsed() >= BATCH {
                    return Ok(false);
                }
            }
        }
    }

    /// Takes one message, and does what is due before and after it. Returns whether there was one.
    pub(super) fn run_one(&mut self) -> PyResult<bool> {
        while self.run_step(&mut true)? {}
        let arrival = self.engine().get().books.with(self.py(), |books| books.machine.take());
        let Some(arrival) = arrival else { return Ok(false) };
        self.process(taken(arrival))?;
        while self.run_step(&mut true)? {}
        Ok(true)
    }

    /// Does what is due next. Returns whether there was anything.
    fn run_step(&mut self, goes_on: &mut bool) -> PyResult<bool> {
        let (py, engine) = (self.py(), self.engine());
        match engine.get().books.with(py, |books| books.machine.step()) {
            None => return Ok(false),
            Some(Step::Deliver(slot, delivery, payload)) => {
                self.deliveries += 1;
                let is_direct = matches!(payload, Payload::Direct(_));
                let progress = self.deliver(slot, delivery, payload);
                engine.get().clock.is_set.store(false, Ordering::Relaxed);
                let has_ended = progress? == Progress::Ended;
                *goes_on &= has_ended;
                return Ok(has_ended || !is_direct);
            }
            Some(other) => {
                self.leave();
                *goes_on &= matches!(other, Step::Passivate(_));
                Engine::do_step(engine, other)?;
            }
        }
        Ok(true)
    }

    /// Processes a message that was taken. Returns whether the batch goes on.
    fn process(&mut self, taken: Taken) -> PyResult<bool> {
        let ticket = taken.ticket();
        let processed = self.process_taken(taken);
        Engine::settle_after_error(self.engine(), ticket, processed)
    }

    fn process_taken(&mut self, taken: Taken) -> PyResult<bool> {
        let (py, engine) = (self.py(), self.engine());
        let Some(taken) = Engine::drop_if_expired(engine, taken)? else { return Ok(true) };
        let name = match &taken {
            Taken::Direct(..) => intern!(py, "on_send"),
            Taken::Published(..) => intern!(py, "on_publish"),
            Taken::Response(..) => intern!(py, "on_response"),
        };
        let taken = if engine.get().is_intercepted(py, name)? {
            self.leave();
            match Engine::run_interceptors(engine, taken)? {
                Intercepted::Passed(taken) => taken,
                Intercepted::Suspended => return Ok(true),
                other => return Engine::process_intercepted(engine, other).map(|()| true),
            }
        } else {
            taken
        };
        match taken {
            Taken::Published(ticket, envelope) => self.publish(ticket, envelope.bind(py)),
            other => {
                self.leave();
                Engine::dispatch(engine, other)?;
                Ok(true)
            }
        }
    }

    /// Delivers a published message to all its recipients. Returns whether all their handlers have ended.
    fn publish(
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
            if !this.books.lock(py).contains(recipient)? {
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
    fn run_published(
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
    fn fail_publication(
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

    /// Runs a delivery that is due.
    fn deliver(
        &mut self,
        slot: AgentSlot,
        delivery: DeliveryId,
        payload: Payload,
    ) -> PyResult<Progress> {
        let (py, engine) = (self.py(), self.engine());
        let this = engine.get();
        if Engine::refuse_if_expired(engine, delivery, &payload)? {
            return Ok(Progress::Ended);
        }
        let mut invocation = this.invocation(py, slot, delivery)?;
        invocation.apply(this, payload.of_handler(py));
        this.set_time(py);
        this.books.with(py, |books| books.machine.begun(delivery));
        match payload {
            Payload::Direct(direct) => self.run_direct(&mut invocation, direct),
            Payload::Published(envelope) => {
                let envelope = envelope.bind(py);
                self.leave();
                match this.delivery_observation(&invocation.agent_id, envelope) {
                    Ok(observation) => {
                        let progress = self.run_published(&mut invocation, envelope, observation);
                        self.clear_context();
                        progress
                    }
                    Err(error) => self.fail_publication(&invocation, envelope, error),
                }
            }
            Payload::Response(_) => unreachable!("a response is not delivered to an agent"),
        }
    }

    fn run_direct(
        &mut self,
        invocation: &mut Invocation<'py>,
        direct: Box<DirectMessage>,
    ) -> PyResult<Progress> {
        let (py, this) = (self.py(), self.engine().get());
        let source = invocation.context.take();
        let invocation = &*invocation;
        let message = direct.request.message.bind(py).clone();
        let pooled = self.task()?;
        let context = pooled.message_context(py, &direct.request).and_then(|context| {
            direct.link(&context)?;
            Ok(context)
        });
        let context = match context {
            Ok(context) => context,
            Err(error) => return self.end_send(invocation, *direct, Err(Box::new(error))),
        };
        let arguments = Arguments { message: &message, context: &context, is_rpc: true };
        match this.run(invocation, source, pooled, &arguments, &direct.observation) {
            Ran::Ended(result) => {
                drop(pooled.leave(py));
                pooled.keep_context(py, context);
                self.leave();
                self.end_send(invocation, *direct, result)
            }
            Ran::Suspended(suspension) => {
                let pooled = self.take_task();
                self.hold(invocation, pooled, Delivered::Direct(direct), suspension)
            }
        }
    }

    fn end_send(
        &mut self,
        invocation: &Invocation<'py>,
        direct: DirectMessage,
        result: Handled<'py>,
    ) -> PyResult<Progress> {
        self.leave();
        let (py, engine) = (self.py(), self.engine());
        let DirectMessage { request, send, observation, .. } = direct;
        let result = observation.end(py, result).map_err(|error| *error);
        let to = Destination { send, observation, recipient: request.sender };
        let (slot, delivery) = (invocation.slot, invocation.delivery);
        Engine::end_send(engine, slot, delivery, invocation.agent_id.clone(), to, result)?;
        Ok(Progress::Ended)
    }

    fn hold(
        &mut self,
        invocation: &Invocation<'py>,
        pooled: Box<PooledTask>,
        delivered: Delivered,
        suspension: Suspension<'_, 'py>,
    ) -> PyResult<Progress> {
        let (py, engine) = (self.py(), self.engine());
        let Suspension { coroutine, yielded, handler } = suspension;
        let deadline = match &delivered {
            Delivered::Published(envelope, _) => {
                envelope.get().options(py, MessageOptions::deadline)
            }
            Delivered::Direct(_) => None, // the send is watched
        };
        let work = HandlerWork {
            slot: invocation.slot,
            delivery: invocation.delivery,
            agent_id: invocation.agent_id.clone().unbind(),
            handler: handler.map(|handler| handler.clone_ref(py)),
            reply: delivered.into_reply(),
        };
        let completion = Completion {
            engine: engine.clone().unbind(),
            task: pooled.task.clone_ref(py),
            work: Work::Handler(work),
        };
        let execution = pooled.execution.bind(py).clone();
        engine.get().hold(pooled, coroutine, yielded, completion)?;
        if let Some(deadline) = deadline {
            Engine::watch_handler(engine, &execution, invocation.delivery, deadline)?;
        }
        Ok(Progress::Suspended)
    }

    // The current task.

    /// The task for the next handler, idle and the current one.
    #[inline(always)]
    fn task(&mut self) -> PyResult<&mut PooledTask> {
        let py = self.py();
        // asyncio refers to its current task.
        if self.pooled.as_mut().is_some_and(|pooled| !pooled.is_untouched(py, 1)) {
            self.leave();
        }
        self.unchecked_task()
    }

    /// The same where no handler has run since it was checked.
    #[inline(always)]
    fn unchecked_task(&mut self) -> PyResult<&mut PooledTask> {
        if self.pooled.is_none() {
            self.borrow_task()?;
        }
        Ok(self.pooled.as_mut().expect("it was put there"))
    }

    #[cold]
    fn borrow_task(&mut self) -> PyResult<()> {
        let pooled = self.engine().get().borrow_task(&self.guard.event_loop)?;
        self.current.enter(Some(pooled.task.bind(self.py())))?;
        self.pooled = Some(pooled);
        Ok(())
    }

    /// Takes the task out, for a handler that has suspended in it.
    fn take_task(&mut self) -> Box<PooledTask> {
        self.current.leave();
        let pooled = self.pooled.take().expect("a handler has just run in it");
        pooled.clear_context(self.py());
        pooled
    }

    fn clear_context(&self) {
        if let Some(pooled) = &self.pooled {
            pooled.clear_context(self.py());
        }
    }

    /// Restores the current task: code other than handlers may run.
    fn leave(&mut self) {
        if self.pooled.is_some() {
            let pooled = self.take_task();
            self.engine().get().return_task(self.py(), pooled);
        }
    }
}

impl Drop for Batch<'_, '_> {
    fn drop(&mut self) {
        self.leave();
    }
}
