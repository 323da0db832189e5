//! The directory knows which agents exist and how far their lives have come.
//!
//! It holds no instance, only a slot: the driver keeps beside it whatever it needs. An agent that
//! nobody builds and nobody writes to leaves no trace here.

use hashbrown::{Equivalent, HashMap};
use slotmap::{SlotMap, new_key_type};

use crate::error::CoreError;
use crate::mailbox::Mailbox;
use crate::names::Symbol;

new_key_type! {
    /// One agent, for as long as it is in the directory.
    pub struct AgentSlot;
}

/// How far an agent's life has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The driver is making it; its messages wait (A1).
    Building,
    /// It is there.
    Ready,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Name {
    agent_type: Symbol,
    key: Box<str>,
}

/// A [`Name`] whose key is borrowed, so that looking one up copies nothing.
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
pub(crate) struct Agent<T> {
    pub(crate) agent_type: Symbol,
    key: Box<str>,
    pub(crate) stage: Stage,
    /// Steps of this agent that the driver has not taken.
    pub(crate) due: usize,
    /// Steps of this agent that the driver has taken and not reported on.
    pub(crate) running: usize,
    pub(crate) mailbox: Mailbox<T>,
}

/// The agents, by type and key. `T` is what their mailboxes hold.
#[derive(Debug)]
pub(crate) struct Directory<T> {
    slots: HashMap<Name, AgentSlot>,
    agents: SlotMap<AgentSlot, Agent<T>>,
}

impl<T> Default for Directory<T> {
    fn default() -> Self {
        Self { slots: HashMap::new(), agents: SlotMap::with_key() }
    }
}

impl<T> Directory<T> {
    pub(crate) fn find(&self, agent_type: Symbol, key: &str) -> Option<AgentSlot> {
        self.slots.get(&Address { agent_type, key }).copied()
    }

    /// Enters an agent that is not there yet.
    pub(crate) fn enter(
        &mut self,
        agent_type: Symbol,
        key: &str,
        stage: Stage,
    ) -> Result<AgentSlot, CoreError> {
        if self.find(agent_type, key).is_some() {
            return Err(CoreError::AgentExists);
        }
        let slot = self.agents.insert(Agent {
            agent_type,
            key: key.into(),
            stage,
            due: 0,
            running: 0,
            mailbox: Mailbox::default(),
        });
        self.slots.insert(Name { agent_type, key: key.into() }, slot);
        Ok(slot)
    }

    pub(crate) fn agent(&self, slot: AgentSlot) -> Result<&Agent<T>, CoreError> {
        self.agents.get(slot).ok_or(CoreError::AgentMissing)
    }

    pub(crate) fn agent_mut(&mut self, slot: AgentSlot) -> Result<&mut Agent<T>, CoreError> {
        self.agents.get_mut(slot).ok_or(CoreError::AgentMissing)
    }

    pub(crate) fn leave(&mut self, slot: AgentSlot) -> Option<Agent<T>> {
        let agent = self.agents.remove(slot)?;
        self.slots.remove(&Address { agent_type: agent.agent_type, key: &agent.key });
        Some(agent)
    }

    pub(crate) fn agents_mut(&mut self) -> impl Iterator<Item = &mut Agent<T>> {
        self.agents.values_mut()
    }

    /// What the mailboxes hold, in no particular order.
    pub(crate) fn parked(&self) -> impl Iterator<Item = &T> {
        self.agents.values().flat_map(|agent| agent.mailbox.iter())
    }

    pub(crate) fn len(&self) -> usize {
        self.agents.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Names;

    #[test]
    fn an_address_names_an_agent_by_both_type_and_key() {
        let mut names = Names::default();
        let (writer, critic) = (names.intern("writer"), names.intern("critic"));
        let name = Name { agent_type: writer, key: "one".into() };
        assert!(Address { agent_type: writer, key: "one" }.equivalent(&name));
        assert!(!Address { agent_type: critic, key: "one" }.equivalent(&name));
        assert!(!Address { agent_type: writer, key: "two" }.equivalent(&name));
    }
}
