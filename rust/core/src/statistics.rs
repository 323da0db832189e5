//! Statistics of deliveries by agent type: counts, waiting times and handling times.
//!
//! A message that was sent is counted for the type of its recipient as soon as it is accepted. A
//! message that was published is counted once, for no type, until it is routed, and then once for
//! each recipient. For each type it holds at any time that
//! `accepted = queued + running + handled + failed + cancelled + expired + dropped`.
//!
//! There is no clock here: [`Statistics::now`] is set by the driver.

use crate::histogram::Histogram;
use crate::ledger::Outcome;
use crate::names::Symbol;

/// A time on the driver's clock in a unit of the driver's choice, since an arbitrary origin.
pub type Ticks = u64;

/// The counts of how deliveries have ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// The handler returned.
    pub handled: u64,
    /// The handler, an intervention handler or the agent factory raised.
    pub failed: u64,
    /// The handler was cancelled.
    pub cancelled: u64,
    /// The deadline passed.
    pub expired: u64,
    /// No handler was called, for any other reason.
    pub dropped: u64,
}

impl Ends {
    #[inline(always)]
    fn count(&mut self, outcome: Outcome) {
        *match outcome {
            Outcome::Handled | Outcome::Responded => &mut self.handled,
            Outcome::Failed => &mut self.failed,
            Outcome::Cancelled => &mut self.cancelled,
            Outcome::Expired => &mut self.expired,
            Outcome::Dropped | Outcome::DeadLettered => &mut self.dropped,
        } += 1;
    }

    /// The number of all ends.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.handled + self.failed + self.cancelled + self.expired + self.dropped
    }
}

/// The counts of one agent type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TypeCounts {
    /// Deliveries that ended, or are queued, or run.
    pub accepted: u64,
    /// Deliveries whose handlers have begun.
    pub started: u64,
    /// How deliveries have ended.
    pub ends: Ends,
    /// Those of them whose handlers had not begun.
    pub ended_in_queue: u64,
    /// The calls of a handler after the first one for the same delivery.
    pub retried: u64,
    /// The instances that replaced failed ones.
    pub restarted: u64,
}

/// The times of one agent type.
#[derive(Clone, Debug, Default)]
pub struct TypeTimes {
    /// From acceptance to the beginning of the handler.
    pub waiting: Histogram,
    /// From the beginning to the end of the handler.
    pub handling: Histogram,
}

impl TypeCounts {
    /// Deliveries whose handlers have not begun.
    #[must_use]
    pub fn queued(&self) -> u64 {
        self.accepted - self.started - self.ended_in_queue
    }

    /// Deliveries whose handlers have begun and not ended.
    #[must_use]
    pub fn running(&self) -> u64 {
        self.started + self.ended_in_queue - self.ends.total()
    }
}

/// Messages that have no recipient.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unrouted {
    /// Published messages that are not routed yet.
    pub queued: u64,
    /// How published messages have ended that had no recipient.
    pub ends: Ends,
}

/// What a message is counted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counted {
    /// It is not routed.
    Unrouted,
    /// It was sent to an agent of this type, and has no delivery yet.
    Sent(Symbol),
    /// Its deliveries are counted.
    Routed,
}

/// The statistics of one agent type.
#[derive(Debug, Default)]
struct OfType {
    counts: TypeCounts,
    /// A waiting time of 0 is not recorded, and follows from the counts. `None` if it is not tracked.
    times: Option<Box<TypeTimes>>,
}

/// The statistics of one runtime.
#[derive(Debug, Default)]
pub struct Statistics {
    /// By agent type; those of which none is tracked stay at 0.
    types: Vec<OfType>,
    /// Messages without a recipient.
    pub(crate) unrouted: Unrouted,
    /// The time of the reports that follow.
    pub(crate) now: Ticks,
    /// Whether waiting and handling times are recorded.
    pub(crate) is_timed: bool,
}

impl Statistics {
    /// Makes the statistics of a type if there are none. Returns whether it did: from then on, the
    /// symbol of the type must not be released.
    pub(crate) fn track(&mut self, agent_type: Symbol) -> bool {
        let index = agent_type.index();
        if self.types.len() <= index {
            self.types.resize_with(index + 1, OfType::default);
        }
        let times = &mut self.types[index].times;
        let is_new = times.is_none();
        times.get_or_insert_default();
        is_new
    }

    /// The counts of a type that is tracked.
    #[inline(always)]
    pub(crate) fn of(&mut self, agent_type: Symbol) -> &mut TypeCounts {
        &mut self.types[agent_type.index()].counts
    }

    /// The types that have statistics, by the index of their symbol.
    pub(crate) fn types(&self) -> impl Iterator<Item = (usize, TypeCounts, TypeTimes)> {
        self.types.iter().enumerate().filter_map(|(index, OfType { counts, times })| {
            let mut times = TypeTimes::clone(times.as_deref()?);
            if self.is_timed {
                times.waiting.record_zeros(counts.started - times.waiting.count());
            }
            Some((index, *counts, times))
        })
    }

    // Messages.

    /// A message is for agents of one type.
    pub(crate) fn address(&mut self, counted: &mut Counted, agent_type: Symbol) {
        if *counted == Counted::Unrouted {
            self.unrouted.queued -= 1;
            self.of(agent_type).accepted += 1;
            *counted = Counted::Sent(agent_type);
        }
    }

    /// A message gets a delivery, which is counted from here on.
    #[inline(always)]
    pub(crate) fn route(&mut self, counted: &mut Counted) {
        match std::mem::replace(counted, Counted::Routed) {
            Counted::Unrouted => self.unrouted.queued -= 1,
            Counted::Sent(agent_type) => self.of(agent_type).accepted -= 1,
            Counted::Routed => {}
        }
    }

    /// No delivery of a message will be opened any more.
    #[inline(always)]
    pub(crate) fn end_routing(&mut self, counted: Counted, outcome: Outcome) {
        match counted {
            Counted::Unrouted => {
                self.unrouted.queued -= 1;
                // It was not handled if its sender is its only recipient.
                if !matches!(outcome, Outcome::Handled | Outcome::Responded) {
                    self.unrouted.ends.count(outcome);
                }
            }
            Counted::Sent(agent_type) => {
                let one = self.of(agent_type);
                one.ends.count(outcome);
                one.ended_in_queue += 1;
            }
            Counted::Routed => {}
        }
    }

    // Deliveries.

    /// A handler begins whose message was queued, and which is counted as `accepted` more deliveries. Returns the
    /// time.
    #[inline(always)]
    pub(crate) fn start(&mut self, agent_type: Symbol, since: Ticks, accepted: u64) -> Ticks {
        let now = self.now;
        let OfType { counts, times } = &mut self.types[agent_type.index()];
        counts.accepted += accepted;
        counts.started += 1;
        if self.is_timed
            && let Some(times) = times
        {
            times.waiting.record(now.saturating_sub(since));
        }
        now
    }

    /// A handler has ended.
    #[inline(always)]
    pub(crate) fn end(&mut self, agent_type: Symbol, since: Ticks, outcome: Outcome) {
        let OfType { counts, times } = &mut self.types[agent_type.index()];
        counts.ends.count(outcome);
        if self.is_timed
            && let Some(times) = times
        {
            times.handling.record(self.now.saturating_sub(since));
        }
    }

    /// A delivery has ended whose handler had not begun.
    #[cold]
    pub(crate) fn end_in_queue(&mut self, agent_type: Symbol, outcome: Outcome) {
        let one = self.of(agent_type);
        one.ends.count(outcome);
        one.ended_in_queue += 1;
    }
}
