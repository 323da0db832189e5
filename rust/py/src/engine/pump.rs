//! The pump: takes queued messages and due deliveries in batches, one batch in each turn of the event loop.

use std::time::{Duration, Instant};

use ferrogen_core::{
    self as core, AgentSlot, Arrival, DeliveryId, Outcome, Placement, Step, Ticket,
};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;

use super::admission::InlineGuard;
use super::agents::{Invocation, Start, now};
use super::engine::Engine;
use super::execution::Execution;
use super::interception::Intercepted;
use super::invoke::{Arguments, Delivered, Ran, Suspension, Unstarted};
use super::messages::{DirectMessage, Payload, Taken};
use super::observer::Observation;
use super::routing::without_sender;
use super::settlement::{Completion, Destination, HandlerWork, Work};
use super::task_pool::PooledTask;
use crate::agent_id::AgentId;
use crate::errors::raised;
use crate::interpreter::current_task::{CurrentTask, is_running};
use crate::publish_envelope::PublishEnvelope;

/// How long a batch takes before the event loop gets a turn.
const BATCH: Duration = Duration::from_millis(1);
/// After how many deliveries the clock is read.
const BETWEEN_READINGS: usize = 16;

/// The timer that is armed: when it fires, and its handle.
pub(super) struct Timer {
    when: core::Time,
    handle: Py<PyAny>,
}

impl Timer {
    pub(super) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.handle)
    }
}

/// Scheduling.
impl Engine {
    /// Schedules the pump, or wakes the code that takes messages by hand.
    pub(super) fn continue_soon(engine: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (engine.py(), engine.get());
        if this.state.with(py, |state| state.is_open_here()) {
            return Self::arm(engine);
        }
        // Deliveries begin also while no messages are taken.
        Self::run_steps_in_tasks(engine)?;
        this.host.call_method0(py, intern!(py, "wake"))?;
        Ok(())
    }

    /// Schedules the pump in the next turn of the event loop, unless it is scheduled.
    pub(super) fn arm(engine: &Bound<'_, Self>) -> PyResult<()> {
        let py = engine.py();
        let event_loop = engine.get().state.with(py, |state| {
            if !state.is_open_here() || std::mem::replace(&mut state.is_armed, true) {
                return None;
            }
            state.event_loop.as_ref().map(|event_loop| event_loop.bind(py).clone())
        });
        let Some(event_loop) = event_loop else { return Ok(()) };
        let armed = Self::call_soon(engine, &event_loop, intern!(py, "pump"));
        if armed.is_err() {
            engine.get().state.with(py, |state| state.is_armed = false);
        }
        armed
    }

    /// Arms the one timer for the time at which the core is to be called next.
    pub(super) fn set_timer(engine: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (engine.py(), engine.get());
        let Some(wake) = this.books.with(py, |books| books.machine.next_wake()) else {
            return Ok(());
        };
        let armed = this.state.with(py, |state| state.timer.as_ref().map(|timer| timer.when));
        if armed.is_some_and(|armed| armed <= wake) {
            return Ok(());
        }
        let Some(event_loop) = this.bound_loop(py) else { return Ok(()) };
        let arguments = (wake.as_secs_f64(), engine.getattr(intern!(py, "wake_up"))?);
        let handle = event_loop.call_method1(intern!(py, "call_at"), arguments)?.unbind();
        let before = this.state.with(py, |state| state.timer.replace(Timer { when: wake, handle }));
        match before {
            Some(timer) => timer.handle.call_method0(py, intern!(py, "cancel")).map(|_| ()),
            None => Ok(()),
        }
    }

    pub(super) fn cancel_timer(&self, py: Python<'_>) -> PyResult<()> {
        match self.state.with(py, |state| state.timer.take()) {
            Some(timer) => timer.handle.call_method0(py, intern!(py, "cancel")).map(|_| ()),
            None => Ok(()),
        }
    }

    /// The timer has fired.
    pub(super) fn on_timer(engine: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (engine.py(), engine.get());
        let fired = this.state.with(py, |state| state.timer.take());
        drop(fired);
        let Some(event_loop) = this.bound_loop(py) else { return Ok(()) };
        let now = now(&event_loop)?;
        // The records leave before a new agent can get one of the slots.
        let passivated: Vec<_> = this.books.with(py, |books| {
            books.machine.advance(now);
            let slots = books.machine.take_passivated();
            slots.into_iter().filter_map(|slot| books.remove(slot)).collect()
        });
        for record in passivated {
            if let (id, Some(instance)) = record.into_agent() {
                this.host.call_method1(py, intern!(py, "passivated"), (id, instance))?;
            }
        }
        Self::set_timer(engine)?;
        if this.state.with(py, |state| state.is_open_here()) {
            Self::arm(engine)
        } else {
            Self::run_steps_in_tasks(engine)
        }
    }
}

/// Batches.
impl Engine {
    pub(super) fn run_batch(engine: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (engine.py(), engine.get());
        this.state.with(py, |state| state.is_armed = false);
        let Some(guard) = InlineGuard::in_new_turn(engine) else { return Ok(()) };
        if !is_running(&guard.event_loop)? {
            return Ok(());
        }
        let done = if this.is_task_mode {
            drop(guard);
            Self::take_and_run_in_tasks(engine).map(|took| !took)
        } else {
            Batch::new(&guard)?.run()
        };
        if !matches!(done, Ok(true)) {
            Self::arm(engine)?;
        }
        done.map(|_| ())
    }

    /// Takes one message, and runs handlers in tasks of their own. Returns whether there was one.
    fn take_and_run_in_tasks(engine: &Bound<'_, Self>) -> PyResult<bool> {
        let (py, this) = (engine.py(), engine.get());
        Self::run_steps_in_tasks(engine)?;
        let Some(arrival) = this.books.with(py, |books| books.machine.take()) else {
            return Ok(false);
        };
        let taken = taken(arrival);
        let ticket = taken.ticket();
        let processed = Self::intercept(engine, taken, 0)
            .and_then(|intercepted| Self::process_intercepted(engine, intercepted));
        Self::settle_after_error(engine, ticket, processed)?;
        Self::run_steps_in_tasks(engine)?;
        Ok(true)
    }

    /// Takes one message by hand. Returns whether there was one.
    pub(super) fn take_by_hand(engine: &Bound<'_, Self>) -> PyResult<bool> {
        // Beside a started runtime the message must not be overtaken.
        match InlineGuard::in_this_turn(engine).filter(|_| !engine.get().is_task_mode) {
            Some(guard) => Batch::new(&guard)?.run_one(),
            None => Self::take_and_run_in_tasks(engine),
        }
    }

    pub(super) fn run_steps_in_tasks(engine: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (engine.py(), engine.get());
        while let Some(step) = this.books.with(py, |books| books.machine.step()) {
            match step {
                Step::Deliver(slot, delivery, payload) => {
                    let Some(event_loop) = this.bound_loop(py) else { return Ok(()) };
                    Self::run_in_task(engine, &event_loop, slot, delivery, payload)?;
                }
                other => Self::do_step(engine, other)?,
            }
        }
        Ok(())
    }

    /// Runs a handler in a task of its own.
    fn run_in_task(
        engine: &Bound<'_, Self>,
        event_loop: &Bound<'_, PyAny>,
        slot: AgentSlot,
        delivery: DeliveryId,
        payload: Payload,
    ) -> PyResult<()> {
        let (py, this) = (engine.py(), engine.get());
        let Invocation { agent_id, agent, entry_point, context, .. } =
            this.invocation(py, slot, delivery)?;
        let own_id = agent_id.clone();
        let delivered = match payload {
            Payload::Direct(direct) => Delivered::Direct(direct),
            Payload::Published(envelope) => {
                let observation = this.delivery_observation(&agent_id, envelope.bind(py))?;
                Delivered::Published(envelope, observation)
            }
            Payload::Response(_) => return Ok(()),
        };
        let unstarted = Unstarted {
            engine: engine.clone().unbind(),
            slot,
            delivery,
            agent_id: agent_id.unbind(),
            agent: agent.unbind(),
            entry_point: entry_point.unbind(),
            delivered,
        };
        let execution = Bound::new(py, Execution::unstarted(event_loop, unstarted))?;
        let context = this.own_context(&own_id, context)?;
        let create_task = event_loop.getattr(intern!(py, "create_task"))?;
        let task = context.call_method1(intern!(py, "run"), (create_task, execution))?;
        if !task.call_method0(intern!(py, "done"))?.is_truthy()? {
            this.kept.bind(py).add(task)?;
        }
        Ok(())
    }

    /// A step that runs no handler.
    fn do_step(engine: &Bound<'_, Self>, step: Step<Payload>) -> PyResult<()> {
        let (py, this) = (engine.py(), engine.get());
        match step {
            Step::Build(slot) => {
                let id = this.books.with(py, |books| books.records[slot].id.clone_ref(py));
                this.host.call_method1(py, intern!(py, "start_build"), (id,))?;
            }
            Step::Passivate(..) => unreachable!("the timer takes them"),
            Step::Deliver(..) => unreachable!("deliveries run handlers"),
        }
        Ok(())
    }

    /// Lets the observer of a published message know of one more delivery, or of one that has ended.
    pub(super) fn count_delivery(
        envelope: &Bound<'_, PublishEnvelope>,
        begins: bool,
    ) -> PyResult<()> {
        let py = envelope.py();
        let Some(observer) = envelope.get().observer(py) else { return Ok(()) };
        let name =
            if begins { intern!(py, "delivery_began") } else { intern!(py, "delivery_ended") };
        observer.call_method0(py, name).map(|_| ())
    }

    pub(super) fn delivery_observation(
        &self,
        recipient: &Bound<'_, AgentId>,
        envelope: &Bound<'_, PublishEnvelope>,
    ) -> PyResult<Observation> {
        if envelope.get().observer(envelope.py()).is_none() {
            return Ok(Observation::NONE);
        }
        Observation::of_delivery(self.host.bind(envelope.py()), recipient, envelope)
    }
}

fn taken(arrival: Arrival<Payload>) -> Taken {
    match arrival {
        Arrival::Message(ticket, Payload::Direct(direct)) => Taken::Direct(ticket, direct),
        Arrival::Message(ticket, Payload::Published(envelope)) => {
            Taken::Published(ticket, envelope)
        }
        Arrival::Response(delivery, Payload::Response(response)) => {
            Taken::Response(delivery, response)
        }
        _ => unreachable!("only responses arrive as responses"),
    }
}

/// Dispatch: from the inbox to the mailboxes.
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
                Self::continue_if_due(engine)?;
                Self::report_unknown(engine, envelope, unknown)?;
                Self::end_routing(engine, ticket, envelope, Outcome::Handled)
            }
            Taken::Response(delivery, response) => {
                Self::deliver_response(engine, AgentSlot::default(), delivery, *response)
            }
        }
    }

    fn continue_if_due(engine: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (engine.py(), engine.get());
        if this.books.with(py, |books| books.machine.is_due()) {
            return Self::continue_soon(engine);
        }
        Ok(())
    }

    /// The recipients of a published message. If there are none, the message has been settled.
    fn route(
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
                let about = (envelope, error.value(py));
                this.host.call_method1(py, intern!(py, "routing_failed"), about)?;
                Self::end_routing(engine, ticket, envelope, Outcome::Failed)?;
                Ok(None)
            }
        }
    }

    /// All recipients of a published message have their deliveries.
    fn end_routing(
        engine: &Bound<'_, Self>,
        ticket: Ticket,
        envelope: &Bound<'_, PublishEnvelope>,
        outcome: Outcome,
    ) -> PyResult<()> {
        let py = engine.py();
        if let Some(observer) = envelope.get().observer(py) {
            observer.call_method0(py, intern!(py, "routed"))?;
        }
        Self::settle(engine, ticket, outcome)?;
        Self::continue_if_due(engine)
    }

    /// Places the deliveries of a published message. Returns the recipients whose type is not registered: they
    /// are reported after the other deliveries have begun, since the error may halt the runtime.
    fn place_all<'a, 'py: 'a>(
        engine: &Bound<'py, Self>,
        ticket: Ticket,
        envelope: &Bound<'py, PublishEnvelope>,
        recipients: impl Iterator<Item = &'a Bound<'py, AgentId>>,
    ) -> PyResult<Vec<&'a Bound<'py, AgentId>>> {
        let (py, this) = (engine.py(), engine.get());
        let host = this.host.bind(py);
        let mut unknown = Vec::new();
        for recipient in recipients {
            let is_known = this.books.lock(py).contains(recipient)?
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

    fn report_unknown<'py>(
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
        let placement = {
            let mut books = this.books.lock(py);
            let slot = books.find_or_build(recipient)?;
            books.machine.place(slot, ticket, payload, caller).map_err(raised)?
        };
        match placement {
            Placement::Queued(delivery) => {
                if let Some(send) = send {
                    send.get().attach(engine, delivery, None);
                }
                Ok(())
            }
            Placement::Overflow { evicted, payload, .. } => {
                let message = payload.message(py);
                let error = host.call_method1(intern!(py, "mailbox_full"), (recipient, message))?;
                Self::refuse_delivery(engine, evicted, &payload, &error)
            }
            Placement::Deadlock { delivery, payload, cycle } => {
                let cycle: Vec<_> = this.books.with(py, |books| {
                    let ids = cycle.iter().filter_map(|slot| books.records.get(*slot));
                    ids.map(|record| record.id.clone_ref(py)).collect()
                });
                let message = payload.message(py);
                let error = host.call_method1(intern!(py, "deadlock"), (cycle, message))?;
                Self::refuse_delivery(engine, delivery, &payload, &error)
            }
        }
    }
}

/// One batch: handlers run inline, one after the other, in one task while it is untouched.
struct Batch<'a, 'py> {
    guard: &'a InlineGuard<'py>,
    current: CurrentTask<'a, 'py>,
    /// The current task, if there is one.
    pooled: Option<Box<PooledTask>>,
    began: Instant,
    deliveries: usize,
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
    fn new(guard: &'a InlineGuard<'py>) -> PyResult<Self> {
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
    fn run(&mut self) -> PyResult<bool> {
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
    fn run_one(&mut self) -> PyResult<bool> {
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
                let has_ended = self.deliver(slot, delivery, payload)? == Progress::Ended;
                *goes_on &= has_ended;
                return Ok(has_ended || !is_direct);
            }
            Some(other) => {
                self.leave();
                *goes_on = false;
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
        let name = match &taken {
            Taken::Direct(..) => intern!(py, "on_send"),
            Taken::Published(..) => intern!(py, "on_publish"),
            Taken::Response(..) => intern!(py, "on_response"),
        };
        let taken = if engine.get().is_intercepted(py, name)? {
            self.leave();
            match Engine::intercept(engine, taken, 0)? {
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
        for (index, recipient) in recipients.iter().enumerate() {
            let recipient = recipient.bind(py);
            this.remaining.set_count(recipients.len() - index - 1);
            match self.publish_to(recipient, ticket, envelope) {
                Ok(Progress::Ended) => {}
                Ok(Progress::Suspended) => result = result.map(|_| false),
                Ok(Progress::Refused) => refused.push(recipient),
                Err(error) => result = result.and(Err(error)),
            }
        }
        this.remaining.end(py);
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
        if envelope.get().observer(py).is_some() {
            self.leave();
            Engine::end_routing(engine, ticket, envelope, Outcome::Handled)?;
        } else {
            let settled =
                this.books.with(py, |books| books.machine.settle(ticket, Outcome::Handled));
            settled.map_err(raised)?;
            if this.idle_is_awaited.load(std::sync::atomic::Ordering::Relaxed) {
                self.leave();
                this.notify_if_idle(py)?;
            }
        }
        result
    }

    /// Runs one recipient's handler, unless something is ahead of the message.
    fn publish_to(
        &mut self,
        recipient: &Bound<'py, AgentId>,
        ticket: Ticket,
        envelope: &Bound<'py, PublishEnvelope>,
    ) -> PyResult<Progress> {
        let (py, this) = (self.py(), self.engine().get());
        let mut observation = Observation::NONE;
        if envelope.get().observer(py).is_some() {
            if !this.books.lock(py).contains(recipient)? {
                return Ok(Progress::Refused); // the observer is made with the delivery
            }
            self.leave();
        }
        self.task()?;
        let mut place = None;
        let start = Start::Recipient { ticket, caller: None };
        this.begin(recipient, start, &mut place)?;
        let Some(mut invocation) = place else { return Ok(Progress::Refused) };
        if envelope.get().observer(py).is_some() {
            self.leave();
            Engine::count_delivery(envelope, true)?;
            match this.delivery_observation(recipient, envelope) {
                Ok(observed) => observation = observed,
                Err(error) => {
                    return self.end_publication(&invocation, envelope, Err(error), None);
                }
            }
        }
        self.run_published(&mut invocation, envelope, observation)
    }

    fn run_published(
        &mut self,
        invocation: &mut Invocation<'py>,
        envelope: &Bound<'py, PublishEnvelope>,
        observation: Observation,
    ) -> PyResult<Progress> {
        let (py, this) = (self.py(), self.engine().get());
        let source = invocation.context.take();
        let invocation = &*invocation;
        let pooled = self.task()?;
        let context = pooled.context_of(envelope);
        let message = &envelope.get().message(py).into_bound(py);
        let context = match context {
            Ok(context) => context,
            Err(error) => return self.end_publication(invocation, envelope, Err(error), None),
        };
        let arguments = Arguments { message, context: &context, is_rpc: false };
        match this.run(invocation, source, pooled, &arguments, &observation) {
            Ran::Ended(result) => {
                let own = pooled.leave(py);
                pooled.execution.get().end_inline(py);
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

    fn end_publication(
        &mut self,
        invocation: &Invocation<'py>,
        envelope: &Bound<'py, PublishEnvelope>,
        result: PyResult<Bound<'py, PyAny>>,
        own: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Progress> {
        let (py, engine) = (self.py(), self.engine());
        let (slot, delivery) = (invocation.slot, invocation.delivery);
        if result.is_ok() {
            let after = engine.get().finish(py, slot, delivery, Outcome::Handled, own)?;
            if engine.get().has_work(after) {
                self.leave();
                Engine::follow_up(engine, slot, after)?;
            }
            return Ok(Progress::Ended);
        }
        self.leave();
        let agent_id = &invocation.agent_id;
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
        let mut invocation = this.invocation(py, slot, delivery)?;
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
                    Err(error) => self.end_publication(&invocation, envelope, Err(error), None),
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
        let fields = direct.request.context(py);
        let pooled = self.task()?;
        let context = pooled.message_context(py, fields).and_then(|context| {
            direct.link(&context)?;
            Ok(context)
        });
        let context = match context {
            Ok(context) => context,
            Err(error) => return self.end_send(invocation, direct, Err(error)),
        };
        let arguments = Arguments { message: &message, context: &context, is_rpc: true };
        match this.run(invocation, source, pooled, &arguments, &direct.observation) {
            Ran::Ended(result) => {
                drop(pooled.leave(py));
                pooled.execution.get().end_inline(py);
                pooled.keep_context(py, context);
                self.leave();
                self.end_send(invocation, direct, result)
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
        direct: Box<DirectMessage>,
        result: PyResult<Bound<'py, PyAny>>,
    ) -> PyResult<Progress> {
        self.leave();
        let (py, engine) = (self.py(), self.engine());
        let DirectMessage { request, send, observation, .. } = *direct;
        let result = observation.end(py, result);
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
        engine.get().hold(pooled, coroutine, yielded, completion)?;
        Ok(Progress::Suspended)
    }

    // The current task.

    /// The task for the next handler, idle and the current one.
    #[inline]
    fn task(&mut self) -> PyResult<&mut PooledTask> {
        let py = self.py();
        // asyncio refers to its current task.
        if self.pooled.as_mut().is_some_and(|pooled| !pooled.is_untouched(py, 1)) {
            self.leave();
        }
        if self.pooled.is_none() {
            let pooled = self.engine().get().borrow_task(&self.guard.event_loop)?;
            self.current.enter(Some(pooled.task.bind(py)))?;
            self.pooled = Some(pooled);
        }
        Ok(self.pooled.as_mut().expect("it was put there"))
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
