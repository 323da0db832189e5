//! A driver that runs each command on the machine and on the model, and compares the results.

use ferrogen_core::SchedulingClass;
use std::collections::{HashMap, HashSet};

use ferrogen_core::{
    AgentSlot, Arrival, Awaits, CoreError, DeliveryId, Machine, Names, Outcome, Placement, Policy,
    Step, Symbol, Ticket, Time, Undelivered,
};

use super::model::{Agent, At, Expected, Model, Work, response};

type Enter = fn(&mut Machine<u32>, Symbol, &str) -> Result<AgentSlot, CoreError>;

pub(crate) struct Harness {
    pub(crate) machine: Machine<u32>,
    pub(crate) model: Model,
    pub(crate) agent_types: [Symbol; 2],
    pub(crate) now: Time,
    /// Held tickets that are not in the inbox.
    pub(crate) hand: Vec<Ticket>,
    /// Everything that ever existed.
    pub(crate) tickets: Vec<Ticket>,
    pub(crate) deliveries: Vec<DeliveryId>,
    pub(crate) slots: Vec<AgentSlot>,
    /// The number of the newest delivery that an agent has started.
    started: HashMap<AgentSlot, usize>,
    /// Calls that came back to their own chain, and overtook what waited.
    reentered: HashSet<DeliveryId>,
    pub(crate) policies_changed: bool,
    payloads: u32,
}

pub(crate) fn address(number: usize) -> (usize, String) {
    (number % 2, format!("key {}", number / 2 % 3))
}

pub(crate) fn pick<T: Copy>(from: impl IntoIterator<Item = T>, number: usize) -> Option<T> {
    let from: Vec<T> = from.into_iter().collect();
    from.get(number.checked_rem(from.len())?).copied()
}

pub(crate) fn ticks(time: Time) -> u64 {
    u64::try_from(time.as_millis()).expect("a short test")
}

impl Harness {
    pub(crate) fn new(policies: [Policy; 2]) -> Self {
        let mut names = Names::default();
        let agent_types = [names.intern("writer"), names.intern("critic")];
        let mut machine = Machine::default();
        machine.set_timed(true);
        for (agent_type, policy) in agent_types.into_iter().zip(policies) {
            machine.configure(agent_type, policy);
        }
        Self {
            machine,
            model: Model { policies, ..Model::default() },
            agent_types,
            now: Time::ZERO,
            hand: Vec::new(),
            tickets: Vec::new(),
            deliveries: Vec::new(),
            slots: Vec::new(),
            started: HashMap::new(),
            reentered: HashSet::new(),
            policies_changed: false,
            payloads: 0,
        }
    }

    pub(crate) fn payload(&mut self) -> u32 {
        self.payloads += 1;
        self.payloads
    }

    /// An agent whose passivation the driver has begun.
    pub(crate) fn pick_passivating(&self, number: usize) -> Option<AgentSlot> {
        let begun = self.model.agents.iter().filter(|one| one.passivating && one.step_taken);
        pick(begun.map(|agent| agent.slot), number)
    }

    /// A delivery in one of these stages whose response is not in the inbox.
    pub(crate) fn pick_at(&self, stages: &[At], number: usize) -> Option<DeliveryId> {
        let in_inbox = |id| {
            let mut inbox = self.model.inbox.iter();
            inbox.any(|arrival| matches!(arrival, Arrival::Response(one, _) if *one == id))
        };
        let deliveries = self.model.deliveries.iter();
        let matching = deliveries.filter(|one| stages.contains(&one.at) && !in_inbox(one.id));
        pick(matching.map(|delivery| delivery.id), number)
    }

    /// Mostly a running delivery, sometimes any other, or none.
    pub(crate) fn caller(&self, number: usize) -> Option<DeliveryId> {
        match number % 6 {
            0 => None,
            1 => pick(self.deliveries.iter().copied(), number / 6),
            _ => pick(self.model.all(At::Running).map(|delivery| delivery.id), number / 6),
        }
    }

    pub(crate) fn accepted(&mut self, ticket: Ticket) {
        assert!(!self.tickets.contains(&ticket), "L1: tickets are unique");
        self.model.accept(Some(ticket));
        self.tickets.push(ticket);
    }

    pub(crate) fn hold(&mut self) -> Ticket {
        let ticket = self.machine.hold();
        self.accepted(ticket);
        self.hand.push(ticket);
        ticket
    }

    pub(crate) fn take(&mut self) {
        let expected = if self.model.paused { None } else { self.model.inbox.pop_front() };
        let taken = self.machine.take();
        assert_eq!(taken, expected);
        if let Some(Arrival::Message(ticket, _)) = taken {
            self.hand.push(ticket);
        }
    }

    pub(crate) fn take_response(&mut self) {
        let is_response = |one: &Arrival<u32>| matches!(one, Arrival::Response(..));
        let position = self.model.inbox.iter().position(is_response);
        let position = position.filter(|_| !self.model.paused);
        let expected = position.and_then(|position| self.model.inbox.remove(position));
        assert_eq!(self.machine.take_response(), expected);
    }

    pub(crate) fn settle(&mut self, ticket: Ticket, outcome: Outcome) {
        let expected = self.model.settle(ticket, outcome);
        assert_eq!(self.machine.settle(ticket, outcome), Ok(expected));
        self.hand.retain(|one| *one != ticket);
    }

    pub(crate) fn start(&mut self, slot: AgentSlot, caller: Option<DeliveryId>) {
        let can_start = self.model.can_start(slot);
        let can_reenter = self.model.can_reenter(slot, caller);
        let expected = self.model.is_clear() && (can_start || can_reenter);
        let before = format!("{:?}", self.machine);
        let Some(delivery) = self.machine.start(slot, caller) else {
            assert!(!expected);
            assert_eq!(format!("{:?}", self.machine), before);
            return;
        };
        assert!(expected, "O1: nothing is ahead of it");
        let message = self.model.accept(None);
        self.opened(delivery, (message, slot, At::Running), caller, 0);
        if !can_start {
            self.reentered.insert(delivery);
        }
        self.check_order(slot, delivery);
    }

    pub(crate) fn start_delivery(
        &mut self,
        slot: AgentSlot,
        ticket: Ticket,
        caller: Option<DeliveryId>,
    ) {
        let can_start = self.model.can_start(slot);
        let can_reenter = self.model.can_reenter(slot, caller);
        let expected = self.model.has_begun_everything() && (can_start || can_reenter);
        let before = format!("{:?}", self.machine);
        let started = self.machine.start_delivery(slot, ticket, caller).expect("a held ticket");
        assert_eq!(started.is_some(), expected);
        let Some(delivery) = started else {
            assert_eq!(format!("{:?}", self.machine), before);
            return;
        };
        let message = self.model.number_of(ticket).expect("an open ticket");
        self.opened(delivery, (message, slot, At::Running), caller, 0);
        if !can_start {
            self.reentered.insert(delivery);
        }
        self.check_order(slot, delivery);
    }

    pub(crate) fn opened(
        &mut self,
        delivery: DeliveryId,
        place: (u64, AgentSlot, At),
        caller: Option<DeliveryId>,
        payload: u32,
    ) {
        assert!(!self.deliveries.contains(&delivery), "L1: delivery ids are unique");
        self.deliveries.push(delivery);
        self.model.open(delivery, place, caller, payload);
    }

    pub(crate) fn place(&mut self, number: usize, ticket: Ticket, awaits: Awaits) {
        let caller = response(awaits);
        let address = address(number);
        let slot = self.model.find(&address).unwrap_or_else(|| {
            let slot = self.machine.build(self.agent_types[address.0], &address.1);
            let slot = slot.expect("A1: a new agent");
            self.entered(slot, address, false, false);
            self.model.steps.push_back(Work::Build(slot));
            self.model.evict(slot);
            slot
        });
        let reenters = !self.model.can_start(slot) && self.model.can_reenter(slot, caller);
        let expected = self.model.expect_placement(slot, awaits);
        let payload = self.payload();
        let placement = self
            .machine
            .place(slot, ticket, payload, SchedulingClass::NORMAL, awaits)
            .expect("a known agent");
        let at = match expected {
            Expected::Due => At::Due,
            Expected::Waiting | Expected::Blocked | Expected::Evicts(_) => At::Waiting,
            Expected::Rejected | Expected::Deadlock => At::Returned,
        };
        let is_blocked = expected == Expected::Blocked;
        let publisher = match awaits {
            Awaits::Room(caller) if is_blocked || expected == Expected::Deadlock => Some(caller),
            _ => None,
        };
        let caller = caller.or(publisher);
        let (Placement::Queued(delivery)
        | Placement::Blocked(delivery)
        | Placement::Overflow { placed: delivery, .. }
        | Placement::Deadlock { delivery, .. }) = placement;
        match (placement, expected) {
            (Placement::Queued(_), Expected::Due | Expected::Waiting)
            | (Placement::Blocked(_), Expected::Blocked) => {}
            (Placement::Overflow { evicted, payload: old, .. }, Expected::Rejected) => {
                assert_eq!((evicted, old), (delivery, payload));
            }
            (Placement::Overflow { evicted, payload: old, .. }, Expected::Evicts(oldest)) => {
                let expected = self.model.delivery(oldest).expect("a waiting delivery").payload;
                assert_eq!((evicted, old), (oldest, expected));
                self.model.unblock(oldest);
                self.model.set(oldest, At::Returned);
            }
            (Placement::Deadlock { payload: old, cycle, .. }, Expected::Deadlock) => {
                assert_eq!(old, payload);
                self.model.check_cycle(caller.expect("a caller"), slot, &cycle);
            }
            (placement, expected) => panic!("{placement:?} instead of {expected:?}"),
        }
        if reenters {
            self.reentered.insert(delivery);
        }
        let message = self.model.number_of(ticket).expect("an open ticket");
        self.opened(delivery, (message, slot, at), caller, payload);
        let placed = self.model.delivery_mut(delivery).expect("it has been opened");
        (placed.blocked, placed.awaits_room) = (is_blocked, is_blocked && publisher.is_some());
    }

    /// O1: the deliveries of an agent start in the order of placement.
    pub(crate) fn check_order(&mut self, slot: AgentSlot, delivery: DeliveryId) {
        if self.reentered.contains(&delivery) {
            return;
        }
        let number = self.deliveries.iter().position(|one| *one == delivery);
        let previous = self.started.insert(slot, number.expect("a known delivery"));
        assert!(previous < number, "O1: in the order of placement");
    }

    pub(crate) fn step(&mut self) -> bool {
        let step = self.machine.step();
        match (&step, self.model.steps.pop_front()) {
            (None, None) => {}
            (Some(Step::Build(slot)), Some(Work::Build(expected))) => {
                assert_eq!(*slot, expected);
                self.model.agent_mut(*slot).building = true;
            }
            (Some(Step::Passivate(slot)), Some(Work::Passivate(expected))) => {
                assert_eq!(*slot, expected);
                self.model.agent_mut(*slot).step_taken = true;
            }
            (Some(Step::Deliver(slot, delivery, payload)), Some(Work::Deliver(expected))) => {
                let due = self.model.delivery(expected).expect("an open delivery");
                assert_eq!((*slot, *delivery, *payload), (due.slot, due.id, due.payload));
                assert!(self.model.agent(*slot).expect("not passivated").ready, "A1: built");
                self.model.run(expected, true);
                self.check_order(*slot, *delivery);
            }
            (Some(Step::Admitted(delivery)), Some(Work::Admitted(expected))) => {
                assert_eq!(*delivery, expected);
            }
            (step, expected) => panic!("{step:?} instead of {expected:?}"),
        }
        step.is_some()
    }

    pub(crate) fn begun(&mut self, delivery: DeliveryId) {
        self.machine.begun(delivery);
        self.model.begin(delivery);
    }

    pub(crate) fn finish(&mut self, delivery: DeliveryId, outcome: Outcome) {
        let slot = self.model.delivery(delivery).expect("an open delivery").slot;
        let expected = self.model.finish(delivery, outcome);
        assert_eq!(self.machine.finish(delivery, outcome), Ok(expected));
        self.rest_if(expected.rests, slot);
    }

    /// Calls `rest` as a driver does, though not in each third millisecond.
    pub(crate) fn rest_if(&mut self, rests: bool, slot: AgentSlot) {
        if rests && !self.now.as_millis().is_multiple_of(3) {
            self.machine.rest(slot, self.now);
            self.model.rest(slot, self.now);
        }
    }

    pub(crate) fn entered(
        &mut self,
        slot: AgentSlot,
        address: (usize, String),
        ready: bool,
        building: bool,
    ) {
        assert!(!self.slots.contains(&slot), "slots are unique");
        assert_eq!(self.model.find(&address), None, "A1: one agent per address");
        self.slots.push(slot);
        self.model.agents.push(Agent {
            slot,
            address,
            ready,
            building,
            permanent: ready,
            idle_since: None,
            timer: None,
            passivating: false,
            step_taken: false,
            rank: None,
            postponed: None,
        });
    }

    pub(crate) fn enter(&mut self, number: usize, enter: Enter, ready: bool) {
        let address = address(number);
        let entered = enter(&mut self.machine, self.agent_types[address.0], &address.1);
        if self.model.find(&address).is_some() {
            assert_eq!(entered, Err(CoreError::AgentExists));
        } else {
            let slot = entered.expect("a new agent");
            self.entered(slot, address, ready, !ready);
            if !ready {
                self.model.evict(slot);
            }
        }
    }

    pub(crate) fn respond(&mut self, number: usize) {
        let Some(delivery) = self.pick_at(&[At::Running], number) else { return };
        let payload = self.payload();
        let slot = self.model.delivery(delivery).expect("an open delivery").slot;
        let rests = self.model.release(delivery);
        assert_eq!(self.machine.respond(delivery, payload), Ok(rests));
        self.model.inbox.push_back(Arrival::Response(delivery, payload));
        self.rest_if(rests, slot);
    }

    pub(crate) fn release(&mut self, number: usize) {
        let Some(delivery) = self.pick_at(&[At::Running], number) else { return };
        let slot = self.model.delivery(delivery).expect("an open delivery").slot;
        let rests = self.model.release(delivery);
        assert_eq!(self.machine.release(delivery), Ok(rests));
        self.rest_if(rests, slot);
    }

    pub(crate) fn built(&mut self, slot: AgentSlot) {
        let agent = self.model.agent_mut(slot);
        (agent.ready, agent.building) = (true, false);
        self.model.refill(slot);
        let rests = self.model.rests(slot);
        assert_eq!(self.machine.built(slot), Ok(rests));
        self.rest_if(rests, slot);
    }

    pub(crate) fn build_failed(&mut self, slot: AgentSlot) {
        let waiting: Vec<_> =
            self.model.of(slot, At::Waiting).map(|one| (one.id, one.payload)).collect();
        assert_eq!(self.machine.build_failed(slot), Ok(waiting.clone()));
        for (delivery, _) in waiting {
            self.model.unblock(delivery);
            self.model.set(delivery, At::Returned);
        }
        self.model.agents.retain(|agent| agent.slot != slot);
    }

    pub(crate) fn advance(&mut self) {
        let next = self.machine.advance(self.now);
        self.model.advance(self.now);
        assert_eq!(next, self.model.next_wake());
        assert!(next.is_none_or(|next| next > self.now));
    }

    pub(crate) fn drain(&mut self) {
        let mut drained = self.machine.drain();
        let mut inbox = Vec::new();
        self.model.inbox.retain(|arrival| {
            let Arrival::Message(ticket, payload) = *arrival else { return true };
            self.hand.push(ticket);
            inbox.push(Undelivered::Message(ticket, payload));
            false
        });
        let due = self.model.steps.iter().filter_map(|work| match work {
            Work::Deliver(delivery) => self.model.delivery(*delivery),
            Work::Build(_) | Work::Passivate(_) | Work::Admitted(_) => None,
        });
        let due: Vec<_> = due.map(|one| Undelivered::Delivery(one.id, one.payload)).collect();
        let mut waiting = drained.split_off(due.len());
        assert_eq!(drained, due);
        assert_eq!(waiting.split_off(waiting.len() - inbox.len()), inbox);
        let agent_of = |one: &Undelivered<u32>| match one {
            Undelivered::Delivery(delivery, _) => self.model.delivery(*delivery).map(|d| d.slot),
            Undelivered::Message(..) => None,
        };
        // The order of the agents is not specified.
        waiting.sort_by_key(agent_of);
        let mut expected: Vec<_> = self.model.all(At::Waiting).collect();
        expected.sort_by_key(|delivery| delivery.slot);
        let expected: Vec<_> =
            expected.iter().map(|one| Undelivered::Delivery(one.id, one.payload)).collect();
        assert_eq!(waiting, expected);
        self.model.steps.retain(|work| !matches!(work, Work::Deliver(_)));
        let undelivered = self.model.deliveries.iter();
        let undelivered = undelivered.filter(|one| matches!(one.at, At::Due | At::Waiting));
        for delivery in undelivered.map(|one| one.id).collect::<Vec<_>>() {
            self.model.unblock(delivery);
            self.model.set(delivery, At::Returned);
        }
    }
}
