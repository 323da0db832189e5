//! The statistics by agent type, beside those of the model.

use ferrogen_core::{Ends, Outcome, Ticket};

use super::harness::Harness;
use super::model::{At, Model};

impl Model {
    pub(crate) fn address(&mut self, ticket: Ticket, agent_type: usize) {
        let Some(number) = self.number_of(ticket) else { return };
        let message = self.messages.get_mut(&number).expect("an open message");
        if message.held && !message.routed {
            message.sent_to.get_or_insert(agent_type);
        }
    }

    /// A handler begins.
    pub(crate) fn start(&mut self, id: ferrogen_core::DeliveryId) {
        let now = self.now;
        let delivery = self.delivery_mut(id).expect("an open delivery");
        let (agent_type, since) =
            (delivery.agent_type, std::mem::replace(&mut delivery.since, now));
        self.waited[agent_type].push(now - since);
    }

    /// The handler of a delivery that was taken begins, if it had not.
    pub(crate) fn begin(&mut self, id: ferrogen_core::DeliveryId) {
        if self.delivery(id).is_some_and(|delivery| delivery.unbegun) {
            self.delivery_mut(id).expect("an open delivery").unbegun = false;
            self.start(id);
        }
    }

    pub(crate) fn end_handler(&mut self, id: ferrogen_core::DeliveryId, outcome: Outcome) {
        let delivery = self.delivery(id).expect("an open delivery");
        let is_rejected = delivery.rejected && outcome > Outcome::Responded;
        let (agent_type, since) = (delivery.agent_type, delivery.since);
        self.ended[agent_type].push(if is_rejected { Outcome::Dropped } else { outcome });
        self.handled[agent_type].push(self.now - since);
    }

    fn ends(&self, agent_type: usize) -> Ends {
        let count = |outcomes: &[Outcome]| {
            let ended = self.ended[agent_type].iter();
            ended.filter(|outcome| outcomes.contains(outcome)).count() as u64
        };
        Ends {
            handled: count(&[Outcome::Handled, Outcome::Responded]),
            failed: count(&[Outcome::Failed]),
            cancelled: count(&[Outcome::Cancelled]),
            expired: count(&[Outcome::Expired]),
            dropped: count(&[Outcome::Dropped, Outcome::DeadLettered]),
        }
    }
}

impl Harness {
    pub(crate) fn check_statistics(&self) {
        let (machine, model) = (&self.machine, &self.model);
        let unrouted = machine.unrouted();
        let mut messages = model.messages.values();
        let is_unrouted = |one: &&super::model::Message| one.held && !one.routed;
        let queued = messages.by_ref().filter(is_unrouted).filter(|one| one.sent_to.is_none());
        assert_eq!(unrouted.queued, queued.count() as u64);
        assert_eq!(unrouted.ends, model.ends(2));
        for (index, counts, times) in machine.statistics() {
            let messages = model.messages.values().filter(is_unrouted);
            let sent = messages.filter(|one| one.sent_to == Some(index)).count() as u64;
            let mut counted = [0; 2];
            for one in model.deliveries.iter().filter(|one| one.agent_type == index) {
                match one.at {
                    At::Running if !one.unbegun => counted[1] += 1,
                    At::Responding => {}
                    _ => counted[0] += 1,
                }
            }
            assert_eq!(counts.ends, model.ends(index));
            assert_eq!([counts.queued(), counts.running()], [counted[0] + sent, counted[1]]);
            let ended = counts.ends.total() + counts.queued() + counts.running();
            assert_eq!(counts.accepted, ended, "L1");
            let sums = |times: &[u64]| (times.len() as u64, times.iter().sum::<u64>());
            assert_eq!((times.waiting.count(), times.waiting.sum()), sums(&model.waited[index]));
            let handling = (times.handling.count(), times.handling.sum());
            assert_eq!(handling, sums(&model.handled[index]));
        }
    }
}
