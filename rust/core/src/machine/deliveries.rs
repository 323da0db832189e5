//! Deliveries: placement, steps, reports.

use std::collections::VecDeque;

use super::{Arrival, Awaits, Finished, Machine, Placement, Step, policy_of};
use crate::directory::{Agent, AgentSlot, Stage};
use crate::error::CoreError;
use crate::ledger::{DeliveryId, DeliveryStage, Ledger, Outcome, Ticket};
use crate::names::Symbol;
use crate::policy::{Overflow, Policy};
use crate::queue::SchedulingClass;

/// Deliveries, from placement to the last report.
impl<P> Machine<P> {
    /// Adds a delivery of a held ticket. It is due now if the agent can start it, else it waits
    /// in the mailbox, where its class orders it.
    ///
    /// # Errors
    ///
    /// [`CoreError::TicketNotOpen`] if the ticket is not held (L1), [`CoreError::AgentMissing`]
    /// if the agent is not in the directory. The payload is dropped then.
    pub fn place(
        &mut self,
        slot: AgentSlot,
        ticket: Ticket,
        payload: P,
        class: SchedulingClass,
        awaits: Awaits,
    ) -> Result<Placement<P>, CoreError> {
        self.ledger.check_held(ticket)?;
        let agent = self.directory.agent_mut(slot)?;
        let agent_type = agent.agent_type;
        let policy = policy_of(&self.policies, agent_type);
        let caller = match awaits {
            Awaits::Response(caller) => Some(caller),
            Awaits::Nothing | Awaits::Room(_) => None,
        };
        if agent.can_start(policy) || agent.can_reenter(policy, &self.ledger, slot, caller) {
            agent.due += 1;
            agent.idle_since = None;
            let delivery = self.ledger.open(ticket, (slot, agent_type), DeliveryStage::Due, caller);
            self.steps.push_back(Step::Deliver(slot, delivery, payload));
            return Ok(Placement::Queued(delivery));
        }
        let full = policy.is_full(agent.mailbox.len());
        let overflow = policy.overflow;
        let waits = full && overflow == Overflow::Wait;
        let caller = match awaits {
            Awaits::Room(publisher) => waits.then_some(publisher),
            Awaits::Nothing | Awaits::Response(_) => caller,
        };
        if let Some(cycle) = caller.and_then(|caller| self.deadlock(slot, caller)) {
            let delivery =
                self.ledger.open(ticket, (slot, agent_type), DeliveryStage::Returned, caller);
            return Ok(Placement::Deadlock { delivery, payload, cycle });
        }
        let placed = self.ledger.open(ticket, (slot, agent_type), DeliveryStage::Waiting, caller);
        let agent = self.directory.agent_mut(slot)?;
        let evicted = match overflow {
            Overflow::DropOldest if full => agent.mailbox.pop_oldest(),
            Overflow::Reject | Overflow::DropNewest if full => {
                self.ledger.set_stage(placed, DeliveryStage::Returned);
                return Ok(Placement::Overflow { placed, evicted: placed, payload });
            }
            _ => None,
        };
        agent.mailbox.push((placed, payload), class);
        let Some((evicted, payload)) = evicted else {
            self.in_mailboxes += 1;
            if waits {
                agent.block(placed);
                self.ledger.block(placed, matches!(awaits, Awaits::Room(_)));
                return Ok(Placement::Blocked(placed));
            }
            return Ok(Placement::Queued(placed));
        };
        self.left_mailbox(slot, evicted);
        self.ledger.set_stage(evicted, DeliveryStage::Returned);
        Ok(Placement::Overflow { placed, evicted, payload })
    }

    /// Takes back a blocked delivery, whose sender does not wait for room any more. Returns its payload, for the
    /// driver to report as undelivered; `None` if it is not blocked.
    pub fn withdraw(&mut self, delivery: DeliveryId) -> Option<P> {
        let slot = self.agent_of(delivery)?;
        if !self.ledger.unblock(delivery) {
            return None;
        }
        let agent = self.directory.agent_mut(slot).ok()?;
        agent.unblock();
        let (_, payload) = agent.mailbox.remove(|(id, _)| *id == delivery)?;
        self.in_mailboxes -= 1;
        self.ledger.set_stage(delivery, DeliveryStage::Returned);
        Some(payload)
    }

    /// The sender of several blocked deliveries still waits for room for this one. Returns the agents of the
    /// cycle, if there will never be room.
    pub fn await_room(&mut self, delivery: DeliveryId) -> Option<Vec<AgentSlot>> {
        self.ledger.attach(delivery);
        let found = self.ledger.deliveries.get(delivery)?;
        self.deadlock(found.agent, found.caller?)
    }

    /// The handler of a delivery awaits tasks from now on; see [`Machine::join`].
    pub fn begin_join(&mut self, caller: DeliveryId) {
        self.ledger.begin_join(caller);
    }

    /// One of the tasks that a handler awaits waits for this delivery. Returns the agents of the cycle and the
    /// payload of the delivery, which is undelivered, if it is queued and will never start.
    pub fn join(
        &mut self,
        caller: DeliveryId,
        delivery: DeliveryId,
    ) -> Option<(Vec<AgentSlot>, P)> {
        if !self.ledger.join(caller, delivery) {
            return None;
        }
        let found = self.ledger.deliveries.get(delivery)?;
        if found.stage != DeliveryStage::Waiting {
            return None;
        }
        let slot = found.agent;
        let cycle = self.deadlock(slot, caller)?;
        let agent = self.directory.agent_mut(slot).ok()?;
        let (_, payload) = agent.mailbox.remove(|(id, _)| *id == delivery)?;
        self.left_mailbox(slot, delivery);
        self.in_mailboxes -= 1;
        self.ledger.set_stage(delivery, DeliveryStage::Returned);
        Some((cycle, payload))
    }

    /// The handler of a delivery goes on: it does not await tasks any more.
    pub fn end_join(&mut self, caller: DeliveryId) {
        self.ledger.end_join(caller);
    }

    /// A delivery has left the mailbox in another way than as a step.
    fn left_mailbox(&mut self, slot: AgentSlot, delivery: DeliveryId) {
        if self.ledger.unblock(delivery)
            && let Ok(agent) = self.directory.agent_mut(slot)
        {
            agent.unblock();
        }
    }

    /// Takes the next step. A delivery that is taken is running, and nothing starts ahead of it
    /// until [`Machine::begun`] or another report.
    pub fn step(&mut self) -> Option<Step<P>> {
        let step = self.steps.pop_front()?;
        let (Step::Build(slot) | Step::Deliver(slot, ..) | Step::Passivate(slot)) = &step else {
            return Some(step);
        };
        let Ok(agent) = self.directory.agent_mut(*slot) else { return Some(step) };
        agent.due -= 1;
        if let Step::Deliver(_, delivery, _) = &step {
            let policy = policy_of(&self.policies, agent.agent_type);
            occupy(agent, policy, &mut self.ledger, *delivery);
            if let Some(delivery) = self.ledger.deliveries.get_mut(*delivery) {
                delivery.stage = DeliveryStage::Running;
                delivery.unbegun = true;
                self.unbegun += 1;
            }
        } else {
            agent.running += 1;
        }
        Some(step)
    }

    /// Reports that the handler of a taken delivery has begun, or never will. Ignored if that was
    /// reported before, or if the delivery has ended.
    pub fn begun(&mut self, delivery: DeliveryId) {
        if self.ledger.begin(delivery) {
            self.unbegun -= 1;
        }
    }

    /// Reports that a handler ended with a response, which goes last into the inbox. Returns
    /// whether the agent rests: see [`Finished::rests`].
    ///
    /// # Errors
    ///
    /// [`CoreError::DeliveryNotOpen`] (L1), or [`CoreError::WrongStage`] if it is not running.
    pub fn respond(&mut self, delivery: DeliveryId, payload: P) -> Result<bool, CoreError> {
        let rests = self.release(delivery)?;
        self.inbox.push(Arrival::Response(delivery, payload), SchedulingClass::NORMAL);
        Ok(rests)
    }

    /// Reports that a handler ended, with a response that does not go through the inbox. The next
    /// delivery of the agent can start; [`Machine::finish`] follows. Returns whether the agent
    /// rests: see [`Finished::rests`].
    ///
    /// # Errors
    ///
    /// [`CoreError::DeliveryNotOpen`] (L1), or [`CoreError::WrongStage`] if it is not running.
    pub fn release(&mut self, delivery: DeliveryId) -> Result<bool, CoreError> {
        let found = self.ledger.deliveries.get_mut(delivery).ok_or(CoreError::DeliveryNotOpen)?;
        if found.stage != DeliveryStage::Running {
            return Err(CoreError::WrongStage);
        }
        let (slot, listed) = (found.agent, found.listed.take());
        self.unbegun -= usize::from(found.unbegun);
        self.ledger.end_handler(delivery);
        Ok(self.vacate(slot, listed))
    }

    /// Reports that a delivery ended: its handler ended, or the sender has its response, or it
    /// was returned and the sender was notified.
    ///
    /// # Errors
    ///
    /// [`CoreError::DeliveryNotOpen`] (L1), or [`CoreError::WrongStage`] if it is due or waiting.
    #[inline(always)]
    pub fn finish(
        &mut self,
        delivery: DeliveryId,
        outcome: Outcome,
    ) -> Result<Finished, CoreError> {
        let found = self.ledger.deliveries.get(delivery).ok_or(CoreError::DeliveryNotOpen)?;
        let (slot, listed) = (found.agent, found.listed);
        let rests = match found.stage {
            DeliveryStage::Waiting | DeliveryStage::Due => return Err(CoreError::WrongStage),
            DeliveryStage::Running => {
                self.unbegun -= usize::from(found.unbegun);
                self.vacate(slot, listed)
            }
            DeliveryStage::Responding | DeliveryStage::Returned => self.rests(slot),
        };
        Ok(Finished { settled: self.ledger.close(delivery, outcome), rests })
    }

    /// The agent that a delivery is for, until it has ended.
    #[must_use]
    pub fn agent_of(&self, delivery: DeliveryId) -> Option<AgentSlot> {
        self.ledger.deliveries.get(delivery).map(|delivery| delivery.agent)
    }

    /// The delivery whose handler awaits this one.
    #[must_use]
    pub fn caller_of(&self, delivery: DeliveryId) -> Option<DeliveryId> {
        self.ledger.deliveries.get(delivery)?.caller
    }

    /// The deliveries whose handlers run, with their agents.
    pub fn running(&self) -> impl Iterator<Item = (AgentSlot, DeliveryId)> {
        let all = self.ledger.deliveries.iter();
        let running = all.filter(|(_, delivery)| delivery.stage == DeliveryStage::Running);
        running.map(|(id, delivery)| (delivery.agent, id))
    }

    /// Whether a delivery is one of these, or was called by one of them, directly or through others.
    #[must_use]
    pub fn is_called_by(
        &self,
        delivery: DeliveryId,
        is_caller: impl Fn(DeliveryId) -> bool,
    ) -> bool {
        let caller = |id: &DeliveryId| self.ledger.deliveries.get(*id)?.caller;
        std::iter::successors(Some(delivery), caller).any(is_caller)
    }

    /// Reports that the caller of a delivery no longer waits for it. Ignored if it has ended.
    pub fn abandon(&mut self, delivery: DeliveryId) {
        self.ledger.detach(delivery);
    }

    /// Starts a delivery, which `open` opens as running, if the agent can start it.
    #[inline]
    pub(super) fn start_running(
        &mut self,
        slot: AgentSlot,
        caller: Option<DeliveryId>,
        open: impl FnOnce(&mut Ledger, Symbol) -> DeliveryId,
    ) -> Option<DeliveryId> {
        let agent = self.directory.agent_mut(slot).ok()?;
        let policy = policy_of(&self.policies, agent.agent_type);
        if !agent.can_start(policy) && !agent.can_reenter(policy, &self.ledger, slot, caller) {
            return None;
        }
        let delivery = open(&mut self.ledger, agent.agent_type);
        agent.idle_since = None;
        occupy(agent, policy, &mut self.ledger, delivery);
        Some(delivery)
    }

    /// A running delivery has ended: the next ones become due. Returns whether the agent rests.
    #[inline(always)]
    fn vacate(&mut self, slot: AgentSlot, listed: Option<usize>) -> bool {
        let Ok(agent) = self.directory.agent_mut(slot) else { return false };
        agent.running -= 1;
        if let Some(index) = listed {
            unlist(agent, &mut self.ledger, index);
        }
        let policy = policy_of(&self.policies, agent.agent_type);
        if !agent.mailbox.is_empty() {
            self.in_mailboxes -= refill(agent, slot, policy, &mut self.ledger, &mut self.steps);
        }
        agent.rests(policy)
    }
}

impl<P> Agent<P> {
    /// Whether a call that arrives now starts although [`Agent::can_start`] does not hold: the
    /// agent is one of its callers.
    #[inline]
    fn can_reenter(
        &self,
        policy: &Policy,
        ledger: &Ledger,
        slot: AgentSlot,
        caller: Option<DeliveryId>,
    ) -> bool {
        policy.reentrant && self.stage == Stage::Ready && ledger.is_called_by(slot, caller)
    }
}

/// Counts a delivery as running in the agent.
fn occupy<P>(agent: &mut Agent<P>, policy: &Policy, ledger: &mut Ledger, delivery: DeliveryId) {
    agent.running += 1;
    // Only an agent with limited concurrency can be part of a deadlock.
    if policy.concurrency.is_some() {
        if let Some(delivery) = ledger.deliveries.get_mut(delivery) {
            delivery.listed = Some(agent.listed.len());
        }
        agent.listed.push(delivery);
    }
}

/// Removes a delivery from the running ones of an agent with limited concurrency.
fn unlist<P>(agent: &mut Agent<P>, ledger: &mut Ledger, index: usize) {
    agent.listed.swap_remove(index);
    let moved = agent.listed.get(index).copied();
    if let Some(moved) = moved.and_then(|moved| ledger.deliveries.get_mut(moved)) {
        moved.listed = Some(index);
    }
}

/// Makes as many waiting deliveries due as the policy admits. Returns their number.
pub(super) fn refill<P>(
    agent: &mut Agent<P>,
    slot: AgentSlot,
    policy: &Policy,
    ledger: &mut Ledger,
    steps: &mut VecDeque<Step<P>>,
) -> usize {
    let before = agent.due;
    while policy.admits(agent.due + agent.running) {
        let Some((delivery, payload)) = agent.mailbox.pop() else { break };
        agent.due += 1;
        ledger.set_stage(delivery, DeliveryStage::Due);
        steps.push_back(Step::Deliver(slot, delivery, payload));
        if agent.blocked.is_some() {
            admit(agent, delivery, policy, ledger, steps);
        }
    }
    agent.due - before
}

/// Lets blocked deliveries know of the room that a delivery has left.
#[cold]
fn admit<P>(
    agent: &mut Agent<P>,
    left: DeliveryId,
    policy: &Policy,
    ledger: &mut Ledger,
    steps: &mut VecDeque<Step<P>>,
) {
    if ledger.unblock(left) {
        agent.unblock();
        steps.push_back(Step::Admitted(left));
    }
    while let Some(admitted) = agent.admit(policy, ledger) {
        ledger.unblock(admitted);
        steps.push_back(Step::Admitted(admitted));
    }
}
