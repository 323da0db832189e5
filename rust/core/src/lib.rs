//! The scheduling core of Ferrogen, without Python, without callbacks and without a clock.
//!
//! A driver submits messages, takes the steps that are due and reports their results. All state
//! between these calls is kept here, so that it can be tested without an interpreter:
//!
//! - [`names`]: agent types, interned as small integers.
//! - [`routes`]: the agent types that subscribe to a topic, in their order.
//! - [`policy`]: the limits of the agents of one type.
//! - [`queue`]: the order of queued messages: priorities, ageing, fairness.
//! - [`ledger`]: every accepted message is settled exactly once (L1), and idleness (L2).
//! - [`histogram`], [`statistics`]: counts and times of deliveries by agent type.
//! - [`directory`]: the agents that exist or are being built (A1).
//! - [`machine`]: the step machine, which uses the modules before it.
//! - [`error`]: the reasons why a call is refused.
//!
//! `ARCHITECTURE.md` states the invariants L1, L2, R1, O1 and A1.

pub mod directory;
pub mod error;
pub mod histogram;
pub mod ledger;
pub mod machine;
pub mod names;
pub mod policy;
pub mod queue;
pub mod routes;
pub mod statistics;
mod wildcards;

pub use directory::{AgentSlot, Stage};
pub use error::CoreError;
pub use histogram::Histogram;
pub use ledger::{DeliveryId, Outcome, Tally, Ticket};
pub use machine::{Arrival, Awaits, Finished, Load, Machine, Placement, Step, Undelivered};
pub use names::{Names, Symbol};
pub use policy::{Overflow, Policy, Time};
pub use queue::{Priority, Queue, SchedulingClass};
pub use routes::{Hit, Removed, RouteId, Routes, Rule};
pub use statistics::{Ends, Statistics, Ticks, TypeCounts, TypeTimes, Unrouted};
