//! The comparison of all reads, and the invariants, after each command.

use ferrogen_core::{Arrival, Load, Outcome, Stage, Tally};

use super::harness::{Harness, address};
use super::model::{Agent, At, Work};

impl Harness {
    pub(crate) fn check(&self) {
        let (machine, model) = (&self.machine, &self.model);
        let count = |outcome| model.settled.iter().filter(|one| **one == outcome).count() as u64;
        let tally = Tally {
            accepted: model.accepted,
            handled: count(Outcome::Handled),
            responded: count(Outcome::Responded),
            dropped: count(Outcome::Dropped),
            cancelled: count(Outcome::Cancelled),
            failed: count(Outcome::Failed),
            expired: count(Outcome::Expired),
            dead_lettered: count(Outcome::DeadLettered),
        };
        assert_eq!(machine.tally(), tally);
        assert_eq!(tally.settled() + machine.open() as u64, tally.accepted, "L1");
        assert_eq!(machine.open(), model.messages.len());
        assert_eq!(machine.is_idle(), model.messages.is_empty(), "L2");
        assert_eq!(machine.waiting(), model.inbox.len() + model.all(At::Waiting).count());
        assert_eq!(machine.is_inbox_empty(), model.inbox.is_empty());
        assert_eq!(machine.is_due(), !model.steps.is_empty());
        assert_eq!(machine.is_paused(), model.paused);
        assert_eq!(machine.is_clear(), model.is_clear());
        assert_eq!(machine.next_wake(), model.next_wake());
        let front = if model.paused { None } else { model.inbox.front() };
        assert_eq!(machine.front(), front);
        self.check_payloads();
        self.check_agents();
        self.check_statistics();
    }

    fn check_payloads(&self) {
        let inbox = self.model.inbox.iter().map(|arrival| match arrival {
            Arrival::Message(_, payload) | Arrival::Response(_, payload) => *payload,
        });
        let queued = self.model.all(At::Due).chain(self.model.all(At::Waiting));
        let mut expected: Vec<_> = inbox.chain(queued.map(|one| one.payload)).collect();
        let mut payloads: Vec<_> = self.machine.payloads().copied().collect();
        expected.sort_unstable();
        payloads.sort_unstable();
        assert_eq!(payloads, expected);
    }

    fn check_agents(&self) {
        let (machine, model) = (&self.machine, &self.model);
        assert_eq!(machine.agents(), model.agents.len());
        for number in 0..6 {
            let address = address(number);
            let found = machine.find(self.agent_types[address.0], &address.1);
            assert_eq!(found, model.find(&address));
        }
        for slot in self.slots.iter().copied() {
            let agent = model.agent(slot);
            let stage = |agent: &Agent| match (agent.ready, agent.passivating) {
                (true, _) => Stage::Ready,
                (false, true) => Stage::Passivating,
                (false, false) => Stage::Building,
            };
            assert_eq!(machine.stage(slot), agent.map(stage));
            let agent_type = agent.map(|agent| self.agent_types[agent.address.0]);
            assert_eq!(machine.agent_type(slot), agent_type);
            let load = agent.map(|_| {
                let [waiting, due, running] =
                    [At::Waiting, At::Due, At::Running].map(|at| model.of(slot, at).count());
                Load { queued: waiting + due, running }
            });
            assert_eq!(machine.load(slot), load);
            let concurrency = model.policy(slot).concurrency;
            if let Some(most) =
                concurrency.filter(|_| !self.policies_changed && !model.policy(slot).reentrant)
            {
                assert!(model.busy(slot) <= most.get(), "the concurrency is not exceeded");
            }
            if agent.is_none() {
                let alive =
                    [At::Waiting, At::Due, At::Running].map(|at| model.of(slot, at).count());
                assert_eq!(alive, [0; 3], "a passivated agent has no delivery");
            }
        }
    }

    /// After an advance, no agent is left that has been idle for long enough, and the next wake
    /// is the earliest moment at which one could be.
    pub(crate) fn check_passivation(&mut self) {
        assert_eq!(self.machine.advance(self.now), {
            self.model.advance(self.now);
            self.model.next_wake()
        });
        let policies = self.model.policies;
        for agent in self.model.agents.iter().filter(|agent| agent.postponed.is_none()) {
            let after = policies[agent.address.0].passivate_after;
            let idle_since = agent.idle_since.filter(|_| self.model.is_idle(agent.slot));
            if let Some((since, after)) = idle_since.zip(after)
                && !self.policies_changed
            {
                assert!(since + after > self.now, "it is passivated in time");
                let wake = self.machine.next_wake().expect("a timer");
                assert!(wake <= since + after, "the driver is called in time");
            }
            let most = policies[agent.address.0].max_active;
            if most.is_some_and(|most| self.model.awake(agent.address.0) > most.get()) {
                assert_eq!(agent.rank, None, "as long as too many are awake, none is idle");
            }
        }
    }

    /// Finishes everything, after which the machine must be idle.
    pub(crate) fn wind_down(&mut self) {
        self.machine.resume();
        self.model.paused = false;
        self.drain();
        while !self.model.inbox.is_empty() {
            self.take_response();
        }
        while self.step() {}
        let building = self.model.agents.iter().filter(|agent| agent.building);
        for slot in building.map(|agent| agent.slot).collect::<Vec<_>>() {
            self.built(slot);
        }
        for ticket in self.hand.clone() {
            self.settle(ticket, Outcome::DeadLettered);
        }
        while let Some(delivery) = self.model.deliveries.first().map(|delivery| delivery.id) {
            self.finish(delivery, Outcome::Handled);
        }
        // Agents that were too many are idle now.
        while self.step() {}
        while let Some(slot) = self.pick_passivating(0) {
            assert_eq!(self.machine.passivated(slot), Ok(self.model.passivated(slot)));
        }
        self.check();
        assert!(self.machine.is_idle(), "L2: every accepted message is settled");
        assert!(self.machine.is_clear());
        assert!(!self.model.steps.iter().any(|work| matches!(work, Work::Deliver(_))));
        self.check_passivation();
    }
}
