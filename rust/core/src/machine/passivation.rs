//! Passivation of idle agents, and the only use of time in the core.

use std::collections::BTreeMap;

use super::deliveries::refill;
use super::{Machine, Step, policy_of};
use crate::directory::{Agent, AgentSlot, Stage};
use crate::error::CoreError;
use crate::policy::{Policy, Time};

/// The timers by time, then in the order of setting. An agent has at most one.
#[derive(Debug, Default)]
pub(super) struct Timers {
    slots: BTreeMap<(Time, u64), AgentSlot>,
    next: u64,
}

impl Timers {
    fn set<P>(&mut self, slot: AgentSlot, agent: &mut Agent<P>, time: Time) {
        self.remove(agent);
        let timer = (time, self.next);
        self.next += 1;
        self.slots.insert(timer, slot);
        agent.timer = Some(timer);
    }

    fn remove<P>(&mut self, agent: &mut Agent<P>) {
        if let Some(timer) = agent.timer.take() {
            self.slots.remove(&timer);
        }
    }
}

impl<P> Agent<P> {
    /// Whether it is idle, could be passivated, and was not reported as idle.
    pub(super) fn rests(&self, policy: &Policy) -> bool {
        policy.passivates() && !self.is_permanent && self.idle_since.is_none() && self.is_idle()
    }

    /// When it is to be passivated, if it stays idle.
    fn deadline(&self, policy: &Policy) -> Option<Time> {
        let idle_for_long = self.idle_since?.checked_add(policy.passivate_after?)?;
        Some(self.postponed.map_or(idle_for_long, |postponed| postponed.max(idle_for_long)))
    }

    /// When a timer is due, if it stays idle: as above, or when it can be one that is too many.
    fn alarm(&self, policy: &Policy) -> Option<Time> {
        let is_limited = policy.max_active.is_some() && self.idle_since.is_some();
        let postponed = self.postponed.filter(|_| is_limited);
        self.deadline(policy).into_iter().chain(postponed).min()
    }
}

/// Time.
impl<P> Machine<P> {
    /// Reports that an agent became idle at `now`. Ignored if it is busy, or not in the
    /// directory, or if its type is never passivated.
    pub fn rest(&mut self, slot: AgentSlot, now: Time) {
        let Ok(agent) = self.directory.agent_mut(slot) else { return };
        let policy = policy_of(&self.policies, agent.agent_type);
        if !policy.passivates() || agent.is_permanent || !agent.is_idle() {
            return;
        }
        agent.idle_since = Some(now);
        agent.postponed.take_if(|postponed| *postponed <= now);
        // A timer that is set already and is too early is moved when it is due. So an agent that
        // is busy again and again does not change the timers each time.
        if let Some(alarm) = agent.alarm(policy)
            && agent.timer.is_none_or(|(time, _)| alarm < time)
        {
            self.timers.set(slot, agent, alarm);
        }
        self.rank(slot);
    }

    /// Passivates the agents that have been idle for long enough: see [`Step::Passivate`]. Returns
    /// when to call next. The policy at `now` counts.
    pub fn advance(&mut self, now: Time) -> Option<Time> {
        while let Some(entry) = self.timers.slots.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let slot = entry.remove();
            let Ok(agent) = self.directory.agent_mut(slot) else { continue };
            agent.timer = None;
            let was_postponed = agent.postponed.take_if(|postponed| *postponed <= now).is_some();
            // The agent may have been busy since the timer was set: then it is idle for a shorter
            // time now, or busy, and a busy agent has no deadline.
            let policy = policy_of(&self.policies, agent.agent_type);
            if agent.deadline(policy).is_some_and(|deadline| deadline <= now) {
                self.begin_passivation(slot);
                continue;
            }
            if let Some(alarm) = agent.alarm(policy) {
                self.timers.set(slot, agent, alarm);
            }
            if was_postponed {
                self.rank(slot);
            }
        }
        self.next_wake()
    }

    /// When to call [`Machine::advance`] next; `None` if no agent is idle.
    #[must_use]
    pub fn next_wake(&self) -> Option<Time> {
        self.timers.slots.first_key_value().map(|(timer, _)| timer.0)
    }

    /// Whether an agent rests, for a report that does not change what the agent does.
    pub(super) fn rests(&self, slot: AgentSlot) -> bool {
        self.directory
            .agent(slot)
            .is_ok_and(|agent| agent.rests(policy_of(&self.policies, agent.agent_type)))
    }
}

/// Passivation, from the decision to the last report.
impl<P> Machine<P> {
    /// An idle agent is to be saved and closed. What arrives from now on waits.
    pub(super) fn begin_passivation(&mut self, slot: AgentSlot) {
        let Ok(agent) = self.directory.agent_mut(slot) else { return };
        debug_assert!(agent.is_idle(), "busy agents are not passivated");
        agent.stage = Stage::Passivating;
        agent.due = 1;
        (agent.idle_since, agent.postponed) = (None, None);
        self.timers.remove(agent);
        let agent_type = agent.agent_type;
        self.unrank(slot);
        self.steps.push_back(Step::Passivate(slot));
        self.uncount_awake(agent_type);
    }

    /// Reports that a passivated agent is closed. Without waiting deliveries it leaves the
    /// directory. Otherwise the driver builds it again, and the result is `true`: there is no step,
    /// report [`Machine::built`] or [`Machine::build_failed`].
    ///
    /// # Errors
    ///
    /// [`CoreError::AgentMissing`], or [`CoreError::WrongStage`] if it is not being passivated.
    pub fn passivated(&mut self, slot: AgentSlot) -> Result<bool, CoreError> {
        let agent = passivating(self.directory.agent_mut(slot)?)?;
        if agent.mailbox.is_empty() {
            self.directory.leave(slot);
            return Ok(false);
        }
        agent.stage = Stage::Building;
        let agent_type = agent.agent_type;
        self.wake(agent_type);
        Ok(true)
    }

    /// Reports that an agent could not be passivated: it handles messages again, and is not
    /// passivated before `postponed`. Returns whether it rests: see
    /// [`Finished::rests`](super::Finished::rests).
    ///
    /// # Errors
    ///
    /// [`CoreError::AgentMissing`], or [`CoreError::WrongStage`] if it is not being passivated.
    pub fn stay_awake(
        &mut self,
        slot: AgentSlot,
        postponed: Option<Time>,
    ) -> Result<bool, CoreError> {
        let agent = passivating(self.directory.agent_mut(slot)?)?;
        agent.stage = Stage::Ready;
        agent.running = 0;
        agent.postponed = postponed;
        let policy = policy_of(&self.policies, agent.agent_type);
        self.in_mailboxes -= refill(agent, slot, policy, &mut self.ledger, &mut self.steps);
        let (agent_type, rests) = (agent.agent_type, agent.rests(policy));
        self.wake(agent_type);
        Ok(rests)
    }
}

fn passivating<P>(agent: &mut Agent<P>) -> Result<&mut Agent<P>, CoreError> {
    let is_passivating = agent.stage == Stage::Passivating && agent.running > 0;
    is_passivating.then_some(agent).ok_or(CoreError::WrongStage)
}
