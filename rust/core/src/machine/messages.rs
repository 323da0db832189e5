//! Messages: acceptance, the inbox, settlement.

use super::{Arrival, Machine, Step, Undelivered};
use crate::directory::AgentSlot;
use crate::error::CoreError;
use crate::ledger::{DeliveryId, DeliveryStage, Outcome, Ticket};
use crate::queue::SchedulingClass;

/// Messages, from acceptance to settlement.
impl<P> Machine<P> {
    /// Accepts a message into the inbox, where its class orders it. Its ticket is held until
    /// [`Machine::settle`].
    pub fn accept(&mut self, payload: P, class: SchedulingClass) -> Ticket {
        let ticket = self.hold();
        self.inbox.push(Arrival::Message(ticket, payload), class);
        ticket
    }

    /// Accepts a message that the driver processes at once, without the inbox. Its ticket is held
    /// until [`Machine::settle`].
    pub fn hold(&mut self) -> Ticket {
        self.ledger.hold()
    }

    /// Puts a message whose ticket is held into the inbox, where its class orders it.
    pub fn enqueue(&mut self, ticket: Ticket, payload: P, class: SchedulingClass) {
        self.ledger.waits_from_now(ticket);
        self.inbox.push(Arrival::Message(ticket, payload), class);
    }

    /// The next entry of the inbox; `None` while the machine is paused.
    #[must_use]
    pub fn front(&self) -> Option<&Arrival<P>> {
        if self.paused { None } else { self.inbox.front() }
    }

    /// Takes the next entry of the inbox; `None` while the machine is paused.
    pub fn take(&mut self) -> Option<Arrival<P>> {
        if self.paused { None } else { self.inbox.pop() }
    }

    /// Takes the next response, also one that is behind messages, for a driver that takes no
    /// messages: it is stopped.
    pub fn take_response(&mut self) -> Option<Arrival<P>> {
        if self.paused {
            return None;
        }
        self.inbox.remove(|arrival| matches!(arrival, Arrival::Response(..)))
    }

    /// Stops [`Machine::take`] and [`Machine::start`]: while an intervention of a taken message
    /// is suspended, no later message overtakes it (O1).
    pub fn pause(&mut self) {
        self.paused = true;
    }

    /// Ends [`Machine::pause`].
    pub fn resume(&mut self) {
        self.paused = false;
    }

    /// Whether the machine is paused.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// Ends the hold of a ticket: no further delivery of the message will be placed. Returns the
    /// outcome of the message if all its deliveries have finished.
    ///
    /// # Errors
    ///
    /// [`CoreError::TicketNotOpen`] if the hold has ended (L1).
    pub fn settle(
        &mut self,
        ticket: Ticket,
        outcome: Outcome,
    ) -> Result<Option<Outcome>, CoreError> {
        self.ledger.release(ticket, outcome)
    }

    /// Accepts a message and starts its one delivery, if nothing is ahead of it (O1): the machine
    /// is clear ([`Machine::is_clear`]), the agent is ready, its mailbox is empty and its
    /// concurrency permits. Otherwise nothing has changed.
    pub fn start(&mut self, slot: AgentSlot, caller: Option<DeliveryId>) -> Option<DeliveryId> {
        if !self.is_clear() {
            return None;
        }
        self.start_running(slot, caller, |ledger, of_type| ledger.start((slot, of_type), caller))
    }

    /// Starts a delivery of a held ticket, if nothing is ahead of it (O1): no step is due, every
    /// taken delivery has begun, the agent is ready, its mailbox is empty and its concurrency
    /// permits. Otherwise nothing has changed. Later messages, in the inbox, are not ahead of it,
    /// and a pause does not matter, because the holder of the ticket may be the cause of it.
    ///
    /// # Errors
    ///
    /// [`CoreError::TicketNotOpen`] if the ticket is not held (L1).
    pub fn start_delivery(
        &mut self,
        slot: AgentSlot,
        ticket: Ticket,
        caller: Option<DeliveryId>,
    ) -> Result<Option<DeliveryId>, CoreError> {
        self.ledger.check_held(ticket)?;
        if !self.has_begun_everything() {
            return Ok(None);
        }
        Ok(self.start_running(slot, caller, |ledger, of_type| {
            ledger.open(ticket, (slot, of_type), DeliveryStage::Running, caller)
        }))
    }

    /// Takes everything that no handler has begun, for the driver to report as undelivered: the
    /// due and waiting deliveries, in order for each agent, then the messages of the inbox in its
    /// order. Builds and passivations stay due, and responses stay in the inbox.
    pub fn drain(&mut self) -> Vec<Undelivered<P>> {
        let mut drained = Vec::with_capacity(self.steps.len() + self.waiting());
        for step in std::mem::take(&mut self.steps) {
            let Step::Deliver(slot, delivery, payload) = step else {
                self.steps.push_back(step);
                continue;
            };
            if let Ok(agent) = self.directory.agent_mut(slot) {
                agent.due -= 1;
            }
            self.ledger.set_stage(delivery, DeliveryStage::Returned);
            drained.push(Undelivered::Delivery(delivery, payload));
        }
        if self.in_mailboxes > 0 {
            for agent in self.directory.agents_mut() {
                agent.blocked = None;
                for (delivery, payload) in agent.mailbox.drain() {
                    self.ledger.unblock(delivery);
                    self.ledger.set_stage(delivery, DeliveryStage::Returned);
                    drained.push(Undelivered::Delivery(delivery, payload));
                }
            }
            self.in_mailboxes = 0;
        }
        for arrival in self.inbox.drain() {
            match arrival {
                Arrival::Message(ticket, payload) => {
                    drained.push(Undelivered::Message(ticket, payload));
                }
                response @ Arrival::Response(..) => {
                    self.inbox.push(response, SchedulingClass::NORMAL);
                }
            }
        }
        drained
    }
}
