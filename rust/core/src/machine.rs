//! The step machine: what is accepted, what is to be done next, what came of it.
//!
//! A message goes through two lanes. The **inbox** keeps accepted messages in their order until
//! the driver takes them, lets interventions look at them and says which agents they go to. The
//! **steps** are work that is due at once: an agent to build, a message to hand to its handler.
//! The driver empties the steps after every call that may add to them.
//!
//! The machine never calls anybody (B1) and never looks into a payload.

mod agents;

use std::collections::VecDeque;

use crate::directory::{Agent, AgentSlot, Directory, Stage};
use crate::error::CoreError;
use crate::ledger::{Ledger, Outcome, Tally, Ticket};
use crate::mailbox::Limits;
use crate::names::Symbol;

/// What the inbox hands out, in the order of acceptance.
#[derive(Debug, PartialEq, Eq)]
pub enum Arrival<P> {
    /// A message to be given to its recipients: [`Machine::spread`], then [`Machine::place`].
    Message(Ticket, P),
    /// A handler's answer on its way back: [`Machine::end`] when the sender has it.
    Answer(Ticket, P),
}

/// Work that is due now.
#[derive(Debug, PartialEq, Eq)]
pub enum Step<P> {
    /// Make the agent, then report [`Machine::built`] or [`Machine::build_failed`].
    Build(AgentSlot),
    /// Call the agent's handler, then report [`Machine::finish`] or [`Machine::answer`].
    Deliver(AgentSlot, Ticket, P),
}

/// A delivery for which the mailbox had no room. Its piece of the ticket is still open: the
/// driver tells whoever waits, then reports [`Machine::end`].
#[derive(Debug, PartialEq, Eq)]
pub struct Refused<P>(pub Ticket, pub P);

/// What was still on its way when the machine was drained. Its piece of the ticket is still open.
#[derive(Debug, PartialEq, Eq)]
pub enum Undelivered<P> {
    /// A message that no handler has seen.
    Message(Ticket, P),
    /// An answer that its sender has not got yet.
    Answer(Ticket, P),
}

type Parked<P> = (Ticket, P);

/// The bookkeeping of one runtime over payloads of type `P`.
///
/// ```
/// use ferrogen_core::{Arrival, Machine, Names, Outcome, Step};
///
/// let writer = Names::default().intern("writer");
/// let mut machine = Machine::default();
/// machine.accept("a poem, please");
///
/// // The driver takes the message, says to how many agents it goes, and gives it to each.
/// let Some(Arrival::Message(ticket, text)) = machine.take() else { unreachable!() };
/// machine.spread(ticket, 1)?;
/// let agent = machine.build(writer, "default")?;
/// machine.place(agent, ticket, text)?;
///
/// // The steps say what is to be done: make the agent, then call its handler.
/// assert_eq!(machine.step(), Some(Step::Build(agent)));
/// machine.built(agent)?;
/// assert_eq!(machine.step(), Some(Step::Deliver(agent, ticket, "a poem, please")));
/// assert_eq!(machine.finish(agent, ticket, Outcome::Handled)?, Some(Outcome::Handled));
/// assert!(machine.is_idle());
/// # Ok::<(), ferrogen_core::CoreError>(())
/// ```
#[derive(Debug)]
pub struct Machine<P> {
    ledger: Ledger,
    directory: Directory<Parked<P>>,
    /// By agent type; types beyond its end have no limits.
    limits: Vec<Limits>,
    inbox: VecDeque<Arrival<P>>,
    steps: VecDeque<Step<P>>,
    /// How many messages wait in mailboxes.
    parked: usize,
    /// How many deliveries the driver has taken whose handlers it has not started.
    unbegun: usize,
}

impl<P> Default for Machine<P> {
    fn default() -> Self {
        Self {
            ledger: Ledger::default(),
            directory: Directory::default(),
            limits: Vec::new(),
            inbox: VecDeque::new(),
            steps: VecDeque::new(),
            parked: 0,
            unbegun: 0,
        }
    }
}

/// Messages: from acceptance to settlement.
impl<P> Machine<P> {
    /// Accepts a message into the inbox.
    pub fn accept(&mut self, payload: P) -> Ticket {
        let ticket = self.ledger.accept();
        self.inbox.push_back(Arrival::Message(ticket, payload));
        ticket
    }

    /// Accepts a message and starts its handler in the same breath, if nothing is ahead of it (O1):
    /// no message in the inbox or waiting for the agent, no work due, and no delivery whose handler
    /// has yet to start. Else nothing has changed.
    pub fn start(&mut self, slot: AgentSlot) -> Option<Ticket> {
        (self.is_inbox_empty() && self.occupy(slot)).then(|| self.ledger.accept())
    }

    /// Starts a handler of a message that was taken and has more recipients to come, as a piece of
    /// its own, if nothing is ahead of it (O1). Returns whether; if not, nothing has changed.
    ///
    /// The one piece that the message has had since it was accepted stays open meanwhile: the
    /// driver ends it, or spreads it over the recipients that are left.
    ///
    /// # Errors
    ///
    /// [`CoreError::TicketNotOpen`] if the message is settled already (L1).
    pub fn start_piece(&mut self, slot: AgentSlot, ticket: Ticket) -> Result<bool, CoreError> {
        if !self.ledger.is_open(ticket) {
            return Err(CoreError::TicketNotOpen);
        }
        let started = self.occupy(slot);
        if started {
            self.ledger.spread(ticket, 2)?;
        }
        Ok(started)
    }

    /// Counts a handler of the agent as running, if there is no work due, no delivery whose handler
    /// has yet to start, and no message that waits for the agent. Returns whether.
    fn occupy(&mut self, slot: AgentSlot) -> bool {
        if !self.steps.is_empty() || self.unbegun > 0 {
            return false;
        }
        let Ok(agent) = self.directory.agent_mut(slot) else { return false };
        let limits = limits_of(&self.limits, agent.agent_type);
        let free = agent.stage == Stage::Ready && agent.mailbox.is_empty();
        if !free || !limits.admits(agent.running) {
            return false;
        }
        agent.running += 1;
        true
    }

    /// The message that is next to be taken; `None` if there is none, or if it is an answer.
    #[must_use]
    pub fn front(&self) -> Option<&P> {
        match self.inbox.front()? {
            Arrival::Message(_, payload) => Some(payload),
            Arrival::Answer(..) => None,
        }
    }

    /// Takes the oldest entry of the inbox.
    pub fn take(&mut self) -> Option<Arrival<P>> {
        self.inbox.pop_front()
    }

    /// Says to how many agents the message goes. None settles it as handled.
    ///
    /// # Errors
    ///
    /// [`CoreError::TicketNotOpen`] if it is settled already (L1).
    pub fn spread(&mut self, ticket: Ticket, deliveries: usize) -> Result<(), CoreError> {
        self.ledger.spread(ticket, deliveries)
    }

    /// Gives one delivery to an agent: it starts now, or waits its turn, or has no room.
    ///
    /// # Errors
    ///
    /// [`CoreError::AgentMissing`] if the slot is not in the directory. The caller keeps nothing
    /// of the payload then, so slots must be looked up in the same breath.
    pub fn place(
        &mut self,
        slot: AgentSlot,
        ticket: Ticket,
        payload: P,
    ) -> Result<Option<Refused<P>>, CoreError> {
        let agent = self.directory.agent_mut(slot)?;
        let limits = limits_of(&self.limits, agent.agent_type);
        let free = agent.stage == Stage::Ready && agent.mailbox.is_empty();
        if free && limits.admits(agent.due + agent.running) {
            agent.due += 1;
            self.steps.push_back(Step::Deliver(slot, ticket, payload));
            return Ok(None);
        }
        let refused = agent.mailbox.put((ticket, payload), limits);
        self.parked += usize::from(refused.is_none());
        Ok(refused.map(|(ticket, payload)| Refused(ticket, payload)))
    }

    /// Takes the next piece of work that is due.
    #[expect(clippy::missing_panics_doc, reason = "an agent with a due step cannot leave")]
    pub fn step(&mut self) -> Option<Step<P>> {
        let step = self.steps.pop_front()?;
        let (Step::Build(slot) | Step::Deliver(slot, ..)) = &step;
        let agent = self.directory.agent_mut(*slot).expect("an agent with a due step is there");
        agent.due -= 1;
        agent.running += 1;
        self.unbegun += usize::from(matches!(step, Step::Deliver(..)));
        Some(step)
    }

    /// Reports that the handler of a delivery has started, or that it never will. A driver that
    /// starts handlers later than it takes their steps says so for each, once.
    pub fn begun(&mut self) {
        self.unbegun = self.unbegun.saturating_sub(1);
    }

    /// Reports that a handler ended and no answer is to be sent.
    ///
    /// # Errors
    ///
    /// [`CoreError::TicketNotOpen`] (L1), [`CoreError::AgentMissing`], or
    /// [`CoreError::WrongStage`] if no handler of the agent runs; nothing has changed then.
    pub fn finish(
        &mut self,
        slot: AgentSlot,
        ticket: Ticket,
        outcome: Outcome,
    ) -> Result<Option<Outcome>, CoreError> {
        if !self.is_running(slot) {
            return Err(self.why_not(slot, ticket));
        }
        let settled = self.ledger.end(ticket, outcome)?;
        self.make_room(slot);
        Ok(settled)
    }

    /// Reports that a handler ended with an answer, which goes through the inbox like a message.
    ///
    /// # Errors
    ///
    /// [`CoreError::TicketNotOpen`] (L1), [`CoreError::AgentMissing`], or
    /// [`CoreError::WrongStage`] if no handler of the agent runs; nothing has changed then.
    pub fn answer(&mut self, slot: AgentSlot, ticket: Ticket, answer: P) -> Result<(), CoreError> {
        self.release(slot, ticket)?;
        self.inbox.push_back(Arrival::Answer(ticket, answer));
        Ok(())
    }

    /// Ends one piece of a message for which no handler is running.
    ///
    /// # Errors
    ///
    /// [`CoreError::TicketNotOpen`] if it is settled already (L1).
    pub fn end(&mut self, ticket: Ticket, outcome: Outcome) -> Result<Option<Outcome>, CoreError> {
        self.ledger.end(ticket, outcome)
    }

    /// Takes everything that no handler has begun, for the driver to answer and to end. What one
    /// agent was to get comes in the order of placing. Builds that are due stay due.
    #[expect(clippy::missing_panics_doc, reason = "an agent with a due step cannot leave")]
    pub fn drain(&mut self) -> Vec<Undelivered<P>> {
        let mut rest = Vec::with_capacity(self.steps.len() + self.waiting());
        for step in std::mem::take(&mut self.steps) {
            match step {
                Step::Build(slot) => self.steps.push_back(Step::Build(slot)),
                Step::Deliver(slot, ticket, payload) => {
                    let agent = self.directory.agent_mut(slot);
                    agent.expect("an agent with a due step is there").due -= 1;
                    rest.push(Undelivered::Message(ticket, payload));
                }
            }
        }
        if self.parked > 0 {
            for agent in self.directory.agents_mut() {
                let parked = agent.mailbox.take_all().into_iter();
                rest.extend(parked.map(|(ticket, payload)| Undelivered::Message(ticket, payload)));
            }
            self.parked = 0;
        }
        rest.extend(self.inbox.drain(..).map(|arrival| match arrival {
            Arrival::Message(ticket, payload) => Undelivered::Message(ticket, payload),
            Arrival::Answer(ticket, payload) => Undelivered::Answer(ticket, payload),
        }));
        rest
    }

    /// Reports that a handler ended of a message that stays open: its place goes to whoever waits
    /// for it, and the driver reports [`Machine::end`] later.
    ///
    /// # Errors
    ///
    /// [`CoreError::TicketNotOpen`] (L1), [`CoreError::AgentMissing`], or
    /// [`CoreError::WrongStage`] if no handler of the agent runs; nothing has changed then.
    pub fn release(&mut self, slot: AgentSlot, ticket: Ticket) -> Result<(), CoreError> {
        if !self.ledger.is_open(ticket) || !self.is_running(slot) {
            return Err(self.why_not(slot, ticket));
        }
        self.make_room(slot);
        Ok(())
    }

    fn is_running(&self, slot: AgentSlot) -> bool {
        let agent = self.directory.agent(slot);
        agent.is_ok_and(|agent| agent.stage == Stage::Ready && agent.running > 0)
    }

    /// Why a handler of an agent cannot have ended.
    #[cold]
    fn why_not(&self, slot: AgentSlot, ticket: Ticket) -> CoreError {
        if !self.ledger.is_open(ticket) {
            return CoreError::TicketNotOpen;
        }
        self.directory.agent(slot).err().unwrap_or(CoreError::WrongStage)
    }

    /// A handler of an agent has ended: what waits for its place is due.
    fn make_room(&mut self, slot: AgentSlot) {
        let Ok(agent) = self.directory.agent_mut(slot) else { return };
        agent.running -= 1;
        if !agent.mailbox.is_empty() {
            let limits = limits_of(&self.limits, agent.agent_type);
            self.parked -= refill(agent, slot, limits, &mut self.steps);
        }
    }
}

/// What can be read off.
impl<P> Machine<P> {
    /// How many messages and answers wait in the inbox or in a mailbox. What is due as a step
    /// waits no longer.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.inbox.len() + self.parked
    }

    /// Whether there is nothing to be taken.
    #[must_use]
    pub fn is_inbox_empty(&self) -> bool {
        self.inbox.is_empty()
    }

    /// Whether nothing would be ahead of a message that came now: see [`Machine::start`].
    #[must_use]
    pub fn is_clear(&self) -> bool {
        self.inbox.is_empty() && self.steps.is_empty() && self.unbegun == 0
    }

    /// How many messages are accepted and not settled.
    #[must_use]
    pub fn open(&self) -> usize {
        self.ledger.open()
    }

    /// Whether there is work that the driver has not taken.
    #[must_use]
    pub fn is_due(&self) -> bool {
        !self.steps.is_empty()
    }

    /// Whether every accepted message is settled: nothing waits, nothing is in the driver's hands
    /// and no handler runs (L2).
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.ledger.is_idle()
    }

    /// Every payload that is in the machine, in no particular order.
    pub fn payloads(&self) -> impl Iterator<Item = &P> {
        let inbox = self.inbox.iter().map(|arrival| match arrival {
            Arrival::Message(_, payload) | Arrival::Answer(_, payload) => payload,
        });
        let steps = self.steps.iter().filter_map(|step| match step {
            Step::Build(_) => None,
            Step::Deliver(_, _, payload) => Some(payload),
        });
        inbox.chain(steps).chain(self.directory.parked().map(|(_, payload)| payload))
    }

    /// How many agents are there or are being built.
    #[must_use]
    pub fn agents(&self) -> usize {
        self.directory.len()
    }

    /// How messages have ended so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.ledger.tally()
    }
}

/// Makes due as many waiting messages as the agent's limits allow. Returns how many.
fn refill<P>(
    agent: &mut Agent<Parked<P>>,
    slot: AgentSlot,
    limits: Limits,
    steps: &mut VecDeque<Step<P>>,
) -> usize {
    let before = agent.due;
    while limits.admits(agent.due + agent.running) {
        let Some((ticket, payload)) = agent.mailbox.take() else { break };
        agent.due += 1;
        steps.push_back(Step::Deliver(slot, ticket, payload));
    }
    agent.due - before
}

fn limits_of(limits: &[Limits], agent_type: Symbol) -> Limits {
    limits.get(agent_type.index()).copied().unwrap_or_default()
}
