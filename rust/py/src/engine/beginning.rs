//! Beginnings: the agent, the handlers and the context of a delivery.

use std::sync::atomic::Ordering;

use ferrogen_core::{AgentSlot, DeliveryId, Ticket};
use pyo3::intern;
use pyo3::prelude::*;

use super::books::{AgentContext, Books, MOST_CONTEXTS};
use super::chain::Chain;
use super::engine::Engine;
use super::handlers::{BoundEntryPoint, EntryPoint};
use super::options::HandlerOptions;
use crate::agent_id::AgentId;
use crate::errors::raised;
use crate::interpreter::context::{Entered, Variables};
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
    #[inline(always)]
    pub(super) fn enter(self, agent_id: &Bound<'py, AgentId>) -> PyResult<Entered<'py>> {
        match self {
            Self::Reused(context) => Entered::enter(context),
            other => other.make_and_enter(agent_id),
        }
    }

    fn make_and_enter(self, agent_id: &Bound<'py, AgentId>) -> PyResult<Entered<'py>> {
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
    /// The id has remembered an agent that does not exist any more: to be tried again.
    Forgotten,
    NoEntryPoint(AgentSlot, Bound<'py, PyAny>),
    Begun,
}

impl Engine {
    /// Begins a delivery unless something is ahead of it, and puts it into its place: to move an
    /// invocation would cost more than to make it.
    #[inline(always)]
    pub(super) fn begin<'py>(
        &self,
        recipient: &Bound<'py, AgentId>,
        start: Start,
        place: &mut Option<Invocation<'py>>,
    ) -> PyResult<Beginning> {
        let py = recipient.py();
        match self.try_begin(py, recipient.get(), start, place)? {
            Attempt::Begun => Ok(Beginning::Begun),
            attempt => self.begin_again(recipient, start, place, attempt),
        }
    }

    /// The same, for code that is seldom run.
    #[cold]
    #[inline(never)]
    pub(super) fn begin_outlined<'py>(
        &self,
        recipient: &Bound<'py, AgentId>,
        start: Start,
        place: &mut Option<Invocation<'py>>,
    ) -> PyResult<Beginning> {
        self.begin(recipient, start, place)
    }

    /// The same after an attempt that has failed.
    #[cold]
    #[inline(never)]
    fn begin_again<'py>(
        &self,
        recipient: &Bound<'py, AgentId>,
        start: Start,
        place: &mut Option<Invocation<'py>>,
        mut attempt: Attempt<'py>,
    ) -> PyResult<Beginning> {
        loop {
            match attempt {
                Attempt::Refused => return Ok(Beginning::Refused),
                Attempt::Missing => return Ok(Beginning::Missing),
                Attempt::Begun => return Ok(Beginning::Begun),
                Attempt::Forgotten => {}
                Attempt::NoEntryPoint(slot, agent) => self.make_entry_point(slot, &agent)?,
            }
            attempt = self.try_begin(recipient.py(), recipient.get(), start, place)?;
        }
    }

    #[inline(always)]
    fn try_begin<'py>(
        &self,
        py: Python<'py>,
        recipient: &AgentId,
        start: Start,
        place: &mut Option<Invocation<'py>>,
    ) -> PyResult<Attempt<'py>> {
        // No exchange: that would lock the bus.
        if self.clock.is_set.load(Ordering::Relaxed) {
            self.clock.is_set.store(false, Ordering::Relaxed);
        } else {
            self.set_time(py);
        }
        let mut guard = self.books.lock(py);
        let books = &mut *guard;
        let remembered = Books::remembered(recipient, self.number);
        let slot = match remembered {
            Some(slot) => Some(slot),
            None => books.find_anew(py, recipient, self.number)?,
        };
        let Some((slot, record)) =
            slot.and_then(|slot| books.records.get_mut(slot).map(|record| (slot, record)))
        else {
            // The id remembers an agent that has left, or there is none.
            if remembered.is_some() {
                recipient.remember_slot(0, 0);
                return Ok(Attempt::Forgotten);
            }
            let may_be_built = matches!(start, Start::Message { .. }) && books.machine.is_clear();
            return Ok(if may_be_built { Attempt::Missing } else { Attempt::Refused });
        };
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
        let own = record.context(py, books.generation);
        let context = if let Some(context) = own.or_else(|| books.other_context(py)) {
            context
        } else {
            drop(guard);
            self.make_context(slot, &agent_id)?
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
            let generation = books.generation;
            let own = books.records[slot].context(py, generation);
            let context = own.or_else(|| books.other_context(py));
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
}
