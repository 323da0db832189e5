//! Agents: policies, look-up, builds.

use super::deliveries::refill;
use super::{Load, Machine, Step, policy_of};
use crate::directory::{Agent, AgentSlot, Stage};
use crate::error::CoreError;
use crate::ledger::{DeliveryId, DeliveryStage};
use crate::names::Symbol;
use crate::policy::Policy;

/// Agents, from the first message to the end of the build.
impl<P> Machine<P> {
    /// Sets the policy of an agent type. Deliveries that wait or run are not affected.
    pub fn configure(&mut self, agent_type: Symbol, policy: Policy) {
        if self.policies.len() <= agent_type.index() {
            self.policies.resize(agent_type.index() + 1, Policy::default());
        }
        self.policies[agent_type.index()] = policy;
        self.rank_anew(agent_type);
    }

    /// The policy of an agent type.
    #[must_use]
    pub fn policy(&self, agent_type: Symbol) -> Policy {
        *policy_of(&self.policies, agent_type)
    }

    /// Looks up an agent that exists or is being built.
    #[must_use]
    pub fn find(&self, agent_type: Symbol, key: &str) -> Option<AgentSlot> {
        self.directory.find(agent_type, key)
    }

    /// The stage of an agent; `None` if it is not in the directory.
    #[must_use]
    pub fn stage(&self, slot: AgentSlot) -> Option<Stage> {
        self.directory.agent(slot).ok().map(|agent| agent.stage)
    }

    /// The load of an agent; `None` if it is not in the directory. Messages in the inbox are not
    /// placed yet, so they are not part of it.
    #[must_use]
    pub fn load(&self, slot: AgentSlot) -> Option<Load> {
        let agent = self.directory.agent(slot).ok()?;
        let waiting = agent.mailbox.len();
        // The step of an agent that is not ready is its build.
        let (due, running) = match agent.stage {
            Stage::Building | Stage::Passivating => (0, 0),
            Stage::Ready => (agent.due, agent.running),
        };
        Some(Load { queued: waiting + due, running })
    }

    /// The type of an agent; `None` if it is not in the directory.
    #[must_use]
    pub fn agent_type(&self, slot: AgentSlot) -> Option<Symbol> {
        self.directory.agent(slot).ok().map(|agent| agent.agent_type)
    }

    /// Adds an agent whose build is a due step.
    ///
    /// # Errors
    ///
    /// [`CoreError::AgentExists`] if it exists or is being built (A1).
    pub fn build(&mut self, agent_type: Symbol, key: &str) -> Result<AgentSlot, CoreError> {
        let slot = self.directory.enter(agent_type, key, Stage::Building)?;
        self.ledger.statistics.track(agent_type);
        self.directory.agent_mut(slot)?.due = 1;
        self.steps.push_back(Step::Build(slot));
        self.wake(agent_type);
        Ok(slot)
    }

    /// Adds an agent that the driver is building already; there is no step.
    ///
    /// # Errors
    ///
    /// [`CoreError::AgentExists`] if it exists or is being built (A1).
    pub fn begin_build(&mut self, agent_type: Symbol, key: &str) -> Result<AgentSlot, CoreError> {
        let slot = self.directory.enter(agent_type, key, Stage::Building)?;
        self.ledger.statistics.track(agent_type);
        self.directory.agent_mut(slot)?.running = 1;
        self.wake(agent_type);
        Ok(slot)
    }

    /// Takes the build of an agent out of turn, if it is a due step. Returns whether it was.
    pub fn take_build(&mut self, slot: AgentSlot) -> bool {
        let is_build = |step: &Step<P>| matches!(step, Step::Build(one) if *one == slot);
        let Some(position) = self.steps.iter().position(is_build) else { return false };
        let Ok(agent) = self.directory.agent_mut(slot) else { return false };
        agent.due -= 1;
        agent.running += 1;
        self.steps.remove(position);
        true
    }

    /// Adds an agent whose instance exists.
    ///
    /// # Errors
    ///
    /// [`CoreError::AgentExists`] if it exists or is being built (A1).
    pub fn enter(&mut self, agent_type: Symbol, key: &str) -> Result<AgentSlot, CoreError> {
        self.ledger.statistics.track(agent_type);
        self.directory.enter(agent_type, key, Stage::Ready)
    }

    /// Reports that an agent was built: its waiting deliveries become due. Returns whether it
    /// rests: see [`Finished::rests`](super::Finished::rests).
    ///
    /// # Errors
    ///
    /// [`CoreError::AgentMissing`], or [`CoreError::WrongStage`] if no build of it is running.
    pub fn built(&mut self, slot: AgentSlot) -> Result<bool, CoreError> {
        let agent = building(self.directory.agent_mut(slot)?)?;
        agent.stage = Stage::Ready;
        agent.running = 0;
        let policy = policy_of(&self.policies, agent.agent_type);
        self.in_mailboxes -= refill(agent, slot, policy, &mut self.ledger, &mut self.steps);
        Ok(agent.rests(policy))
    }

    /// Reports that a build failed. The agent leaves the directory, so that the next message
    /// builds again. The deliveries that waited are returned; report
    /// [`finish`](Machine::finish) for each.
    ///
    /// # Errors
    ///
    /// [`CoreError::AgentMissing`], or [`CoreError::WrongStage`] if no build of it is running.
    pub fn build_failed(&mut self, slot: AgentSlot) -> Result<Vec<(DeliveryId, P)>, CoreError> {
        let agent = building(self.directory.agent_mut(slot)?)?;
        let returned = agent.mailbox.drain();
        let agent_type = agent.agent_type;
        self.leave(slot, agent_type);
        self.in_mailboxes -= returned.len();
        for (delivery, _) in &returned {
            self.ledger.unblock(*delivery);
            self.ledger.set_stage(*delivery, DeliveryStage::Returned);
        }
        Ok(returned)
    }
}

fn building<P>(agent: &mut Agent<P>) -> Result<&mut Agent<P>, CoreError> {
    let is_building = agent.stage == Stage::Building && agent.running > 0;
    is_building.then_some(agent).ok_or(CoreError::WrongStage)
}
