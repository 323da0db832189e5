//! What must hold after everything that the driver does, and at the end.

use ferrogen_core::Outcome;

use super::{Op, Rehearsal};

impl Rehearsal {
    pub(crate) fn check(&self) {
        let (machine, naive) = (&self.machine, &self.naive);
        let mut payloads: Vec<u32> = machine.payloads().copied().collect();
        payloads.sort_unstable();
        assert_eq!(payloads, naive.payloads(), "nothing is lost");
        assert_eq!(machine.waiting(), naive.waiting());
        assert_eq!(machine.agents(), naive.agents.len());

        let in_hand = !self.hand.is_empty() || !self.loose.is_empty();
        assert_eq!(machine.is_idle(), naive.nothing_to_do() && !in_hand, "L2");
        assert_eq!(machine.open(), naive.pieces.len());
        let tally = machine.tally();
        assert_eq!(tally.settled(), self.settled.len() as u64, "L1");
        assert_eq!(tally.settled() + machine.open() as u64, tally.accepted, "L1");

        if !self.limits_changed {
            for agent in &naive.agents {
                let limits = naive.limits[agent.address.0];
                let started = agent.running.len() + agent.due;
                assert!(limits.concurrency.is_none_or(|most| started <= most.get()));
                assert!(limits.capacity.is_none_or(|most| agent.parked() <= most.get()));
            }
        }
    }

    /// Does all that is left to do, and leaves nothing behind.
    pub(crate) fn wind_down(&mut self) {
        while !self.machine.is_idle() {
            let before = self.machine.tally().settled();
            while !self.naive.inbox.is_empty() {
                self.perform(&Op::Take);
            }
            while !self.hand.is_empty() {
                self.perform(&Op::Spread(0, Vec::new()));
            }
            while self.step().is_some() {}
            while !self.being_built().is_empty() {
                self.perform(&Op::Built(0));
            }
            while !self.running().is_empty() {
                self.perform(&Op::Finish(0, Outcome::Handled));
            }
            while !self.loose.is_empty() {
                self.perform(&Op::End(0, Outcome::DeadLettered));
            }
            self.check();
            let due = self.naive.agents.iter().any(|agent| agent.due > 0);
            assert!(due || self.machine.tally().settled() > before, "something can always be done");
        }
        assert_eq!(self.machine.tally().settled(), self.machine.tally().accepted, "L1");
        assert_eq!(self.placed, self.gone, "what was placed was started or came back, once");
        assert!(self.naive.agents.iter().all(|agent| agent.running.is_empty()));
    }
}
