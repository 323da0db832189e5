//! Drain: everything that no handler has begun.

use ferrogen_core::{Arrival, Outcome, Policy, Priority, SchedulingClass, Step, Time, Undelivered};

use super::{one_at_a_time, send, started, with_agent, writer};

#[test]
fn drains_due_and_waiting_deliveries_and_then_the_inbox() {
    let (mut machine, agent) = with_agent(one_at_a_time());
    let due = send(&mut machine, agent, "due");
    let waiting = send(&mut machine, agent, "waiting");
    let accepted = machine.accept("accepted", SchedulingClass::NORMAL);
    machine.pause();
    let expected = [
        Undelivered::Delivery(due, "due"),
        Undelivered::Delivery(waiting, "waiting"),
        Undelivered::Message(accepted, "accepted"),
    ];
    assert_eq!(machine.drain(), expected);
    assert!(machine.is_paused());
    assert_eq!((machine.waiting(), machine.step()), (0, None));
    assert_eq!(machine.drain(), []);
    assert!(!machine.is_idle());
    machine.finish(due, Outcome::DeadLettered).unwrap();
    machine.finish(waiting, Outcome::DeadLettered).unwrap();
    machine.settle(accepted, Outcome::DeadLettered).unwrap();
    assert!(machine.is_idle());
    assert_eq!(machine.tally().dead_lettered, 3);
}

#[test]
fn keeps_a_response_in_flight() {
    let (mut machine, agent) = with_agent(Policy::default());
    let delivery = send(&mut machine, agent, "question");
    machine.step();
    let before =
        machine.accept("before", SchedulingClass { priority: Priority::High, fairness_key: None });
    machine.respond(delivery, "response").unwrap();
    machine.pause();
    assert_eq!(machine.drain(), [Undelivered::Message(before, "before")]);
    machine.settle(before, Outcome::DeadLettered).unwrap();
    assert_eq!(machine.take_response(), None);
    machine.resume();
    assert_eq!(machine.take_response(), Some(Arrival::Response(delivery, "response")));
    assert_eq!(machine.take_response(), None);
    machine.finish(delivery, Outcome::Responded).unwrap();
    assert!(machine.is_idle());
}

#[test]
fn does_not_affect_running_handlers() {
    let (mut machine, agent) = with_agent(one_at_a_time());
    let running = send(&mut machine, agent, "running");
    let waiting = send(&mut machine, agent, "waiting");
    started(&mut machine);
    assert_eq!(machine.drain(), [Undelivered::Delivery(waiting, "waiting")]);
    machine.finish(waiting, Outcome::DeadLettered).unwrap();
    machine.finish(running, Outcome::Handled).unwrap();
    assert!(machine.is_idle());
    assert_eq!(machine.step(), None);
}

#[test]
fn frees_the_places_of_drained_deliveries() {
    let (mut machine, agent) = with_agent(one_at_a_time());
    send(&mut machine, agent, "due");
    machine.drain();
    send(&mut machine, agent, "next");
    assert_eq!(started(&mut machine), ["next"]);
}

#[test]
fn keeps_builds_and_passivations_due() {
    let after = Policy { passivate_after: Some(Time::ZERO), ..Policy::default() };
    let (mut machine, idle) = with_agent(after);
    machine.rest(idle, Time::ZERO);
    machine.advance(Time::ZERO);
    let building = machine.build(writer(), "building").unwrap();
    let delivery = send(&mut machine, building, "hello");
    assert_eq!(machine.drain(), [Undelivered::Delivery(delivery, "hello")]);
    assert_eq!(machine.step(), Some(Step::Passivate(idle)));
    assert_eq!(machine.step(), Some(Step::Build(building)));
    machine.built(building).unwrap();
    assert_eq!(machine.step(), None);
}

#[test]
fn lets_an_agent_rest_whose_deliveries_were_drained() {
    let after = Policy { passivate_after: Some(Time::ZERO), ..Policy::default() };
    let (mut machine, agent) = with_agent(after);
    let delivery = send(&mut machine, agent, "due");
    machine.drain();
    assert!(machine.finish(delivery, Outcome::DeadLettered).unwrap().rests);
}
