//! What a stopping driver gets back from the step machine, in sentences.

mod sending;

use std::num::NonZeroUsize;

use ferrogen_core::{Limits, Machine, Names, Outcome, Step, Symbol, Undelivered};
use sending::send;

fn writer() -> Symbol {
    Names::default().intern("writer")
}

fn one_at_a_time() -> Limits {
    Limits { concurrency: NonZeroUsize::new(1), ..Limits::default() }
}

#[test]
fn draining_gives_back_all_that_no_handler_has_begun_in_order() {
    let mut machine = Machine::default();
    machine.limit(writer(), one_at_a_time());
    let agent = machine.enter(writer(), "default").unwrap();
    let (due, _) = send(&mut machine, agent, "due");
    let (parked, _) = send(&mut machine, agent, "parked");
    let accepted = machine.accept("accepted");
    let expected = [
        Undelivered::Message(due, "due"),
        Undelivered::Message(parked, "parked"),
        Undelivered::Message(accepted, "accepted"),
    ];
    assert_eq!(machine.drain(), expected);
    assert_eq!(machine.waiting(), 0);
    assert_eq!(machine.step(), None);
    assert_eq!(machine.take(), None);
    assert_eq!(machine.drain(), []);
}

#[test]
fn an_answer_on_its_way_is_drained_as_an_answer() {
    let mut machine = Machine::default();
    let agent = machine.enter(writer(), "default").unwrap();
    let (asked, _) = send(&mut machine, agent, "question");
    machine.step();
    machine.answer(agent, asked, "answer").unwrap();
    assert_eq!(machine.drain(), [Undelivered::Answer(asked, "answer")]);
}

#[test]
fn a_drained_machine_is_idle_once_its_pieces_are_ended() {
    let mut machine = Machine::default();
    let agent = machine.enter(writer(), "default").unwrap();
    send(&mut machine, agent, "due");
    machine.accept("accepted");
    for undelivered in machine.drain() {
        assert!(!machine.is_idle());
        let (Undelivered::Message(ticket, _) | Undelivered::Answer(ticket, _)) = undelivered;
        machine.end(ticket, Outcome::DeadLettered).unwrap();
    }
    assert!(machine.is_idle());
    assert_eq!(machine.tally().dead_lettered, 2);
}

#[test]
fn a_handler_that_runs_while_the_machine_is_drained_still_reports() {
    let mut machine = Machine::default();
    machine.limit(writer(), one_at_a_time());
    let agent = machine.enter(writer(), "default").unwrap();
    let (running, _) = send(&mut machine, agent, "running");
    let (parked, _) = send(&mut machine, agent, "parked");
    machine.step();
    assert_eq!(machine.drain(), [Undelivered::Message(parked, "parked")]);
    machine.end(parked, Outcome::DeadLettered).unwrap();
    assert!(!machine.is_idle());
    machine.finish(agent, running, Outcome::Handled).unwrap();
    assert!(machine.is_idle());
    assert_eq!(machine.step(), None);
}

#[test]
fn a_due_delivery_that_was_drained_gives_its_place_back() {
    let mut machine = Machine::default();
    machine.limit(writer(), one_at_a_time());
    let agent = machine.enter(writer(), "default").unwrap();
    let (due, _) = send(&mut machine, agent, "due");
    machine.drain();
    machine.end(due, Outcome::DeadLettered).unwrap();
    let (next, _) = send(&mut machine, agent, "next");
    assert_eq!(machine.step(), Some(Step::Deliver(agent, next, "next")));
}

#[test]
fn a_build_survives_draining_whether_it_was_begun_or_not() {
    let mut machine = Machine::default();
    let begun = machine.build(writer(), "begun").unwrap();
    machine.step();
    let due = machine.build(writer(), "due").unwrap();
    let (one, _) = send(&mut machine, begun, "one");
    let (two, _) = send(&mut machine, due, "two");
    assert_eq!(machine.drain().len(), 2);
    machine.end(one, Outcome::DeadLettered).unwrap();
    machine.end(two, Outcome::DeadLettered).unwrap();
    machine.built(begun).unwrap();
    assert_eq!(machine.step(), Some(Step::Build(due)));
    machine.built(due).unwrap();
    assert_eq!(machine.step(), None);
    assert!(machine.is_idle());
}
