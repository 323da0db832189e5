//! Examples of each part of the core. The properties are in `tests/properties`.

mod agents;
mod backpressure;
mod deadlock;
mod deliveries;
mod drain;
mod max_active;
mod messages;
mod names;
mod passivation;
mod policies;
mod routes;
mod start;

use ferrogen_core::SchedulingClass;
use std::num::NonZeroUsize;

use ferrogen_core::{
    AgentSlot, Awaits, DeliveryId, Finished, Machine, Names, Outcome, Placement, Policy, Step,
    Symbol,
};

fn writer() -> Symbol {
    Names::default().intern("writer")
}

fn one_at_a_time() -> Policy {
    Policy { concurrency: NonZeroUsize::new(1), ..Policy::default() }
}

/// A machine with one agent, which is ready.
fn with_agent<'a>(policy: Policy) -> (Machine<&'a str>, AgentSlot) {
    let mut machine = Machine::default();
    machine.configure(writer(), policy);
    let agent = machine.begin_build(writer(), "default").expect("a new agent");
    machine.built(agent).expect("an agent that is being built");
    (machine, agent)
}

/// Accepts a message and places its only delivery.
fn place<'a>(
    machine: &mut Machine<&'a str>,
    agent: AgentSlot,
    text: &'a str,
    caller: Option<DeliveryId>,
) -> Placement<&'a str> {
    let ticket = machine.hold();
    let placement = machine
        .place(agent, ticket, text, SchedulingClass::NORMAL, Awaits::response(caller))
        .expect("a known agent");
    assert_eq!(machine.settle(ticket, Outcome::Handled), Ok(None));
    placement
}

/// Accepts a message whose only delivery is queued.
fn send<'a>(machine: &mut Machine<&'a str>, agent: AgentSlot, text: &'a str) -> DeliveryId {
    match place(machine, agent, text, None) {
        Placement::Queued(delivery) => delivery,
        other => panic!("{other:?}"),
    }
}

/// Takes all steps, which must be deliveries.
fn started<'a>(machine: &mut Machine<&'a str>) -> Vec<&'a str> {
    let mut texts = Vec::new();
    while let Some(step) = machine.step() {
        let Step::Deliver(_, delivery, text) = step else { panic!("{step:?}") };
        machine.begun(delivery);
        texts.push(text);
    }
    texts
}

fn finished(settled: Option<Outcome>) -> Finished {
    Finished { settled, rests: false }
}
