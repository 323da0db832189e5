//! The number of agents of a type that are awake, and which of them is passivated next.

use std::collections::BTreeMap;

use super::{Machine, policy_of};
use crate::directory::{Agent, AgentSlot};
use crate::names::Symbol;

/// The agents of one type that are awake: in the directory, and not being passivated.
#[derive(Debug, Default)]
pub(super) struct Awake {
    /// Without those that are never passivated.
    count: usize,
    /// The idle ones, the least recently used one first. Some have become busy since.
    idle: BTreeMap<u64, AgentSlot>,
    next: u64,
}

impl Awake {
    fn rank<P>(&mut self, slot: AgentSlot, agent: &mut Agent<P>) {
        if let Some(before) = agent.rank.replace(self.next) {
            self.idle.remove(&before);
        }
        self.idle.insert(self.next, slot);
        self.next += 1;
    }
}

impl<P> Agent<P> {
    /// Whether it can be passivated at once.
    fn is_evictable(&self) -> bool {
        self.idle_since.is_some() && self.postponed.is_none() && self.is_idle()
    }
}

/// Eviction.
impl<P> Machine<P> {
    fn awake(&mut self, agent_type: Symbol) -> &mut Awake {
        if self.awake.len() <= agent_type.index() {
            self.awake.resize_with(agent_type.index() + 1, Awake::default);
        }
        &mut self.awake[agent_type.index()]
    }

    /// One more agent of a type is awake.
    pub(super) fn wake(&mut self, agent_type: Symbol) {
        self.awake(agent_type).count += 1;
        self.evict(agent_type);
    }

    /// One agent less of a type is awake.
    pub(super) fn uncount_awake(&mut self, agent_type: Symbol) {
        self.awake(agent_type).count -= 1;
    }

    /// An agent that is awake leaves the directory.
    pub(super) fn leave(&mut self, slot: AgentSlot, agent_type: Symbol) {
        self.directory.leave(slot);
        self.uncount_awake(agent_type);
    }

    /// An idle agent was used more recently than all others of its type.
    pub(super) fn rank(&mut self, slot: AgentSlot) {
        let Ok(agent) = self.directory.agent_mut(slot) else { return };
        let agent_type = agent.agent_type;
        if policy_of(&self.policies, agent_type).max_active.is_none() || !agent.is_evictable() {
            return;
        }
        // It has been awake since it was built, and so the entry exists.
        if let Some(awake) = self.awake.get_mut(agent_type.index()) {
            awake.rank(slot, agent);
        }
        self.evict(agent_type);
    }

    /// An agent is not one of the idle ones any more.
    pub(super) fn unrank(&mut self, slot: AgentSlot) {
        let Ok(agent) = self.directory.agent_mut(slot) else { return };
        if let Some(rank) = agent.rank.take()
            && let Some(awake) = self.awake.get_mut(agent.agent_type.index())
        {
            awake.idle.remove(&rank);
        }
    }

    /// The policy of a type was set: its idle agents are ranked by the time since which they are
    /// idle, and those that are too many are passivated.
    pub(super) fn rank_anew(&mut self, agent_type: Symbol) {
        let is_limited = policy_of(&self.policies, agent_type).max_active.is_some();
        let Some(awake) = self.awake.get_mut(agent_type.index()) else { return };
        if !is_limited && awake.idle.is_empty() {
            return;
        }
        awake.idle.clear();
        let mut idle = Vec::new();
        for (slot, agent) in self.directory.entries_mut() {
            if agent.agent_type == agent_type {
                agent.rank = None;
                if is_limited && agent.is_evictable() {
                    idle.push((agent.idle_since, slot));
                }
            }
        }
        idle.sort_unstable();
        for (_, slot) in idle {
            if let Ok(agent) = self.directory.agent_mut(slot) {
                awake.rank(slot, agent);
            }
        }
        self.evict(agent_type);
    }

    /// Passivates the least recently used idle agents of a type, if too many are awake.
    fn evict(&mut self, agent_type: Symbol) {
        let Some(most) = policy_of(&self.policies, agent_type).max_active else { return };
        loop {
            let awake = self.awake(agent_type);
            if awake.count <= most.get() {
                return;
            }
            let Some((_, slot)) = awake.idle.pop_first() else { return };
            let Ok(agent) = self.directory.agent_mut(slot) else { continue };
            agent.rank = None;
            if agent.is_evictable() {
                self.begin_passivation(slot);
            }
        }
    }
}
