//! Errors of the core. The binding turns them into exceptions with full messages.

use thiserror::Error;

/// Why the core refused a call. Nothing has changed when one is returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CoreError {
    /// An equal subscription exists.
    #[error("the subscription already exists")]
    SubscriptionExists,
    /// No subscription has this id.
    #[error("the subscription does not exist")]
    SubscriptionMissing,
    /// The hold of the ticket has ended, or the ticket was never issued (L1).
    #[error("L1: the ticket is not open")]
    TicketNotOpen,
    /// The delivery has finished, or it never existed (L1).
    #[error("L1: the delivery is not open")]
    DeliveryNotOpen,
    /// The agent is not, or no longer, in the directory.
    #[error("the agent is not in the directory")]
    AgentMissing,
    /// An agent with this type and key exists or is being built.
    #[error("an agent with this id already exists")]
    AgentExists,
    /// The agent or the delivery is not in the stage that the call requires.
    #[error("the agent or the delivery is not in the required stage")]
    WrongStage,
}
