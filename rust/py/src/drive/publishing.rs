//! Handing out what was published: a batch in each turn of the event loop, handlers run inline.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ferrogen_core::Outcome;
use pyo3::intern;
use pyo3::prelude::*;

use super::current_task::{is_entered, is_running};
use super::desk::Desk;
use super::drive::Drive;
use super::ending::{Ending, Waiter};
use super::first_step::{Given, Ran, Suspension, run};
use super::free_list::{FreeList, Recycled};
use super::request::Request;
use super::seats::Seat;
use super::sending::First;
use super::watch::Watch;
use crate::agent_id::AgentId;
use crate::dispatcher::{Front, Start};
use crate::outcome;
use crate::publish_envelope::PublishEnvelope;
use crate::python;

/// How long messages are handed out before the event loop gets a turn.
const A_BATCH: Duration = Duration::from_millis(1);
/// After how many recipients the clock is looked at.
const BETWEEN_LOOKS: usize = 16;

/// How far a recipient has come with a message.
enum Told {
    /// Its handler has ended.
    Ended,
    /// Its handler waits for something.
    Waits,
    /// It was not for the short cut.
    NotYet,
}

impl Drive {
    /// Accepts a message that is published, if the short cut is open to it. It is handed out in the
    /// next turn of the event loop.
    pub(super) fn publish<'py>(
        drive: &Bound<'py, Self>,
        request: &Request,
    ) -> PyResult<First<'py>> {
        let (py, this) = (drive.py(), drive.get());
        let class = request.to.bind(py).get_type();
        let is_topic = class.is(python::topic_id(py)?) || class.is(python::default_topic_id(py)?);
        if !is_topic || this.is_overseen(py) || !this.is_entered(py)? {
            return Ok(First::PlainWay);
        }
        let link = if this.is_watched(py)? {
            Watch::published(this.host.bind(py), request)?
        } else {
            None
        };
        let given = |one: &Option<Py<PyAny>>| one.as_ref().map(|one| one.clone_ref(py));
        let envelope = PublishEnvelope::make(
            py,
            request.message.clone_ref(py),
            request.to.clone_ref(py),
            given(&request.sender),
            given(&request.cancellation_token),
            given(&request.message_id),
            link,
        )?;
        Self::arm(drive)?;
        this.dispatcher.get().accept(py, envelope.into_any().unbind());
        Ok(First::Ended(Ok(py.None().into_bound(py))))
    }

    /// Whether it is open, and its event loop is the one that runs here.
    fn is_entered(&self, py: Python<'_>) -> PyResult<bool> {
        self.entered_loop(py).map(|event_loop| event_loop.is_some())
    }

    /// Its event loop, if it is open and that is the one that runs here.
    pub(super) fn entered_loop<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let event_loop = self.state.with(py, |state| {
            let event_loop = state.event_loop.as_ref().filter(|_| state.is_open_here());
            event_loop.map(|event_loop| event_loop.bind(py).clone())
        });
        match event_loop {
            Some(event_loop) if is_entered(&event_loop)? => Ok(Some(event_loop)),
            _ => Ok(None),
        }
    }

    /// Asks the event loop to call [`Drive::pump`] in its next turn, unless it was asked before.
    fn arm(drive: &Bound<'_, Self>) -> PyResult<()> {
        let py = drive.py();
        let event_loop = drive.get().state.with(py, |state| {
            let event_loop = state.event_loop.as_ref().filter(|_| !state.is_armed);
            state.is_armed = true;
            event_loop.map(|event_loop| event_loop.bind(py).clone())
        });
        let Some(event_loop) = event_loop else { return Ok(()) };
        let asked = drive
            .getattr(intern!(py, "pump"))
            .and_then(|pump| event_loop.call_method1(intern!(py, "call_soon"), (pump,)));
        if asked.is_err() {
            drive.get().disarm(py);
        }
        asked.map(|_| ())
    }

    fn disarm(&self, py: Python<'_>) {
        self.state.with(py, |state| state.is_armed = false);
    }

    /// Hands out what was published, until nothing is left, or something else is ahead of it, or
    /// others are to have a turn.
    pub(super) fn hand_out(drive: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (drive.py(), drive.get());
        this.disarm(py);
        let Some(seat) = Self::first_seat(drive) else { return Ok(()) };
        if !is_running(&seat.event_loop)? {
            return Ok(());
        }
        let done = this.hand_out_a_batch(&seat);
        if !matches!(done, Ok(true)) {
            Self::arm(drive)?;
        }
        done.map(|_| ())
    }

    /// Returns whether nothing is left to be handed out here. What runs in tasks from here on,
    /// handlers that wait and agents that are built, gets its turn before the next message.
    fn hand_out_a_batch(&self, seat: &Seat<'_>) -> PyResult<bool> {
        let py = seat.event_loop.py();
        let began = Instant::now();
        let mut desk = Desk::new(self, &seat.event_loop)?;
        let mut told = 0;
        loop {
            if !self.state.with(py, |state| state.event_loop.is_some()) {
                return Ok(true);
            }
            let front = if self.is_overseen(py) {
                Front::Other
            } else {
                self.dispatcher.get().take_published(py)
            };
            match front {
                Front::Nothing => return Ok(true),
                Front::Other => {
                    desk.leave();
                    self.host.call_method0(py, intern!(py, "wake"))?;
                    return Ok(true);
                }
                Front::Published(ticket, envelope) => {
                    if !self.tell(&mut desk, seat, ticket, &envelope, &mut told)? {
                        return Ok(false);
                    }
                }
            }
            if told >= BETWEEN_LOOKS {
                told = 0;
                if began.elapsed() >= A_BATCH {
                    return Ok(false);
                }
            }
        }
    }

    /// Whether the next message is one that will be handed out here. If so, the event loop has been
    /// asked for a turn.
    pub(super) fn takes_over(drive: &Bound<'_, Self>) -> PyResult<bool> {
        let (py, this) = (drive.py(), drive.get());
        let takes_over = this.is_entered(py)?
            && !this.is_overseen(py)
            && this.dispatcher.get().is_published_next(py);
        if takes_over {
            Self::arm(drive)?;
        }
        Ok(takes_over)
    }

    /// Tells a message to all who hear its topic. Returns whether all their handlers have ended.
    fn tell<'py>(
        &self,
        desk: &mut Desk<'_, 'py>,
        seat: &Seat<'py>,
        ticket: u64,
        envelope: &Bound<'py, PublishEnvelope>,
        told: &mut usize,
    ) -> PyResult<bool> {
        let py = envelope.py();
        let host = self.host.bind(py);
        let is_watched = self.is_watched(py)?;
        let recipients = if is_watched {
            desk.leave();
            let Some(named) = Watch::recipients(host, ticket, envelope)? else { return Ok(false) };
            named.into()
        } else {
            let heard = self.recipients(envelope.get().topic_id(py).bind(py), || desk.leave());
            let Ok(others) = heard.and_then(|heard| without(heard, envelope, desk)) else {
                // The plain way asks again, and knows whom to tell of the error.
                desk.leave();
                host.call_method1(intern!(py, "publish_taken"), (ticket, envelope))?;
                return Ok(false);
            };
            others
        };
        *told += recipients.len().max(1);
        let mut later = Vec::new();
        let mut result = Ok(true);
        self.untold.begin(py, &recipients);
        for (index, recipient) in recipients.iter().enumerate() {
            let recipient = recipient.bind(py);
            self.untold.leave(recipients.len() - index - 1);
            let watch = if is_watched {
                Watch::hearing(host, recipient, envelope)
            } else {
                Ok(Watch::NOBODY)
            };
            let tell = |watch| self.tell_one(desk, seat, recipient, ticket, envelope, watch);
            match watch.and_then(tell) {
                Ok(Told::Ended) => {}
                Ok(Told::Waits) => result = result.map(|_| false),
                Ok(Told::NotYet) => later.push(recipient),
                Err(error) => result = result.and(Err(error)),
            }
        }
        self.untold.end(py);
        desk.forget();
        if later.is_empty() {
            self.dispatcher.get().end(py, ticket, outcome::Outcome::Handled)?;
            if self.idle_is_awaited.load(Ordering::Relaxed) {
                desk.leave();
                host.call_method0(intern!(py, "notice"))?;
            }
        } else {
            desk.leave();
            host.call_method1(intern!(py, "admit_published"), (ticket, envelope, later))?;
            result = result.map(|_| false);
        }
        result
    }

    /// Runs one recipient's handler, if nothing is ahead of the message.
    fn tell_one<'py>(
        &self,
        desk: &mut Desk<'_, 'py>,
        seat: &Seat<'py>,
        recipient: &Bound<'py, AgentId>,
        ticket: u64,
        envelope: &Bound<'py, PublishEnvelope>,
        watch: Watch,
    ) -> PyResult<Told> {
        let py = envelope.py();
        let spare = desk.spare()?;
        let mut begun = None;
        self.begin(recipient, Start::Piece(ticket), seat.generation, &mut begun)?;
        let Some(inline) = &mut begun else { return Ok(Told::NotYet) };
        let source = inline.source.take();
        let inline = &*inline;
        let context = spare.tell_of(envelope);
        let message = &envelope.get().message(py).into_bound(py);
        let ran = match &context {
            Ok(context) => {
                let given = Given { message, context, is_rpc: false };
                run(inline, source, spare.handling.get(), &seat.event_loop, &given, &watch)
            }
            Err(error) => Ran::Ended(Err(error.clone_ref(py))),
        };
        let failed = match ran {
            Ran::Ended(Ok(answer)) => {
                if let Ok(context) = context {
                    spare.keep_told(context);
                }
                let context = spare.handling.get().ended_inline(py);
                if watch.is_somebody() {
                    desk.leave();
                }
                match watch.answered(&answer) {
                    Ok(()) => {
                        let (place, is_watched) = (inline.place, inline.is_watched);
                        if self.end(py, place, is_watched, Outcome::Handled, context)? {
                            desk.leave();
                            self.see_to(&inline.agent_id)?;
                        }
                        return Ok(Told::Ended);
                    }
                    Err(error) => error,
                }
            }
            Ran::Ended(Err(error)) => {
                desk.leave();
                watch.failed(py, error)
            }
            Ran::Suspended(Suspension { coroutine, pending, handler }) => {
                let spare = desk.give_away().expect("it was taken above");
                let about = (&inline.agent_id, ticket, envelope);
                let settle = self.host.call_method1(py, intern!(py, "publish_suspended"), about);
                let handed_over = settle.and_then(|settle| {
                    let waiter = Waiter::Runtime(settle, watch);
                    let task = spare.task.bind(py);
                    let ending = Ending::of(&seat.drive, task, inline, handler, waiter);
                    self.hold(&spare, coroutine, pending, ending)
                });
                match handed_over {
                    Ok(()) => return Ok(Told::Waits),
                    Err(error) => error,
                }
            }
        };
        let about = (&inline.agent_id, ticket, envelope, failed.into_value(py));
        self.host.call_method1(py, intern!(py, "publish_failed"), about)?;
        Ok(Told::Ended)
    }
}

/// All recipients but the one that published. Comparing may run a subclass's own code.
fn without(
    recipients: Arc<[Py<AgentId>]>,
    envelope: &Bound<'_, PublishEnvelope>,
    desk: &mut Desk<'_, '_>,
) -> PyResult<Arc<[Py<AgentId>]>> {
    let py = envelope.py();
    let Some(sender) = envelope.get().sender(py) else { return Ok(recipients) };
    let is_exact = |one: &Bound<'_, PyAny>| one.is_exact_instance_of::<AgentId>();
    let sender_is_exact = is_exact(sender.bind(py));
    let mut others = Vec::with_capacity(recipients.len());
    for recipient in recipients.iter() {
        if !sender_is_exact || !is_exact(recipient.bind(py)) {
            desk.leave();
        }
        if !recipient.is(&sender) && !recipient.bind(py).eq(&sender)? {
            others.push(recipient.clone_ref(py));
        }
    }
    Ok(others.into())
}

impl Recycled for PublishEnvelope {
    fn free_list() -> &'static FreeList {
        static FREE: FreeList = FreeList::new();
        &FREE
    }

    unsafe fn clear(&self, py: Python<'_>) -> bool {
        self.release(py);
        true
    }
}
