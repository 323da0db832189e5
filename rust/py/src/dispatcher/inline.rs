//! What the drive asks of the dispatcher: to begin a delivery at once, and to end it.

use ferrogen_core as core;
use ferrogen_core::{AgentSlot, Ticket};
use pyo3::prelude::*;

use super::{Dispatcher, State, given, number};
use crate::agent_id::AgentId;
use crate::drive::{BoundWay, Variables, Way, is_private};
use crate::errors::raised;
use crate::publish_envelope::PublishEnvelope;

/// How many agents keep what the drive needs of them. It takes more memory than the rest of an agent,
/// and is made anew for less than the price of a task.
const MOST_EQUIPPED: usize = 2048;

/// What the drive needs to call an agent's handlers itself.
pub(crate) struct Equipment {
    pub(crate) way: Way,
    /// The context of which each handler gets a copy.
    pub(crate) context: Py<PyAny>,
    /// Those of the context, if they can be told from others.
    pub(crate) variables: Option<Variables>,
    /// A copy of it that the last handler has left as it was, for the next one.
    pub(crate) copy: Option<Py<PyAny>>,
    /// Whether somebody counts the seconds that the agent is idle.
    pub(crate) is_watched: bool,
    /// Of the start of the runtime that the context comes from.
    pub(crate) generation: u32,
}

/// Which delivery it is, to the machine.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    slot: AgentSlot,
    ticket: Ticket,
}

/// A delivery that the drive has begun.
pub(crate) struct Inline<'py> {
    pub(crate) place: Place,
    pub(crate) agent_id: Bound<'py, AgentId>,
    pub(crate) agent: Bound<'py, PyAny>,
    pub(crate) way: BoundWay<'py>,
    /// Until the handler is run.
    pub(crate) source: Option<Source<'py>>,
    pub(crate) is_watched: bool,
}

/// Where the context of a handler comes from.
pub(crate) enum Source<'py> {
    /// It is this one.
    Ready(Bound<'py, PyAny>),
    /// It is a copy of this one.
    Template(Bound<'py, PyAny>),
}

/// Whether the drive may deliver a message at once.
pub(crate) enum Begun<'py> {
    Refused,
    /// It might, if the agent were there. Nobody builds it.
    Missing,
    /// It may, once it has what it needs of the agent.
    Unequipped {
        agent_id: Bound<'py, AgentId>,
        agent: Bound<'py, PyAny>,
    },
    Started,
}

/// What a delivery is begun for.
#[derive(Clone, Copy)]
pub(crate) enum Start {
    /// A message that comes just now, and is accepted thereby.
    Message,
    /// One recipient of a message that was accepted and taken.
    Piece(u64),
}

/// What is next in the inbox.
pub(crate) enum Front<'py> {
    Nothing,
    /// It is for the plain way.
    Other,
    /// It was published, and has been taken.
    Published(u64, Bound<'py, PublishEnvelope>),
}

/// What is to be seen to after a handler.
pub(crate) struct After {
    pub(crate) is_due: bool,
    pub(crate) is_idle: bool,
}

impl Dispatcher {
    /// Whether the next message was published.
    pub(crate) fn is_published_next(&self, py: Python<'_>) -> bool {
        is_published_next(py, &self.state(py))
    }

    /// Takes the next message, if it was published.
    pub(crate) fn take_published<'py>(&self, py: Python<'py>) -> Front<'py> {
        let mut state = self.state(py);
        if !is_published_next(py, &state) {
            return if state.machine.is_inbox_empty() { Front::Nothing } else { Front::Other };
        }
        let Some(core::Arrival::Message(ticket, payload)) = state.machine.take() else {
            return Front::Nothing;
        };
        drop(state);
        let envelope = payload.into_bound(py).cast_into_exact();
        Front::Published(number(ticket), envelope.expect("it was looked at under the same lock"))
    }

    /// Begins to deliver a message to one agent, if nothing is ahead of it. The delivery is put into
    /// its place: to move it about would cost more than to make it.
    #[inline]
    pub(crate) fn begin_inline<'py>(
        &self,
        py: Python<'py>,
        recipient: &AgentId,
        start: Start,
        generation: u32,
        place: &mut Option<Inline<'py>>,
    ) -> PyResult<Begun<'py>> {
        let mut guard = self.state(py);
        let state = &mut *guard;
        let Some(slot) = state.find_noted(py, recipient, self.number)? else {
            let may_be_built = matches!(start, Start::Message) && state.machine.is_clear();
            return Ok(if may_be_built { Begun::Missing } else { Begun::Refused });
        };
        let record = &mut state.records[slot];
        let Some(agent) = &record.instance else { return Ok(Begun::Refused) };
        let (agent_id, agent) = (record.id.bind(py).clone(), agent.bind(py).clone());
        let Some(equipment) = &mut record.equipment else {
            return Ok(Begun::Unequipped { agent_id, agent });
        };
        if equipment.generation != generation {
            return Ok(Begun::Unequipped { agent_id, agent });
        }
        let started = match start {
            Start::Message => state.machine.start(slot),
            Start::Piece(ticket) => {
                let ticket = given(ticket);
                state.machine.start_piece(slot, ticket).map_err(raised)?.then_some(ticket)
            }
        };
        let Some(ticket) = started else { return Ok(Begun::Refused) };
        let source = match equipment.copy.take() {
            Some(copy) => Source::Ready(copy.into_bound(py)),
            None => Source::Template(equipment.context.bind(py).clone()),
        };
        *place = Some(Inline {
            place: Place { slot, ticket },
            agent_id,
            agent,
            way: equipment.way.bind(py),
            source: Some(source),
            is_watched: equipment.is_watched,
        });
        Ok(Begun::Started)
    }

    /// Gives the drive's needs a place beside the agent. Whoever has kept them longest loses them, if
    /// there are too many.
    pub(crate) fn equip(&self, py: Python<'_>, id: &AgentId, equipment: Equipment) -> PyResult<()> {
        let before = {
            let mut state = self.state(py);
            let slot = state.existing(py, id)?;
            let outdated = state.records[slot].equipment.replace(Box::new(equipment));
            state.equipped.push_back(slot);
            let crowded = state.equipped.len() > MOST_EQUIPPED;
            let oldest = crowded.then(|| state.equipped.pop_front()).flatten();
            let taken = oldest
                .and_then(|oldest| state.records.get_mut(oldest))
                .and_then(|record| record.equipment.take());
            (outdated, taken)
        };
        drop(before);
        Ok(())
    }

    /// Reports that a handler which the drive began has ended. The context that it ran in is kept
    /// for the next one, if it is as good as new.
    #[inline]
    pub(crate) fn end_inline(
        &self,
        py: Python<'_>,
        place: Place,
        outcome: core::Outcome,
        mut context: Option<Bound<'_, PyAny>>,
    ) -> PyResult<After> {
        // What is not kept is dropped after the lock.
        let mut guard = self.state(py);
        let state = &mut *guard;
        state.machine.finish(place.slot, place.ticket, outcome).map_err(raised)?;
        if let Some(equipment) = state.records[place.slot].equipment.as_mut()
            && equipment.copy.is_none()
        {
            let is_new = |one: &mut Bound<'_, PyAny>| {
                let variables = Variables::of(one);
                variables.is_some() && variables == equipment.variables && is_private(one)
            };
            equipment.copy = context.take_if(is_new).map(Bound::unbind);
        }
        Ok(After { is_due: state.machine.is_due(), is_idle: state.machine.is_idle() })
    }
}

fn is_published_next(py: Python<'_>, state: &State) -> bool {
    let next = state.machine.front();
    next.is_some_and(|payload| payload.bind(py).cast_exact::<PublishEnvelope>().is_ok())
}
