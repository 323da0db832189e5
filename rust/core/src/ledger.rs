//! The ledger of accepted messages and of their deliveries; it never sees a payload.
//!
//! A message has one [`Ticket`] from acceptance to settlement, and one [`DeliveryId`] for each
//! recipient. It is settled when the hold of its ticket has ended and all its deliveries have
//! finished. Each id carries a version, so a repeated report is recognized and refused (L1).

use slotmap::{SecondaryMap, SlotMap, new_key_type};

use crate::directory::AgentSlot;
use crate::error::CoreError;
use crate::names::Symbol;
use crate::statistics::{Counted, Statistics, Ticks};

new_key_type! {
    /// One accepted message, until it is settled.
    pub struct Ticket;

    /// One message for one recipient, until it is finished.
    pub struct DeliveryId;
}

/// How a message, or one delivery of it, ended. Ordered by severity: the outcome of a message is
/// the most severe outcome of its deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// All handlers completed.
    Handled,
    /// The response reached the sender, or the sender no longer waits for it.
    Responded,
    /// An intervention handler dropped the message.
    Dropped,
    /// The handler was cancelled.
    Cancelled,
    /// A handler, an intervention handler or an agent factory raised.
    Failed,
    /// The deadline passed.
    Expired,
    /// The message could not be delivered: unknown agent type, full mailbox, stopped runtime.
    DeadLettered,
}

/// The number of settled messages by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Accepted messages, settled or not.
    pub accepted: u64,
    /// See [`Outcome::Handled`].
    pub handled: u64,
    /// See [`Outcome::Responded`].
    pub responded: u64,
    /// See [`Outcome::Dropped`].
    pub dropped: u64,
    /// See [`Outcome::Cancelled`].
    pub cancelled: u64,
    /// See [`Outcome::Failed`].
    pub failed: u64,
    /// See [`Outcome::Expired`].
    pub expired: u64,
    /// See [`Outcome::DeadLettered`].
    pub dead_lettered: u64,
}

impl Tally {
    /// The number of settled messages.
    #[must_use]
    pub fn settled(&self) -> u64 {
        let ended = self.handled + self.responded + self.failed + self.cancelled;
        ended + self.dropped + self.expired + self.dead_lettered
    }

    fn count(&mut self, outcome: Outcome) {
        *match outcome {
            Outcome::Handled => &mut self.handled,
            Outcome::Responded => &mut self.responded,
            Outcome::Dropped => &mut self.dropped,
            Outcome::Cancelled => &mut self.cancelled,
            Outcome::Failed => &mut self.failed,
            Outcome::Expired => &mut self.expired,
            Outcome::DeadLettered => &mut self.dead_lettered,
        } += 1;
    }
}

/// The stages of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeliveryStage {
    /// In the mailbox of the agent.
    Waiting,
    /// A step that the driver has not taken.
    Due,
    /// The driver has taken it.
    Running,
    /// The handler ended, and its response is in flight.
    Responding,
    /// Returned to the driver without a handler call.
    Returned,
}

#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts about one delivery")]
pub(crate) struct Delivery {
    /// `None` for the only delivery of a message that was never held: the message has no entry of
    /// its own, because it is settled with its delivery.
    ticket: Option<Ticket>,
    pub(crate) agent: AgentSlot,
    agent_type: Symbol,
    pub(crate) stage: DeliveryStage,
    /// Whether the handler was begun only to reject the message.
    is_rejected: bool,
    /// When it was accepted, or when its handler began.
    since: Ticks,
    /// Whether the driver has taken it as a step and has not begun the handler.
    pub(crate) unbegun: bool,
    /// Whether it is queued beyond the capacity of the mailbox.
    blocked: bool,
    /// Whether its caller waits for room only.
    awaits_room: bool,
    /// Its index in the agent's list of running deliveries.
    pub(crate) listed: Option<usize>,
    /// The delivery whose handler sent this message and waits for the response, or for room.
    pub(crate) caller: Option<DeliveryId>,
    /// The newest delivery whose caller this one is.
    pub(crate) awaiting: Option<DeliveryId>,
}

#[derive(Debug)]
struct Message {
    held: bool,
    deliveries: usize,
    /// The most severe outcome so far.
    outcome: Outcome,
    counted: Counted,
    /// When it was accepted.
    since: Ticks,
}

impl Message {
    /// Adds an outcome. Returns that of the message if nothing else is to come.
    #[inline]
    fn complete(&mut self, outcome: Outcome) -> Option<Outcome> {
        self.outcome = self.outcome.max(outcome);
        (!self.held && self.deliveries == 0).then_some(self.outcome)
    }
}

/// The open tickets and the open deliveries.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    messages: SlotMap<Ticket, Message>,
    pub(crate) deliveries: SlotMap<DeliveryId, Delivery>,
    /// The deliveries that a running one waits for besides its newest one: it awaits several tasks.
    pub(crate) joined: SecondaryMap<DeliveryId, Vec<DeliveryId>>,
    /// The number of messages that are not settled.
    unsettled: usize,
    tally: Tally,
    pub(crate) statistics: Statistics,
}

impl Ledger {
    /// Accepts a message, whose ticket is held.
    pub(crate) fn hold(&mut self) -> Ticket {
        self.count_accepted();
        self.statistics.unrouted.queued += 1;
        self.messages.insert(Message {
            held: true,
            deliveries: 0,
            outcome: Outcome::Handled,
            counted: Counted::Unrouted,
            since: self.statistics.now,
        })
    }

    /// A held message is for agents of one type.
    pub(crate) fn address(&mut self, ticket: Ticket, agent_type: Symbol) {
        if let Some(message) = self.messages.get_mut(ticket).filter(|message| message.held) {
            self.statistics.address(&mut message.counted, agent_type);
        }
    }

    /// The waiting time of a held message begins now: it was delayed until now.
    pub(crate) fn waits_from_now(&mut self, ticket: Ticket) {
        if let Some(message) = self.messages.get_mut(ticket) {
            message.since = self.statistics.now;
        }
    }

    /// Accepts a message that is not held, with one running delivery.
    #[inline(always)]
    pub(crate) fn start(
        &mut self,
        (agent, agent_type): (AgentSlot, Symbol),
        caller: Option<DeliveryId>,
    ) -> DeliveryId {
        self.count_accepted();
        let now = self.statistics.now;
        let counts = self.statistics.of(agent_type);
        counts.accepted += 1;
        counts.started += 1;
        self.insert(None, (agent, agent_type), DeliveryStage::Running, caller, now)
    }

    /// Opens a delivery of an open ticket.
    #[inline(always)]
    pub(crate) fn open(
        &mut self,
        ticket: Ticket,
        (agent, agent_type): (AgentSlot, Symbol),
        stage: DeliveryStage,
        caller: Option<DeliveryId>,
    ) -> DeliveryId {
        let mut since = self.statistics.now;
        if let Some(message) = self.messages.get_mut(ticket) {
            message.deliveries += 1;
            since = message.since;
            self.statistics.route(&mut message.counted);
        }
        if stage == DeliveryStage::Running {
            since = self.statistics.start(agent_type, since, 1);
        } else {
            self.statistics.of(agent_type).accepted += 1;
        }
        self.insert(Some(ticket), (agent, agent_type), stage, caller, since)
    }

    #[inline(always)]
    fn insert(
        &mut self,
        ticket: Option<Ticket>,
        (agent, agent_type): (AgentSlot, Symbol),
        stage: DeliveryStage,
        caller: Option<DeliveryId>,
        since: Ticks,
    ) -> DeliveryId {
        let delivery = self.deliveries.insert(Delivery {
            ticket,
            agent,
            agent_type,
            stage,
            is_rejected: false,
            since,
            unbegun: false,
            blocked: false,
            awaits_room: false,
            listed: None,
            caller,
            awaiting: None,
        });
        if let Some(caller) = caller {
            self.wait_for(caller, delivery);
        }
        delivery
    }

    fn wait_for(&mut self, caller: DeliveryId, delivery: DeliveryId) {
        let Some(waiting) = self.deliveries.get_mut(caller) else { return };
        let before = waiting.awaiting.replace(delivery);
        if let (Some(before), Some(others)) = (before, self.joined.get_mut(caller)) {
            others.push(before);
        }
    }

    /// A running delivery waits for tasks, each of which may wait for a delivery.
    pub(crate) fn begin_join(&mut self, caller: DeliveryId) {
        if self.deliveries.contains_key(caller) {
            self.joined.insert(caller, Vec::new());
        }
    }

    /// One of the tasks waits for this delivery. Returns whether it is open, and was awaited by no delivery.
    pub(crate) fn join(&mut self, caller: DeliveryId, delivery: DeliveryId) -> bool {
        let Some(child) = self.deliveries.get_mut(delivery) else { return false };
        if child.caller.is_some() || delivery == caller {
            return false;
        }
        child.caller = Some(caller);
        self.wait_for(caller, delivery);
        true
    }

    /// A running delivery does not wait for tasks any more.
    pub(crate) fn end_join(&mut self, caller: DeliveryId) {
        let Some(mut all) = self.joined.remove(caller) else { return };
        let newest = self.deliveries.get_mut(caller).and_then(|one| one.awaiting.take());
        all.extend(newest);
        for delivery in all {
            if let Some(child) = self.deliveries.get_mut(delivery) {
                child.caller = None;
            }
        }
    }

    pub(crate) fn is_blocked(&self, delivery: DeliveryId) -> bool {
        self.deliveries.get(delivery).is_some_and(|delivery| delivery.blocked)
    }

    /// A delivery is queued beyond the capacity of the mailbox.
    pub(crate) fn block(&mut self, delivery: DeliveryId, awaits_room: bool) {
        if let Some(delivery) = self.deliveries.get_mut(delivery) {
            (delivery.blocked, delivery.awaits_room) = (true, awaits_room);
        }
    }

    /// A delivery is not blocked any more: a caller that waits for room goes on. Returns whether it was.
    pub(crate) fn unblock(&mut self, delivery: DeliveryId) -> bool {
        let Some(found) = self.deliveries.get_mut(delivery) else { return false };
        let was_blocked = std::mem::take(&mut found.blocked);
        if std::mem::take(&mut found.awaits_room) {
            self.detach(delivery);
        }
        was_blocked
    }

    /// The handler of a delivery has begun. Returns whether it had not before.
    pub(crate) fn begin(&mut self, delivery: DeliveryId) -> bool {
        let Some(delivery) = self.deliveries.get_mut(delivery).filter(|one| one.unbegun) else {
            return false;
        };
        delivery.unbegun = false;
        delivery.since = self.statistics.start(delivery.agent_type, delivery.since, 0);
        true
    }

    /// The handler of a delivery was begun only to reject the message.
    pub(crate) fn reject(&mut self, delivery: DeliveryId) {
        if let Some(delivery) = self.deliveries.get_mut(delivery) {
            delivery.is_rejected = true;
        }
    }

    /// The handler of a running delivery has ended, and its response is in flight.
    pub(crate) fn end_handler(&mut self, delivery: DeliveryId) {
        self.begin(delivery);
        if let Some(delivery) = self.deliveries.get_mut(delivery) {
            delivery.stage = DeliveryStage::Responding;
            self.statistics.end(delivery.agent_type, delivery.since, Outcome::Responded);
        }
    }

    pub(crate) fn set_stage(&mut self, delivery: DeliveryId, stage: DeliveryStage) {
        if let Some(delivery) = self.deliveries.get_mut(delivery) {
            delivery.stage = stage;
        }
    }

    /// Closes an open delivery. Returns the outcome of its message if that is settled now.
    #[inline(always)]
    pub(crate) fn close(&mut self, delivery: DeliveryId, outcome: Outcome) -> Option<Outcome> {
        // The fields are read in their place: to move them out would cost more.
        let closed = self.deliveries.get(delivery)?;
        let (ticket, caller) = (closed.ticket, closed.caller);
        match closed.stage {
            DeliveryStage::Running if !closed.unbegun => {
                let outcome = if closed.is_rejected && outcome > Outcome::Responded {
                    Outcome::Dropped
                } else {
                    outcome
                };
                self.statistics.end(closed.agent_type, closed.since, outcome);
            }
            DeliveryStage::Responding => {}
            _ => self.statistics.end_in_queue(closed.agent_type, outcome),
        }
        self.deliveries.remove(delivery);
        if !self.joined.is_empty() {
            self.joined.remove(delivery);
        }
        if let Some(caller) = caller {
            self.stop_awaiting(caller, delivery);
        }
        let Some(ticket) = ticket else {
            self.count_settled(outcome);
            return Some(outcome);
        };
        let message = self.messages.get_mut(ticket)?;
        message.deliveries -= 1;
        let settled = message.complete(outcome)?;
        Some(self.forget(ticket, settled))
    }

    /// Ends the hold of a ticket. Returns the outcome of its message if that is settled now.
    pub(crate) fn release(
        &mut self,
        ticket: Ticket,
        outcome: Outcome,
    ) -> Result<Option<Outcome>, CoreError> {
        let message = self.messages.get_mut(ticket).filter(|message| message.held);
        let message = message.ok_or(CoreError::TicketNotOpen)?;
        message.held = false;
        self.statistics.end_routing(message.counted, outcome);
        let settled = message.complete(outcome);
        Ok(settled.map(|settled| self.forget(ticket, settled)))
    }

    /// A message is settled.
    #[inline]
    fn forget(&mut self, ticket: Ticket, settled: Outcome) -> Outcome {
        self.messages.remove(ticket);
        self.count_settled(settled);
        settled
    }

    fn count_accepted(&mut self) {
        self.tally.accepted += 1;
        self.unsettled += 1;
    }

    fn count_settled(&mut self, outcome: Outcome) {
        self.tally.count(outcome);
        self.unsettled -= 1;
    }

    /// The caller of a delivery waits for this one, of several.
    pub(crate) fn attach(&mut self, delivery: DeliveryId) {
        let caller = self.deliveries.get(delivery).and_then(|delivery| delivery.caller);
        if let Some(caller) = caller.and_then(|caller| self.deliveries.get_mut(caller)) {
            caller.awaiting = Some(delivery);
        }
    }

    /// The caller of a delivery no longer waits for it.
    pub(crate) fn detach(&mut self, delivery: DeliveryId) {
        let child = self.deliveries.get_mut(delivery);
        if let Some(caller) = child.and_then(|child| child.caller.take()) {
            self.stop_awaiting(caller, delivery);
        }
    }

    /// Whether an agent runs one of these: the caller, its own caller, and so on.
    pub(crate) fn is_called_by(&self, agent: AgentSlot, caller: Option<DeliveryId>) -> bool {
        let delivery = |id| self.deliveries.get(id);
        std::iter::successors(caller.and_then(delivery), |one| one.caller.and_then(delivery))
            .any(|one| one.agent == agent)
    }

    fn stop_awaiting(&mut self, caller: DeliveryId, delivery: DeliveryId) {
        let Some(waiting) = self.deliveries.get_mut(caller) else { return };
        if waiting.awaiting == Some(delivery) {
            waiting.awaiting = None;
            if !self.joined.is_empty() {
                waiting.awaiting = self.joined.get_mut(caller).and_then(Vec::pop);
            }
        } else if let Some(others) = self.joined.get_mut(caller) {
            others.retain(|one| *one != delivery);
        }
    }

    pub(crate) fn check_held(&self, ticket: Ticket) -> Result<(), CoreError> {
        let held = self.messages.get(ticket).is_some_and(|message| message.held);
        held.then_some(()).ok_or(CoreError::TicketNotOpen)
    }

    /// The number of messages that are accepted and not settled.
    pub(crate) fn unsettled(&self) -> usize {
        self.unsettled
    }

    pub(crate) fn tally(&self) -> Tally {
        self.tally
    }
}
