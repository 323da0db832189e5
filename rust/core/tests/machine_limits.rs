//! What mailboxes do for an agent with limits, in sentences.

mod sending;

use std::num::NonZeroUsize;

use ferrogen_core::{AgentSlot, Limits, Machine, Names, Outcome, Overflow, Refused, Step, Symbol};
use sending::send;

fn writer() -> Symbol {
    Names::default().intern("writer")
}

fn limits(concurrency: usize, capacity: usize, overflow: Overflow) -> Limits {
    Limits {
        concurrency: NonZeroUsize::new(concurrency),
        capacity: NonZeroUsize::new(capacity),
        overflow,
    }
}

/// A machine with one agent that is ready and has these limits.
fn limited<'a>(limits: Limits) -> (Machine<&'a str>, AgentSlot) {
    let mut machine = Machine::default();
    machine.limit(writer(), limits);
    let agent = machine.enter(writer(), "default").expect("the machine is new");
    (machine, agent)
}

fn started<'a>(machine: &mut Machine<&'a str>) -> Vec<&'a str> {
    std::iter::from_fn(|| machine.step())
        .map(|step| match step {
            Step::Deliver(_, _, text) => text,
            Step::Build(_) => panic!("nothing is to be built here"),
        })
        .collect()
}

#[test]
fn without_limits_everything_starts_at_once() {
    let (mut machine, agent) = limited(Limits::default());
    for text in ["a", "b", "c"] {
        assert_eq!(send(&mut machine, agent, text).1, None);
    }
    assert_eq!(machine.waiting(), 0);
    assert_eq!(started(&mut machine), ["a", "b", "c"]);
}

#[test]
fn limits_of_one_do_one_at_a_time() {
    let (mut machine, agent) = limited(limits(1, 0, Overflow::Reject));
    let tickets = ["a", "b", "c"].map(|text| send(&mut machine, agent, text).0);
    for (place, text) in ["a", "b", "c"].into_iter().enumerate() {
        assert_eq!(started(&mut machine), [text]);
        assert_eq!(machine.waiting(), 2 - place);
        machine.finish(agent, tickets[place], Outcome::Handled).unwrap();
    }
    assert!(machine.is_idle());
}

#[test]
fn a_due_step_counts_as_running() {
    let (mut machine, agent) = limited(limits(2, 0, Overflow::Reject));
    for text in ["a", "b", "c"] {
        send(&mut machine, agent, text);
    }
    assert_eq!(machine.waiting(), 1);
    assert_eq!(started(&mut machine), ["a", "b"]);
}

#[test]
fn an_answer_frees_the_place_for_the_next_before_its_sender_has_it() {
    let (mut machine, agent) = limited(limits(1, 0, Overflow::Reject));
    let (asked, _) = send(&mut machine, agent, "a");
    send(&mut machine, agent, "b");
    machine.step();
    machine.answer(agent, asked, "answer").unwrap();
    assert_eq!(started(&mut machine), ["b"]);
}

#[test]
fn a_full_mailbox_rejects_the_newest() {
    let (mut machine, agent) = limited(limits(1, 1, Overflow::Reject));
    assert_eq!(send(&mut machine, agent, "runs").1, None);
    assert_eq!(send(&mut machine, agent, "waits").1, None);
    let (ticket, refused) = send(&mut machine, agent, "too many");
    assert_eq!(refused, Some(Refused(ticket, "too many")));
    assert_eq!(machine.waiting(), 1);
    machine.end(ticket, Outcome::DeadLettered).unwrap();
    assert_eq!(machine.tally().dead_lettered, 1);
    assert_eq!(started(&mut machine), ["runs"]);
}

#[test]
fn drop_oldest_keeps_the_newest() {
    let (mut machine, agent) = limited(limits(1, 2, Overflow::DropOldest));
    let (runs, _) = send(&mut machine, agent, "runs");
    let (oldest, _) = send(&mut machine, agent, "oldest");
    send(&mut machine, agent, "middle");
    let (_, refused) = send(&mut machine, agent, "newest");
    assert_eq!(refused, Some(Refused(oldest, "oldest")));
    assert_eq!(machine.waiting(), 2);
    machine.limit(writer(), Limits::default());
    assert_eq!(started(&mut machine), ["runs"]);
    machine.finish(agent, runs, Outcome::Handled).unwrap();
    assert_eq!(started(&mut machine), ["middle", "newest"]);
}

#[test]
fn while_an_agent_is_built_its_capacity_holds() {
    let mut machine = Machine::default();
    machine.limit(writer(), limits(0, 1, Overflow::Reject));
    let agent = machine.build(writer(), "default").unwrap();
    assert_eq!(send(&mut machine, agent, "waits").1, None);
    assert!(send(&mut machine, agent, "too many").1.is_some());
}

#[test]
fn limits_hold_for_one_agent_each() {
    let (mut machine, one) = limited(limits(1, 0, Overflow::Reject));
    let two = machine.enter(writer(), "another").unwrap();
    send(&mut machine, one, "one");
    send(&mut machine, two, "two");
    assert_eq!(started(&mut machine), ["one", "two"]);
}

#[test]
fn limits_of_one_type_leave_other_types_alone() {
    let mut names = Names::default();
    let (critic, writer) = (names.intern("critic"), names.intern("writer"));
    let mut machine = Machine::default();
    machine.limit(writer, limits(1, 1, Overflow::Reject));
    let agent = machine.enter(critic, "default").unwrap();
    for text in ["a", "b", "c"] {
        send(&mut machine, agent, text);
    }
    assert_eq!(started(&mut machine), ["a", "b", "c"]);
}

#[test]
fn a_message_never_overtakes_one_that_waits_even_when_limits_are_lifted() {
    let (mut machine, agent) = limited(limits(1, 0, Overflow::Reject));
    let (first, _) = send(&mut machine, agent, "first");
    send(&mut machine, agent, "second");
    machine.limit(writer(), Limits::default());
    send(&mut machine, agent, "third");
    assert_eq!(started(&mut machine), ["first"]);
    machine.finish(agent, first, Outcome::Handled).unwrap();
    assert_eq!(started(&mut machine), ["second", "third"]);
}

#[test]
fn lowered_limits_wait_until_enough_has_ended() {
    let (mut machine, agent) = limited(limits(2, 0, Overflow::Reject));
    let tickets = ["a", "b", "c"].map(|text| send(&mut machine, agent, text).0);
    assert_eq!(started(&mut machine), ["a", "b"]);
    machine.limit(writer(), limits(1, 0, Overflow::Reject));
    machine.finish(agent, tickets[0], Outcome::Handled).unwrap();
    assert_eq!(machine.step(), None);
    machine.finish(agent, tickets[1], Outcome::Handled).unwrap();
    assert_eq!(started(&mut machine), ["c"]);
}
