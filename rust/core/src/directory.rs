//! The directory of agents: which exist, which are being built, what each of them does.
//!
//! It holds no instance, only a slot; the driver keeps the instance beside it.

use std::collections::VecDeque;
use std::sync::Arc;

use hashbrown::{Equivalent, HashMap};
use slotmap::{SlotMap, new_key_type};

use crate::error::CoreError;
use crate::ledger::{DeliveryId, Ledger};
use crate::names::Symbol;
use crate::policy::{Policy, Time};
use crate::queue::Queue;

new_key_type! {
    /// One agent, for as long as it is in the directory. A later agent with the same type and key
    /// has another slot.
    pub struct AgentSlot;
}

/// The stages of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The driver builds it; its messages wait (A1).
    Building,
    /// It can handle messages.
    Ready,
    /// The driver saves and closes it; its messages wait for its successor.
    Passivating,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Name {
    agent_type: Symbol,
    key: Arc<str>,
}

/// A [`Name`] with a borrowed key, so that a look-up copies nothing.
#[derive(Hash)]
struct Address<'a> {
    agent_type: Symbol,
    key: &'a str,
}

impl Equivalent<Name> for Address<'_> {
    fn equivalent(&self, name: &Name) -> bool {
        self.agent_type == name.agent_type && *self.key == *name.key
    }
}

#[derive(Debug)]
#[expect(clippy::struct_field_names, reason = "an agent type is not the type of this struct")]
pub(crate) struct Agent<P> {
    pub(crate) agent_type: Symbol,
    key: Arc<str>,
    pub(crate) stage: Stage,
    /// Whether it was not built, so that it could not be built again: it is never passivated.
    pub(crate) is_permanent: bool,
    /// Steps of this agent that the driver has not taken.
    pub(crate) due: usize,
    /// Steps of this agent that the driver has taken and not reported on.
    pub(crate) running: usize,
    /// The running deliveries that started while the policy limited the concurrency.
    pub(crate) listed: Vec<DeliveryId>,
    /// The deliveries that wait.
    pub(crate) mailbox: Queue<(DeliveryId, P)>,
    /// The waiting deliveries for which there is no room in the mailbox, if there are any.
    pub(crate) blocked: Option<Box<Blocked>>,
    /// When it became idle, if that was reported and it has been idle since.
    pub(crate) idle_since: Option<Time>,
    /// The key of its timer.
    pub(crate) timer: Option<(Time, u64)>,
    /// Its place among the idle agents of its type, of which the least recently used one is first.
    /// Of a busy agent it is outdated.
    pub(crate) rank: Option<u64>,
    /// Until when it is not passivated, because that has failed.
    pub(crate) postponed: Option<Time>,
}

/// Deliveries that are queued beyond the capacity of a mailbox, in the order of their arrival.
#[derive(Debug, Default)]
pub(crate) struct Blocked {
    /// Some of them may have left the queue.
    ids: VecDeque<DeliveryId>,
    /// How many have not.
    count: usize,
}

impl<P> Agent<P> {
    /// How many deliveries are queued within the capacity.
    pub(crate) fn admitted(&self) -> usize {
        self.mailbox.len() - self.blocked.as_ref().map_or(0, |blocked| blocked.count)
    }

    /// Queues a delivery beyond the capacity.
    pub(crate) fn block(&mut self, delivery: DeliveryId) {
        let blocked = self.blocked.get_or_insert_default();
        blocked.ids.push_back(delivery);
        blocked.count += 1;
    }

    /// A blocked delivery has left the queue, or there is room for it.
    pub(crate) fn unblock(&mut self) {
        if let Some(blocked) = &mut self.blocked {
            blocked.count -= 1;
            if blocked.count == 0 {
                self.blocked = None;
            }
        }
    }

    /// The blocked delivery for which there is room now, if there is one.
    pub(crate) fn admit(&mut self, policy: &Policy, ledger: &Ledger) -> Option<DeliveryId> {
        if policy.is_full(self.admitted()) {
            return None;
        }
        let blocked = self.blocked.as_mut()?;
        let ids = std::iter::from_fn(|| blocked.ids.pop_front());
        let admitted = ids.into_iter().find(|id| ledger.is_blocked(*id))?;
        self.unblock();
        Some(admitted)
    }

    /// Whether a delivery that arrives now can start.
    pub(crate) fn can_start(&self, policy: &Policy) -> bool {
        self.stage == Stage::Ready
            && self.mailbox.is_empty()
            && policy.admits(self.due + self.running)
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.stage == Stage::Ready && self.due + self.running == 0 && self.mailbox.is_empty()
    }

    /// The running deliveries, one of which must end before the next starts. `None` if something
    /// else can happen first, or if some of them are unknown.
    pub(crate) fn occupants(&self) -> Option<&[DeliveryId]> {
        let known = self.stage == Stage::Ready
            && self.due == 0
            && self.running > 0
            && self.running == self.listed.len();
        known.then_some(&self.listed)
    }
}

/// The agents, by type and key.
#[derive(Debug)]
pub(crate) struct Directory<P> {
    slots: HashMap<Name, AgentSlot>,
    agents: SlotMap<AgentSlot, Agent<P>>,
}

impl<P> Default for Directory<P> {
    fn default() -> Self {
        Self { slots: HashMap::new(), agents: SlotMap::with_key() }
    }
}

impl<P> Directory<P> {
    pub(crate) fn find(&self, agent_type: Symbol, key: &str) -> Option<AgentSlot> {
        self.slots.get(&Address { agent_type, key }).copied()
    }

    /// Enters an agent that does not exist yet.
    pub(crate) fn enter(
        &mut self,
        agent_type: Symbol,
        key: &str,
        stage: Stage,
    ) -> Result<AgentSlot, CoreError> {
        if self.find(agent_type, key).is_some() {
            return Err(CoreError::AgentExists);
        }
        let key: Arc<str> = key.into();
        let slot = self.agents.insert(Agent {
            agent_type,
            key: Arc::clone(&key),
            stage,
            is_permanent: stage == Stage::Ready,
            due: 0,
            running: 0,
            listed: Vec::new(),
            mailbox: Queue::default(),
            blocked: None,
            idle_since: None,
            timer: None,
            rank: None,
            postponed: None,
        });
        self.slots.insert(Name { agent_type, key }, slot);
        Ok(slot)
    }

    pub(crate) fn agent(&self, slot: AgentSlot) -> Result<&Agent<P>, CoreError> {
        self.agents.get(slot).ok_or(CoreError::AgentMissing)
    }

    pub(crate) fn agent_mut(&mut self, slot: AgentSlot) -> Result<&mut Agent<P>, CoreError> {
        self.agents.get_mut(slot).ok_or(CoreError::AgentMissing)
    }

    pub(crate) fn leave(&mut self, slot: AgentSlot) {
        if let Some(agent) = self.agents.remove(slot) {
            self.slots.remove(&Address { agent_type: agent.agent_type, key: &agent.key });
        }
    }

    pub(crate) fn agents(&self) -> impl Iterator<Item = &Agent<P>> {
        self.agents.values()
    }

    pub(crate) fn agents_mut(&mut self) -> impl Iterator<Item = &mut Agent<P>> {
        self.agents.values_mut()
    }

    pub(crate) fn entries_mut(&mut self) -> impl Iterator<Item = (AgentSlot, &mut Agent<P>)> {
        self.agents.iter_mut()
    }

    pub(crate) fn len(&self) -> usize {
        self.agents.len()
    }
}
