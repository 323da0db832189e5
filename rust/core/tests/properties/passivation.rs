//! Passivation in the naive model: all agents are looked at, each time.

use ferrogen_core::{AgentSlot, Time};

use super::model::{Model, Work};

impl Model {
    fn can_be_passivated(&self, slot: AgentSlot) -> bool {
        let policy = self.policy(slot);
        let is_permanent = self.agent(slot).is_some_and(|agent| agent.permanent);
        (policy.passivate_after.is_some() || policy.max_active.is_some()) && !is_permanent
    }

    pub(crate) fn rest(&mut self, slot: AgentSlot, now: Time) {
        if !self.is_idle(slot) || !self.can_be_passivated(slot) {
            return;
        }
        let agent = self.agent_mut(slot);
        agent.idle_since = Some(now);
        if agent.postponed.is_some_and(|time| time <= now) {
            agent.postponed = None;
        }
        let alarm = self.alarm(slot);
        let before = self.agent_mut(slot).timer;
        if alarm.is_some_and(|alarm| before.is_none_or(|(time, _)| alarm < time)) {
            self.set_timer(slot, alarm);
        }
        self.rank(slot);
        self.evict(slot);
    }

    /// When it has been idle for long enough.
    fn deadline(&self, slot: AgentSlot) -> Option<Time> {
        let agent = self.agent(slot)?;
        let idle_for_long = agent.idle_since? + self.policy(slot).passivate_after?;
        Some(idle_for_long.max(agent.postponed.unwrap_or_default()))
    }

    fn alarm(&self, slot: AgentSlot) -> Option<Time> {
        let agent = self.agent(slot)?;
        let _idle_since = agent.idle_since?;
        let postponed = self.policy(slot).max_active.and(agent.postponed);
        match (self.deadline(slot), postponed) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }

    fn set_timer(&mut self, slot: AgentSlot, alarm: Option<Time>) {
        let number = self.timers_set;
        self.timers_set += u64::from(alarm.is_some());
        self.agent_mut(slot).timer = alarm.map(|time| (time, number));
    }

    fn rank(&mut self, slot: AgentSlot) {
        let is_limited = self.policy(slot).max_active.is_some();
        let rank = self.ranks;
        let agent = self.agent_mut(slot);
        if is_limited && agent.idle_since.is_some() && agent.postponed.is_none() {
            agent.rank = Some(rank);
            self.ranks += 1;
        }
    }

    /// The policy of a type was set.
    pub(crate) fn configured(&mut self, agent_type: usize) {
        let is_limited = self.policies[agent_type].max_active.is_some();
        let agents = self.agents.iter_mut().filter(|agent| agent.address.0 == agent_type);
        let mut idle = Vec::new();
        for agent in agents {
            agent.rank = None;
            if is_limited && agent.idle_since.is_some() {
                idle.push((agent.idle_since, agent.slot));
            }
        }
        idle.sort_unstable();
        for (_, slot) in &idle {
            self.rank(*slot);
        }
        if let Some((_, slot)) = idle.first() {
            self.evict(*slot);
        }
    }

    pub(crate) fn awake(&self, agent_type: usize) -> usize {
        let awake = self.agents.iter().filter(|agent| {
            agent.address.0 == agent_type && !agent.permanent && !agent.passivating
        });
        awake.count()
    }

    /// Passivates agents of the type of this one, as long as too many are awake.
    pub(crate) fn evict(&mut self, slot: AgentSlot) {
        let Some(agent_type) = self.agent(slot).map(|agent| agent.address.0) else { return };
        let Some(most) = self.policies[agent_type].max_active else { return };
        while self.awake(agent_type) > most.get() {
            let idle = self.agents.iter().filter(|agent| {
                agent.address.0 == agent_type && agent.rank.is_some() && self.is_idle(agent.slot)
            });
            let Some(agent) = idle.min_by_key(|agent| agent.rank) else { return };
            self.passivate(agent.slot);
        }
    }

    fn passivate(&mut self, slot: AgentSlot) {
        let agent = self.agent_mut(slot);
        (agent.ready, agent.passivating, agent.step_taken) = (false, true, false);
        (agent.idle_since, agent.rank, agent.postponed, agent.timer) = (None, None, None, None);
        self.steps.push_back(Work::Passivate(slot));
    }

    /// An agent is closed. Whether it is built again.
    pub(crate) fn passivated(&mut self, slot: AgentSlot) -> bool {
        if self.of(slot, super::model::At::Waiting).count() == 0 {
            self.agents.retain(|agent| agent.slot != slot);
            return false;
        }
        let agent = self.agent_mut(slot);
        (agent.passivating, agent.building) = (false, true);
        self.evict(slot);
        true
    }

    pub(crate) fn stay_awake(&mut self, slot: AgentSlot, postponed: Option<Time>) -> bool {
        let agent = self.agent_mut(slot);
        (agent.passivating, agent.ready, agent.postponed) = (false, true, postponed);
        self.refill(slot);
        let rests = self.rests(slot);
        self.evict(slot);
        rests
    }

    pub(crate) fn next_wake(&self) -> Option<Time> {
        self.agents.iter().filter_map(|agent| agent.timer).min().map(|(time, _)| time)
    }

    pub(crate) fn advance(&mut self, now: Time) {
        loop {
            let due = self.agents.iter().filter(|agent| agent.timer.is_some());
            let Some(agent) = due.min_by_key(|agent| agent.timer) else { return };
            if agent.timer.is_some_and(|(time, _)| time > now) {
                return;
            }
            let slot = agent.slot;
            let was_postponed = agent.postponed.is_some_and(|time| time <= now);
            let agent = self.agent_mut(slot);
            agent.timer = None;
            if was_postponed {
                agent.postponed = None;
            }
            if self.deadline(slot).is_some_and(|deadline| deadline <= now) {
                self.passivate(slot);
                continue;
            }
            self.set_timer(slot, self.alarm(slot));
            if was_postponed {
                self.rank(slot);
                self.evict(slot);
            }
        }
    }
}
