//! Agents: how a delivery to one begins and ends, and what Python asks of them.

use std::num::NonZeroUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ferrogen_core::{self as core, AgentSlot, DeliveryId, Outcome, Ticket};
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;

use super::books::{AgentContext, MOST_CONTEXTS, Machine};
use super::chain::Chain;
use super::engine::Engine;
use super::handlers::{BoundEntryPoint, EntryPoint};
use super::options::HandlerOptions;
use crate::agent_id::AgentId;
use crate::errors::raised;
use crate::interpreter::context::{Entered, Variables};
use crate::interpreter::free_list::is_unique;
use crate::python;

/// A delivery whose handler is about to run, or runs.
pub(super) struct Invocation<'py> {
    pub(super) slot: AgentSlot,
    pub(super) delivery: DeliveryId,
    pub(super) agent_id: Bound<'py, AgentId>,
    pub(super) agent: Bound<'py, PyAny>,
    pub(super) entry_point: BoundEntryPoint<'py>,
    /// Until the handler runs.
    pub(super) context: Option<ContextSource<'py>>,
}

/// Where the context of a handler comes from.
pub(super) enum ContextSource<'py> {
    /// It is this one.
    Reused(Bound<'py, PyAny>),
    /// It is a copy of this one.
    Template(Bound<'py, PyAny>),
    /// It is a copy of this one, in which the id of the agent is yet to be set.
    Base(Bound<'py, PyAny>),
    /// It is another one, in which the chain of the message is yet to be set.
    Chained(Box<Self>, Py<Chain>),
}

impl Invocation<'_> {
    /// Applies the options of the message.
    #[inline]
    pub(super) fn apply(&mut self, engine: &Engine, options: Option<HandlerOptions>) {
        if let Some(options) = options {
            self.apply_given(engine, options);
        }
    }

    #[cold]
    fn apply_given(&mut self, engine: &Engine, HandlerOptions { retry, chain }: HandlerOptions) {
        if let Some(retry) = retry {
            self.entry_point = EntryPoint::Function(retry.into_bound(self.agent.py()));
        }
        if let Some(chain) = chain {
            if let Some(deadline) = chain.get().deadline {
                engine.note_deadline(self.agent.py(), self.delivery, deadline);
            }
            if let Some(root) = chain.get().root() {
                engine.note_chain(self.agent.py(), self.delivery, root);
            }
            let source = self.context.take();
            self.context = source.map(|source| ContextSource::Chained(Box::new(source), chain));
        }
    }
}

impl<'py> ContextSource<'py> {
    /// Makes the context and enters it.
    #[inline]
    pub(super) fn enter(self, agent_id: &Bound<'py, AgentId>) -> PyResult<Entered<'py>> {
        match self {
            Self::Reused(context) => Entered::enter(context),
            Self::Template(template) => Entered::enter(Entered::copy(&template)?),
            Self::Base(base) => {
                let entered = Entered::enter(Entered::copy(&base)?)?;
                let variable = python::message_handler_context(agent_id.py())?;
                entered.set(variable, agent_id.as_any())?;
                Ok(entered)
            }
            Self::Chained(source, chain) => {
                let py = agent_id.py();
                let entered = source.enter(agent_id)?;
                entered.set(python::chain_context(py)?, chain.bind(py).as_any())?;
                Ok(entered)
            }
        }
    }
}

/// How a delivery begins.
#[derive(Clone, Copy)]
pub(super) enum Start {
    /// A message is accepted thereby.
    Message { caller: Option<DeliveryId> },
    /// One recipient of a message that was accepted before.
    Recipient { ticket: Ticket, caller: Option<DeliveryId> },
}

/// Whether a delivery has begun.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Beginning {
    /// Something is ahead of it, or the agent is not ready.
    Refused,
    /// Nothing is ahead of it, and the agent does not exist.
    Missing,
    Begun,
}

/// The same, before the entry point of the agent is known.
enum Attempt<'py> {
    Refused,
    Missing,
    NoEntryPoint(AgentSlot, Bound<'py, PyAny>),
    Begun,
}

/// What the end of a handler has made possible.
#[derive(Clone, Copy)]
pub(super) struct Aftermath {
    /// Other deliveries are due.
    is_due: bool,
    /// Every message is settled.
    is_idle: bool,
    /// The agent is idle, and its idle time counts.
    rests: bool,
}

impl Aftermath {
    /// Of a change after which messages are open, if there are any.
    pub(super) fn of_change(is_due: bool, rests: bool) -> Self {
        Self { is_due, is_idle: false, rests }
    }
}

impl Engine {
    /// Begins a delivery unless something is ahead of it, and puts it into its place: to move an
    /// invocation would cost more than to make it.
    #[inline]
    pub(super) fn begin<'py>(
        &self,
        recipient: &Bound<'py, AgentId>,
        start: Start,
        place: &mut Option<Invocation<'py>>,
    ) -> PyResult<Beginning> {
        let py = recipient.py();
        loop {
            match self.try_begin(py, recipient.get(), start, place)? {
                Attempt::Refused => return Ok(Beginning::Refused),
                Attempt::Missing => return Ok(Beginning::Missing),
                Attempt::Begun => return Ok(Beginning::Begun),
                Attempt::NoEntryPoint(slot, agent) => self.make_entry_point(slot, &agent)?,
            }
        }
    }

    #[inline]
    fn try_begin<'py>(
        &self,
        py: Python<'py>,
        recipient: &AgentId,
        start: Start,
        place: &mut Option<Invocation<'py>>,
    ) -> PyResult<Attempt<'py>> {
        if !self.clock.is_set.swap(false, Ordering::Relaxed) {
            self.set_time(py);
        }
        let mut guard = self.books.lock(py);
        let books = &mut *guard;
        let Some(slot) = books.find_remembered(py, recipient, self.number)? else {
            let may_be_built = matches!(start, Start::Message { .. }) && books.machine.is_clear();
            return Ok(if may_be_built { Attempt::Missing } else { Attempt::Refused });
        };
        let record = &books.records[slot];
        let Some(agent) = &record.instance else { return Ok(Attempt::Refused) };
        let (agent_id, agent) = (record.id.bind(py).clone(), agent.bind(py).clone());
        let Some(entry_point) = &record.entry_point else {
            return Ok(Attempt::NoEntryPoint(slot, agent));
        };
        let entry_point = entry_point.bind(py);
        let started = match start {
            Start::Message { caller } => books.machine.start(slot, caller),
            Start::Recipient { ticket, caller } => {
                books.machine.start_delivery(slot, ticket, caller).map_err(raised)?
            }
        };
        let Some(delivery) = started else { return Ok(Attempt::Refused) };
        let context = books.context_source(py, slot);
        drop(guard);
        let context = match context {
            Some(context) => context,
            None => self.make_context(slot, &agent_id)?,
        };
        let context = Some(context);
        *place = Some(Invocation { slot, delivery, agent_id, agent, entry_point, context });
        Ok(Attempt::Begun)
    }

    /// The invocation of a delivery that the core has started.
    pub(super) fn invocation<'py>(
        &self,
        py: Python<'py>,
        slot: AgentSlot,
        delivery: DeliveryId,
    ) -> PyResult<Invocation<'py>> {
        loop {
            let mut books = self.books.lock(py);
            let record = &books.records[slot];
            let agent =
                record.instance.as_ref().expect("only agents that are ready have deliveries");
            let (agent_id, agent) = (record.id.bind(py).clone(), agent.bind(py).clone());
            let Some(entry_point) = &record.entry_point else {
                drop(books);
                self.make_entry_point(slot, &agent)?;
                continue;
            };
            let entry_point = entry_point.bind(py);
            let context = books.context_source(py, slot);
            drop(books);
            let context = match context {
                Some(context) => context,
                None => self.make_context(slot, &agent_id)?,
            };
            let context = Some(context);
            return Ok(Invocation { slot, delivery, agent_id, agent, entry_point, context });
        }
    }

    #[cold]
    fn make_entry_point(&self, slot: AgentSlot, agent: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = agent.py();
        let host = self.host.bind(py);
        let made = EntryPoint::of(host.call_method1(intern!(py, "entry_point"), (agent,))?);
        let before = self.books.with(py, |books| {
            books.records.get_mut(slot).and_then(|record| record.entry_point.replace(made))
        });
        drop(before);
        Ok(())
    }

    /// Makes a context for the handlers of an agent. The oldest one is dropped if there are too many.
    #[cold]
    fn make_context<'py>(
        &self,
        slot: AgentSlot,
        agent_id: &Bound<'py, AgentId>,
    ) -> PyResult<ContextSource<'py>> {
        let py = agent_id.py();
        let (base, generation) = self.books.with(py, |books| {
            (books.base.as_ref().map(|base| base.bind(py).clone()), books.generation)
        });
        let base = match base {
            Some(base) => base,
            None => Entered::copy_of_current(py)?,
        };
        let entered = ContextSource::Base(base).enter(agent_id)?;
        let template = entered.context().clone();
        drop(entered);
        let context = AgentContext {
            variables: Variables::of(&template),
            template: template.clone().unbind(),
            copy: None,
            generation,
        };
        let before = {
            let mut guard = self.books.lock(py);
            let books = &mut *guard;
            let outdated = match books.records.get_mut(slot) {
                Some(record) => record.context.replace(Box::new(context)),
                None => None,
            };
            if outdated.is_none() {
                books.with_context.push_back(slot);
            }
            let is_crowded = books.with_context.len() > MOST_CONTEXTS;
            let oldest = is_crowded.then(|| books.with_context.pop_front()).flatten();
            let evicted = oldest
                .filter(|oldest| *oldest != slot)
                .and_then(|oldest| books.records.get_mut(oldest))
                .and_then(|record| record.context.take());
            (outdated, evicted)
        };
        drop(before);
        Ok(ContextSource::Template(template))
    }

    /// Reports how a handler has ended. The context that it ran in is kept for the next one if it is
    /// unmodified.
    #[inline(always)]
    pub(super) fn finish(
        &self,
        py: Python<'_>,
        slot: AgentSlot,
        delivery: DeliveryId,
        outcome: Outcome,
        mut context: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Aftermath> {
        let now = self.time(py);
        // A context that is not kept is dropped after the lock.
        let mut guard = self.books.lock(py);
        let books = &mut *guard;
        books.machine.set_time(now);
        let finished = books.machine.finish(delivery, outcome).map_err(raised)?;
        if context.is_some()
            && let Some(kept) = books.records.get_mut(slot).and_then(|one| one.context.as_mut())
            && kept.copy.is_none()
        {
            let is_unmodified = |one: &mut Bound<'_, PyAny>| {
                let variables = Variables::of(one);
                variables.is_some() && variables == kept.variables && is_unique(one)
            };
            kept.copy = context.take_if(is_unmodified).map(Bound::unbind);
        }
        let (is_due, is_idle) = (books.machine.is_due(), books.machine.is_idle());
        Ok(Aftermath { is_due, is_idle, rests: finished.rests })
    }

    /// Reports that a handler has ended whose response is on its way.
    pub(super) fn release_agent(
        &self,
        py: Python<'_>,
        delivery: DeliveryId,
    ) -> PyResult<Aftermath> {
        self.set_time(py);
        let rests = self.books.with(py, |books| books.machine.release(delivery));
        Ok(self.aftermath(py, rests.map_err(raised)?))
    }

    pub(super) fn aftermath(&self, py: Python<'_>, rests: bool) -> Aftermath {
        self.books.with(py, |books| {
            let (is_due, is_idle) = (books.machine.is_due(), books.machine.is_idle());
            Aftermath { is_due, is_idle, rests }
        })
    }

    /// Whether responses are messages that are taken by hand: the runtime is not started.
    pub(super) fn is_by_hand(&self, py: Python<'_>) -> bool {
        self.state.with(py, |state| state.is_by_hand)
    }

    /// Whether there is something to do after a handler.
    #[inline]
    pub(super) fn has_work(&self, after: Aftermath) -> bool {
        use std::sync::atomic::Ordering::Relaxed;
        after.is_due || after.rests || after.is_idle && self.idle_is_awaited.load(Relaxed)
    }

    /// Does what the end of a handler has made possible.
    pub(super) fn follow_up(
        engine: &Bound<'_, Self>,
        slot: AgentSlot,
        after: Aftermath,
    ) -> PyResult<()> {
        let (py, this) = (engine.py(), engine.get());
        if after.rests
            && let Some(event_loop) = this.bound_loop(py)
        {
            let now = now(&event_loop)?;
            let is_due = this.books.with(py, |books| {
                books.machine.rest(slot, now);
                books.machine.is_due()
            });
            Self::set_timer(engine)?;
            if is_due {
                Self::continue_soon(engine)?;
            }
        } else if after.is_due {
            Self::continue_soon(engine)?;
        }
        this.notify_if_idle(py)
    }

    /// Wakes the code that waits for idleness.
    pub(super) fn notify_if_idle(&self, py: Python<'_>) -> PyResult<()> {
        use std::sync::atomic::Ordering::Relaxed;
        if self.idle_is_awaited.load(Relaxed)
            && self.books.with(py, |books| books.machine.is_idle())
        {
            self.host.call_method0(py, intern!(py, "notify_idle"))?;
        }
        Ok(())
    }

    /// The idle time of all agents starts anew: the runtime was started on another event loop.
    pub(super) fn rest_all(&self, event_loop: &Bound<'_, PyAny>) -> PyResult<()> {
        let now = now(event_loop)?;
        self.books.with(event_loop.py(), |books| {
            let slots: Vec<_> = books.records.keys().collect();
            for slot in slots {
                books.machine.rest(slot, now);
            }
        });
        Ok(())
    }
}

/// The event loop that runs in this thread.
pub(super) fn running_loop(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    py.import(intern!(py, "asyncio"))?.call_method0(intern!(py, "get_running_loop"))
}

/// The time of an event loop, as the core's.
pub(super) fn now(event_loop: &Bound<'_, PyAny>) -> PyResult<core::Time> {
    let seconds: f64 = event_loop.call_method0(intern!(event_loop.py(), "time"))?.extract()?;
    Ok(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

/// What Python asks of the agents.
#[pymethods]
impl Engine {
    #[expect(clippy::too_many_arguments, reason = "a signature of Python")]
    #[pyo3(signature = (agent_type, *, concurrency, reentrant, capacity, overflow, passivate_after, max_active))]
    fn configure(
        slf: &Bound<'_, Self>,
        agent_type: &str,
        concurrency: Option<NonZeroUsize>,
        reentrant: bool,
        capacity: Option<NonZeroUsize>,
        overflow: &str,
        passivate_after: Option<f64>,
        max_active: Option<NonZeroUsize>,
    ) -> PyResult<()> {
        let py = slf.py();
        let overflow = match overflow {
            "reject" => core::Overflow::Reject,
            "drop_newest" => core::Overflow::DropNewest,
            "drop_oldest" => core::Overflow::DropOldest,
            "wait" => core::Overflow::Wait,
            other => {
                let text = format!("an unknown overflow policy: {other:?}");
                return Err(PyValueError::new_err(text));
            }
        };
        let passivate_after =
            passivate_after.map(|one| Duration::try_from_secs_f64(one).unwrap_or(Duration::MAX));
        if overflow == core::Overflow::Wait && capacity.is_some() {
            slf.get().uses_backpressure.store(true, std::sync::atomic::Ordering::Relaxed);
        }
        let policy = core::Policy {
            concurrency,
            reentrant,
            capacity,
            overflow,
            passivate_after,
            max_active,
        };
        let entry_points: Vec<_> = slf.get().books.with(py, |books| {
            // A registered type is never released: its policy stays.
            let agent_type = books.names.intern(agent_type);
            books.machine.configure(agent_type, policy);
            // What is called with the messages of an agent may depend on its options.
            let records = books.records.values_mut().filter(|one| one.agent_type == agent_type);
            records.filter_map(|record| record.entry_point.take()).collect()
        });
        drop(entry_points);
        Self::continue_if_due_here(slf)
    }

    fn build(&self, agent_id: &Bound<'_, AgentId>) -> PyResult<()> {
        let py = agent_id.py();
        let mut books = self.books.lock(py);
        // A message may have asked for the build, which is due.
        if let Some(slot) = books.find(py, agent_id.get())?
            && books.machine.take_build(slot)
        {
            return Ok(());
        }
        books.enter(agent_id, None, Machine::begin_build)?;
        Ok(())
    }

    fn built(
        slf: &Bound<'_, Self>,
        agent_id: &Bound<'_, AgentId>,
        instance: Py<PyAny>,
    ) -> PyResult<()> {
        let py = slf.py();
        let (slot, after) = {
            let mut books = slf.get().books.lock(py);
            let slot = books.existing(py, agent_id.get())?;
            let rests = books.machine.built(slot).map_err(raised)?;
            books.records[slot].instance = Some(instance);
            (slot, Aftermath::of_change(books.machine.is_due(), rests))
        };
        Self::follow_up(slf, slot, after)
    }

    fn build_failed(
        slf: &Bound<'_, Self>,
        agent_id: &Bound<'_, AgentId>,
        error: Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let py = slf.py();
        let (record, waiting) = {
            let mut books = slf.get().books.lock(py);
            let slot = books.existing(py, agent_id.get())?;
            let waiting = books.machine.build_failed(slot).map_err(raised)?;
            (books.remove(slot), waiting)
        };
        drop(record);
        for (delivery, payload) in waiting {
            Self::fail_undelivered(slf, delivery, payload, &error)?;
        }
        slf.get().notify_if_idle(py)
    }

    /// Forgets a build that has not begun, to which no message was placed.
    fn build_canceled(&self, agent_id: &Bound<'_, AgentId>) -> PyResult<()> {
        let py = agent_id.py();
        let record = {
            let mut books = self.books.lock(py);
            let slot = books.existing(py, agent_id.get())?;
            let waiting = books.machine.build_failed(slot).map_err(raised)?;
            debug_assert!(waiting.is_empty(), "nothing is placed while a factory is called");
            books.remove(slot)
        };
        drop(record);
        Ok(())
    }

    fn enter(
        slf: &Bound<'_, Self>,
        agent_id: &Bound<'_, AgentId>,
        instance: Py<PyAny>,
    ) -> PyResult<()> {
        slf.get().books.lock(slf.py()).enter(agent_id, Some(instance), Machine::enter)?;
        Ok(())
    }

    fn instance(&self, agent_id: &Bound<'_, AgentId>) -> PyResult<Option<Py<PyAny>>> {
        let py = agent_id.py();
        let books = self.books.lock(py);
        let Some(slot) = books.find(py, agent_id.get())? else { return Ok(None) };
        Ok(books.records[slot].instance.as_ref().map(|instance| instance.clone_ref(py)))
    }

    #[expect(clippy::type_complexity, reason = "a row for each agent")]
    fn agents(&self, py: Python<'_>) -> Vec<(Py<AgentId>, Option<Py<PyAny>>, usize, usize)> {
        let books = self.books.lock(py);
        let agents = books.records.iter().filter_map(|(slot, record)| {
            let load = books.machine.load(slot)?;
            let instance = record.instance.as_ref().map(|instance| instance.clone_ref(py));
            Some((record.id.clone_ref(py), instance, load.queued, load.running))
        });
        agents.collect()
    }

    fn instances(&self, py: Python<'_>) -> Vec<(Py<AgentId>, Py<PyAny>)> {
        let books = self.books.lock(py);
        let ready = books.records.values().filter_map(|record| {
            let instance = record.instance.as_ref()?;
            Some((record.id.clone_ref(py), instance.clone_ref(py)))
        });
        ready.collect()
    }
}
