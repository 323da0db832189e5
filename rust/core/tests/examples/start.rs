//! Inline start: only if nothing is ahead of the message (O1).

use ferrogen_core::SchedulingClass;
use ferrogen_core::{Arrival, Machine, Outcome, Policy};

use super::{finished, one_at_a_time, send, started, with_agent, writer};

#[test]
fn accepts_and_settles_a_started_message() {
    let (mut machine, agent) = with_agent(Policy::default());
    let delivery = machine.start(agent, None).unwrap();
    assert!(!machine.is_idle() && machine.is_clear());
    let settled = finished(Some(Outcome::Responded));
    assert_eq!(machine.finish(delivery, Outcome::Responded), Ok(settled));
    assert!(machine.is_idle());
    assert_eq!((machine.tally().accepted, machine.tally().responded), (1, 1));
}

#[test]
fn starts_the_deliveries_of_a_held_ticket_one_by_one() {
    let (mut machine, agent) = with_agent(Policy::default());
    let other = machine.enter(writer(), "other").unwrap();
    machine.accept("news", SchedulingClass::NORMAL);
    machine.accept("later", SchedulingClass::NORMAL);
    let Some(Arrival::Message(ticket, _)) = machine.take() else { unreachable!() };
    let first = machine.start_delivery(agent, ticket, None).unwrap().unwrap();
    assert_eq!(machine.finish(first, Outcome::Failed), Ok(finished(None)));
    let second = machine.start_delivery(other, ticket, None).unwrap().unwrap();
    assert_eq!(machine.settle(ticket, Outcome::Handled), Ok(None));
    let settled = finished(Some(Outcome::Failed));
    assert_eq!(machine.finish(second, Outcome::Handled), Ok(settled));
}

#[test]
fn does_not_start_ahead_of_the_inbox() {
    let (mut machine, agent) = with_agent(Policy::default());
    let first = machine.accept("first", SchedulingClass::NORMAL);
    let before = format!("{machine:?}");
    assert_eq!(machine.start(agent, None), None);
    assert_eq!(format!("{machine:?}"), before);
    machine.take();
    machine.settle(first, Outcome::Dropped).unwrap();
    assert!(machine.start(agent, None).is_some());
}

#[test]
fn does_not_start_ahead_of_steps_and_unbegun_deliveries() {
    let (mut machine, agent) = with_agent(Policy::default());
    let ticket = machine.hold();
    let delivery = send(&mut machine, agent, "first");
    assert!(machine.is_due() && !machine.is_clear());
    assert_eq!(machine.start(agent, None), None);
    assert_eq!(machine.start_delivery(agent, ticket, None), Ok(None));
    machine.step();
    assert_eq!(machine.start(agent, None), None);
    assert_eq!(machine.start_delivery(agent, ticket, None), Ok(None));
    machine.begun(delivery);
    assert!(machine.start(agent, None).is_some());
    assert!(machine.start_delivery(agent, ticket, None).unwrap().is_some());
}

#[test]
fn does_not_start_in_an_agent_that_is_building_or_busy() {
    let mut machine: Machine<&str> = Machine::default();
    machine.configure(writer(), one_at_a_time());
    let agent = machine.begin_build(writer(), "default").unwrap();
    assert_eq!(machine.start(agent, None), None);
    machine.built(agent).unwrap();
    let delivery = machine.start(agent, None).unwrap();
    assert_eq!(machine.start(agent, None), None);
    machine.finish(delivery, Outcome::Failed).unwrap();
    assert!(machine.start(agent, None).is_some());
}

#[test]
fn does_not_start_ahead_of_the_mailbox() {
    let (mut machine, agent) = with_agent(one_at_a_time());
    send(&mut machine, agent, "running");
    started(&mut machine);
    send(&mut machine, agent, "waiting");
    machine.configure(writer(), Policy::default());
    assert_eq!(machine.start(agent, None), None);
}
