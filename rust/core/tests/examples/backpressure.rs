//! Mailboxes whose senders wait for room.

use ferrogen_core::{
    AgentSlot, Awaits, DeliveryId, Machine, Names, Outcome, Overflow, Placement, Policy,
    SchedulingClass, Step,
};
use std::num::NonZeroUsize;

const WAITS: Policy = Policy {
    concurrency: NonZeroUsize::new(1),
    reentrant: false,
    capacity: NonZeroUsize::new(1),
    overflow: Overflow::Wait,
    passivate_after: None,
    max_active: None,
};

/// Two agents with room for one message each.
fn agents() -> (Machine<&'static str>, [AgentSlot; 2]) {
    let agent_type = Names::default().intern("writer");
    let mut machine = Machine::default();
    machine.configure(agent_type, WAITS);
    let slots = ["one", "two"].map(|key| machine.enter(agent_type, key).expect("it is placed"));
    (machine, slots)
}

fn place(
    machine: &mut Machine<&'static str>,
    slot: AgentSlot,
    awaits: Awaits,
) -> Placement<&'static str> {
    let ticket = machine.hold();
    let placed =
        machine.place(slot, ticket, "news", SchedulingClass::NORMAL, awaits).expect("it is placed");
    machine.settle(ticket, Outcome::Handled).expect("it is placed");
    placed
}

fn blocked(machine: &mut Machine<&'static str>, slot: AgentSlot, awaits: Awaits) -> DeliveryId {
    match place(machine, slot, awaits) {
        Placement::Blocked(delivery) => delivery,
        other => panic!("not blocked: {other:?}"),
    }
}

/// A running delivery of each agent, and one that fills its mailbox.
fn fill(machine: &mut Machine<&'static str>, slots: [AgentSlot; 2]) -> [DeliveryId; 2] {
    let running = slots.map(|slot| machine.start(slot, None).expect("it is free"));
    for slot in slots {
        assert!(matches!(place(machine, slot, Awaits::Nothing), Placement::Queued(_)));
    }
    running
}

#[test]
fn admits_the_first_blocked_delivery_when_a_message_leaves_the_mailbox() {
    let (mut machine, slots) = agents();
    let [running, _] = fill(&mut machine, slots);
    let first = blocked(&mut machine, slots[0], Awaits::Nothing);
    let second = blocked(&mut machine, slots[0], Awaits::Nothing);
    assert_eq!(machine.waiting(), 4);
    machine.finish(running, Outcome::Handled).unwrap();
    let Some(Step::Deliver(_, next, _)) = machine.step() else { panic!("the queued one is due") };
    assert_eq!(machine.step(), Some(Step::Admitted(first)));
    machine.begun(next);
    machine.finish(next, Outcome::Handled).unwrap();
    assert!(matches!(machine.step(), Some(Step::Deliver(_, one, _)) if one == first));
    assert_eq!(machine.step(), Some(Step::Admitted(second)));
}

#[test]
fn a_blocked_delivery_is_withdrawn_once() {
    let (mut machine, slots) = agents();
    fill(&mut machine, slots);
    let delivery = blocked(&mut machine, slots[0], Awaits::Nothing);
    assert_eq!(machine.withdraw(delivery), Some("news"));
    assert_eq!(machine.withdraw(delivery), None);
    machine.finish(delivery, Outcome::DeadLettered).unwrap();
    assert_eq!(machine.waiting(), 2);
}

#[test]
fn a_queued_delivery_is_not_withdrawn() {
    let (mut machine, slots) = agents();
    machine.start(slots[0], None).unwrap();
    let Placement::Queued(delivery) = place(&mut machine, slots[0], Awaits::Nothing) else {
        panic!("there is room")
    };
    assert_eq!(machine.withdraw(delivery), None);
}

#[test]
fn detects_agents_that_wait_for_room_in_each_other() {
    let (mut machine, [one, two]) = agents();
    let [first, second] = fill(&mut machine, [one, two]);
    blocked(&mut machine, two, Awaits::Room(first));
    let placed = place(&mut machine, one, Awaits::Room(second));
    let Placement::Deadlock { cycle, .. } = placed else { panic!("not detected: {placed:?}") };
    assert_eq!(cycle, [two, one, two]);
}

#[test]
fn a_request_and_a_publication_can_wait_for_each_other() {
    let (mut machine, [one, two]) = agents();
    let [first, second] = fill(&mut machine, [one, two]);
    blocked(&mut machine, two, Awaits::Room(first));
    let placed = place(&mut machine, one, Awaits::Response(second));
    assert!(matches!(placed, Placement::Deadlock { .. }));
}

#[test]
fn a_publisher_that_finds_room_waits_for_nothing() {
    let (mut machine, [one, two]) = agents();
    let first = machine.start(one, None).unwrap();
    let second = machine.start(two, None).unwrap();
    assert!(matches!(place(&mut machine, two, Awaits::Room(first)), Placement::Queued(_)));
    assert!(matches!(place(&mut machine, one, Awaits::Response(second)), Placement::Queued(_)));
}

#[test]
fn a_publisher_with_several_blocked_deliveries_waits_for_each() {
    let (mut machine, [one, two]) = agents();
    let [first, second] = fill(&mut machine, [one, two]);
    let to_itself = blocked(&mut machine, two, Awaits::Room(first));
    let newer = blocked(&mut machine, two, Awaits::Room(first));
    // The newer one is known to be awaited; when it has room, the driver reports the other one.
    assert_eq!(machine.withdraw(newer), Some("news"));
    assert_eq!(machine.await_room(to_itself), None);
    let placed = place(&mut machine, one, Awaits::Room(second));
    assert!(matches!(placed, Placement::Deadlock { .. }));
}
