//! Deliveries: inline, through the inbox, through a mailbox.

use ferrogen_core::SchedulingClass;
use std::num::NonZeroUsize;

use ferrogen_core::{
    AgentSlot, Arrival, Awaits, DeliveryId, Machine, Names, Outcome, Overflow, Placement, Policy,
    Step, Symbol,
};

use super::Work;

/// A payload with the size of a pointer.
pub(crate) type Payload = usize;

pub(crate) fn reader() -> Symbol {
    Names::default().intern("reader")
}

pub(crate) fn with_agent(policy: Policy) -> (Machine<Payload>, AgentSlot) {
    let reader = reader();
    let mut machine = Machine::default();
    machine.configure(reader, policy);
    let agent = machine.enter(reader, "default").expect("a new agent");
    (machine, agent)
}

fn one_at_a_time() -> Policy {
    Policy { concurrency: Some(NonZeroUsize::MIN), ..Policy::default() }
}

/// Takes the oldest message from the inbox and places its only delivery.
pub(crate) fn place_next(
    machine: &mut Machine<Payload>,
    agent: AgentSlot,
    caller: Option<DeliveryId>,
) -> Placement<Payload> {
    let Some(Arrival::Message(ticket, payload)) = machine.take() else {
        panic!("a message was accepted")
    };
    let placement = machine
        .place(agent, ticket, payload, SchedulingClass::NORMAL, Awaits::response(caller))
        .expect("a known agent");
    assert_eq!(machine.settle(ticket, Outcome::Handled), Ok(None));
    placement
}

fn queue(machine: &mut Machine<Payload>, agent: AgentSlot, payload: Payload) {
    machine.accept(payload, SchedulingClass::NORMAL);
    assert!(matches!(place_next(machine, agent, None), Placement::Queued(_)));
}

pub(crate) fn begin(machine: &mut Machine<Payload>) -> DeliveryId {
    let Some(Step::Deliver(_, delivery, _)) = machine.step() else { panic!("a delivery is due") };
    machine.begun(delivery);
    delivery
}

pub(crate) fn finish(machine: &mut Machine<Payload>, delivery: DeliveryId) {
    let finished = machine.finish(delivery, Outcome::Handled).expect("a running delivery");
    assert_eq!(finished.settled, Some(Outcome::Handled));
}

/// A handler that runs inline.
pub(crate) fn start_inline() -> Work {
    let (mut machine, agent) = with_agent(Policy::default());
    Box::new(move || {
        let delivery = machine.start(agent, None).expect("nothing is ahead of it");
        finish(&mut machine, delivery);
    })
}

/// A message that is queued in the inbox.
pub(crate) fn through_the_inbox() -> Work {
    let (mut machine, agent) = with_agent(Policy::default());
    Box::new(move || {
        queue(&mut machine, agent, 1);
        let delivery = begin(&mut machine);
        finish(&mut machine, delivery);
    })
}

/// A message whose response goes through the inbox.
pub(crate) fn request_and_response() -> Work {
    let (mut machine, agent) = with_agent(Policy::default());
    Box::new(move || {
        queue(&mut machine, agent, 1);
        let delivery = begin(&mut machine);
        machine.respond(delivery, 2).expect("a running delivery");
        assert_eq!(machine.take(), Some(Arrival::Response(delivery, 2)));
        finish(&mut machine, delivery);
    })
}

/// 100 messages to an agent that handles one at a time.
pub(crate) fn hundred_wait() -> Work {
    let (mut machine, agent) = with_agent(one_at_a_time());
    Box::new(move || {
        for number in 0..100 {
            queue(&mut machine, agent, number);
        }
        for _ in 0..100 {
            let delivery = begin(&mut machine);
            finish(&mut machine, delivery);
        }
        assert!(machine.is_idle());
    })
}

/// 100 calls from one handler, with deadlock detection for each of them.
pub(crate) fn hundred_calls_wait() -> Work {
    let (mut machine, agent) = with_agent(one_at_a_time());
    let sender = machine.enter(reader(), "sender").expect("a new agent");
    let caller = machine.start(sender, None).expect("nothing is ahead of it");
    Box::new(move || {
        let mut running = machine.start(agent, Some(caller)).expect("nothing is ahead of it");
        for number in 0..100 {
            machine.accept(number, SchedulingClass::NORMAL);
            let placement = place_next(&mut machine, agent, Some(caller));
            assert!(matches!(placement, Placement::Queued(_)));
        }
        for _ in 0..100 {
            finish(&mut machine, running);
            running = begin(&mut machine);
        }
        finish(&mut machine, running);
    })
}

/// A message to a busy agent with a full mailbox, whose oldest message is evicted.
pub(crate) fn full_mailbox() -> Work {
    let (mut machine, agent) = with_agent(Policy {
        capacity: Some(NonZeroUsize::MIN),
        overflow: Overflow::DropOldest,
        ..one_at_a_time()
    });
    machine.start(agent, None).expect("nothing is ahead of it");
    queue(&mut machine, agent, 0);
    Box::new(move || {
        machine.accept(1, SchedulingClass::NORMAL);
        let placement = place_next(&mut machine, agent, None);
        let Placement::Overflow { evicted, .. } = placement else { panic!("the mailbox is full") };
        finish(&mut machine, evicted);
    })
}
