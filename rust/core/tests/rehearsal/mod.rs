//! A driver that does what it is told to the machine and to the naive model, and compares them.

mod checks;
mod mistakes;
mod ops;

use std::collections::HashSet;

use ferrogen_core::{
    AgentSlot, Arrival, CoreError, Limits, Machine, Names, Outcome, Refused, Stage, Step, Symbol,
    Ticket, Undelivered,
};

use crate::naive::{Delivery, Naive};
pub(crate) use ops::{Op, limits, op, op_or_limit};
use ops::{address, pick};

pub(crate) struct Rehearsal {
    machine: Machine<u32>,
    naive: Naive,
    agent_types: [Symbol; 2],
    /// Messages that the driver took and has not spread.
    hand: Vec<Ticket>,
    /// Pieces that the driver got back, or whose answer it took, and has not ended.
    loose: Vec<Ticket>,
    settled: Vec<Ticket>,
    payloads: u32,
    placed: HashSet<u32>,
    /// Deliveries that were started or came back.
    gone: HashSet<u32>,
    /// Whether limits changed while agents had work, so that what was begun may exceed them.
    limits_changed: bool,
}

type Enter = fn(&mut Machine<u32>, Symbol, &str) -> Result<AgentSlot, CoreError>;

impl Rehearsal {
    pub(crate) fn new(limits: [Limits; 2]) -> Self {
        let mut names = Names::default();
        let agent_types = ["writer", "critic"].map(|text| names.intern(text));
        let mut machine = Machine::default();
        machine.limit(agent_types[0], limits[0]);
        machine.limit(agent_types[1], limits[1]);
        Self {
            machine,
            naive: Naive { limits, ..Naive::default() },
            agent_types,
            hand: Vec::new(),
            loose: Vec::new(),
            settled: Vec::new(),
            payloads: 0,
            placed: HashSet::new(),
            gone: HashSet::new(),
            limits_changed: false,
        }
    }

    fn fresh(&mut self) -> u32 {
        self.payloads += 1;
        self.payloads
    }

    fn running(&self) -> Vec<(AgentSlot, Ticket)> {
        let agents = self.naive.agents.iter();
        agents.flat_map(|one| one.running.iter().map(|ticket| (one.slot, *ticket))).collect()
    }

    fn being_built(&self) -> Vec<AgentSlot> {
        let agents = self.naive.agents.iter().filter(|one| !one.ready && !one.build_due);
        agents.map(|one| one.slot).collect()
    }

    pub(crate) fn perform(&mut self, op: &Op) {
        match op {
            Op::Accept => {
                let payload = self.fresh();
                let ticket = self.machine.accept(payload);
                assert_eq!(self.naive.pieces.insert(ticket, 1), None, "L1: a new ticket");
                self.naive.inbox.push_back(Arrival::Message(ticket, payload));
            }
            Op::Take => {
                let arrival = self.machine.take();
                assert_eq!(arrival, self.naive.inbox.pop_front());
                match arrival {
                    Some(Arrival::Message(ticket, _)) => self.hand.push(ticket),
                    Some(Arrival::Answer(ticket, _)) => self.loose.push(ticket),
                    None => {}
                }
            }
            Op::Spread(number, recipients) => self.spread(*number, recipients),
            Op::Step => drop(self.step()),
            Op::Built(number) => {
                let Some(slot) = pick(&self.being_built(), *number) else { return };
                self.machine.built(slot).expect("A1: it is being built");
                self.naive.built(slot);
            }
            Op::BuildFailed(number) => {
                let Some(slot) = pick(&self.being_built(), *number) else { return };
                let waiting = self.machine.build_failed(slot).expect("A1: it is being built");
                assert_eq!(waiting, self.naive.leave(slot));
                self.back(waiting);
            }
            Op::Finish(number, outcome) => {
                let Some((slot, ticket)) = pick(&self.running(), *number) else { return };
                let settled = self.machine.finish(slot, ticket, *outcome).expect("it runs");
                self.naive.release(slot, ticket);
                self.ended(ticket, settled);
            }
            Op::Answer(number) => {
                let Some((slot, ticket)) = pick(&self.running(), *number) else { return };
                let payload = self.fresh();
                self.machine.answer(slot, ticket, payload).expect("it runs");
                self.naive.release(slot, ticket);
                self.naive.inbox.push_back(Arrival::Answer(ticket, payload));
            }
            Op::Release(number) => {
                let Some((slot, ticket)) = pick(&self.running(), *number) else { return };
                self.machine.release(slot, ticket).expect("it runs");
                self.naive.release(slot, ticket);
                self.loose.push(ticket);
            }
            Op::End(number, outcome) => {
                if self.loose.is_empty() {
                    return;
                }
                let ticket = self.loose.swap_remove(number % self.loose.len());
                let settled = self.machine.end(ticket, *outcome).expect("L1: it is open");
                self.ended(ticket, settled);
            }
            Op::Enter(number) => self.enter(*number, Machine::enter),
            Op::BeginBuild(number) => self.enter(*number, Machine::begin_build),
            Op::Passivate(number) => {
                let Some(slot) = self.naive.find(&address(*number)) else { return };
                let agent = self.naive.agent(slot);
                let idle = agent.ready && agent.queue.is_empty() && agent.running.is_empty();
                assert_eq!(self.machine.passivate(slot), idle);
                if idle {
                    self.naive.leave(slot);
                }
            }
            Op::Limit(number, limits) => {
                self.limits_changed = true;
                self.machine.limit(self.agent_types[number % 2], *limits);
                self.naive.limits[number % 2] = *limits;
            }
            Op::Drain => self.drain(),
            Op::Mistake(number) => self.mistake(*number),
        }
    }

    fn spread(&mut self, number: usize, recipients: &[usize]) {
        if self.hand.is_empty() {
            return;
        }
        let ticket = self.hand.remove(number % self.hand.len());
        self.machine.spread(ticket, recipients.len()).expect("L1: it is open");
        self.naive.pieces.insert(ticket, recipients.len());
        if recipients.is_empty() {
            self.naive.pieces.remove(&ticket);
            self.settled.push(ticket);
        }
        for recipient in recipients {
            let address = address(*recipient);
            let slot = self.naive.find(&address).unwrap_or_else(|| {
                let agent_type = self.agent_types[address.0];
                let slot = self.machine.build(agent_type, &address.1).expect("A1: it is new");
                self.naive.enter(slot, address, false);
                slot
            });
            let payload = self.fresh();
            self.placed.insert(payload);
            let refused = self.machine.place(slot, ticket, payload).expect("it is there");
            let refused = refused.map(|Refused(ticket, payload)| (ticket, payload));
            assert_eq!(refused, self.naive.place(slot, (ticket, payload)));
            self.back(refused);
        }
    }

    /// Takes a step, which must be one that the model has due, and for its agent the first (O1).
    fn step(&mut self) -> Option<Step<u32>> {
        let step = self.machine.step();
        match &step {
            Some(Step::Build(slot)) => {
                let agent = self.naive.agent(*slot);
                assert!(agent.build_due, "A1: one build at a time");
                agent.build_due = false;
            }
            Some(Step::Deliver(slot, ticket, payload)) => {
                assert!(self.naive.agent(*slot).ready, "A1: no delivery before the build");
                assert_eq!(self.naive.deliver(*slot), (*ticket, *payload), "O1: in order");
                assert!(self.gone.insert(*payload), "nothing starts twice");
            }
            None => {
                let due = self.naive.agents.iter().any(|agent| agent.build_due || agent.due > 0);
                assert!(!due, "what is due is handed out");
            }
        }
        step
    }

    /// Enters an agent in a way that makes no step.
    fn enter(&mut self, number: usize, enter: Enter) {
        let address = address(number);
        let entered = enter(&mut self.machine, self.agent_types[address.0], &address.1);
        if self.naive.find(&address).is_some() {
            assert_eq!(entered, Err(CoreError::AgentExists));
            return;
        }
        let slot = entered.expect("it is new");
        self.naive.enter(slot, address, self.machine.stage(slot) == Some(Stage::Ready));
        self.naive.agent(slot).build_due = false;
    }

    fn drain(&mut self) {
        let mut rest = self.machine.drain();
        let (queues, inbox) = self.naive.drain();
        let total: usize = queues.iter().map(Vec::len).sum();
        assert_eq!(rest.split_off(total), inbox, "the inbox comes last, in order");
        for queue in queues {
            // In the order of placing, though other agents' messages may come in between.
            let places = queue.iter().map(|(ticket, payload)| {
                let message = Undelivered::Message(*ticket, *payload);
                rest.iter().position(|one| *one == message).expect("nothing is lost")
            });
            assert!(places.is_sorted(), "O1: in order");
            self.back(queue);
        }
        for undelivered in inbox {
            let (Undelivered::Message(ticket, _) | Undelivered::Answer(ticket, _)) = undelivered;
            self.loose.push(ticket);
        }
    }

    fn back(&mut self, deliveries: impl IntoIterator<Item = Delivery>) {
        for (ticket, payload) in deliveries {
            assert!(self.gone.insert(payload), "what comes back was not started");
            self.loose.push(ticket);
        }
    }

    fn ended(&mut self, ticket: Ticket, settled: Option<Outcome>) {
        assert_eq!(settled.is_some(), self.naive.end(ticket), "L1: settled with its last piece");
        if settled.is_some() {
            self.settled.push(ticket);
        }
    }
}
