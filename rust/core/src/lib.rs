//! The deciding half of Ferrogen. It knows nothing of Python and calls nobody back.
//!
//! A driver submits messages, asks what to do next and reports what came of it; everything in
//! between is bookkeeping that this crate owns, so that it can be tested without an interpreter:
//!
//! - [`names`]: agent types, interned once to small integers.
//! - [`routes`]: which agent types hear a topic, and in which order.
//! - [`ledger`]: every accepted message is settled exactly once (L1), and what is idle (L2).
//! - [`mailbox`]: how many messages one agent may handle and keep waiting.
//! - [`directory`]: which agents exist, are being built, or are busy (A1).
//! - [`machine`]: the step machine over the four above.
//! - [`error`]: everything that can go wrong here, as values.
//!
//! The invariants that the names L1, L2, R1, O1 and A1 stand for are stated in `ARCHITECTURE.md`.

pub mod directory;
pub mod error;
pub mod ledger;
pub mod machine;
pub mod mailbox;
pub mod names;
pub mod routes;

pub use directory::{AgentSlot, Stage};
pub use error::CoreError;
pub use ledger::{Ledger, Outcome, Tally, Ticket};
pub use machine::{Arrival, Machine, Refused, Step, Undelivered};
pub use mailbox::{Limits, Overflow};
pub use names::{Names, Symbol};
pub use routes::{Hit, RouteId, Routes, Rule};
