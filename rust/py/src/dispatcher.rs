//! `Dispatcher`: the step machine over Python payloads, and the agents beside it.
//!
//! Payloads and instances are kept as opaque references. Every method takes the lock once, lets it
//! go, and only then drops references or makes Python objects (B1).

mod inline;

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};

use ferrogen_core as core;
use ferrogen_core::{AgentSlot, Symbol, Ticket};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use slotmap::{Key, KeyData, SecondaryMap};

pub(crate) use self::inline::{Begun, Equipment, Front, Inline, Place, Source, Start};
use crate::agent_id::AgentId;
use crate::drive::{GilMutex, Held};
use crate::errors::raised;
use crate::outcome::Outcome;

type Payload = Py<PyAny>;
type Machine = core::Machine<Payload>;

/// What the dispatcher keeps beside an agent's slot.
struct Record {
    id: Py<AgentId>,
    /// `None` while the agent is being built.
    instance: Option<Py<PyAny>>,
    /// `None` until its first message takes the short cut.
    equipment: Option<Box<Equipment>>,
}

#[derive(Default)]
struct State {
    names: core::Names,
    machine: Machine,
    records: SecondaryMap<AgentSlot, Record>,
    /// The agents that have equipment, in the order of getting it.
    equipped: VecDeque<AgentSlot>,
}

impl State {
    fn find(&self, py: Python<'_>, id: &AgentId) -> PyResult<Option<AgentSlot>> {
        let Some(agent_type) = self.names.get(id.type_str(py)?) else { return Ok(None) };
        Ok(self.machine.find(agent_type, id.key_str(py)?))
    }

    /// Finds an agent by what was noted in the id, and else notes it there.
    fn find_noted(&self, py: Python<'_>, id: &AgentId, number: u64) -> PyResult<Option<AgentSlot>> {
        let noted = id.place(number).map(|place| AgentSlot::from(KeyData::from_ffi(place)));
        if let Some(slot) = noted.filter(|slot| self.records.contains_key(*slot)) {
            return Ok(Some(slot));
        }
        let found = self.find(py, id)?;
        if let Some(slot) = found {
            id.note(number, slot.data().as_ffi());
        }
        Ok(found)
    }

    fn existing(&self, py: Python<'_>, id: &AgentId) -> PyResult<AgentSlot> {
        self.find(py, id)?.ok_or_else(|| raised(core::CoreError::AgentMissing))
    }

    /// Enters an agent by way of one of the machine's methods for it.
    fn enter(
        &mut self,
        id: &Bound<'_, AgentId>,
        instance: Option<Py<PyAny>>,
        way: fn(&mut Machine, Symbol, &str) -> Result<AgentSlot, core::CoreError>,
    ) -> PyResult<AgentSlot> {
        let py = id.py();
        let agent_type = self.names.intern(id.get().type_str(py)?);
        let slot = way(&mut self.machine, agent_type, id.get().key_str(py)?).map_err(raised)?;
        self.records.insert(slot, Record { id: id.clone().unbind(), instance, equipment: None });
        Ok(slot)
    }
}

/// A message to hand to an agent's handler now.
#[pyclass(frozen, generic, get_all, module = "ferrogen._core")]
pub(crate) struct Delivery {
    agent_id: Py<AgentId>,
    agent: Py<PyAny>,
    ticket: u64,
    payload: Payload,
}

#[pymethods]
impl Delivery {
    #[classattr]
    fn __match_args__() -> (&'static str, &'static str, &'static str, &'static str) {
        ("agent_id", "agent", "ticket", "payload")
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.agent_id)?;
        visit.call(&self.agent)?;
        visit.call(&self.payload)
    }
}

#[pyclass(frozen, generic, weakref, module = "ferrogen._core")]
pub(crate) struct Dispatcher {
    /// Tells this dispatcher from all others of the process.
    number: u64,
    state: GilMutex<State>,
}

impl Dispatcher {
    fn state<'py>(&self, py: Python<'py>) -> Held<'_, 'py, State> {
        self.state.lock(py)
    }
}

#[pymethods]
impl Dispatcher {
    #[new]
    fn new() -> Self {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed) + 1;
        Self { number, state: GilMutex::default() }
    }

    // Messages: from acceptance to settlement.

    pub(crate) fn accept(&self, py: Python<'_>, payload: Payload) -> u64 {
        number(self.state(py).machine.accept(payload))
    }

    fn take(&self, py: Python<'_>) -> Option<(u64, Payload)> {
        match self.state(py).machine.take()? {
            core::Arrival::Message(ticket, payload) | core::Arrival::Answer(ticket, payload) => {
                Some((number(ticket), payload))
            }
        }
    }

    fn admit(
        &self,
        py: Python<'_>,
        ticket: u64,
        payload: Payload,
        recipients: Vec<Bound<'_, AgentId>>,
    ) -> PyResult<Vec<(u64, Payload)>> {
        let copies: Vec<Payload> = recipients.iter().map(|_| payload.clone_ref(py)).collect();
        let mut refused = Vec::new();
        let mut state = self.state(py);
        state.machine.spread(given(ticket), recipients.len()).map_err(raised)?;
        for (id, copy) in recipients.iter().zip(copies) {
            let slot = match state.find(py, id.get())? {
                Some(slot) => slot,
                None => state.enter(id, None, Machine::build)?,
            };
            let back = state.machine.place(slot, given(ticket), copy).map_err(raised)?;
            refused.extend(back.map(|core::Refused(ticket, payload)| (number(ticket), payload)));
        }
        Ok(refused)
    }

    fn step(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let step = {
            let mut state = self.state(py);
            let Some(step) = state.machine.step() else { return Ok(None) };
            match step {
                core::Step::Build(slot) => Err(state.records[slot].id.clone_ref(py)),
                core::Step::Deliver(slot, ticket, payload) => {
                    let record = &state.records[slot];
                    let agent = record.instance.as_ref().expect("only ready agents are due");
                    let (agent_id, agent) = (record.id.clone_ref(py), agent.clone_ref(py));
                    Ok(Delivery { agent_id, agent, ticket: number(ticket), payload })
                }
            }
        };
        match step {
            Ok(delivery) => Ok(Some(Py::new(py, delivery)?.into_any())),
            Err(to_build) => Ok(Some(to_build.into_any())),
        }
    }

    fn begun(&self, py: Python<'_>) {
        self.state(py).machine.begun();
    }

    fn finish(
        &self,
        py: Python<'_>,
        agent_id: &Bound<'_, AgentId>,
        ticket: u64,
        outcome: Outcome,
    ) -> PyResult<()> {
        let mut state = self.state(py);
        let slot = state.existing(py, agent_id.get())?;
        state.machine.finish(slot, given(ticket), outcome.into()).map_err(raised)?;
        Ok(())
    }

    fn answer(
        &self,
        py: Python<'_>,
        agent_id: &Bound<'_, AgentId>,
        ticket: u64,
        answer: Payload,
    ) -> PyResult<()> {
        let mut state = self.state(py);
        let slot = state.existing(py, agent_id.get())?;
        state.machine.answer(slot, given(ticket), answer).map_err(raised)
    }

    fn release(&self, py: Python<'_>, agent_id: &Bound<'_, AgentId>, ticket: u64) -> PyResult<()> {
        let mut state = self.state(py);
        let slot = state.existing(py, agent_id.get())?;
        state.machine.release(slot, given(ticket)).map_err(raised)
    }

    pub(crate) fn end(&self, py: Python<'_>, ticket: u64, outcome: Outcome) -> PyResult<()> {
        self.state(py).machine.end(given(ticket), outcome.into()).map_err(raised)?;
        Ok(())
    }

    fn drain(&self, py: Python<'_>) -> Vec<(u64, Payload)> {
        let rest = self.state(py).machine.drain();
        rest.into_iter()
            .map(|one| match one {
                core::Undelivered::Message(ticket, payload)
                | core::Undelivered::Answer(ticket, payload) => (number(ticket), payload),
            })
            .collect()
    }

    // Agents: from the first message to passivation.

    #[pyo3(signature = (agent_type, *, concurrency, capacity, drop_oldest))]
    fn limit(
        &self,
        py: Python<'_>,
        agent_type: &str,
        concurrency: Option<NonZeroUsize>,
        capacity: Option<NonZeroUsize>,
        drop_oldest: bool,
    ) {
        let overflow =
            if drop_oldest { core::Overflow::DropOldest } else { core::Overflow::Reject };
        let outdated: Vec<_> = {
            let mut state = self.state(py);
            let agent_type = state.names.intern(agent_type);
            state.machine.limit(agent_type, core::Limits { concurrency, capacity, overflow });
            // Whether an agent is watched goes with its options.
            state.records.values_mut().map(|record| record.equipment.take()).collect()
        };
        drop(outdated);
    }

    fn build(&self, agent_id: &Bound<'_, AgentId>) -> PyResult<()> {
        self.state(agent_id.py()).enter(agent_id, None, Machine::begin_build)?;
        Ok(())
    }

    fn built(&self, agent_id: &Bound<'_, AgentId>, instance: Py<PyAny>) -> PyResult<()> {
        let mut state = self.state(agent_id.py());
        let slot = state.existing(agent_id.py(), agent_id.get())?;
        state.machine.built(slot).map_err(raised)?;
        state.records[slot].instance = Some(instance);
        Ok(())
    }

    fn build_failed(&self, agent_id: &Bound<'_, AgentId>) -> PyResult<Vec<(u64, Payload)>> {
        let (record, waiting) = {
            let mut state = self.state(agent_id.py());
            let slot = state.existing(agent_id.py(), agent_id.get())?;
            let waiting = state.machine.build_failed(slot).map_err(raised)?;
            (state.records.remove(slot), waiting)
        };
        drop(record);
        Ok(waiting.into_iter().map(|(ticket, payload)| (number(ticket), payload)).collect())
    }

    fn enter(&self, agent_id: &Bound<'_, AgentId>, instance: Py<PyAny>) -> PyResult<()> {
        self.state(agent_id.py()).enter(agent_id, Some(instance), Machine::enter)?;
        Ok(())
    }

    fn passivate(&self, agent_id: &Bound<'_, AgentId>) -> PyResult<Option<Py<PyAny>>> {
        let record = {
            let mut state = self.state(agent_id.py());
            match state.find(agent_id.py(), agent_id.get())? {
                Some(slot) if state.machine.passivate(slot) => state.records.remove(slot),
                _ => None,
            }
        };
        Ok(record.and_then(|record| record.instance))
    }

    fn instance(&self, agent_id: &Bound<'_, AgentId>) -> PyResult<Option<Py<PyAny>>> {
        let py = agent_id.py();
        let state = self.state(py);
        let Some(slot) = state.find(py, agent_id.get())? else { return Ok(None) };
        Ok(state.records[slot].instance.as_ref().map(|instance| instance.clone_ref(py)))
    }

    fn instances(&self, py: Python<'_>) -> Vec<(Py<AgentId>, Py<PyAny>)> {
        let state = self.state(py);
        let ready = state.records.values().filter_map(|record| {
            let instance = record.instance.as_ref()?;
            Some((record.id.clone_ref(py), instance.clone_ref(py)))
        });
        ready.collect()
    }

    // What can be read off.

    #[getter]
    fn waiting(&self, py: Python<'_>) -> usize {
        self.state(py).machine.waiting()
    }

    #[getter]
    fn open(&self, py: Python<'_>) -> usize {
        self.state(py).machine.open()
    }

    #[getter]
    pub(crate) fn idle(&self, py: Python<'_>) -> bool {
        self.state(py).machine.is_idle()
    }

    fn tally<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let tally = self.state(py).machine.tally();
        let counts = PyDict::new(py);
        counts.set_item("accepted", tally.accepted)?;
        counts.set_item("handled", tally.handled)?;
        counts.set_item("answered", tally.answered)?;
        counts.set_item("dropped", tally.dropped)?;
        counts.set_item("failed", tally.failed)?;
        counts.set_item("dead_lettered", tally.dead_lettered)?;
        Ok(counts)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.state.visit(|state| {
            for record in state.records.values() {
                // A subclass of AgentId can hold anything.
                visit.call(&record.id)?;
                visit.call(&record.instance)?;
                if let Some(equipment) = &record.equipment {
                    equipment.way.visit(&visit)?;
                    visit.call(&equipment.context)?;
                    visit.call(&equipment.copy)?;
                }
            }
            state.machine.payloads().try_for_each(|payload| visit.call(payload))
        })
    }

    fn __clear__(&self, py: Python<'_>) {
        let cleared = std::mem::take(&mut *self.state(py));
        drop(cleared);
    }
}

fn number(ticket: Ticket) -> u64 {
    ticket.data().as_ffi()
}

fn given(number: u64) -> Ticket {
    KeyData::from_ffi(number).into()
}
