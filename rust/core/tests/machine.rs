//! The life of a message in the step machine, in sentences.

mod sending;

use std::num::NonZeroUsize;

use ferrogen_core::{Arrival, CoreError, Limits, Machine, Names, Outcome, Stage, Step, Symbol};
use sending::send;

fn writer() -> Symbol {
    Names::default().intern("writer")
}

#[test]
fn messages_are_taken_in_the_order_of_acceptance() {
    let mut machine = Machine::default();
    let first = machine.accept("first");
    let second = machine.accept("second");
    assert_eq!(machine.waiting(), 2);
    assert_eq!(machine.take(), Some(Arrival::Message(first, "first")));
    assert_eq!(machine.take(), Some(Arrival::Message(second, "second")));
    assert_eq!(machine.take(), None);
    assert_eq!(machine.waiting(), 0);
}

#[test]
fn a_message_that_was_taken_keeps_the_machine_from_being_idle() {
    let mut machine = Machine::default();
    let ticket = machine.accept("hello");
    machine.take();
    assert_eq!(machine.waiting(), 0);
    assert!(!machine.is_idle());
    machine.end(ticket, Outcome::Dropped).unwrap();
    assert!(machine.is_idle());
    assert_eq!(machine.tally().dropped, 1);
}

#[test]
fn a_message_to_nobody_is_settled_as_handled() {
    let mut machine = Machine::default();
    let ticket = machine.accept("hello");
    machine.take();
    machine.spread(ticket, 0).unwrap();
    assert!(machine.is_idle());
    assert_eq!(machine.tally().handled, 1);
}

#[test]
fn an_answer_goes_through_the_inbox_behind_what_came_before_it() {
    let mut machine = Machine::default();
    let agent = machine.enter(writer(), "default").unwrap();
    let (asked, _) = send(&mut machine, agent, "question");
    machine.step();
    let other = machine.accept("other");
    machine.answer(agent, asked, "answer").unwrap();
    assert_eq!(machine.waiting(), 2);
    assert_eq!(machine.take(), Some(Arrival::Message(other, "other")));
    assert_eq!(machine.take(), Some(Arrival::Answer(asked, "answer")));
    assert_eq!(machine.end(asked, Outcome::Answered), Ok(Some(Outcome::Answered)));
}

#[test]
fn a_released_handler_frees_its_place_while_its_message_stays_open() {
    let mut machine = Machine::default();
    let one = Limits { concurrency: NonZeroUsize::new(1), ..Limits::default() };
    machine.limit(writer(), one);
    let agent = machine.enter(writer(), "default").unwrap();
    let (first, _) = send(&mut machine, agent, "first");
    let (second, _) = send(&mut machine, agent, "second");
    assert_eq!(machine.release(agent, first), Err(CoreError::WrongStage));
    machine.step();
    machine.release(agent, first).unwrap();
    assert_eq!(machine.open(), 2);
    assert_eq!(machine.step(), Some(Step::Deliver(agent, second, "second")));
    machine.finish(agent, second, Outcome::Handled).unwrap();
    assert!(!machine.is_idle());
    assert_eq!(machine.end(first, Outcome::Answered), Ok(Some(Outcome::Answered)));
    assert!(machine.is_idle());
    assert_eq!(machine.release(agent, first), Err(CoreError::TicketNotOpen));
}

#[test]
fn an_agent_whose_answer_is_on_its_way_may_be_passivated() {
    let mut machine = Machine::default();
    let agent = machine.enter(writer(), "default").unwrap();
    let (asked, _) = send(&mut machine, agent, "question");
    machine.step();
    machine.answer(agent, asked, "answer").unwrap();
    assert!(machine.passivate(agent));
    assert_eq!(machine.take(), Some(Arrival::Answer(asked, "answer")));
    assert!(!machine.is_idle());
    machine.end(asked, Outcome::Answered).unwrap();
    assert!(machine.is_idle());
}

#[test]
fn a_message_to_many_is_settled_when_the_last_of_them_ends() {
    let mut machine = Machine::default();
    let agents = ["a", "b", "c"].map(|key| machine.enter(writer(), key).unwrap());
    let ticket = machine.accept("news");
    machine.take();
    machine.spread(ticket, 3).unwrap();
    for agent in agents {
        machine.place(agent, ticket, "news").unwrap();
        assert_eq!(machine.step(), Some(Step::Deliver(agent, ticket, "news")));
    }
    assert_eq!(machine.finish(agents[1], ticket, Outcome::Handled), Ok(None));
    assert_eq!(machine.finish(agents[0], ticket, Outcome::Failed), Ok(None));
    assert!(!machine.is_idle());
    assert_eq!(machine.finish(agents[2], ticket, Outcome::Handled), Ok(Some(Outcome::Failed)));
    assert!(machine.is_idle());
}

#[test]
fn a_second_report_on_the_same_delivery_is_refused_and_changes_nothing() {
    let mut machine = Machine::default();
    let agent = machine.enter(writer(), "default").unwrap();
    let (first, _) = send(&mut machine, agent, "first");
    let (second, _) = send(&mut machine, agent, "second");
    machine.step();
    machine.step();
    machine.finish(agent, first, Outcome::Handled).unwrap();
    assert_eq!(machine.finish(agent, first, Outcome::Failed), Err(CoreError::TicketNotOpen));
    assert_eq!(machine.answer(agent, first, "late"), Err(CoreError::TicketNotOpen));
    assert_eq!(machine.waiting(), 0);
    machine.finish(agent, second, Outcome::Handled).unwrap();
    assert_eq!(machine.tally().settled(), 2);
}

#[test]
fn a_report_on_a_step_that_was_not_taken_is_refused() {
    let mut machine = Machine::default();
    let agent = machine.enter(writer(), "default").unwrap();
    let (ticket, _) = send(&mut machine, agent, "hello");
    assert_eq!(machine.finish(agent, ticket, Outcome::Handled), Err(CoreError::WrongStage));
    assert_eq!(machine.answer(agent, ticket, "answer"), Err(CoreError::WrongStage));
    assert_eq!(machine.drain().len(), 1);
    assert!(machine.passivate(agent));
}

#[test]
fn a_slot_that_left_the_directory_is_refused_by_everything() {
    let mut machine = Machine::default();
    let gone = machine.enter(writer(), "default").unwrap();
    assert!(machine.passivate(gone));
    let back = machine.enter(writer(), "default").unwrap();
    assert_ne!(gone, back);
    let ticket = machine.accept("hello");
    assert_eq!(machine.place(gone, ticket, "hello"), Err(CoreError::AgentMissing));
    assert_eq!(machine.finish(gone, ticket, Outcome::Handled), Err(CoreError::AgentMissing));
    assert_eq!(machine.answer(gone, ticket, "answer"), Err(CoreError::AgentMissing));
    assert_eq!(machine.release(gone, ticket), Err(CoreError::AgentMissing));
    assert_eq!(machine.built(gone), Err(CoreError::AgentMissing));
    assert_eq!(machine.build_failed(gone), Err(CoreError::AgentMissing));
    assert_eq!(machine.stage(gone), None);
    assert!(!machine.passivate(gone));
    assert_eq!(machine.stage(back), Some(Stage::Ready));
}

#[test]
fn every_payload_in_the_machine_is_seen() {
    let mut machine = Machine::default();
    let ready = machine.enter(writer(), "ready").unwrap();
    let building = machine.build(writer(), "building").unwrap();
    let (asked, _) = send(&mut machine, ready, "running");
    machine.step();
    machine.step();
    machine.answer(ready, asked, "answer").unwrap();
    machine.take();
    send(&mut machine, ready, "due");
    send(&mut machine, building, "parked");
    machine.accept("inbox");
    let mut payloads: Vec<&str> = machine.payloads().copied().collect();
    payloads.sort_unstable();
    assert_eq!(payloads, ["due", "inbox", "parked"]);
}
