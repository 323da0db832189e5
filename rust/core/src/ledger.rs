//! The ledger knows every accepted message until it is settled; it never sees the message.
//!
//! A message may spread into several deliveries. Each is a *piece* of its ticket, and the ticket
//! is settled when its last piece ends. Nothing else decides what idle means (L2).

use slotmap::{SlotMap, new_key_type};

use crate::error::CoreError;

new_key_type! {
    /// The proof that a message was accepted, good until the message is settled.
    pub struct Ticket;
}

/// How a message, or one delivery of it, ended. The order is by gravity: a message that spread
/// into several deliveries ends as the gravest of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// All its handlers ran to their end (or nobody listens to its topic).
    Handled,
    /// Its handler's answer reached the sender, or the sender no longer waits for it.
    Answered,
    /// An intervention handler dropped it.
    Dropped,
    /// A handler, an intervention handler or the building of the agent raised.
    Failed,
    /// It could not be delivered: no such agent type, a full mailbox, or the runtime stopped.
    DeadLettered,
}

/// How many messages have ended in each way since the ledger was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages accepted, settled or not.
    pub accepted: u64,
    /// See [`Outcome::Handled`].
    pub handled: u64,
    /// See [`Outcome::Answered`].
    pub answered: u64,
    /// See [`Outcome::Dropped`].
    pub dropped: u64,
    /// See [`Outcome::Failed`].
    pub failed: u64,
    /// See [`Outcome::DeadLettered`].
    pub dead_lettered: u64,
}

impl Tally {
    /// How many messages were settled, in whatever way.
    #[must_use]
    pub fn settled(&self) -> u64 {
        self.handled + self.answered + self.dropped + self.failed + self.dead_lettered
    }

    fn count(&mut self, outcome: Outcome) {
        *match outcome {
            Outcome::Handled => &mut self.handled,
            Outcome::Answered => &mut self.answered,
            Outcome::Dropped => &mut self.dropped,
            Outcome::Failed => &mut self.failed,
            Outcome::DeadLettered => &mut self.dead_lettered,
        } += 1;
    }
}

#[derive(Debug)]
struct Entry {
    /// Pieces that have not ended. Never zero: the last one takes the entry with it.
    pieces: usize,
    gravest: Outcome,
}

/// The book of open tickets.
#[derive(Debug, Default)]
pub struct Ledger {
    open: SlotMap<Ticket, Entry>,
    tally: Tally,
}

impl Ledger {
    /// Accepts a message: one piece, open.
    pub fn accept(&mut self) -> Ticket {
        self.tally.accepted += 1;
        self.open.insert(Entry { pieces: 1, gravest: Outcome::Handled })
    }

    /// Spreads a message's one piece into `pieces`; with none, the message is settled as handled.
    ///
    /// # Errors
    ///
    /// [`CoreError::TicketNotOpen`] for a ticket that is settled already (L1).
    pub fn spread(&mut self, ticket: Ticket, pieces: usize) -> Result<(), CoreError> {
        let entry = self.open.get_mut(ticket).ok_or(CoreError::TicketNotOpen)?;
        if pieces == 0 {
            return self.end(ticket, Outcome::Handled).map(|_| ());
        }
        entry.pieces += pieces - 1;
        Ok(())
    }

    /// Ends one piece. Returns the outcome of the whole message if it was the last.
    ///
    /// # Errors
    ///
    /// [`CoreError::TicketNotOpen`] for a ticket that is settled already (L1).
    pub fn end(&mut self, ticket: Ticket, outcome: Outcome) -> Result<Option<Outcome>, CoreError> {
        let entry = self.open.get_mut(ticket).ok_or(CoreError::TicketNotOpen)?;
        entry.gravest = entry.gravest.max(outcome);
        entry.pieces -= 1;
        if entry.pieces > 0 {
            return Ok(None);
        }
        let settled = entry.gravest;
        self.open.remove(ticket);
        self.tally.count(settled);
        Ok(Some(settled))
    }

    /// Whether the ticket is still open.
    #[must_use]
    pub fn is_open(&self, ticket: Ticket) -> bool {
        self.open.contains_key(ticket)
    }

    /// Whether every accepted message is settled (L2).
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.open.is_empty()
    }

    /// How many messages are accepted and not settled.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// The counts so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tally
    }
}
