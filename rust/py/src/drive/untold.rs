//! Who is still to hear the message that is being handed out. No message that a handler of it sends
//! reaches them first (O1), as none would if their handlers were tasks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::prelude::*;

use super::gil_mutex::GilMutex;
use crate::agent_id::AgentId;

type Recipients = Arc<[Py<AgentId>]>;

pub(super) struct Untold {
    recipients: GilMutex<Option<Recipients>>,
    /// How many of them are left, counted from the end. Read with each message that is sent.
    left: AtomicUsize,
}

impl Untold {
    pub(super) fn nobody() -> Self {
        Self { recipients: GilMutex::new(None), left: AtomicUsize::new(0) }
    }

    /// A message begins to be handed out.
    pub(super) fn begin(&self, py: Python<'_>, recipients: &Recipients) {
        if recipients.len() > 1 {
            let before = self.recipients.with(py, |place| place.replace(recipients.clone()));
            drop(before);
        }
    }

    /// Another one is being told; so many are left.
    pub(super) fn leave(&self, left: usize) {
        self.left.store(left, Ordering::Relaxed);
    }

    /// All have been told, or are told on the plain way.
    pub(super) fn end(&self, py: Python<'_>) {
        self.leave(0);
        let recipients = self.recipients.with(py, Option::take);
        drop(recipients);
    }

    pub(super) fn contains(&self, recipient: &Bound<'_, AgentId>) -> bool {
        let left = self.left.load(Ordering::Relaxed);
        if left == 0 {
            return false;
        }
        let py = recipient.py();
        let is_it = |one: &Py<AgentId>| one.get().names_same(recipient.get(), py).unwrap_or(false);
        self.recipients.with(py, |recipients| {
            recipients.as_ref().is_some_and(|all| all[all.len() - left..].iter().any(is_it))
        })
    }
}
