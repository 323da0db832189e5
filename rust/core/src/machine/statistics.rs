//! Statistics: what the driver sets, and what it reads.

use super::Machine;
use crate::ledger::{DeliveryId, Ticket};
use crate::names::Symbol;
use crate::statistics::{Ticks, TypeCounts, TypeTimes, Unrouted};

/// Statistics, which change nothing else.
impl<P> Machine<P> {
    /// Whether waiting and handling times are recorded. By default they are not.
    pub fn set_timed(&mut self, is_timed: bool) {
        self.ledger.statistics.is_timed = is_timed;
    }

    /// Sets the time of all calls that follow, as far as waiting and handling times depend on it.
    #[inline]
    pub fn set_time(&mut self, now: Ticks) {
        self.ledger.statistics.now = now;
    }

    /// Makes the statistics of an agent type, if there are none. Returns whether it did: they stay,
    /// and the symbol must not be released. An agent that is entered is tracked by that.
    pub fn track(&mut self, agent_type: Symbol) -> bool {
        self.ledger.statistics.track(agent_type)
    }

    /// Reports that a message of a held ticket is for agents of one type, so that it is counted
    /// there before it has a delivery. Ignored if it has one.
    pub fn address(&mut self, ticket: Ticket, agent_type: Symbol) {
        self.ledger.statistics.track(agent_type);
        self.ledger.address(ticket, agent_type);
    }

    /// Reports that the handler of a delivery was begun only to reject the message: it is counted as
    /// dropped. Ignored if it has ended.
    pub fn reject(&mut self, delivery: DeliveryId) {
        self.ledger.reject(delivery);
    }

    /// Counts one more call of a handler for the same delivery.
    pub fn count_retry(&mut self, agent_type: Symbol) {
        self.ledger.statistics.track(agent_type);
        self.ledger.statistics.of(agent_type).retried += 1;
    }

    /// Counts an instance that replaced a failed one.
    pub fn count_restart(&mut self, agent_type: Symbol) {
        self.ledger.statistics.track(agent_type);
        self.ledger.statistics.of(agent_type).restarted += 1;
    }

    /// The agent types that have had an agent or a message: the index of the symbol, the counts, and
    /// the times.
    pub fn statistics(&self) -> impl Iterator<Item = (usize, TypeCounts, TypeTimes)> {
        self.ledger.statistics.types()
    }

    /// The messages without a recipient.
    #[must_use]
    pub fn unrouted(&self) -> Unrouted {
        self.ledger.statistics.unrouted
    }
}
