//! Starting a handler past the inbox: only when nothing is ahead of the message (O1).

mod sending;

use std::num::NonZeroUsize;

use ferrogen_core::{AgentSlot, Limits, Machine, Names, Outcome, Symbol};
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
    send(&mut machine, agent, "first");
    assert!(machine.is_due());
    assert_eq!(machine.start(agent), None);
    machine.step();
    assert_eq!(machine.start(agent), None);
    machine.begun();
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
