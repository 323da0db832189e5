//! L1: wrong and repeated reports are refused, and nothing changes.

use ferrogen_core::SchedulingClass;
use ferrogen_core::{AgentSlot, Awaits, CoreError, DeliveryId, Outcome, Ticket};

use super::harness::{Harness, pick};
use super::model::At;

impl Harness {
    /// Makes every report about one delivery, ticket and agent that must be refused.
    pub(crate) fn report_wrongly(&mut self, number: usize) {
        let before = format!("{:?}", self.machine);
        if let Some(delivery) = pick(self.deliveries.iter().copied(), number) {
            self.report_delivery_wrongly(delivery);
        }
        if let Some(ticket) = pick(self.tickets.iter().copied(), number) {
            self.report_ticket_wrongly(ticket);
        }
        if let Some(slot) = pick(self.slots.iter().copied(), number) {
            self.report_agent_wrongly(slot);
        }
        assert_eq!(format!("{:?}", self.machine), before, "a refused call changes nothing");
    }

    fn report_delivery_wrongly(&mut self, delivery: DeliveryId) {
        let at = self.model.delivery(delivery).map(|delivery| delivery.at);
        let error = if at.is_none() { CoreError::DeliveryNotOpen } else { CoreError::WrongStage };
        if at != Some(At::Running) {
            assert_eq!(self.machine.release(delivery), Err(error));
            assert_eq!(self.machine.respond(delivery, 0), Err(error));
            self.machine.begun(delivery);
        }
        if matches!(at, None | Some(At::Waiting | At::Due)) {
            assert_eq!(self.machine.finish(delivery, Outcome::Failed), Err(error));
        }
        if at.is_none() {
            self.machine.abandon(delivery);
        }
    }

    fn report_ticket_wrongly(&mut self, ticket: Ticket) {
        let slot = pick(self.slots.iter().copied(), 0).unwrap_or_default();
        if !self.model.is_held(ticket) {
            let error = CoreError::TicketNotOpen;
            assert_eq!(self.machine.settle(ticket, Outcome::Failed), Err(error));
            assert_eq!(
                self.machine.place(slot, ticket, 0, SchedulingClass::NORMAL, Awaits::Nothing),
                Err(error)
            );
            assert_eq!(self.machine.start_delivery(slot, ticket, None), Err(error));
        }
    }

    fn report_agent_wrongly(&mut self, slot: AgentSlot) {
        let Some(agent) = self.model.agent(slot) else {
            let error = CoreError::AgentMissing;
            assert_eq!(self.machine.built(slot), Err(error));
            assert_eq!(self.machine.build_failed(slot), Err(error));
            assert_eq!(self.machine.passivated(slot), Err(error));
            assert_eq!(self.machine.stay_awake(slot, None), Err(error));
            assert_eq!(self.machine.start(slot, None), None);
            self.machine.rest(slot, self.now);
            if let Some(ticket) = self.hand.first() {
                assert_eq!(
                    self.machine.place(slot, *ticket, 0, SchedulingClass::NORMAL, Awaits::Nothing),
                    Err(error)
                );
                assert_eq!(self.machine.start_delivery(slot, *ticket, None), Ok(None));
            }
            return;
        };
        let (agent_type, key) = (self.agent_types[agent.address.0], agent.address.1.as_str());
        assert_eq!(self.machine.build(agent_type, key), Err(CoreError::AgentExists));
        assert_eq!(self.machine.begin_build(agent_type, key), Err(CoreError::AgentExists));
        assert_eq!(self.machine.enter(agent_type, key), Err(CoreError::AgentExists));
        if !agent.building {
            assert_eq!(self.machine.built(slot), Err(CoreError::WrongStage));
            assert_eq!(self.machine.build_failed(slot), Err(CoreError::WrongStage));
        }
        if !agent.passivating || !agent.step_taken {
            assert_eq!(self.machine.passivated(slot), Err(CoreError::WrongStage));
            assert_eq!(self.machine.stay_awake(slot, None), Err(CoreError::WrongStage));
        }
        if !self.model.is_idle(slot) {
            self.machine.rest(slot, self.now);
        }
    }
}
