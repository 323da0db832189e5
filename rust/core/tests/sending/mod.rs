//! What a driver does to give a message to one agent, in one call.

use ferrogen_core::{AgentSlot, Arrival, Machine, Refused, Ticket};

/// Accepts a message, takes it and places it. The inbox must be empty.
pub(crate) fn send<'a>(
    machine: &mut Machine<&'a str>,
    agent: AgentSlot,
    text: &'a str,
) -> (Ticket, Option<Refused<&'a str>>) {
    machine.accept(text);
    let Some(Arrival::Message(ticket, payload)) = machine.take() else {
        panic!("a message was accepted a moment ago");
    };
    machine.spread(ticket, 1).expect("the ticket is open");
    (ticket, machine.place(agent, ticket, payload).expect("the agent is there"))
}
