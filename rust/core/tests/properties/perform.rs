//! Each command of a random program, on the machine and on the model.

use ferrogen_core::{Arrival, Awaits, Machine, Outcome, SchedulingClass};

use super::commands::Command;
use super::harness::{Harness, pick, ticks};
use super::model::At;

impl Harness {
    #[expect(clippy::too_many_lines, reason = "an arm for each command")]
    pub(crate) fn perform(&mut self, command: &Command) {
        self.machine.set_time(ticks(self.now));
        self.model.now = ticks(self.now);
        match *command {
            Command::Accept => {
                let payload = self.payload();
                let ticket = self.machine.accept(payload, SchedulingClass::NORMAL);
                self.accepted(ticket);
                self.model.inbox.push_back(Arrival::Message(ticket, payload));
            }
            Command::Hold => {
                self.hold();
            }
            Command::Address(number, agent_type) => {
                let Some(ticket) = pick(self.tickets.iter().copied(), number) else { return };
                self.machine.address(ticket, self.agent_types[agent_type]);
                self.model.address(ticket, agent_type);
            }
            Command::Take => self.take(),
            Command::Pause => {
                self.machine.pause();
                self.model.paused = true;
            }
            Command::Resume => {
                self.machine.resume();
                self.model.paused = false;
            }
            Command::Settle(number, outcome) => {
                let Some(ticket) = pick(self.hand.iter().copied(), number) else { return };
                self.settle(ticket, outcome);
            }
            Command::Start(number, caller) => {
                let Some(slot) = pick(self.slots.iter().copied(), number) else { return };
                self.start(slot, self.caller(caller));
            }
            Command::StartDelivery(number, ticket, caller) => {
                let Some(ticket) = pick(self.hand.iter().copied(), ticket) else { return };
                let Some(slot) = pick(self.slots.iter().copied(), number) else { return };
                self.start_delivery(slot, ticket, self.caller(caller));
            }
            Command::Place(number, ticket, caller) => {
                let Some(ticket) = pick(self.hand.iter().copied(), ticket) else { return };
                self.place(number, ticket, Awaits::response(self.caller(caller)));
            }
            Command::Call(number, caller) => {
                let ticket = self.hold();
                self.place(number, ticket, Awaits::response(self.caller(caller)));
                self.settle(ticket, Outcome::Handled);
            }
            Command::Publish(number, caller) => {
                let ticket = self.hold();
                let awaits = self.caller(caller).map_or(Awaits::Nothing, Awaits::Room);
                self.place(number, ticket, awaits);
                self.settle(ticket, Outcome::Handled);
            }
            Command::Withdraw(number) => {
                let blocked = self.model.deliveries.iter().filter(|one| one.blocked);
                let blocked: Vec<_> = blocked.map(|one| one.id).collect();
                // Sometimes one that is not blocked.
                let all = if number % 4 == 0 { &self.deliveries } else { &blocked };
                let Some(delivery) = pick(all.iter().copied(), number / 4) else { return };
                let expected = self.model.withdraw(delivery);
                assert_eq!(self.machine.withdraw(delivery), expected);
            }
            Command::Step => {
                self.step();
            }
            Command::Begun(number) => {
                let Some(delivery) = pick(self.deliveries.iter().copied(), number) else { return };
                self.begun(delivery);
            }
            Command::Respond(number) => self.respond(number),
            Command::Release(number) => self.release(number),
            Command::Finish(number, outcome) => {
                let stages = [At::Running, At::Responding, At::Returned];
                let Some(delivery) = self.pick_at(&stages, number) else { return };
                self.finish(delivery, outcome);
            }
            Command::Abandon(number) => {
                let Some(delivery) = pick(self.deliveries.iter().copied(), number) else { return };
                self.machine.abandon(delivery);
                self.model.abandon(delivery);
            }
            Command::Reject(number) => {
                let Some(delivery) = pick(self.deliveries.iter().copied(), number) else { return };
                self.machine.reject(delivery);
                if let Some(delivery) = self.model.delivery_mut(delivery) {
                    delivery.rejected = true;
                }
            }
            Command::Drain => self.drain(),
            Command::TakeResponse => self.take_response(),
            Command::Configure(number, policy) => {
                self.policies_changed = true;
                self.machine.configure(self.agent_types[number], policy);
                self.model.policies[number] = policy;
                self.model.configured(number);
            }
            Command::Enter(number) => self.enter(number, Machine::enter, true),
            Command::BeginBuild(number) => self.enter(number, Machine::begin_build, false),
            Command::TakeBuild(number) => {
                let Some(slot) = pick(self.slots.iter().copied(), number) else { return };
                assert_eq!(self.machine.take_build(slot), self.model.take_build(slot));
            }
            Command::Built(number) => {
                let building = self.model.agents.iter().filter(|agent| agent.building);
                let Some(slot) = pick(building.map(|agent| agent.slot), number) else { return };
                self.built(slot);
            }
            Command::Passivated(number) => {
                let Some(slot) = self.pick_passivating(number) else { return };
                assert_eq!(self.machine.passivated(slot), Ok(self.model.passivated(slot)));
            }
            Command::StayAwake(number, after) => {
                let Some(slot) = self.pick_passivating(number) else { return };
                let postponed = after.map(|after| self.now + after);
                let rests = self.model.stay_awake(slot, postponed);
                assert_eq!(self.machine.stay_awake(slot, postponed), Ok(rests));
                self.rest_if(rests, slot);
            }
            Command::BuildFailed(number) => {
                let building = self.model.agents.iter().filter(|agent| agent.building);
                let Some(slot) = pick(building.map(|agent| agent.slot), number) else { return };
                self.build_failed(slot);
            }
            Command::Wait(time) => self.now += time,
            Command::Advance => self.advance(),
            Command::Rest(number) => {
                let Some(slot) = pick(self.slots.iter().copied(), number) else { return };
                self.rest_if(true, slot);
            }
            Command::Wrong(number) => self.report_wrongly(number),
        }
    }
}
