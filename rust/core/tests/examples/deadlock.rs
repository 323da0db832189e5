//! Deadlock detection.

use std::num::NonZeroUsize;

use ferrogen_core::{AgentSlot, DeliveryId, Machine, Names, Outcome, Placement, Policy, Symbol};

use super::{one_at_a_time, place, started, with_agent, writer};

/// Agents that handle one message at a time.
fn agents<const N: usize>() -> (Machine<&'static str>, [AgentSlot; N]) {
    let mut machine = Machine::default();
    machine.configure(writer(), one_at_a_time());
    let agents =
        std::array::from_fn(|key| machine.enter(writer(), &key.to_string()).expect("a new agent"));
    (machine, agents)
}

fn call(machine: &mut Machine<&str>, agent: AgentSlot, caller: DeliveryId) -> DeliveryId {
    machine.start(agent, Some(caller)).expect("a free agent")
}

fn cycle(placement: Placement<&str>) -> Option<Vec<AgentSlot>> {
    match placement {
        Placement::Deadlock { payload, cycle, .. } => {
            assert_eq!(payload, "call");
            Some(cycle)
        }
        Placement::Queued(_) | Placement::Blocked(_) => None,
        Placement::Overflow { .. } => panic!("no capacity is set"),
    }
}

#[test]
fn detects_an_agent_that_calls_itself() {
    let (mut machine, [a]) = agents();
    let caller = machine.start(a, None).unwrap();
    let placement = place(&mut machine, a, "call", Some(caller));
    let Placement::Deadlock { delivery, .. } = placement else { panic!("{placement:?}") };
    assert_eq!(cycle(placement), Some(vec![a, a]));
    assert_eq!(machine.waiting(), 0);
    machine.finish(delivery, Outcome::Failed).unwrap();
    machine.finish(caller, Outcome::Handled).unwrap();
    assert!(machine.is_idle());
}

#[test]
fn detects_a_ring_of_calls() {
    let (mut machine, [a, b, c]) = agents();
    let first = machine.start(a, None).unwrap();
    let second = call(&mut machine, b, first);
    let third = call(&mut machine, c, second);
    assert_eq!(cycle(place(&mut machine, a, "call", Some(third))), Some(vec![c, a, b, c]));
    assert_eq!(cycle(place(&mut machine, b, "call", Some(third))), Some(vec![c, b, c]));
}

#[test]
fn detects_a_ring_through_a_mailbox() {
    let (mut machine, [a, b]) = agents();
    let first = machine.start(a, None).unwrap();
    let second = machine.start(b, None).unwrap();
    assert_eq!(cycle(place(&mut machine, b, "call", Some(first))), None);
    assert_eq!(cycle(place(&mut machine, a, "call", Some(second))), Some(vec![b, a, b]));
}

#[test]
fn does_not_regard_a_message_without_caller_as_a_deadlock() {
    let (mut machine, [a]) = agents();
    machine.start(a, None).unwrap();
    assert_eq!(cycle(place(&mut machine, a, "message", None)), None);
}

#[test]
fn does_not_regard_a_busy_agent_as_a_deadlock() {
    let (mut machine, [a, b]) = agents();
    machine.start(b, None).unwrap();
    let caller = machine.start(a, None).unwrap();
    assert_eq!(cycle(place(&mut machine, b, "call", Some(caller))), None);
}

#[test]
fn requires_that_all_running_deliveries_of_an_agent_are_stuck() {
    let two = Policy { concurrency: NonZeroUsize::new(2), ..Policy::default() };
    let (mut machine, agent) = with_agent(two);
    let first = machine.start(agent, None).unwrap();
    let second = machine.start(agent, None).unwrap();
    assert_eq!(cycle(place(&mut machine, agent, "call", Some(first))), None);
    assert_eq!(cycle(place(&mut machine, agent, "call", Some(second))), Some(vec![agent, agent]));
}

#[test]
fn ignores_a_call_that_was_abandoned() {
    let (mut machine, [a, b]) = agents();
    let first = machine.start(a, None).unwrap();
    let second = call(&mut machine, b, first);
    machine.abandon(second);
    assert_eq!(cycle(place(&mut machine, a, "call", Some(second))), None);
}

#[test]
fn ignores_a_call_whose_response_is_in_flight() {
    let (mut machine, [a, b]) = agents();
    let first = machine.start(a, None).unwrap();
    let second = call(&mut machine, b, first);
    machine.release(second).unwrap();
    let third = machine.start(b, None).unwrap();
    assert_eq!(cycle(place(&mut machine, a, "call", Some(third))), None);
}

#[test]
fn regards_deliveries_that_started_without_a_limit_as_not_stuck() {
    let (mut machine, agent) = with_agent(Policy::default());
    let caller = machine.start(agent, None).unwrap();
    machine.configure(writer(), one_at_a_time());
    assert_eq!(cycle(place(&mut machine, agent, "call", Some(caller))), None);
}

#[test]
fn follows_calls_through_agents_without_a_limit() {
    let mut names = Names::default();
    let limited: Symbol = names.intern("limited");
    let unlimited = names.intern("unlimited");
    let mut machine = Machine::default();
    machine.configure(limited, one_at_a_time());
    let a = machine.enter(limited, "a").unwrap();
    let b = machine.enter(unlimited, "b").unwrap();
    let first = machine.start(a, None).unwrap();
    let second = call(&mut machine, b, first);
    assert_eq!(cycle(place(&mut machine, a, "call", Some(second))), Some(vec![b, a, b]));
}

#[test]
fn detects_a_ring_that_does_not_contain_the_caller() {
    let two = Policy { concurrency: NonZeroUsize::new(2), ..Policy::default() };
    let (mut machine, agent) = with_agent(two);
    let other = machine.enter(writer(), "other").unwrap();
    let stuck = machine.start(agent, None).unwrap();
    let free = machine.start(agent, None).unwrap();
    assert_eq!(cycle(place(&mut machine, agent, "call", Some(stuck))), None);
    // The place of the delivery that could go on is lost.
    machine.configure(writer(), one_at_a_time());
    machine.finish(free, Outcome::Handled).unwrap();
    let caller = machine.start(other, None).unwrap();
    assert_eq!(
        cycle(place(&mut machine, agent, "call", Some(caller))),
        Some(vec![other, agent, agent])
    );
}

#[test]
fn does_not_overflow_the_stack_for_a_long_chain() {
    let mut machine = Machine::default();
    machine.configure(writer(), one_at_a_time());
    let first = machine.enter(writer(), "first").unwrap();
    let mut caller = machine.start(first, None).unwrap();
    for key in 0..100_000 {
        let agent = machine.enter(writer(), &key.to_string()).unwrap();
        caller = call(&mut machine, agent, caller);
    }
    let found = cycle(place(&mut machine, first, "call", Some(caller))).unwrap();
    assert_eq!(found.len(), 100_002);
    assert_eq!(started(&mut machine), [""; 0]);
}
