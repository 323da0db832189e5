//! What can go wrong in the core, as values. Sentences for people are made where they are shown.

use thiserror::Error;

/// A request that the core refuses. Nothing has changed when one is returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CoreError {
    /// A subscription equal to this one is already there.
    #[error("subscription already exists")]
    SubscriptionExists,
    /// No subscription has this id.
    #[error("subscription does not exist")]
    SubscriptionMissing,
    /// The ticket was settled before, or never given out (L1).
    #[error("L1: the ticket is not open")]
    TicketNotOpen,
    /// The agent is not, or no longer, in the directory.
    #[error("the agent is not in the directory")]
    AgentMissing,
    /// An agent with this type and key exists or is being built.
    #[error("an agent with this id already exists")]
    AgentExists,
    /// The agent is not in the stage that the request needs (A1).
    #[error("A1: the agent is not in the stage that this needs")]
    WrongStage,
}
