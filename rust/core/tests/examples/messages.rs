//! Messages: the inbox, the pause, settlement (L1, L2).

use ferrogen_core::SchedulingClass;
use ferrogen_core::{Arrival, Awaits, CoreError, Machine, Outcome, Ticket};

use super::{finished, one_at_a_time, place, send, started, with_agent, writer};

#[test]
fn takes_messages_in_the_order_of_acceptance() {
    let mut machine = Machine::default();
    let first = machine.accept("first", SchedulingClass::NORMAL);
    let second = machine.accept("second", SchedulingClass::NORMAL);
    assert_eq!(machine.waiting(), 2);
    assert_eq!(machine.front(), Some(&Arrival::Message(first, "first")));
    assert_eq!(machine.take(), Some(Arrival::Message(first, "first")));
    assert_eq!(machine.take(), Some(Arrival::Message(second, "second")));
    assert_eq!(machine.take(), None);
}

#[test]
fn takes_and_starts_nothing_while_paused() {
    let (mut machine, agent) = with_agent(one_at_a_time());
    machine.pause();
    assert!(machine.is_paused() && !machine.is_clear());
    assert_eq!(machine.start(agent, None), None);
    let ticket = machine.accept("first", SchedulingClass::NORMAL);
    assert_eq!(machine.front(), None);
    assert_eq!(machine.take(), None);
    machine.resume();
    assert_eq!(machine.take(), Some(Arrival::Message(ticket, "first")));
}

#[test]
fn places_and_steps_while_paused() {
    let (mut machine, agent) = with_agent(one_at_a_time());
    machine.pause();
    let delivery = send(&mut machine, agent, "first");
    assert_eq!(started(&mut machine), ["first"]);
    machine.finish(delivery, Outcome::Handled).unwrap();
    let ticket = machine.hold();
    assert!(machine.start_delivery(agent, ticket, None).unwrap().is_some());
}

#[test]
fn is_not_idle_while_a_ticket_is_held() {
    let mut machine = Machine::default();
    let ticket = machine.accept("hello", SchedulingClass::NORMAL);
    machine.take();
    assert_eq!((machine.waiting(), machine.open()), (0, 1));
    assert!(!machine.is_idle());
    assert_eq!(machine.settle(ticket, Outcome::Dropped), Ok(Some(Outcome::Dropped)));
    assert!(machine.is_idle());
    assert_eq!(machine.tally().dropped, 1);
}

#[test]
fn settles_a_message_without_recipients_as_handled() {
    let mut machine = Machine::<&str>::default();
    let ticket = machine.hold();
    assert_eq!(machine.settle(ticket, Outcome::Handled), Ok(Some(Outcome::Handled)));
    assert_eq!((machine.tally().accepted, machine.tally().handled), (1, 1));
}

#[test]
fn settles_with_the_most_severe_outcome() {
    let (mut machine, agent) = with_agent(one_at_a_time());
    let other = machine.enter(writer(), "other").unwrap();
    let ticket = machine.hold();
    machine.place(agent, ticket, "news", SchedulingClass::NORMAL, Awaits::Nothing).unwrap();
    machine.place(other, ticket, "news", SchedulingClass::NORMAL, Awaits::Nothing).unwrap();
    let deliveries: Vec<_> = std::iter::from_fn(|| machine.step())
        .map(|step| match step {
            ferrogen_core::Step::Deliver(_, delivery, _) => delivery,
            step => panic!("{step:?}"),
        })
        .collect();
    assert_eq!(machine.finish(deliveries[0], Outcome::Failed), Ok(finished(None)));
    assert_eq!(machine.finish(deliveries[1], Outcome::Handled), Ok(finished(None)));
    assert_eq!(machine.settle(ticket, Outcome::Handled), Ok(Some(Outcome::Failed)));
    assert_eq!((machine.tally().failed, machine.tally().settled()), (1, 1));
}

#[test]
fn refuses_a_ticket_whose_hold_has_ended() {
    let (mut machine, agent) = with_agent(one_at_a_time());
    let ticket = machine.hold();
    machine.place(agent, ticket, "news", SchedulingClass::NORMAL, Awaits::Nothing).unwrap();
    machine.settle(ticket, Outcome::Handled).unwrap();
    let before = format!("{machine:?}");
    let refused = CoreError::TicketNotOpen;
    assert_eq!(machine.settle(ticket, Outcome::Failed), Err(refused));
    assert_eq!(
        machine.place(agent, ticket, "news", SchedulingClass::NORMAL, Awaits::Nothing),
        Err(refused)
    );
    assert_eq!(machine.start_delivery(agent, ticket, None), Err(refused));
    assert_eq!(machine.settle(Ticket::default(), Outcome::Failed), Err(refused));
    assert_eq!(format!("{machine:?}"), before);
}

#[test]
fn refuses_a_stale_ticket_after_its_place_was_reused() {
    let mut machine = Machine::<&str>::default();
    let stale = machine.hold();
    machine.settle(stale, Outcome::Handled).unwrap();
    machine.hold();
    assert_eq!(machine.settle(stale, Outcome::Handled), Err(CoreError::TicketNotOpen));
    assert_eq!(machine.open(), 1);
}

#[test]
fn queues_a_response_behind_earlier_messages() {
    let (mut machine, agent) = with_agent(one_at_a_time());
    let delivery = send(&mut machine, agent, "question");
    machine.step();
    let other = machine.accept("other", SchedulingClass::NORMAL);
    assert_eq!(machine.respond(delivery, "response"), Ok(false));
    assert_eq!(machine.take(), Some(Arrival::Message(other, "other")));
    assert_eq!(machine.take(), Some(Arrival::Response(delivery, "response")));
    let settled = finished(Some(Outcome::Responded));
    assert_eq!(machine.finish(delivery, Outcome::Responded), Ok(settled));
}

#[test]
fn lists_every_payload() {
    let (mut machine, agent) = with_agent(one_at_a_time());
    let building = machine.build(writer(), "building").unwrap();
    let delivery = send(&mut machine, agent, "running");
    machine.step();
    machine.step();
    machine.respond(delivery, "response").unwrap();
    send(&mut machine, agent, "due");
    place(&mut machine, building, "waiting", None);
    machine.accept("inbox", SchedulingClass::NORMAL);
    let mut payloads: Vec<&str> = machine.payloads().copied().collect();
    payloads.sort_unstable();
    assert_eq!(payloads, ["due", "inbox", "response", "waiting"]);
}
