//! Policies: concurrency, capacity and overflow.

use std::num::NonZeroUsize;

use ferrogen_core::{
    Arrival, Machine, Names, Outcome, Overflow, Placement, Policy, Priority, SchedulingClass,
};

use super::{one_at_a_time, place, send, started, with_agent, writer};

fn policy(concurrency: usize, capacity: usize, overflow: Overflow) -> Policy {
    Policy {
        concurrency: NonZeroUsize::new(concurrency),
        reentrant: false,
        capacity: NonZeroUsize::new(capacity),
        overflow,
        passivate_after: None,
        max_active: None,
    }
}

#[test]
fn starts_everything_at_once_without_limits() {
    let (mut machine, agent) = with_agent(Policy::default());
    for text in ["a", "b", "c"] {
        send(&mut machine, agent, text);
    }
    assert_eq!(machine.waiting(), 0);
    assert_eq!(started(&mut machine), ["a", "b", "c"]);
}

#[test]
fn handles_one_at_a_time_with_a_concurrency_of_one() {
    let (mut machine, agent) = with_agent(one_at_a_time());
    let deliveries = ["a", "b", "c"].map(|text| send(&mut machine, agent, text));
    for (index, text) in ["a", "b", "c"].into_iter().enumerate() {
        assert_eq!(started(&mut machine), [text]);
        assert_eq!(machine.waiting(), 2 - index);
        machine.finish(deliveries[index], Outcome::Handled).unwrap();
    }
    assert!(machine.is_idle());
}

#[test]
fn counts_due_steps_as_busy() {
    let (mut machine, agent) = with_agent(policy(2, 0, Overflow::Reject));
    for text in ["a", "b", "c"] {
        send(&mut machine, agent, text);
    }
    assert_eq!(machine.waiting(), 1);
    assert_eq!(started(&mut machine), ["a", "b"]);
}

#[test]
fn rejects_the_new_message_when_the_mailbox_is_full() {
    let (mut machine, agent) = with_agent(policy(1, 1, Overflow::Reject));
    send(&mut machine, agent, "running");
    send(&mut machine, agent, "waiting");
    let overflow = place(&mut machine, agent, "rejected", None);
    let Placement::Overflow { placed, evicted, payload } = overflow else { panic!("not full") };
    assert_eq!((placed, payload), (evicted, "rejected"));
    assert_eq!(machine.waiting(), 1);
    machine.finish(evicted, Outcome::DeadLettered).unwrap();
    assert_eq!(machine.tally().dead_lettered, 1);
}

#[test]
fn drops_the_oldest_message_when_the_mailbox_is_full() {
    let (mut machine, agent) = with_agent(policy(1, 2, Overflow::DropOldest));
    let running = send(&mut machine, agent, "running");
    let oldest = send(&mut machine, agent, "oldest");
    send(&mut machine, agent, "middle");
    let overflow = place(&mut machine, agent, "newest", None);
    let Placement::Overflow { placed, evicted, payload } = overflow else { panic!("not full") };
    assert_eq!((evicted, payload), (oldest, "oldest"));
    assert_ne!(placed, evicted);
    machine.configure(writer(), Policy::default());
    assert_eq!(started(&mut machine), ["running"]);
    machine.finish(running, Outcome::Handled).unwrap();
    assert_eq!(started(&mut machine), ["middle", "newest"]);
}

#[test]
fn limits_the_mailbox_of_an_agent_that_is_being_built() {
    let mut machine = Machine::default();
    machine.configure(writer(), policy(0, 1, Overflow::Reject));
    let agent = machine.build(writer(), "default").unwrap();
    send(&mut machine, agent, "waiting");
    let overflow = place(&mut machine, agent, "rejected", None);
    assert!(matches!(overflow, Placement::Overflow { .. }));
}

#[test]
fn limits_each_agent_of_the_type_and_no_other_type() {
    let mut names = Names::default();
    let (critic, writer) = (names.intern("critic"), names.intern("writer"));
    let mut machine = Machine::default();
    machine.configure(writer, one_at_a_time());
    assert_eq!(machine.policy(writer), one_at_a_time());
    assert_eq!(machine.policy(critic), Policy::default());
    let one = machine.enter(writer, "one").unwrap();
    let two = machine.enter(writer, "two").unwrap();
    let unlimited = machine.enter(critic, "one").unwrap();
    for agent in [one, one, two, unlimited, unlimited] {
        send(&mut machine, agent, "hello");
    }
    assert_eq!(started(&mut machine).len(), 4);
}

#[test]
fn keeps_the_order_when_the_limits_are_removed() {
    let (mut machine, agent) = with_agent(one_at_a_time());
    let first = send(&mut machine, agent, "first");
    send(&mut machine, agent, "second");
    machine.configure(writer(), Policy::default());
    send(&mut machine, agent, "third");
    assert_eq!(started(&mut machine), ["first"]);
    machine.finish(first, Outcome::Handled).unwrap();
    assert_eq!(started(&mut machine), ["second", "third"]);
}

#[test]
fn applies_a_lower_concurrency_when_enough_handlers_have_ended() {
    let (mut machine, agent) = with_agent(policy(2, 0, Overflow::Reject));
    let deliveries = ["a", "b", "c"].map(|text| send(&mut machine, agent, text));
    assert_eq!(started(&mut machine), ["a", "b"]);
    machine.configure(writer(), one_at_a_time());
    machine.finish(deliveries[0], Outcome::Handled).unwrap();
    assert_eq!(machine.step(), None);
    machine.finish(deliveries[1], Outcome::Handled).unwrap();
    assert_eq!(started(&mut machine), ["c"]);
}

#[test]
fn drops_the_new_message_like_a_rejected_one() {
    let (mut machine, agent) = with_agent(policy(1, 1, Overflow::DropNewest));
    send(&mut machine, agent, "running");
    send(&mut machine, agent, "waiting");
    let overflow = place(&mut machine, agent, "newest", None);
    let Placement::Overflow { placed, evicted, payload } = overflow else { panic!("not full") };
    assert_eq!((placed, payload), (evicted, "newest"));
}

#[test]
fn a_reentrant_agent_starts_what_its_own_calls_have_caused() {
    let (mut machine, agent) = with_agent(Policy { reentrant: true, ..one_at_a_time() });
    let helper = machine.enter(writer(), "helper").unwrap();
    machine.configure(writer(), Policy { reentrant: true, ..one_at_a_time() });
    let first = send(&mut machine, agent, "first");
    send(&mut machine, agent, "of another sender");
    assert_eq!(started(&mut machine), ["first"]);
    let Placement::Queued(call) = place(&mut machine, helper, "call", Some(first)) else {
        panic!("the helper is idle")
    };
    assert_eq!(started(&mut machine), ["call"]);
    let back = place(&mut machine, agent, "back", Some(call));
    assert!(matches!(back, Placement::Queued(_)), "no deadlock");
    assert_eq!(started(&mut machine), ["back"]);
}

#[test]
fn queued_messages_of_high_priority_are_taken_first() {
    let high = SchedulingClass { priority: Priority::High, ..SchedulingClass::NORMAL };
    let mut machine = Machine::default();
    machine.accept("first", SchedulingClass::NORMAL);
    machine.accept("urgent", high);
    machine.accept("second", SchedulingClass::NORMAL);
    let taken = std::iter::from_fn(|| machine.take()).map(|arrival| match arrival {
        Arrival::Message(_, text) | Arrival::Response(_, text) => text,
    });
    assert_eq!(taken.collect::<Vec<_>>(), ["urgent", "first", "second"]);
}
