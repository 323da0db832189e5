//! The limits of the agents of one type: concurrency, mailbox capacity, passivation.

use std::num::NonZeroUsize;
use std::time::Duration;

/// A time on the driver's clock, since an arbitrary origin. The core has no clock.
pub type Time = Duration;

/// What happens when a message arrives at a full mailbox: which one is evicted, if any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// The message that arrives.
    #[default]
    Reject,
    /// The message that arrives; a reader of the policy sees that it is dropped, not rejected.
    DropNewest,
    /// The message of the lowest priority that has waited longest.
    DropOldest,
    /// None: the new message is queued beyond the capacity, and its sender waits until there is room for it.
    Wait,
}

/// The limits of each agent of one type. By default there are none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// The maximum number of messages that an agent handles at the same time.
    pub concurrency: Option<NonZeroUsize>,
    /// Whether a call that comes back along its own chain of calls starts at once, beyond the
    /// maximum and ahead of the mailbox: its callers in the agent wait for it.
    pub reentrant: bool,
    /// The maximum number of messages in its mailbox.
    pub capacity: Option<NonZeroUsize>,
    /// What happens when the mailbox is full.
    pub overflow: Overflow,
    /// How long an agent stays idle before it is passivated; `None` is forever.
    pub passivate_after: Option<Time>,
    /// The maximum number of agents of the type that are awake. If there are more, the idle ones
    /// that were used least recently are passivated; busy ones never are.
    pub max_active: Option<NonZeroUsize>,
}

impl Policy {
    pub(crate) const UNLIMITED: Self = Self {
        concurrency: None,
        reentrant: false,
        capacity: None,
        overflow: Overflow::Reject,
        passivate_after: None,
        max_active: None,
    };

    pub(crate) fn admits(&self, busy: usize) -> bool {
        self.concurrency.is_none_or(|most| busy < most.get())
    }

    /// Whether idle agents are ever passivated.
    pub(crate) fn passivates(&self) -> bool {
        self.passivate_after.is_some() || self.max_active.is_some()
    }

    pub(crate) fn is_full(&self, waiting: usize) -> bool {
        self.capacity.is_some_and(|most| waiting >= most.get())
    }
}
