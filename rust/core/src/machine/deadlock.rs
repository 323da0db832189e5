//! Deadlock detection: a call that cannot start before its own caller ends.
//!
//! A running delivery is stuck if it waits for a delivery that is stuck, or that waits in the
//! mailbox of an agent whose running deliveries are all stuck. The caller of the new delivery is
//! stuck by assumption. So the search follows everything that must end first; a deadlock is a
//! search that finds nothing that can go on by itself.

use hashbrown::HashSet;

use super::Machine;
use crate::directory::AgentSlot;
use crate::ledger::{DeliveryId, DeliveryStage};

/// How many of several deliveries are tried.
const MOST_TRIED: usize = 16;

impl<P> Machine<P> {
    /// Whether a delivery from `caller` to an agent that cannot start it now never starts. Returns
    /// the agents of the cycle, as in [`Placement::Deadlock`](super::Placement::Deadlock).
    pub(super) fn deadlock(&self, slot: AgentSlot, caller: DeliveryId) -> Option<Vec<AgentSlot>> {
        // One that waits for several ends when all have ended: it is stuck if one of them is.
        let most = self.ledger.joined.values().map(Vec::len).max().unwrap_or(0);
        (0..=most.min(MOST_TRIED)).find_map(|tried| self.search(slot, caller, tried))
    }

    /// The same, where each delivery that waits for several is looked at as waiting for one: the newest, or one of
    /// the others.
    fn search(&self, slot: AgentSlot, caller: DeliveryId, tried: usize) -> Option<Vec<AgentSlot>> {
        let sender = self.agent_of(caller)?;
        let first = self.directory.agent(slot).ok()?.occupants()?;
        // The usual case, without allocation: a handler of the recipient waits for nothing.
        if first.iter().any(|one| *one != caller && self.blockers(*one, tried).is_none()) {
            return None;
        }
        // Each delivery that must end, with the index of the one that waits for it.
        let mut found: Vec<(DeliveryId, Option<usize>)> = Vec::new();
        let mut seen = HashSet::new();
        let mut ring = None;
        let mut next = 0;
        let mut blockers = first;
        let mut parent = None;
        loop {
            for blocker in blockers {
                if seen.insert(*blocker) {
                    found.push((*blocker, parent));
                }
            }
            let Some((delivery, _)) = found.get(next) else { break };
            parent = Some(next);
            next += 1;
            if *delivery == caller {
                ring = parent;
                blockers = &[];
            } else {
                blockers = self.blockers(*delivery, tried)?;
            }
        }
        let mut cycle = vec![sender];
        if let Some(end) = ring {
            let path = std::iter::successors(Some(end), |index| found[*index].1);
            cycle.extend(path.filter_map(|index| self.agent_of(found[index].0)));
            cycle[1..].reverse();
        } else {
            self.follow(first, &mut cycle, tried);
        }
        Some(cycle)
    }

    /// Appends the agents of a cycle that does not contain the caller: from the recipient to the
    /// first delivery that is met again.
    fn follow(&self, first: &[DeliveryId], cycle: &mut Vec<AgentSlot>, tried: usize) {
        let mut seen = HashSet::new();
        let mut next = first.first();
        while let Some(delivery) = next {
            cycle.extend(self.agent_of(*delivery));
            if !seen.insert(*delivery) {
                break;
            }
            next = self.blockers(*delivery, tried).and_then(<[_]>::first);
        }
    }

    /// The deliveries that a running delivery waits for, directly or for their place in an agent;
    /// `None` if it can go on without them.
    fn blockers(&self, delivery: DeliveryId, tried: usize) -> Option<&[DeliveryId]> {
        let newest = self.ledger.deliveries.get(delivery)?.awaiting.as_slice();
        let others = self.ledger.joined.get(delivery).map_or(&[][..], Vec::as_slice);
        let other = tried.checked_sub(1).and_then(|index| others.get(index));
        let awaiting = other.map_or(newest, std::slice::from_ref);
        let child = self.ledger.deliveries.get(*awaiting.first()?)?;
        match child.stage {
            DeliveryStage::Running => Some(awaiting),
            DeliveryStage::Waiting => self.directory.agent(child.agent).ok()?.occupants(),
            DeliveryStage::Due | DeliveryStage::Responding | DeliveryStage::Returned => None,
        }
    }
}
