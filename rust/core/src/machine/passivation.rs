//! Passivation of idle agents, and the only use of time in the core.

use std::collections::BTreeMap;

use super::{Machine, Step, policy_of};
use crate::directory::{Agent, AgentSlot};
use crate::policy::{Policy, Time};

/// The timers by time, then in the order of setting. An agent has at most one.
#[derive(Debug, Default)]
pub(super) struct Timers {
    slots: BTreeMap<(Time, u64), AgentSlot>,
    next: u64,
}

impl Timers {
    fn set<P>(&mut self, slot: AgentSlot, agent: &mut Agent<P>, time: Time) {
        if let Some(old) = agent.timer.take() {
            self.slots.remove(&old);
        }
        let timer = (time, self.next);
        self.next += 1;
        self.slots.insert(timer, slot);
        agent.timer = Some(timer);
    }
}

impl<P> Agent<P> {
    /// Whether it is idle, could be passivated, and was not reported as idle.
    pub(super) fn rests(&self, policy: &Policy) -> bool {
        policy.passivate_after.is_some()
            && !self.is_permanent
            && self.idle_since.is_none()
            && self.is_idle()
    }

    /// When it is to be passivated, if it stays idle.
    fn deadline(&self, policy: &Policy) -> Option<Time> {
        self.idle_since?.checked_add(policy.passivate_after?)
    }
}

/// Time.
impl<P> Machine<P> {
    /// Reports that an agent became idle at `now`. Ignored if it is busy, or not in the
    /// directory, or if its type is never passivated.
    pub fn rest(&mut self, slot: AgentSlot, now: Time) {
        let Ok(agent) = self.directory.agent_mut(slot) else { return };
        let policy = policy_of(&self.policies, agent.agent_type);
        if policy.passivate_after.is_none() || agent.is_permanent || !agent.is_idle() {
            return;
        }
        agent.idle_since = Some(now);
        // A timer that is set already and is too early is moved when it is due. So an agent that
        // is busy again and again does not change the timers each time.
        if let Some(deadline) = agent.deadline(policy)
            && agent.timer.is_none_or(|(time, _)| deadline < time)
        {
            self.timers.set(slot, agent, deadline);
        }
    }

    /// Passivates the agents that have been idle for long enough: they leave the directory, and a
    /// step is due for each. Returns when to call next. The policy at `now` counts.
    pub fn advance(&mut self, now: Time) -> Option<Time> {
        while let Some(entry) = self.timers.slots.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let slot = entry.remove();
            let Ok(agent) = self.directory.agent_mut(slot) else { continue };
            agent.timer = None;
            // The agent may have been busy since the timer was set: then it is idle for a shorter
            // time now, or busy, and a busy agent has no deadline.
            let policy = policy_of(&self.policies, agent.agent_type);
            match agent.deadline(policy) {
                Some(deadline) if deadline > now => self.timers.set(slot, agent, deadline),
                Some(_) => {
                    self.directory.leave(slot);
                    self.steps.push_back(Step::Passivate(slot));
                }
                None => {}
            }
        }
        self.next_wake()
    }

    /// Takes the [`Step::Passivate`] steps, ahead of all others: a driver that keeps something by slot removes it
    /// before the slot can be used again.
    pub fn take_passivated(&mut self) -> Vec<AgentSlot> {
        let mut passivated = Vec::new();
        self.steps.retain(|step| match step {
            Step::Passivate(slot) => {
                passivated.push(*slot);
                false
            }
            _ => true,
        });
        passivated
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
