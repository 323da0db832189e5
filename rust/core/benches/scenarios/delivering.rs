//! The step machine and its mailboxes: a message comes in, an agent handles it.

use std::num::NonZeroUsize;

use ferrogen_core::{
    AgentSlot, Arrival, Limits, Machine, Names, Outcome, Overflow, Step, Symbol, Ticket,
};

use super::Work;

/// A payload as large as the pointer that a driver sends through.
type Payload = usize;

fn with_agent(limits: Limits) -> (Machine<Payload>, AgentSlot) {
    let reader = reader();
    let mut machine = Machine::default();
    machine.limit(reader, limits);
    let agent = machine.enter(reader, "default").expect("it is the first");
    (machine, agent)
}

fn reader() -> Symbol {
    Names::default().intern("reader")
}

/// Takes the oldest message out of the inbox and places it; the ticket of what had no room.
fn place_next(machine: &mut Machine<Payload>, agent: AgentSlot) -> Option<Ticket> {
    let Some(Arrival::Message(ticket, payload)) = machine.take() else {
        panic!("a message was accepted")
    };
    machine.spread(ticket, 1).expect("it is open");
    machine.place(agent, ticket, payload).expect("the agent is there").map(|refused| refused.0)
}

fn begin(machine: &mut Machine<Payload>) -> Ticket {
    let Some(Step::Deliver(_, ticket, _)) = machine.step() else { panic!("a delivery is due") };
    machine.begun();
    ticket
}

fn finish(machine: &mut Machine<Payload>, agent: AgentSlot, ticket: Ticket) {
    let settled = machine.finish(agent, ticket, Outcome::Handled);
    assert_eq!(settled, Ok(Some(Outcome::Handled)));
}

/// A handler that runs inside its sender's await.
pub(crate) fn at_once() -> Work {
    let (mut machine, agent) = with_agent(Limits::default());
    Box::new(move || {
        let ticket = machine.start(agent).expect("nothing is ahead of it");
        finish(&mut machine, agent, ticket);
    })
}

/// A message that waits its turn in the inbox.
pub(crate) fn through_the_inbox() -> Work {
    let (mut machine, agent) = with_agent(Limits::default());
    Box::new(move || {
        machine.accept(1);
        assert_eq!(place_next(&mut machine, agent), None);
        let ticket = begin(&mut machine);
        finish(&mut machine, agent, ticket);
    })
}

/// A message whose answer goes back through the inbox.
pub(crate) fn request_and_answer() -> Work {
    let (mut machine, agent) = with_agent(Limits::default());
    Box::new(move || {
        machine.accept(1);
        assert_eq!(place_next(&mut machine, agent), None);
        let ticket = begin(&mut machine);
        machine.answer(agent, ticket, 2).expect("its handler runs");
        assert_eq!(machine.take(), Some(Arrival::Answer(ticket, 2)));
        assert_eq!(machine.end(ticket, Outcome::Answered), Ok(Some(Outcome::Answered)));
    })
}

/// The first message to an agent, which is built for it and leaves again.
pub(crate) fn new_agent() -> Work {
    let reader = reader();
    let mut machine = Machine::default();
    Box::new(move || {
        machine.accept(1);
        let agent = machine.build(reader, "new").expect("it has left");
        assert_eq!(place_next(&mut machine, agent), None);
        assert_eq!(machine.step(), Some(Step::Build(agent)));
        machine.built(agent).expect("it was being built");
        let ticket = begin(&mut machine);
        finish(&mut machine, agent, ticket);
        assert!(machine.passivate(agent));
    })
}

/// 100 messages to an agent that handles one at a time.
pub(crate) fn hundred_wait() -> Work {
    let (mut machine, agent) =
        with_agent(Limits { concurrency: Some(NonZeroUsize::MIN), ..Limits::default() });
    Box::new(move || {
        for number in 0..100 {
            machine.accept(number);
            assert_eq!(place_next(&mut machine, agent), None);
        }
        for _ in 0..100 {
            let ticket = begin(&mut machine);
            finish(&mut machine, agent, ticket);
        }
        assert!(machine.is_idle());
    })
}

/// A message to a busy agent whose mailbox has room for one: the one that waits gives way.
pub(crate) fn full() -> Work {
    let (mut machine, agent) = with_agent(Limits {
        concurrency: Some(NonZeroUsize::MIN),
        capacity: Some(NonZeroUsize::MIN),
        overflow: Overflow::DropOldest,
    });
    machine.start(agent).expect("nothing is ahead of it");
    machine.accept(0);
    assert_eq!(place_next(&mut machine, agent), None);
    Box::new(move || {
        machine.accept(1);
        let oldest = place_next(&mut machine, agent).expect("the mailbox is full");
        let settled = machine.end(oldest, Outcome::DeadLettered);
        assert_eq!(settled, Ok(Some(Outcome::DeadLettered)));
    })
}
