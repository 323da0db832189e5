//! What the drive asks of the dispatcher: to begin a delivery at once, and to end it.

use ferrogen_core as core;
use ferrogen_core::{AgentSlot, Ticket};
use pyo3::prelude::*;

use super::{Dispatcher, number};
use crate::agent_id::AgentId;
use crate::drive::Handlers;
use crate::errors::raised;

/// What the drive needs to call an agent's handlers itself.
pub(crate) struct Equipment {
    /// `None` if the agent handles messages in a way of its own.
    pub(crate) handlers: Option<Py<Handlers>>,
    /// The context of which each handler gets a copy.
    pub(crate) context: Py<PyAny>,
    /// Whether somebody counts the seconds that the agent is idle.
    pub(crate) is_watched: bool,
    /// Of the start of the runtime that the context comes from.
    pub(crate) generation: u32,
}

/// A delivery that the drive has begun.
pub(crate) struct Inline<'py> {
    slot: AgentSlot,
    ticket: Ticket,
    pub(crate) agent_id: Bound<'py, AgentId>,
    pub(crate) agent: Bound<'py, PyAny>,
    pub(crate) handlers: Option<Bound<'py, Handlers>>,
    pub(crate) context: Bound<'py, PyAny>,
    pub(crate) is_watched: bool,
}

impl Inline<'_> {
    pub(crate) fn ticket(&self) -> u64 {
        number(self.ticket)
    }
}

/// Whether the drive may deliver a message at once.
pub(crate) enum Begun<'py> {
    Refused,
    /// It may, once it has what it needs of the agent.
    Unequipped {
        agent_id: Bound<'py, AgentId>,
        agent: Bound<'py, PyAny>,
    },
    Started(Inline<'py>),
}

/// What is to be seen to after a handler.
pub(crate) struct After {
    pub(crate) is_due: bool,
    pub(crate) is_idle: bool,
}

impl Dispatcher {
    /// Accepts a message and begins to deliver it, if nothing is ahead of it.
    pub(crate) fn begin_inline<'py>(
        &self,
        py: Python<'py>,
        recipient: &AgentId,
        generation: u32,
    ) -> PyResult<Begun<'py>> {
        let mut guard = self.state();
        let state = &mut *guard;
        let Some(slot) = state.find_noted(py, recipient, self.number)? else {
            return Ok(Begun::Refused);
        };
        let record = &state.records[slot];
        let Some(agent) = &record.instance else { return Ok(Begun::Refused) };
        let (agent_id, agent) = (record.id.bind(py).clone(), agent.bind(py).clone());
        let Some(equipment) = &record.equipment else {
            return Ok(Begun::Unequipped { agent_id, agent });
        };
        if equipment.generation != generation {
            return Ok(Begun::Unequipped { agent_id, agent });
        }
        let Some(ticket) = state.machine.start(slot) else { return Ok(Begun::Refused) };
        Ok(Begun::Started(Inline {
            slot,
            ticket,
            agent_id,
            agent,
            handlers: equipment.handlers.as_ref().map(|handlers| handlers.bind(py).clone()),
            context: equipment.context.bind(py).clone(),
            is_watched: equipment.is_watched,
        }))
    }

    /// Gives the drive's needs a place beside the agent.
    pub(crate) fn equip(&self, py: Python<'_>, id: &AgentId, equipment: Equipment) -> PyResult<()> {
        let before = {
            let mut state = self.state();
            let slot = state.existing(py, id)?;
            state.records[slot].equipment.replace(equipment)
        };
        drop(before);
        Ok(())
    }

    /// Reports that a handler which the drive began has ended.
    pub(crate) fn end_inline(
        &self,
        inline: &Inline<'_>,
        outcome: core::Outcome,
    ) -> PyResult<After> {
        let mut state = self.state();
        state.machine.finish(inline.slot, inline.ticket, outcome).map_err(raised)?;
        Ok(After { is_due: state.machine.is_due(), is_idle: state.machine.is_idle() })
    }
}
