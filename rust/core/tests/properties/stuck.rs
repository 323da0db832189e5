//! Deadlock detection by elimination: assume that all running deliveries are stuck, then remove
//! those that can go on until there is no more change.

use std::collections::HashSet;

use ferrogen_core::{AgentSlot, DeliveryId};

use super::model::{At, Delivery, Model};

impl Model {
    /// The running deliveries that cannot go on before `caller` does.
    pub(crate) fn stuck(&self, caller: DeliveryId) -> HashSet<DeliveryId> {
        let mut stuck: HashSet<_> = self.all(At::Running).map(|delivery| delivery.id).collect();
        loop {
            let free = stuck.iter().copied().find(|one| {
                let delivery = self.delivery(*one).expect("a running delivery");
                *one != caller && !self.is_blocked(delivery, &stuck)
            });
            let Some(free) = free else { return stuck };
            stuck.remove(&free);
        }
    }

    fn is_blocked(&self, delivery: &Delivery, stuck: &HashSet<DeliveryId>) -> bool {
        let Some(child) = delivery.awaiting.and_then(|child| self.delivery(child)) else {
            return false;
        };
        match child.at {
            At::Running => stuck.contains(&child.id),
            At::Waiting => self.is_stuck(child.slot, stuck),
            At::Due | At::Responding | At::Returned => false,
        }
    }

    /// Whether nothing that waits for the agent can start.
    pub(crate) fn is_stuck(&self, slot: AgentSlot, stuck: &HashSet<DeliveryId>) -> bool {
        let ready = self.agent(slot).is_some_and(|agent| agent.ready);
        let mut running = self.of(slot, At::Running).peekable();
        ready
            && self.of(slot, At::Due).count() == 0
            && running.peek().is_some()
            && running.all(|delivery| delivery.known && stuck.contains(&delivery.id))
    }

    /// Checks the cycle that was returned for a call from `caller` to `slot`.
    pub(crate) fn check_cycle(&self, caller: DeliveryId, slot: AgentSlot, cycle: &[AgentSlot]) {
        let from = self.delivery(caller).expect("an open caller");
        assert_eq!(cycle[..2], [from.slot, slot]);
        let (last, before) = cycle.split_last().expect("agents");
        assert!(before.contains(last), "the cycle is closed");
        for hop in cycle[1..].windows(2) {
            let calls = self.of(hop[0], At::Running).any(|delivery| {
                let child = delivery.awaiting.and_then(|child| self.delivery(child));
                child.is_some_and(|child| child.slot == hop[1])
            });
            assert!(calls, "each agent of the cycle calls the next one");
        }
        if self.reaches(slot, caller) {
            assert_eq!(*last, from.slot, "a ring through the caller ends where it began");
        }
    }

    /// Whether the caller is among what the agent waits for.
    fn reaches(&self, slot: AgentSlot, caller: DeliveryId) -> bool {
        let mut reached: Vec<_> = self.of(slot, At::Running).collect();
        let mut next = 0;
        while let Some(delivery) = reached.get(next) {
            next += 1;
            if delivery.id == caller {
                return true;
            }
            let child = delivery.awaiting.and_then(|child| self.delivery(child));
            let Some(child) = child else { continue };
            let further: Vec<_> = match child.at {
                At::Running => vec![child],
                At::Waiting => self.of(child.slot, At::Running).collect(),
                At::Due | At::Responding | At::Returned => vec![],
            };
            for one in further {
                if reached.iter().all(|other| other.id != one.id) {
                    reached.push(one);
                }
            }
        }
        false
    }
}
