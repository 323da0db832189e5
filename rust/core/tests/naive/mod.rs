//! The step machine as one would first write it: lists that are scanned, nothing clever.
//!
//! An agent has one queue. Its first `due` messages may start, the others wait. What the driver
//! holds is not kept here; the test keeps it.

use std::collections::{HashMap, VecDeque};

use ferrogen_core::{AgentSlot, Arrival, Limits, Overflow, Ticket, Undelivered};

pub(crate) type Delivery = (Ticket, u32);

pub(crate) struct Agent {
    pub(crate) slot: AgentSlot,
    /// Index of the agent's type, and its key.
    pub(crate) address: (usize, String),
    pub(crate) ready: bool,
    pub(crate) build_due: bool,
    pub(crate) queue: VecDeque<Delivery>,
    pub(crate) due: usize,
    pub(crate) running: Vec<Ticket>,
}

impl Agent {
    pub(crate) fn parked(&self) -> usize {
        self.queue.len() - self.due
    }

    fn may_start(&self, limits: Limits) -> bool {
        let started = self.running.len() + self.due;
        self.ready && limits.concurrency.is_none_or(|most| started < most.get())
    }

    fn fill(&mut self, limits: Limits) {
        while self.parked() > 0 && self.may_start(limits) {
            self.due += 1;
        }
    }
}

#[derive(Default)]
pub(crate) struct Naive {
    pub(crate) limits: [Limits; 2],
    pub(crate) inbox: VecDeque<Arrival<u32>>,
    pub(crate) agents: Vec<Agent>,
    /// The pieces of every open ticket.
    pub(crate) pieces: HashMap<Ticket, usize>,
}

impl Naive {
    pub(crate) fn find(&self, address: &(usize, String)) -> Option<AgentSlot> {
        self.agents.iter().find(|agent| agent.address == *address).map(|agent| agent.slot)
    }

    pub(crate) fn agent(&mut self, slot: AgentSlot) -> &mut Agent {
        self.agents.iter_mut().find(|agent| agent.slot == slot).expect("a known agent")
    }

    pub(crate) fn enter(&mut self, slot: AgentSlot, address: (usize, String), ready: bool) {
        assert_eq!(self.find(&address), None, "A1: one agent for an address");
        assert!(self.agents.iter().all(|agent| agent.slot != slot), "a slot is one agent's");
        self.agents.push(Agent {
            slot,
            address,
            ready,
            build_due: !ready,
            queue: VecDeque::new(),
            due: 0,
            running: Vec::new(),
        });
    }

    /// Puts a delivery into the agent's queue and returns the one that has to give way.
    pub(crate) fn place(&mut self, slot: AgentSlot, delivery: Delivery) -> Option<Delivery> {
        let limits = self.limits;
        let agent = self.agent(slot);
        let limits = limits[agent.address.0];
        if agent.parked() == 0 && agent.may_start(limits) {
            agent.queue.push_back(delivery);
            agent.due += 1;
            return None;
        }
        if limits.capacity.is_none_or(|most| agent.parked() < most.get()) {
            agent.queue.push_back(delivery);
            return None;
        }
        match limits.overflow {
            Overflow::Reject => Some(delivery),
            Overflow::DropOldest => {
                agent.queue.push_back(delivery);
                let oldest = agent.due;
                agent.queue.remove(oldest)
            }
        }
    }

    pub(crate) fn deliver(&mut self, slot: AgentSlot) -> Delivery {
        let agent = self.agent(slot);
        agent.due = agent.due.checked_sub(1).expect("only what is due is delivered");
        let delivery = agent.queue.pop_front().expect("what is due is queued");
        agent.running.push(delivery.0);
        delivery
    }

    pub(crate) fn built(&mut self, slot: AgentSlot) {
        let limits = self.limits;
        let agent = self.agent(slot);
        agent.ready = true;
        agent.fill(limits[agent.address.0]);
    }

    pub(crate) fn release(&mut self, slot: AgentSlot, ticket: Ticket) {
        let limits = self.limits;
        let agent = self.agent(slot);
        let place = agent.running.iter().position(|one| *one == ticket).expect("it runs");
        agent.running.swap_remove(place);
        agent.fill(limits[agent.address.0]);
    }

    pub(crate) fn leave(&mut self, slot: AgentSlot) -> Vec<Delivery> {
        let place = self.agents.iter().position(|agent| agent.slot == slot).expect("it is there");
        self.agents.remove(place).queue.into()
    }

    /// Ends a piece and tells whether it was the last of its message.
    pub(crate) fn end(&mut self, ticket: Ticket) -> bool {
        let pieces = self.pieces.get_mut(&ticket).expect("L1: an open ticket");
        *pieces -= 1;
        let last = *pieces == 0;
        if last {
            self.pieces.remove(&ticket);
        }
        last
    }

    /// Empties all queues: what each agent was to get, in order, and then the inbox.
    pub(crate) fn drain(&mut self) -> (Vec<Vec<Delivery>>, Vec<Undelivered<u32>>) {
        let queues = self.agents.iter_mut().map(|agent| {
            agent.due = 0;
            agent.queue.drain(..).collect()
        });
        let inbox = self.inbox.drain(..).map(|arrival| match arrival {
            Arrival::Message(ticket, payload) => Undelivered::Message(ticket, payload),
            Arrival::Answer(ticket, payload) => Undelivered::Answer(ticket, payload),
        });
        (queues.collect(), inbox.collect())
    }

    pub(crate) fn waiting(&self) -> usize {
        self.inbox.len() + self.agents.iter().map(Agent::parked).sum::<usize>()
    }

    /// Whether nothing is queued and no handler runs.
    pub(crate) fn nothing_to_do(&self) -> bool {
        self.inbox.is_empty()
            && self.agents.iter().all(|agent| agent.queue.is_empty() && agent.running.is_empty())
    }

    pub(crate) fn payloads(&self) -> Vec<u32> {
        let inbox = self.inbox.iter().map(|arrival| match arrival {
            Arrival::Message(_, payload) | Arrival::Answer(_, payload) => *payload,
        });
        let queued = self.agents.iter().flat_map(|agent| agent.queue.iter().map(|one| one.1));
        let mut payloads: Vec<u32> = inbox.chain(queued).collect();
        payloads.sort_unstable();
        payloads
    }
}
