//! What a driver must not do, and what the machine says to it. `check` sees that nothing changed.

use ferrogen_core::{CoreError, Outcome, Stage};

use super::Rehearsal;
use super::ops::pick;

impl Rehearsal {
    /// Does what the machine must refuse.
    pub(super) fn mistake(&mut self, number: usize) {
        if let Some(stale) = pick(&self.settled, number) {
            assert_eq!(self.machine.end(stale, Outcome::Failed), Err(CoreError::TicketNotOpen));
            assert_eq!(self.machine.spread(stale, 2), Err(CoreError::TicketNotOpen));
        }
        if !self.naive.agents.is_empty() {
            let agent = &self.naive.agents[number % self.naive.agents.len()];
            let (slot, (agent_type, key)) = (agent.slot, &agent.address);
            let (agent_type, stage) = (self.agent_types[*agent_type], self.machine.stage(slot));
            assert_eq!(stage, Some(if agent.ready { Stage::Ready } else { Stage::Building }));
            assert_eq!(self.machine.find(agent_type, key), Some(slot));
            assert_eq!(self.machine.build(agent_type, key), Err(CoreError::AgentExists));
            if agent.ready || agent.build_due {
                assert_eq!(self.machine.built(slot), Err(CoreError::WrongStage));
                assert_eq!(self.machine.build_failed(slot), Err(CoreError::WrongStage));
            }
            if let Some((ticket, _)) = agent.queue.front().filter(|_| agent.running.is_empty()) {
                let refused = self.machine.finish(slot, *ticket, Outcome::Failed);
                assert_eq!(refused, Err(CoreError::WrongStage));
            }
        }
    }
}
