//! The step machine: accepts messages, schedules deliveries, records results.
//!
//! A message passes two queues. The **inbox** keeps accepted messages until the driver takes them, runs interventions and places a delivery for each recipient. The **steps**
//! are work that is due at once: an agent to build, a handler to invoke, an agent to passivate.
//! The driver takes the steps after every call that may add to them.
//!
//! The machine calls nothing back (B1), never looks into a payload and has no clock.

mod agents;
mod deadlock;
mod deliveries;
mod messages;
mod passivation;
mod statistics;
mod waking;

use std::collections::VecDeque;

use crate::directory::{AgentSlot, Directory};
use crate::ledger::{DeliveryId, Ledger, Outcome, Tally, Ticket};
use crate::names::Symbol;
use crate::policy::Policy;
use crate::queue::Queue;
use passivation::Timers;
use waking::Awake;

/// An entry of the inbox.
#[derive(Debug, PartialEq, Eq)]
pub enum Arrival<P> {
    /// A message: [`Machine::place`] it for each recipient, then [`Machine::settle`] the ticket.
    Message(Ticket, P),
    /// A response: [`Machine::finish`] the delivery once the sender has it.
    Response(DeliveryId, P),
}

/// Work that is due now.
#[derive(Debug, PartialEq, Eq)]
pub enum Step<P> {
    /// Build the agent, then report [`Machine::built`] or [`Machine::build_failed`].
    Build(AgentSlot),
    /// Invoke the handler, then report [`Machine::finish`], [`Machine::respond`] or
    /// [`Machine::release`].
    Deliver(AgentSlot, DeliveryId, P),
    /// Save and close the agent, then report [`Machine::passivated`] or [`Machine::stay_awake`].
    Passivate(AgentSlot),
    /// There is room for a delivery of [`Placement::Blocked`]. There is no report.
    Admitted(DeliveryId),
}

/// What the sender of a message waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaits {
    /// Nothing, or nothing that the machine knows of.
    Nothing,
    /// The handler of this delivery waits for the response.
    Response(DeliveryId),
    /// The handler of this delivery waits until there is room in the mailbox.
    Room(DeliveryId),
}

impl Awaits {
    /// The delivery that waits for a response.
    #[must_use]
    pub fn response(caller: Option<DeliveryId>) -> Self {
        caller.map_or(Self::Nothing, Self::Response)
    }
}

/// The result of placing a delivery. A delivery that comes back with its payload is not invoked:
/// notify its sender and report [`Machine::finish`].
#[derive(Debug, PartialEq, Eq)]
pub enum Placement<P> {
    /// It is due now, or it waits in the mailbox.
    Queued(DeliveryId),
    /// It waits beyond the capacity of the mailbox: its sender is to wait for [`Step::Admitted`].
    Blocked(DeliveryId),
    /// The mailbox is full.
    Overflow {
        /// The new delivery.
        placed: DeliveryId,
        /// The delivery that was evicted: the new one, or the one that waited longest.
        evicted: DeliveryId,
        /// The payload of the evicted delivery.
        payload: P,
    },
    /// The delivery could never start: all running deliveries of the agent wait for its caller.
    Deadlock {
        /// The new delivery.
        delivery: DeliveryId,
        /// Its payload.
        payload: P,
        /// The agents in the order of calls: first the agent of the caller, then the recipient.
        /// The last agent is one of those before it, and in a simple ring it is the first.
        cycle: Vec<AgentSlot>,
    },
}

/// A message that no handler had begun when the machine was drained.
#[derive(Debug, PartialEq, Eq)]
pub enum Undelivered<P> {
    /// A message of the inbox. Its ticket is held: report [`Machine::settle`].
    Message(Ticket, P),
    /// A delivery that was due or waiting: report [`Machine::finish`].
    Delivery(DeliveryId, P),
}

/// The deliveries of one agent that are not finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// How many wait in its mailbox or are due.
    pub queued: usize,
    /// How many the driver has taken or started, and not reported on.
    pub running: usize,
}

/// The result of finishing a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finished {
    /// The outcome of the message, if this was the last report that it needed.
    pub settled: Option<Outcome>,
    /// Whether the agent is idle now and has a policy for passivation: call [`Machine::rest`].
    pub rests: bool,
}

/// The scheduler of one runtime over payloads of type `P`.
///
/// ```
/// use ferrogen_core::{Arrival, Awaits, Machine, Names, Outcome, Placement, SchedulingClass, Step};
///
/// let writer = Names::default().intern("writer");
/// let mut machine = Machine::default();
/// machine.accept("a poem, please", SchedulingClass::NORMAL);
///
/// // The driver takes the message, places a delivery for each recipient and ends its hold.
/// let Some(Arrival::Message(ticket, text)) = machine.take() else { unreachable!() };
/// let agent = machine.build(writer, "default")?;
/// let class = SchedulingClass::NORMAL;
/// let Placement::Queued(delivery) = machine.place(agent, ticket, text, class, Awaits::Nothing)? else {
///     unreachable!()
/// };
/// assert_eq!(machine.settle(ticket, Outcome::Handled)?, None);
///
/// // The steps are to build the agent, then to invoke its handler.
/// assert_eq!(machine.step(), Some(Step::Build(agent)));
/// machine.built(agent)?;
/// assert_eq!(machine.step(), Some(Step::Deliver(agent, delivery, "a poem, please")));
/// machine.begun(delivery);
/// assert_eq!(machine.finish(delivery, Outcome::Handled)?.settled, Some(Outcome::Handled));
/// assert!(machine.is_idle());
/// # Ok::<(), ferrogen_core::CoreError>(())
/// ```
#[derive(Debug)]
pub struct Machine<P> {
    ledger: Ledger,
    directory: Directory<P>,
    /// By agent type. Types beyond its end have the default policy.
    policies: Vec<Policy>,
    inbox: Queue<Arrival<P>>,
    steps: VecDeque<Step<P>>,
    timers: Timers,
    /// By agent type, as far as there are agents.
    awake: Vec<Awake>,
    paused: bool,
    /// The number of deliveries that wait in mailboxes.
    in_mailboxes: usize,
    /// The number of deliveries that the driver has taken and whose handlers it has not begun.
    unbegun: usize,
}

impl<P> Default for Machine<P> {
    fn default() -> Self {
        Self {
            ledger: Ledger::default(),
            directory: Directory::default(),
            policies: Vec::new(),
            inbox: Queue::default(),
            steps: VecDeque::new(),
            timers: Timers::default(),
            awake: Vec::new(),
            paused: false,
            in_mailboxes: 0,
            unbegun: 0,
        }
    }
}

/// Reads.
impl<P> Machine<P> {
    /// Whether nothing is ahead of a message that arrives now: see [`Machine::start`].
    #[must_use]
    pub fn is_clear(&self) -> bool {
        !self.paused && self.inbox.is_empty() && self.has_begun_everything()
    }

    /// Whether the inbox is empty.
    #[must_use]
    pub fn is_inbox_empty(&self) -> bool {
        self.inbox.is_empty()
    }

    /// Whether there is a step that the driver has not taken.
    #[must_use]
    pub fn is_due(&self) -> bool {
        !self.steps.is_empty()
    }

    /// Whether every accepted message is settled (L2).
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.ledger.unsettled() == 0
    }

    /// The number of messages that are accepted and not settled.
    #[must_use]
    pub fn open(&self) -> usize {
        self.ledger.unsettled()
    }

    /// The number of messages and responses in the inbox and of deliveries in mailboxes.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.inbox.len() + self.in_mailboxes
    }

    /// The number of agents that exist or are being built.
    #[must_use]
    pub fn agents(&self) -> usize {
        self.directory.len()
    }

    /// The number of settled messages by outcome.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.ledger.tally()
    }

    /// Every payload in the machine, in no particular order.
    pub fn payloads(&self) -> impl Iterator<Item = &P> {
        let inbox = self.inbox.iter().map(|arrival| match arrival {
            Arrival::Message(_, payload) | Arrival::Response(_, payload) => payload,
        });
        let steps = self.steps.iter().filter_map(|step| match step {
            Step::Deliver(_, _, payload) => Some(payload),
            Step::Build(_) | Step::Passivate(_) | Step::Admitted(_) => None,
        });
        let mailboxes = self.directory.agents().flat_map(|agent| agent.mailbox.iter());
        inbox.chain(steps).chain(mailboxes.map(|(_, payload)| payload))
    }

    fn has_begun_everything(&self) -> bool {
        self.steps.is_empty() && self.unbegun == 0
    }
}

fn policy_of(policies: &[Policy], agent_type: Symbol) -> &Policy {
    policies.get(agent_type.index()).unwrap_or(&Policy::UNLIMITED)
}
