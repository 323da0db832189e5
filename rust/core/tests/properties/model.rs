//! The step machine written the obvious way: lists that are scanned from the beginning.

use std::collections::{HashMap, VecDeque};

use ferrogen_core::{
    AgentSlot, Arrival, Awaits, DeliveryId, Finished, Outcome, Overflow, Policy, Ticket, Time,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    Waiting,
    Due,
    Running,
    Responding,
    Returned,
}

#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts about one delivery")]
pub(crate) struct Delivery {
    pub(crate) id: DeliveryId,
    /// The number of the message.
    pub(crate) message: u64,
    /// The index of the agent type.
    pub(crate) agent_type: usize,
    pub(crate) rejected: bool,
    /// When it was accepted, or when its handler began.
    pub(crate) since: u64,
    pub(crate) slot: AgentSlot,
    pub(crate) at: At,
    pub(crate) unbegun: bool,
    /// Whether it started while the concurrency of the agent was limited.
    pub(crate) known: bool,
    pub(crate) caller: Option<DeliveryId>,
    pub(crate) awaiting: Option<DeliveryId>,
    /// Whether it waits beyond the capacity of the mailbox.
    pub(crate) blocked: bool,
    /// Whether its caller waits only for that to end.
    pub(crate) awaits_room: bool,
    pub(crate) payload: u32,
}

#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "the model is naive")]
pub(crate) struct Agent {
    pub(crate) slot: AgentSlot,
    /// The index of the agent type, and the key.
    pub(crate) address: (usize, String),
    pub(crate) ready: bool,
    pub(crate) building: bool,
    /// It was not built, so it is never passivated.
    pub(crate) permanent: bool,
    pub(crate) idle_since: Option<Time>,
    pub(crate) timer: Option<(Time, u64)>,
    /// It is passivated, and no longer counted as awake; the driver may have taken the step.
    pub(crate) passivating: bool,
    pub(crate) step_taken: bool,
    /// When it was used last, of those that are idle.
    pub(crate) rank: Option<u64>,
    pub(crate) postponed: Option<Time>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    Build(AgentSlot),
    Deliver(DeliveryId),
    Passivate(AgentSlot),
    Admitted(DeliveryId),
}

#[derive(Debug)]
pub(crate) struct Message {
    /// Unknown if the message was started at once.
    ticket: Option<Ticket>,
    pub(crate) held: bool,
    pub(crate) worst: Outcome,
    /// The agent type that it was addressed to.
    pub(crate) sent_to: Option<usize>,
    /// Whether it has, or has had, a delivery.
    pub(crate) routed: bool,
    since: u64,
}

/// What must happen to a new delivery.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Due,
    Waiting,
    Blocked,
    Rejected,
    Evicts(DeliveryId),
    Deadlock,
}

#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) policies: [Policy; 2],
    /// Open messages by number.
    pub(crate) messages: HashMap<u64, Message>,
    /// Open deliveries in the order of placement.
    pub(crate) deliveries: Vec<Delivery>,
    pub(crate) agents: Vec<Agent>,
    pub(crate) inbox: VecDeque<Arrival<u32>>,
    pub(crate) steps: VecDeque<Work>,
    pub(crate) paused: bool,
    pub(crate) accepted: u64,
    pub(crate) settled: Vec<Outcome>,
    pub(crate) timers_set: u64,
    pub(crate) ranks: u64,
    pub(crate) now: u64,
    /// By agent type, and last of no type.
    pub(crate) ended: [Vec<Outcome>; 3],
    /// The times in queues and in handlers, by agent type.
    pub(crate) waited: [Vec<u64>; 2],
    pub(crate) handled: [Vec<u64>; 2],
}

/// Builds.
impl Model {
    pub(crate) fn take_build(&mut self, slot: AgentSlot) -> bool {
        let before = self.steps.len();
        self.steps.retain(|step| !matches!(step, Work::Build(one) if *one == slot));
        let was_due = self.steps.len() < before;
        if was_due {
            self.agent_mut(slot).building = true;
        }
        was_due
    }
}

/// Reads.
impl Model {
    pub(crate) fn find(&self, address: &(usize, String)) -> Option<AgentSlot> {
        self.agents.iter().find(|agent| agent.address == *address).map(|agent| agent.slot)
    }

    pub(crate) fn agent(&self, slot: AgentSlot) -> Option<&Agent> {
        self.agents.iter().find(|agent| agent.slot == slot)
    }

    pub(crate) fn agent_mut(&mut self, slot: AgentSlot) -> &mut Agent {
        self.agents.iter_mut().find(|agent| agent.slot == slot).expect("a known agent")
    }

    pub(crate) fn delivery(&self, id: DeliveryId) -> Option<&Delivery> {
        self.deliveries.iter().find(|delivery| delivery.id == id)
    }

    pub(crate) fn delivery_mut(&mut self, id: DeliveryId) -> Option<&mut Delivery> {
        self.deliveries.iter_mut().find(|delivery| delivery.id == id)
    }

    pub(crate) fn policy(&self, slot: AgentSlot) -> Policy {
        self.agent(slot).map(|agent| self.policies[agent.address.0]).unwrap_or_default()
    }

    pub(crate) fn is_held(&self, ticket: Ticket) -> bool {
        self.number_of(ticket).is_some_and(|number| self.messages[&number].held)
    }

    pub(crate) fn number_of(&self, ticket: Ticket) -> Option<u64> {
        let mut messages = self.messages.iter();
        messages.find(|(_, message)| message.ticket == Some(ticket)).map(|(number, _)| *number)
    }

    pub(crate) fn all(&self, at: At) -> impl Iterator<Item = &Delivery> {
        self.deliveries.iter().filter(move |delivery| delivery.at == at)
    }

    pub(crate) fn of(&self, slot: AgentSlot, at: At) -> impl Iterator<Item = &Delivery> {
        self.all(at).filter(move |delivery| delivery.slot == slot)
    }

    pub(crate) fn busy(&self, slot: AgentSlot) -> usize {
        self.of(slot, At::Due).count() + self.of(slot, At::Running).count()
    }

    fn has_room(&self, slot: AgentSlot) -> bool {
        let concurrency = self.policy(slot).concurrency;
        concurrency.is_none_or(|most| self.busy(slot) < most.get())
    }

    pub(crate) fn can_start(&self, slot: AgentSlot) -> bool {
        let ready = self.agent(slot).is_some_and(|agent| agent.ready);
        ready && self.of(slot, At::Waiting).count() == 0 && self.has_room(slot)
    }

    /// Whether a call starts ahead of others: the agent is among its callers.
    pub(crate) fn can_reenter(&self, slot: AgentSlot, caller: Option<DeliveryId>) -> bool {
        let mut callers = Vec::new();
        let mut next = caller.and_then(|caller| self.delivery(caller));
        while let Some(delivery) = next {
            callers.push(delivery.slot);
            next = delivery.caller.and_then(|caller| self.delivery(caller));
        }
        let ready = self.agent(slot).is_some_and(|agent| agent.ready);
        ready && self.policy(slot).reentrant && callers.contains(&slot)
    }

    pub(crate) fn has_begun_everything(&self) -> bool {
        self.steps.is_empty() && self.deliveries.iter().all(|delivery| !delivery.unbegun)
    }

    pub(crate) fn is_clear(&self) -> bool {
        !self.paused && self.inbox.is_empty() && self.has_begun_everything()
    }

    pub(crate) fn is_idle(&self, slot: AgentSlot) -> bool {
        let ready = self.agent(slot).is_some_and(|agent| agent.ready);
        ready && self.busy(slot) == 0 && self.of(slot, At::Waiting).count() == 0
    }

    pub(crate) fn rests(&self, slot: AgentSlot) -> bool {
        self.is_idle(slot)
            && (self.policy(slot).passivate_after.is_some()
                || self.policy(slot).max_active.is_some())
            && self.agent(slot).is_some_and(|agent| !agent.permanent && agent.idle_since.is_none())
    }

    pub(crate) fn expect_placement(&self, slot: AgentSlot, awaits: Awaits) -> Expected {
        let caller = response(awaits);
        if self.can_start(slot) || self.can_reenter(slot, caller) {
            return Expected::Due;
        }
        let policy = self.policy(slot);
        let is_full =
            policy.capacity.is_some_and(|most| self.of(slot, At::Waiting).count() >= most.get());
        let waits = is_full && policy.overflow == Overflow::Wait;
        let caller = match awaits {
            Awaits::Room(caller) if waits => Some(caller),
            _ => caller,
        };
        let caller = caller.filter(|caller| self.delivery(*caller).is_some());
        if caller.is_some_and(|caller| self.is_stuck(slot, &self.stuck(caller))) {
            return Expected::Deadlock;
        }
        let mut waiting = self.of(slot, At::Waiting).map(|delivery| delivery.id);
        if !is_full {
            return Expected::Waiting;
        }
        match policy.overflow {
            Overflow::Reject | Overflow::DropNewest => Expected::Rejected,
            Overflow::DropOldest => Expected::Evicts(waiting.next().expect("a full mailbox")),
            Overflow::Wait => Expected::Blocked,
        }
    }
}

/// The delivery that waits for a response.
pub(crate) fn response(awaits: Awaits) -> Option<DeliveryId> {
    match awaits {
        Awaits::Response(caller) => Some(caller),
        Awaits::Nothing | Awaits::Room(_) => None,
    }
}

/// Changes.
impl Model {
    /// Accepts a message, held if it has a ticket, and returns its number.
    pub(crate) fn accept(&mut self, ticket: Option<Ticket>) -> u64 {
        self.accepted += 1;
        let (held, worst, since) = (ticket.is_some(), Outcome::Handled, self.now);
        let message = Message { ticket, held, worst, sent_to: None, routed: false, since };
        self.messages.insert(self.accepted, message);
        self.accepted
    }

    pub(crate) fn open(
        &mut self,
        id: DeliveryId,
        (message, slot, at): (u64, AgentSlot, At),
        caller: Option<DeliveryId>,
        payload: u32,
    ) {
        assert!(self.delivery(id).is_none(), "L1: delivery ids are unique");
        let (unbegun, known, awaiting) = (false, false, None);
        let (blocked, awaits_room, rejected) = (false, false, false);
        let agent_type = self.agent(slot).expect("a known agent").address.0;
        let of = self.messages.get_mut(&message).expect("an open message");
        of.routed = true;
        let since = of.since;
        self.deliveries.push(Delivery {
            id,
            message,
            agent_type,
            rejected,
            since,
            slot,
            at,
            unbegun,
            known,
            caller,
            awaiting,
            blocked,
            awaits_room,
            payload,
        });
        if let Some(caller) = caller.and_then(|caller| self.delivery_mut(caller)) {
            caller.awaiting = Some(id);
        }
        match at {
            At::Due => {
                self.steps.push_back(Work::Deliver(id));
                self.is_used(slot);
            }
            At::Running => self.run(id, false),
            At::Waiting | At::Responding | At::Returned => {}
        }
    }

    pub(crate) fn run(&mut self, id: DeliveryId, unbegun: bool) {
        let slot = self.delivery(id).expect("an open delivery").slot;
        let known = self.policy(slot).concurrency.is_some();
        let delivery = self.delivery_mut(id).expect("an open delivery");
        (delivery.at, delivery.unbegun, delivery.known) = (At::Running, unbegun, known);
        self.is_used(slot);
        if !unbegun {
            self.start(id);
        }
    }

    fn is_used(&mut self, slot: AgentSlot) {
        let agent = self.agent_mut(slot);
        (agent.idle_since, agent.rank) = (None, None);
    }

    pub(crate) fn set(&mut self, id: DeliveryId, at: At) {
        self.delivery_mut(id).expect("an open delivery").at = at;
    }

    pub(crate) fn refill(&mut self, slot: AgentSlot) {
        while self.has_room(slot) {
            let Some(oldest) = self.of(slot, At::Waiting).next().map(|one| one.id) else { return };
            self.set(oldest, At::Due);
            self.steps.push_back(Work::Deliver(oldest));
            self.admit(slot, oldest);
        }
    }

    /// A delivery has left the mailbox as a step: blocked ones may have room.
    fn admit(&mut self, slot: AgentSlot, left: DeliveryId) {
        if self.unblock(left) {
            self.steps.push_back(Work::Admitted(left));
        }
        loop {
            let admitted = self.of(slot, At::Waiting).filter(|one| !one.blocked).count();
            let is_full = self.policy(slot).capacity.is_some_and(|most| admitted >= most.get());
            let next = self.of(slot, At::Waiting).find(|one| one.blocked).map(|one| one.id);
            let (false, Some(next)) = (is_full, next) else { return };
            self.unblock(next);
            self.steps.push_back(Work::Admitted(next));
        }
    }

    /// Returns whether it was blocked.
    pub(crate) fn unblock(&mut self, id: DeliveryId) -> bool {
        let delivery = self.delivery_mut(id).expect("an open delivery");
        let was_blocked = std::mem::take(&mut delivery.blocked);
        if std::mem::take(&mut delivery.awaits_room) {
            self.abandon(id);
        }
        was_blocked
    }

    /// Takes back a blocked delivery. Returns its payload.
    pub(crate) fn withdraw(&mut self, id: DeliveryId) -> Option<u32> {
        self.delivery(id).filter(|one| one.at == At::Waiting && one.blocked)?;
        self.unblock(id);
        self.set(id, At::Returned);
        self.delivery(id).map(|one| one.payload)
    }

    pub(crate) fn release(&mut self, id: DeliveryId) -> bool {
        self.begin(id);
        self.end_handler(id, Outcome::Handled);
        self.vacate(id)
    }

    fn vacate(&mut self, id: DeliveryId) -> bool {
        let delivery = self.delivery_mut(id).expect("an open delivery");
        (delivery.at, delivery.unbegun) = (At::Responding, false);
        let slot = delivery.slot;
        self.refill(slot);
        self.rests(slot)
    }

    pub(crate) fn abandon(&mut self, id: DeliveryId) {
        if let Some(delivery) = self.delivery_mut(id) {
            delivery.caller = None;
        }
        for delivery in self.deliveries.iter_mut().filter(|one| one.awaiting == Some(id)) {
            delivery.awaiting = None;
        }
    }

    pub(crate) fn finish(&mut self, id: DeliveryId, outcome: Outcome) -> Finished {
        let delivery = self.delivery(id).expect("an open delivery");
        let (message, slot, was_running) =
            (delivery.message, delivery.slot, delivery.at == At::Running);
        match delivery.at {
            At::Running if !delivery.unbegun => self.end_handler(id, outcome),
            At::Responding => {}
            _ => self.ended[delivery.agent_type].push(outcome),
        }
        let rests = if was_running { self.vacate(id) } else { self.rests(slot) };
        self.abandon(id);
        self.deliveries.retain(|delivery| delivery.id != id);
        Finished { settled: self.end(message, outcome), rests }
    }

    pub(crate) fn settle(&mut self, ticket: Ticket, outcome: Outcome) -> Option<Outcome> {
        let number = self.number_of(ticket).expect("an open ticket");
        let message = self.messages.get_mut(&number)?;
        message.held = false;
        match message.sent_to {
            _ if message.routed => {}
            Some(agent_type) => self.ended[agent_type].push(outcome),
            // It had no recipient but its sender.
            None if matches!(outcome, Outcome::Handled | Outcome::Responded) => {}
            None => self.ended[2].push(outcome),
        }
        self.end(number, outcome)
    }

    fn end(&mut self, number: u64, outcome: Outcome) -> Option<Outcome> {
        let message = self.messages.get_mut(&number).expect("an open message");
        message.worst = message.worst.max(outcome);
        if message.held || self.deliveries.iter().any(|delivery| delivery.message == number) {
            return None;
        }
        let worst = self.messages.remove(&number)?.worst;
        self.settled.push(worst);
        Some(worst)
    }
}
