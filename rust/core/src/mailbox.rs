//! A mailbox keeps the messages of one agent that may not be started yet.

use std::collections::VecDeque;
use std::num::NonZeroUsize;

/// What gives way when a message comes to a full mailbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// The message that comes.
    #[default]
    Reject,
    /// The message that has waited longest.
    DropOldest,
}

/// How much one agent takes on. The default has no limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// The most messages that it handles at the same time.
    pub concurrency: Option<NonZeroUsize>,
    /// The most messages that wait for it.
    pub capacity: Option<NonZeroUsize>,
    /// What gives way when more come.
    pub overflow: Overflow,
}

impl Limits {
    /// Whether an agent that handles `running` messages may start another.
    #[must_use]
    pub fn admits(&self, running: usize) -> bool {
        self.concurrency.is_none_or(|most| running < most.get())
    }
}

/// The messages of one agent that wait, oldest first.
#[derive(Debug)]
pub(crate) struct Mailbox<T> {
    waiting: VecDeque<T>,
}

impl<T> Default for Mailbox<T> {
    fn default() -> Self {
        Self { waiting: VecDeque::new() }
    }
}

impl<T> Mailbox<T> {
    /// Puts a message last. Returns the one that had to give way, if any.
    pub(crate) fn put(&mut self, message: T, limits: Limits) -> Option<T> {
        let full = limits.capacity.is_some_and(|most| self.waiting.len() >= most.get());
        if !full {
            self.waiting.push_back(message);
            return None;
        }
        match limits.overflow {
            Overflow::Reject => Some(message),
            Overflow::DropOldest => {
                let oldest = self.waiting.pop_front();
                self.waiting.push_back(message);
                oldest
            }
        }
    }

    pub(crate) fn take(&mut self) -> Option<T> {
        self.waiting.pop_front()
    }

    pub(crate) fn take_all(&mut self) -> VecDeque<T> {
        std::mem::take(&mut self.waiting)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.waiting.iter()
    }
}
