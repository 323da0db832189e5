//! A message that is sent, on the short cut: its handler runs inside its sender's `await`.

use std::sync::atomic::Ordering;

use ferrogen_core::Outcome;
use pyo3::exceptions::asyncio::CancelledError;
use pyo3::intern;
use pyo3::prelude::*;

use super::current_task::{AsCurrent, is_running};
use super::drive::{Beginning, Drive};
use super::ending::{Ending, Waiter};
use super::first_step::{Given, Ran, Suspension, as_raised, run};
use super::handling::Handling;
use super::request::{Errand, Request};
use super::seats::{Admission, Seat};
use super::send::Send;
use super::spares::Spare;
use super::unhandled::{Item, Unhandled};
use super::watch::Watch;
use crate::agent_id::AgentId;
use crate::dispatcher::{Inline, Start};
use crate::message_context::MessageContext;

/// What came of the first step of a message.
pub(super) enum First<'py> {
    /// It is not for the short cut.
    PlainWay,
    /// Others have not had a turn for a while: yield once, and come again.
    Pause,
    /// Its handler ended.
    Ended(PyResult<Bound<'py, PyAny>>),
    /// Its handler gives others a turn, and goes on in the sender's next.
    Turn(Py<Handling>),
    /// Its handler suspended. What is awaited has become a future, which the answer will come in.
    Suspended,
}

impl Drive {
    /// Takes the short cut with a message that was sent, if it is open to it. `may_build` says that
    /// the sender's task is the current one, in which a factory may run.
    pub(super) fn first_step<'py>(
        drive: &Bound<'py, Self>,
        send: &Bound<'py, Send>,
        request: &Request,
        may_build: bool,
    ) -> PyResult<First<'py>> {
        let (py, this) = (drive.py(), drive.get());
        let Ok(recipient) = request.to.bind(py).cast::<AgentId>() else {
            return Ok(First::PlainWay);
        };
        if this.is_overseen(py)
            || this.untold.contains(recipient)
            || is_cancelled(py, request.cancellation_token.as_ref())?
        {
            return Ok(First::PlainWay);
        }
        let is_watched = this.is_watched(py)?;
        let seat = match Self::admit(drive) {
            Admission::Refused => return Ok(First::PlainWay),
            Admission::Pause => return Ok(First::Pause),
            Admission::Admitted(seat) => seat,
        };
        let mut spare = this.spare(py)?;
        let mut current = AsCurrent::new(&seat.event_loop)?;
        let mut begun = None;
        loop {
            current.enter(spare.task.bind(py))?;
            if current.before.is_none() && !is_running(&seat.event_loop)? {
                return Ok(First::PlainWay);
            }
            match this.begin(recipient, Start::Message, seat.generation, &mut begun)? {
                Beginning::Begun => break,
                // What is built is reported after the message that asked for it.
                Beginning::Missing if may_build && !is_watched => {
                    // The factory runs in the sender's task, not in the handler's.
                    current.leave();
                    if !this.build(recipient)? {
                        return Ok(First::PlainWay);
                    }
                }
                Beginning::Refused | Beginning::Missing => return Ok(First::PlainWay),
            }
        }
        let Some(inline) = &mut begun else { return Ok(First::PlainWay) };
        let source = inline.source.take();
        let inline = &*inline;
        let mut watch = Watch::NOBODY;
        if is_watched {
            // That a message is handed over is reported by its sender, not by the handler.
            current.leave();
            match Watch::over(this.host.bind(py), request) {
                Ok(somebody) => watch = somebody,
                Err(error) => return Ok(First::Ended(this.settle(inline, Err(error), None))),
            }
            current.enter(spare.task.bind(py))?;
        }
        let context = match spare.tell(py, request.context(py)) {
            Ok(context) => context,
            Err(error) => {
                current.leave();
                return Ok(First::Ended(this.settle(inline, Err(error), None)));
            }
        };
        let given = Given { message: request.message.bind(py), context: &context, is_rpc: true };
        let ran = run(inline, source, spare.handling.get(), &seat.event_loop, &given, &watch);
        let has_sender = current.before.is_some();
        current.leave();
        match ran {
            Ran::Ended(result) => {
                let token = context.get().token_if_made(py);
                spare.keep(py, context);
                let own = this.put_back(py, spare);
                let result = if is_watched { watch.end(py, result) } else { result };
                let result = this.settle(inline, result, own);
                if token.is_some() && result.is_ok() && is_cancelled(py, token.as_ref())? {
                    return Ok(First::Ended(Err(CancelledError::new_err(()))));
                }
                Ok(First::Ended(result))
            }
            Ran::Suspended(suspension) => {
                let may_take_turns =
                    may_build && has_sender && !is_watched && request.cancellation_token.is_none();
                let told = (context, watch);
                let came_of_it =
                    Self::suspended(send, &seat, &spare, inline, told, suspension, may_take_turns);
                Ok(came_of_it.unwrap_or_else(|error| {
                    // The handler cannot go on: its coroutine is gone, its task finds nothing to do.
                    send.get().give_up(py);
                    First::Ended(this.settle(inline, Err(error), None))
                }))
            }
        }
    }

    /// Sees to it that a handler which waits goes on.
    #[cold]
    fn suspended<'py>(
        send: &Bound<'py, Send>,
        seat: &Seat<'py>,
        spare: &Spare,
        inline: &Inline<'py>,
        (context, watch): (Bound<'py, MessageContext>, Watch),
        suspension: Suspension<'_, 'py>,
        may_take_turns: bool,
    ) -> PyResult<First<'py>> {
        let (py, drive) = (send.py(), &seat.drive);
        let Suspension { coroutine, pending, handler } = suspension;
        let task = spare.task.bind(py);
        if may_take_turns && pending.is_none() && drive.get().takes_turns(&context, task) {
            let waiter = Waiter::Turn(context.unbind());
            let ending = Ending::of(drive, task, inline, handler, waiter);
            drive.get().give_a_turn(spare, coroutine, ending)?;
            return Ok(First::Turn(spare.handling.clone_ref(py)));
        }
        let cancelled = send.get().handler_suspended(py, &seat.event_loop);
        context.get().link(send.as_any())?;
        let waiter = Waiter::Sender(send.clone().unbind(), watch);
        let ending = Ending::of(drive, task, inline, handler, waiter);
        drive.get().hold(spare, coroutine, pending, ending)?;
        if let Some(error) = cancelled {
            Send::cancel_with(send, error.bind(py))?;
        }
        Ok(First::Suspended)
    }

    /// Builds an agent that is not there. Returns whether it is.
    #[cold]
    fn build(&self, recipient: &Bound<'_, AgentId>) -> PyResult<bool> {
        let py = recipient.py();
        let mut item = Item::NEW;
        let unhandled = Unhandled::enter(py, &mut item);
        let built = self.host.call_method1(py, intern!(py, "build"), (recipient,));
        drop(unhandled);
        built.map_err(|error| as_raised(py, error))?.is_truthy(py)
    }

    /// The coroutine of the plain way.
    pub(super) fn plain_way<'py>(
        drive: &Bound<'py, Self>,
        request: Request,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = drive.py();
        let host = drive.get().host.bind(py);
        let Request { message, to, sender, cancellation_token, message_id, .. } = request;
        let name = match request.errand {
            Errand::Send => intern!(py, "send_plainly"),
            Errand::Publish => intern!(py, "publish_plainly"),
        };
        host.call_method1(name, (message, to, sender, cancellation_token, message_id))
    }

    /// Settles a message whose handler ended in its first step.
    #[inline]
    fn settle<'py>(
        &self,
        inline: &Inline<'py>,
        result: PyResult<Bound<'py, PyAny>>,
        context: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let outcome = if result.is_ok() { Outcome::Answered } else { Outcome::Failed };
        self.conclude(&inline.agent_id, inline.place, inline.is_watched, outcome, context)?;
        result
    }

    /// Whether nobody oversees, logs or traces messages.
    pub(super) fn is_unobserved(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(!self.is_overseen(py) && !self.is_watched(py)?)
    }

    /// Whether the user's intervention handlers may change what is sent.
    #[inline]
    pub(super) fn is_overseen(&self, py: Python<'_>) -> bool {
        !self.overseers.bind(py).is_empty()
    }

    /// Whether somebody logs or traces messages.
    #[inline]
    pub(super) fn is_watched(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.is_traced.load(Ordering::Relaxed) || !self.quiet.holds(py)?)
    }
}

#[inline]
pub(super) fn is_cancelled(py: Python<'_>, token: Option<&Py<PyAny>>) -> PyResult<bool> {
    match token {
        Some(token) => token.bind(py).call_method0(intern!(py, "is_cancelled"))?.is_truthy(),
        None => Ok(false),
    }
}
