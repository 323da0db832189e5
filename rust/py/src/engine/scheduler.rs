//! The scheduler: takes queued messages and due deliveries in batches, one batch in each iteration of the event loop.

use ferrogen_core::{self as core, AgentSlot, Arrival, DeliveryId, Step};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;

use super::admission::InlineGuard;
use super::agents::now;
use super::batch::Batch;
use super::beginning::Invocation;
use super::callbacks::Callback;
use super::engine::Engine;
use super::execution::Execution;
use super::invoke::{Delivered, Unstarted};
use super::messages::{Payload, Taken};
use super::observer::Observation;
use super::options::MessageOptions;
use crate::agent_id::AgentId;
use crate::interpreter::current_task::is_running;
use crate::publish_envelope::PublishEnvelope;

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
    /// Schedules a batch, or wakes the code that takes messages by hand.
    pub(super) fn continue_soon(engine: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (engine.py(), engine.get());
        let (is_open, is_armed) =
            this.state.with(py, |state| (state.is_open_here(), state.is_armed));
        if is_open {
            return if is_armed { Ok(()) } else { Self::arm(engine) };
        }
        // Deliveries begin also while no messages are taken.
        Self::run_steps_in_tasks(engine)?;
        this.host.call_method0(py, intern!(py, "wake"))?;
        Ok(())
    }

    /// Schedules a call in the next iteration of the event loop, unless there is one: it runs a batch, or processes the
    /// responses of a stopped engine.
    pub(super) fn arm(engine: &Bound<'_, Self>) -> PyResult<()> {
        let py = engine.py();
        let event_loop = engine.get().state.with(py, |state| {
            let event_loop = state.event_loop.as_ref()?.bind(py).clone();
            let may_run = state.is_open_here() || state.is_stopped();
            let is_due = may_run && !std::mem::replace(&mut state.is_armed, true);
            is_due.then_some(event_loop)
        });
        let Some(event_loop) = event_loop else { return Ok(()) };
        let armed = Callback::ProcessBatch.call_soon(engine, &event_loop);
        if armed.is_err() {
            engine.get().state.with(py, |state| state.is_armed = false);
        }
        armed
    }

    /// Arms the one timer for the time at which the core is to be called next.
    pub(super) fn set_timer(engine: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (engine.py(), engine.get());
        // Handlers go on while the runtime is stopped, and so do their deadlines; agents do not rest then.
        let idle = match this.books.with(py, |books| books.machine.next_wake()) {
            Some(wake) if this.may_passivate(py)? => Some(wake),
            _ => None,
        };
        let deadline = this.deadlines.with(py, |deadlines| deadlines.next_wake());
        let Some(wake) = idle.into_iter().chain(deadline).min() else { return Ok(()) };
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

    /// Whether idle agents may leave: the runtime is neither stopped nor closed.
    fn may_passivate(&self, py: Python<'_>) -> PyResult<bool> {
        let runs = self.state.with(py, |state| state.is_open_here() || state.is_by_hand);
        Ok(runs && self.host.call_method0(py, intern!(py, "may_passivate"))?.is_truthy(py)?)
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
        let Some(event_loop) = this.bound_loop(py) else { return Ok(()) };
        // The event loop rounds: by its clock the timer may have fired a nanosecond early.
        let now = now(&event_loop)?.max(fired.map_or(core::Time::ZERO, |timer| timer.when));
        Self::expire(engine, now)?;
        if !this.may_passivate(py)? {
            return Self::set_timer(engine);
        }
        this.books.with(py, |books| books.machine.advance(now));
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
        let is_stopped = this.state.with(py, |state| {
            state.is_armed = false;
            state.is_stopped()
        });
        if is_stopped {
            return Self::process_responses(engine);
        }
        let Some(guard) = InlineGuard::in_new_iteration(engine) else { return Ok(()) };
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

    /// Does some work in a callback of the event loop, and then what has become due by it: that takes the place of
    /// the next batch, unless one is scheduled. The work must not run the event loop.
    pub(super) fn in_place_of_batch(
        engine: &Bound<'_, Self>,
        work: impl FnOnce() -> PyResult<()>,
    ) -> PyResult<()> {
        let is_due = engine.get().state.with(engine.py(), |state| {
            state.is_open_here() && !std::mem::replace(&mut state.is_armed, true)
        });
        let done = work();
        if is_due { done.and(Self::run_due(engine)) } else { done }
    }

    /// Does what is due, and schedules a batch for the rest.
    fn run_due(engine: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (engine.py(), engine.get());
        this.state.with(py, |state| state.is_armed = false);
        let Some(guard) = InlineGuard::in_this_iteration(engine) else {
            return Self::arm(engine); // it was stopped meanwhile
        };
        let done = if this.is_task_mode { Ok(()) } else { Batch::new(&guard)?.run_due() };
        drop(guard);
        let is_done =
            this.books.with(py, |books| books.machine.is_inbox_empty() && !books.machine.is_due());
        if !is_done || done.is_err() {
            Self::arm(engine)?;
        }
        done
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
        let Some(taken) = Self::drop_if_expired(engine, taken)? else { return Ok(true) };
        let processed = Self::intercept(engine, taken)
            .and_then(|intercepted| Self::process_intercepted(engine, intercepted));
        Self::settle_after_error(engine, ticket, processed)?;
        Self::run_steps_in_tasks(engine)?;
        Ok(true)
    }

    /// Takes one message by hand. Returns whether there was one.
    pub(super) fn take_by_hand(engine: &Bound<'_, Self>) -> PyResult<bool> {
        // Beside a started runtime the message must not be overtaken.
        match InlineGuard::in_this_iteration(engine).filter(|_| !engine.get().is_task_mode) {
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
                    if Self::refuse_if_expired(engine, delivery, &payload)? {
                        continue;
                    }
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
        let mut invocation = this.invocation(py, slot, delivery)?;
        invocation.apply(this, payload.of_handler(py));
        let Invocation { agent_id, agent, entry_point, context, .. } = invocation;
        let own_id = agent_id.clone();
        let mut deadline = None;
        let delivered = match payload {
            Payload::Direct(direct) => Delivered::Direct(direct),
            Payload::Published(envelope) => {
                deadline = envelope.get().options(py, MessageOptions::deadline);
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
        let source = context.expect("an invocation runs once");
        let context = source.enter(&own_id)?.context().clone();
        if let Some(deadline) = deadline {
            Self::watch_handler(engine, &execution, delivery, deadline)?;
        }
        let create_task = event_loop.getattr(intern!(py, "create_task"))?;
        let task = context.call_method1(intern!(py, "run"), (create_task, execution))?;
        if !task.call_method0(intern!(py, "done"))?.is_truthy()? {
            this.kept.bind(py).add(task)?;
        }
        Ok(())
    }

    /// A step that runs no handler.
    pub(super) fn do_step(engine: &Bound<'_, Self>, step: Step<Payload>) -> PyResult<()> {
        let (py, this) = (engine.py(), engine.get());
        match step {
            Step::Build(slot) => {
                let id = this.books.with(py, |books| books.records[slot].id.clone_ref(py));
                this.host.call_method1(py, intern!(py, "start_build"), (id,))?;
            }
            Step::Admitted(delivery) => return Self::admitted(engine, delivery),
            Step::Passivate(slot) => this.passivate(py, slot)?,
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

pub(super) fn taken(arrival: Arrival<Payload>) -> Taken {
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
