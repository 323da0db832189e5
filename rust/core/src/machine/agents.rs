//! The agents' side of the machine: which are there, which are being made, which may go.

use super::{Machine, Step, limits_of, refill};
use crate::directory::{AgentSlot, Stage};
use crate::error::CoreError;
use crate::ledger::Ticket;
use crate::mailbox::Limits;
use crate::names::Symbol;

/// Agents: from the first message to passivation.
impl<P> Machine<P> {
    /// Sets what the agents of a type take on. What already waits or runs is not touched.
    pub fn limit(&mut self, agent_type: Symbol, limits: Limits) {
        if self.limits.len() <= agent_type.index() {
            self.limits.resize(agent_type.index() + 1, Limits::default());
        }
        self.limits[agent_type.index()] = limits;
    }

    /// Looks an agent up, ready or being built.
    #[must_use]
    pub fn find(&self, agent_type: Symbol, key: &str) -> Option<AgentSlot> {
        self.directory.find(agent_type, key)
    }

    /// How far the agent's life has come; `None` if it is not there.
    #[must_use]
    pub fn stage(&self, slot: AgentSlot) -> Option<Stage> {
        self.directory.agent(slot).ok().map(|agent| agent.stage)
    }

    /// Enters an agent that the driver is to build, as a step that is due now.
    ///
    /// # Errors
    ///
    /// [`CoreError::AgentExists`] if it is there or is being built (A1).
    pub fn build(&mut self, agent_type: Symbol, key: &str) -> Result<AgentSlot, CoreError> {
        let slot = self.directory.enter(agent_type, key, Stage::Building)?;
        self.directory.agent_mut(slot)?.due = 1;
        self.steps.push_back(Step::Build(slot));
        Ok(slot)
    }

    /// Enters an agent that the driver is building of its own accord; no step comes of it.
    ///
    /// # Errors
    ///
    /// [`CoreError::AgentExists`] if it is there or is being built (A1).
    pub fn begin_build(&mut self, agent_type: Symbol, key: &str) -> Result<AgentSlot, CoreError> {
        let slot = self.directory.enter(agent_type, key, Stage::Building)?;
        self.directory.agent_mut(slot)?.running = 1;
        Ok(slot)
    }

    /// Enters an agent that the driver has already.
    ///
    /// # Errors
    ///
    /// [`CoreError::AgentExists`] if it is there or is being built (A1).
    pub fn enter(&mut self, agent_type: Symbol, key: &str) -> Result<AgentSlot, CoreError> {
        self.directory.enter(agent_type, key, Stage::Ready)
    }

    /// Reports that the agent is made: its waiting messages become due.
    ///
    /// # Errors
    ///
    /// [`CoreError::AgentMissing`], or [`CoreError::WrongStage`] if it was not being built (A1):
    /// it is there already, or its step was not taken.
    pub fn built(&mut self, slot: AgentSlot) -> Result<(), CoreError> {
        let agent = self.directory.agent_mut(slot)?;
        if agent.stage != Stage::Building || agent.running == 0 {
            return Err(CoreError::WrongStage);
        }
        agent.stage = Stage::Ready;
        agent.running = 0;
        let limits = limits_of(&self.limits, agent.agent_type);
        self.parked -= refill(agent, slot, limits, &mut self.steps);
        Ok(())
    }

    /// Reports that the agent could not be made. It leaves the directory, so that the next message
    /// tries again; those that waited come back, their pieces open.
    ///
    /// # Errors
    ///
    /// [`CoreError::AgentMissing`], or [`CoreError::WrongStage`] if it was not being built (A1):
    /// it is there already, or its step was not taken.
    pub fn build_failed(&mut self, slot: AgentSlot) -> Result<Vec<(Ticket, P)>, CoreError> {
        let agent = self.directory.agent_mut(slot)?;
        if agent.stage != Stage::Building || agent.running == 0 {
            return Err(CoreError::WrongStage);
        }
        let waiting: Vec<_> = agent.mailbox.take_all().into();
        self.directory.leave(slot);
        self.parked -= waiting.len();
        Ok(waiting)
    }

    /// Forgets an agent that is ready, handles nothing and has nothing waiting. Returns whether.
    pub fn passivate(&mut self, slot: AgentSlot) -> bool {
        let idle = self.directory.agent(slot).is_ok_and(|agent| {
            let busy = agent.due + agent.running > 0 || !agent.mailbox.is_empty();
            agent.stage == Stage::Ready && !busy
        });
        if idle {
            self.directory.leave(slot);
        }
        idle
    }
}
