//! Starting a handler past the inbox: only when nothing is ahead of the message (O1).

mod sending;

use std::num::NonZeroUsize;

use ferrogen_core::{AgentSlot, Arrival, CoreError, Limits, Machine, Names, Outcome, Step, Symbol};
use sending::send;

fn writer() -> Symbol {
    Names::default().intern("writer")
}

fn ready() -> (Machine<&'static str>, AgentSlot) {
    let mut machine = Machine::default();
    let agent = machine.enter(writer(), "default").expect("a new agent");
    (machine, agent)
}

#[test]
fn a_message_that_is_started_is_accepted_and_settled_like_any_other() {
    let (mut machine, agent) = ready();
    let ticket = machine.start(agent).unwrap();
    assert!(!machine.is_idle());
    assert_eq!(machine.waiting(), 0);
    assert!(!machine.is_due());
    assert_eq!(machine.finish(agent, ticket, Outcome::Answered), Ok(Some(Outcome::Answered)));
    assert!(machine.is_idle());
    assert_eq!((machine.tally().accepted, machine.tally().answered), (1, 1));
}

#[test]
fn pieces_that_are_started_one_by_one_settle_with_the_message() {
    let (mut machine, agent) = ready();
    let other = machine.enter(writer(), "other").expect("a new agent");
    machine.accept("news");
    assert_eq!(machine.front(), Some(&"news"));
    let Some(Arrival::Message(ticket, _)) = machine.take() else { unreachable!() };
    assert_eq!(machine.start_piece(agent, ticket), Ok(true));
    assert_eq!(machine.finish(agent, ticket, Outcome::Failed), Ok(None));
    assert_eq!(machine.start_piece(other, ticket), Ok(true));
    assert_eq!(machine.end(ticket, Outcome::Handled), Ok(None));
    assert!(!machine.is_idle());
    assert_eq!(machine.finish(other, ticket, Outcome::Handled), Ok(Some(Outcome::Failed)));
    assert!(machine.is_idle());
}

#[test]
fn a_piece_is_not_started_ahead_of_others_nor_for_a_settled_message() {
    let (mut machine, agent) = ready();
    send(&mut machine, agent, "first");
    machine.accept("news");
    let Some(Arrival::Message(ticket, _)) = machine.take() else { unreachable!() };
    assert_eq!(machine.start_piece(agent, ticket), Ok(false));
    let Some(Step::Deliver(_, first, _)) = machine.step() else { unreachable!() };
    assert_eq!(machine.start_piece(agent, ticket), Ok(false));
    machine.begun();
    machine.finish(agent, first, Outcome::Answered).unwrap();
    machine.end(ticket, Outcome::Handled).unwrap();
    assert_eq!(machine.start_piece(agent, ticket), Err(CoreError::TicketNotOpen));
    assert!(machine.passivate(agent), "a refused start leaves no handler running");
}

#[test]
fn an_answer_is_not_a_message_at_the_front() {
    let (mut machine, agent) = ready();
    let ticket = machine.start(agent).unwrap();
    assert_eq!(machine.front(), None);
    machine.answer(agent, ticket, "answer").unwrap();
    assert_eq!(machine.front(), None);
}

#[test]
fn nothing_starts_before_what_is_in_the_inbox() {
    let (mut machine, agent) = ready();
    let first = machine.accept("first");
    assert_eq!(machine.start(agent), None);
    machine.take();
    machine.end(first, Outcome::Dropped).unwrap();
    assert!(machine.start(agent).is_some());
}

#[test]
fn nothing_starts_before_work_that_is_due_or_has_yet_to_begin() {
    let (mut machine, agent) = ready();
    assert!(machine.is_clear());
    send(&mut machine, agent, "first");
    assert!(machine.is_due() && !machine.is_clear());
    assert_eq!(machine.start(agent), None);
    machine.step();
    assert!(!machine.is_clear());
    assert_eq!(machine.start(agent), None);
    machine.begun();
    assert!(machine.is_clear());
    assert!(machine.start(agent).is_some());
}

#[test]
fn an_agent_that_is_being_built_or_is_busy_starts_nothing() {
    let mut machine: Machine<&str> = Machine::default();
    let one = NonZeroUsize::new(1);
    machine.limit(writer(), Limits { concurrency: one, ..Limits::default() });
    let agent = machine.begin_build(writer(), "default").unwrap();
    assert_eq!(machine.start(agent), None);
    machine.built(agent).unwrap();
    let ticket = machine.start(agent).unwrap();
    assert_eq!(machine.start(agent), None);
    machine.finish(agent, ticket, Outcome::Failed).unwrap();
    assert!(machine.start(agent).is_some());
}

#[test]
fn what_is_refused_a_start_has_changed_nothing() {
    let (mut machine, agent) = ready();
    machine.accept("first");
    let before = machine.tally();
    assert_eq!(machine.start(agent), None);
    assert_eq!(machine.tally(), before);
    assert_eq!((machine.open(), machine.waiting()), (1, 1));
}
