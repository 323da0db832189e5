//! The books of a runtime: the core's machine, and what belongs to each agent beside its slot there.

use std::collections::VecDeque;

use ferrogen_core::{self as core, AgentSlot, Symbol};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use slotmap::{Key, KeyData, SecondaryMap};

use super::beginning::ContextSource;
use super::handlers::EntryPoint;
use super::messages::Payload;
use crate::agent_id::AgentId;
use crate::errors::raised;
use crate::interpreter::context::Variables;

pub(super) type Machine = core::Machine<Payload>;

/// How many agents keep a context. It takes more memory than the rest of an idle agent.
pub(super) const MOST_CONTEXTS: usize = 2048;

/// How many messages to agents without a context make the oldest context give its place to another one.
const MISSES: usize = 32;

/// An agent, beside its slot in the core.
pub(super) struct Record {
    pub(super) id: Py<AgentId>,
    pub(super) agent_type: Symbol,
    /// `None` while the agent is being built.
    pub(super) instance: Option<Py<PyAny>>,
    /// What is called with its messages; `None` until the first one.
    pub(super) entry_point: Option<EntryPoint>,
    pub(super) context: Option<Box<AgentContext>>,
}

impl Record {
    /// The context of the next handler, if the agent has one.
    #[inline(always)]
    pub(super) fn context<'py>(
        &mut self,
        py: Python<'py>,
        generation: u32,
    ) -> Option<ContextSource<'py>> {
        let context = self.context.as_mut().filter(|context| context.generation == generation)?;
        Some(match context.copy.take() {
            Some(copy) => ContextSource::Reused(copy.into_bound(py)),
            None => ContextSource::Template(context.template.bind(py).clone()),
        })
    }
}

/// The context of an agent's handlers.
pub(super) struct AgentContext {
    /// Each handler gets a copy of it.
    pub(super) template: Py<PyAny>,
    /// The variables of the template, if they can be compared.
    pub(super) variables: Option<Variables>,
    /// A copy that the last handler has left unmodified, for the next one.
    pub(super) copy: Option<Py<PyAny>>,
    /// The start of the runtime that it belongs to.
    pub(super) generation: u32,
}

/// The core's books of one runtime, and the agents.
#[derive(Default)]
pub(super) struct Books {
    pub(super) names: core::Names,
    pub(super) machine: Machine,
    pub(super) records: SecondaryMap<AgentSlot, Record>,
    /// The agents that have a context, in the order of getting it.
    pub(super) with_context: VecDeque<AgentSlot>,
    /// How many messages have met an agent without a context since one was made.
    misses: usize,
    /// The context in which the runtime was started, and the number of that start.
    pub(super) base: Option<Py<PyAny>>,
    pub(super) generation: u32,
}

impl Books {
    /// `is_timed` says whether waiting and handling times are recorded.
    pub(super) fn new(is_timed: bool) -> Self {
        let mut books = Self::default();
        books.machine.set_timed(is_timed);
        books
    }

    /// The symbol of an agent type that has statistics from now on, and is never released.
    pub(super) fn tracked(&mut self, type_name: &str) -> Symbol {
        let agent_type = self.names.intern(type_name);
        if !self.machine.track(agent_type) {
            self.names.release(agent_type);
        }
        agent_type
    }

    pub(super) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        for record in self.records.values() {
            // A subclass of AgentId can refer to anything.
            visit.call(&record.id)?;
            visit.call(&record.instance)?;
            if let Some(entry_point) = &record.entry_point {
                entry_point.visit(visit)?;
            }
            if let Some(context) = &record.context {
                visit.call(&context.template)?;
                visit.call(&context.copy)?;
            }
        }
        visit.call(&self.base)?;
        self.machine.payloads().try_for_each(|payload| payload.visit(visit))
    }

    pub(super) fn find(&self, py: Python<'_>, id: &AgentId) -> PyResult<Option<AgentSlot>> {
        let Some(agent_type) = self.names.get(id.type_str(py)?) else { return Ok(None) };
        Ok(self.machine.find(agent_type, id.key_str(py)?))
    }

    /// The slot that an id remembers. Its agent may have left.
    #[inline(always)]
    pub(super) fn remembered(id: &AgentId, engine: u64) -> Option<AgentSlot> {
        id.remembered_slot(engine).map(|slot| AgentSlot::from(KeyData::from_ffi(slot)))
    }

    /// Finds an agent, and lets its id remember the slot.
    #[cold]
    pub(super) fn find_anew(
        &self,
        py: Python<'_>,
        id: &AgentId,
        engine: u64,
    ) -> PyResult<Option<AgentSlot>> {
        let found = self.find(py, id)?;
        if let Some(slot) = found {
            id.remember_slot(engine, slot.data().as_ffi());
        }
        Ok(found)
    }

    pub(super) fn existing(&self, py: Python<'_>, id: &AgentId) -> PyResult<AgentSlot> {
        self.find(py, id)?.ok_or_else(|| raised(core::CoreError::AgentMissing))
    }

    /// Enters an agent by one of the machine's methods for it.
    pub(super) fn enter(
        &mut self,
        id: &Bound<'_, AgentId>,
        instance: Option<Py<PyAny>>,
        method: fn(&mut Machine, Symbol, &str) -> Result<AgentSlot, core::CoreError>,
    ) -> PyResult<AgentSlot> {
        let py = id.py();
        let (type_name, key) = (id.get().type_str(py)?, id.get().key_str(py)?);
        let agent_type = self.tracked(type_name);
        self.names.retain(agent_type);
        match method(&mut self.machine, agent_type, key) {
            Ok(slot) => {
                let id = id.clone().unbind();
                let (entry_point, context) = (None, None);
                let record = Record { id, agent_type, instance, entry_point, context };
                self.records.insert(slot, record);
                Ok(slot)
            }
            Err(error) => {
                self.names.release(agent_type);
                Err(raised(error))
            }
        }
    }

    /// Removes the record of an agent that has left the directory.
    pub(super) fn remove(&mut self, slot: AgentSlot) -> Option<Record> {
        let record = self.records.remove(slot)?;
        self.names.release(record.agent_type);
        Some(record)
    }

    /// Whether an agent exists or is being built.
    pub(super) fn contains(&self, id: &Bound<'_, AgentId>, engine: u64) -> PyResult<bool> {
        Ok(self.known(id.get(), engine).is_some() || self.find(id.py(), id.get())?.is_some())
    }

    /// The symbol of an agent's type, which has statistics.
    pub(super) fn type_of(&mut self, id: &Bound<'_, AgentId>, engine: u64) -> PyResult<Symbol> {
        match self.known(id.get(), engine) {
            Some(record) => Ok(record.agent_type),
            None => Ok(self.tracked(id.get().type_str(id.py())?)),
        }
    }

    /// The record of an agent whose id remembers it.
    fn known(&self, id: &AgentId, engine: u64) -> Option<&Record> {
        Self::remembered(id, engine).and_then(|slot| self.records.get(slot))
    }

    /// Sets the context of handlers. Those of earlier starts are not used any more.
    pub(super) fn set_base(&mut self, base: Py<PyAny>) -> Option<Py<PyAny>> {
        self.generation += 1;
        self.base.replace(base)
    }

    /// The context of the next handler of an agent without one of its own; `None` if one is to be made for the
    /// agent.
    #[cold]
    pub(super) fn other_context<'py>(&mut self, py: Python<'py>) -> Option<ContextSource<'py>> {
        // With more agents than contexts, a context would seldom meet its agent again.
        self.misses += 1;
        if self.with_context.len() < MOST_CONTEXTS || self.misses >= MISSES {
            self.misses = 0;
            return None;
        }
        self.base.as_ref().map(|base| ContextSource::Base(base.bind(py).clone()))
    }

    /// Finds an agent, or enters one that is to be built.
    pub(super) fn find_or_build(&mut self, id: &Bound<'_, AgentId>) -> PyResult<AgentSlot> {
        match self.find(id.py(), id.get())? {
            Some(slot) => Ok(slot),
            None => self.enter(id, None, Machine::build),
        }
    }
}
