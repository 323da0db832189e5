//! A `Send` that is awaited: a future, as asyncio knows them.

use ferrogen_core::DeliveryId;
use pyo3::exceptions::asyncio::{CancelledError, InvalidStateError};
use pyo3::exceptions::{PyKeyboardInterrupt, PyRuntimeError, PySystemExit};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::callbacks::call_soon_in;
use super::deadlines::DeadlineKey;
use super::engine::Engine;
use super::execution::Execution;
use super::messages::Request;
use super::send::Send;
use crate::interpreter::context::Entered;
use crate::interpreter::coroutine::Sent;
use crate::interpreter::exception_state::raised_here;

mod transitions;

/// How far it has come.
pub(super) enum Phase {
    /// It begins in the next iteration of the event loop.
    Gathered(Request),
    /// Its first step runs. If it is cancelled meanwhile, then with this exception.
    Running {
        cancelled: Option<Py<PyAny>>,
    },
    /// Its message is queued, or its handler is suspended.
    Suspended,
    /// Its token is cancelled: it ends with this exception when its handler ends, or after so many iterations of the
    /// event loop. So the handler, which the token cancels, too, is the first to see the cancellation.
    Cancelling {
        error: Py<PyAny>,
        iterations: u32,
    },
    Done(Outcome),
}

pub(super) enum Outcome {
    Response(Py<PyAny>),
    Error(Py<PyAny>),
    Cancelled(Py<PyAny>),
}

impl Outcome {
    /// The outcome of a coroutine that ended so.
    pub(super) fn of(py: Python<'_>, result: PyResult<Bound<'_, PyAny>>) -> Self {
        match result {
            Ok(response) => Self::Response(response.unbind()),
            Err(error) if error.is_instance_of::<CancelledError>(py) => {
                Self::Cancelled(error.into_value(py).into_any())
            }
            Err(error) => Self::Error(error.into_value(py).into_any()),
        }
    }

    /// What a coroutine that ends so does.
    pub(super) fn into_sent(self, py: Python<'_>) -> Sent<'_> {
        match self {
            Self::Response(response) => Sent::Returned(response.into_bound(py)),
            Self::Error(error) | Self::Cancelled(error) => {
                Sent::Raised(raised_here(py, PyErr::from_value(error.into_bound(py))))
            }
        }
    }

    pub(super) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Self::Response(one) | Self::Error(one) | Self::Cancelled(one) => visit.call(one),
        }
    }

    fn clone_ref(&self, py: Python<'_>) -> Self {
        match self {
            Self::Response(one) => Self::Response(one.clone_ref(py)),
            Self::Error(one) => Self::Error(one.clone_ref(py)),
            Self::Cancelled(one) => Self::Cancelled(one.clone_ref(py)),
        }
    }
}

/// Who waits.
pub(super) enum Waiting {
    /// `asyncio.gather`, called in a context of which this is a copy.
    Gather(Py<PyAny>),
    /// An `await`. Its task is told so by `_asyncio_future_blocking`.
    Await { is_blocking: bool },
    /// The `await` of a handler that the engine resumes.
    Handler(Py<Execution>),
    /// An `await` that has yielded to the event loop, since there may be an outcome in its next iteration.
    Iteration,
    /// The `await` was left.
    Nothing,
}

/// What a `Send` is while it is waited for.
pub(super) struct Future {
    pub(super) phase: Phase,
    pub(super) waiting: Waiting,
    event_loop: Py<PyAny>,
    /// The delivery of its message, once it is placed, and its handler, once that is suspended.
    pub(super) delivery: Option<(Py<Engine>, DeliveryId)>,
    pub(super) handler: Option<Py<Execution>>,
    /// What to call once it is done, each with the context to call it in.
    callbacks: Vec<(Py<PyAny>, Py<PyAny>)>,
    /// Its deadline, while that is watched.
    pub(super) deadline: Option<Box<(Py<Engine>, DeadlineKey)>>,
    /// Whether its message is not to be handled any more.
    pub(super) is_withdrawn: bool,
    /// Whether there may be an outcome in the next iteration of the event loop.
    pub(super) expects_progress: bool,
}

impl Future {
    pub(super) fn new(phase: Phase, waiting: Waiting, event_loop: &Bound<'_, PyAny>) -> Self {
        let event_loop = event_loop.clone().unbind();
        let (delivery, handler, callbacks, deadline) = (None, None, Vec::new(), None);
        let (is_withdrawn, expects_progress) = (false, false);
        Self {
            phase,
            waiting,
            event_loop,
            delivery,
            handler,
            callbacks,
            deadline,
            is_withdrawn,
            expects_progress,
        }
    }

    pub(super) fn event_loop<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        self.event_loop.bind(py).clone()
    }

    /// Its outcome, if its sender was cancelled while a handler runs that has a deadline: the handler keeps it.
    pub(super) fn leave_with_deadline(&mut self, py: Python<'_>) -> Option<Outcome> {
        let (Some(_), Some(_)) = (&self.handler, &self.deadline) else { return None };
        let Phase::Done(outcome @ Outcome::Cancelled(_)) = &self.phase else { return None };
        let outcome = outcome.clone_ref(py);
        self.waiting = Waiting::Nothing;
        Some(outcome)
    }

    /// Whether the `await` has yielded to the event loop, and there is no outcome yet.
    pub(super) fn is_stepped_again(&self) -> bool {
        matches!(self.waiting, Waiting::Iteration) && !matches!(self.phase, Phase::Done(_))
    }

    /// Its outcome, if it is done.
    pub(super) fn into_outcome(self: Box<Self>) -> Result<Outcome, Box<Self>> {
        if !matches!(self.phase, Phase::Done(_)) {
            return Err(self);
        }
        match self.phase {
            Phase::Done(outcome) => Ok(outcome),
            _ => unreachable!("it was looked at"),
        }
    }

    pub(super) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match &self.phase {
            Phase::Gathered(request) => request.visit(visit)?,
            Phase::Suspended => {}
            Phase::Cancelling { error, .. } => visit.call(error)?,
            Phase::Running { cancelled } => visit.call(cancelled)?,
            Phase::Done(outcome) => outcome.visit(visit)?,
        }
        match &self.waiting {
            Waiting::Gather(context) => visit.call(context)?,
            Waiting::Handler(execution) => visit.call(execution)?,
            Waiting::Await { .. } | Waiting::Iteration | Waiting::Nothing => {}
        }
        visit.call(&self.event_loop)?;
        visit.call(&self.handler)?;
        if let Some((engine, _)) = &self.delivery {
            visit.call(engine)?;
        }
        if let Some(deadline) = &self.deadline {
            visit.call(&deadline.0)?;
        }
        for (callback, context) in &self.callbacks {
            visit.call(callback)?;
            visit.call(context)?;
        }
        Ok(())
    }
}

/// The methods of `asyncio.Future` that `gather` calls.
impl Send {
    pub(super) fn future<R>(
        &self,
        py: Python<'_>,
        look: impl FnOnce(&mut Future) -> R,
    ) -> PyResult<R> {
        self.if_future(py, look).ok_or_else(|| {
            PyRuntimeError::new_err("a send is a future only while it is waited for")
        })
    }

    pub(super) fn event_loop<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.future(py, |future| future.event_loop.bind(py).clone())
    }

    fn outcome(&self, py: Python<'_>) -> PyResult<Option<Outcome>> {
        self.future(py, |future| match &future.phase {
            Phase::Done(outcome) => Some(outcome.clone_ref(py)),
            _ => None,
        })
    }

    pub(super) fn is_done(&self, py: Python<'_>) -> PyResult<bool> {
        if self.has_ended(py) {
            return Ok(true);
        }
        self.future(py, |future| matches!(future.phase, Phase::Done(_)))
    }

    /// The exception that says it was cancelled, if it was.
    pub(super) fn cancellation(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        Ok(match self.outcome(py)? {
            Some(Outcome::Cancelled(error)) => Some(error),
            _ => None,
        })
    }

    /// The error, or else the response.
    pub(super) fn error_or_response(
        &self,
        py: Python<'_>,
    ) -> PyResult<Result<Py<PyAny>, Py<PyAny>>> {
        match self.outcome(py)? {
            Some(Outcome::Response(response)) => Ok(Ok(response)),
            Some(Outcome::Error(error)) => Ok(Err(error)),
            Some(Outcome::Cancelled(error)) => Err(PyErr::from_value(error.into_bound(py))),
            None => Err(InvalidStateError::new_err("Result is not set.")),
        }
    }

    /// Calls something once it is done: in the next iteration of the event loop if it is done by now.
    pub(super) fn add_callback(
        slf: &Bound<'_, Self>,
        callback: &Bound<'_, PyAny>,
        context: Option<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let context = context.map_or_else(|| Entered::copy_of_current(py), Ok)?;
        if this.is_done(py)? {
            return call_soon(slf, callback, &context);
        }
        let added = (callback.clone().unbind(), context.unbind());
        this.future(py, |future| future.callbacks.push(added))
    }

    /// Forgets a callback; returns how often it had been added.
    pub(super) fn remove_callback(&self, callback: &Bound<'_, PyAny>) -> PyResult<usize> {
        let py = callback.py();
        let all = self.future(py, |future| std::mem::take(&mut future.callbacks))?;
        let before = all.len();
        let mut kept = Vec::with_capacity(before);
        for one in all {
            if !one.0.bind(py).eq(callback)? {
                kept.push(one);
            }
        }
        let removed = before - kept.len();
        self.future(py, |future| future.callbacks.append(&mut kept))?;
        Ok(removed)
    }

    fn take_callbacks(&self, py: Python<'_>) -> PyResult<Vec<(Py<PyAny>, Py<PyAny>)>> {
        self.future(py, |future| std::mem::take(&mut future.callbacks))
    }

    /// Ends, unless it was cancelled before, or is not awaited any more.
    pub(super) fn end(slf: &Bound<'_, Self>, outcome: Outcome) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        // A handler whose sender has left keeps its deadline.
        let has_ended = this.if_future(py, |future| {
            matches!(future.phase, Phase::Done(_)) || !matches!(future.waiting, Waiting::Nothing)
        });
        if has_ended == Some(true) {
            this.forget_deadline(py);
        }
        let before = this.if_future(py, |future| {
            if matches!(future.phase, Phase::Done(_)) {
                return Err(outcome);
            }
            let before = std::mem::replace(&mut future.phase, Phase::Done(outcome));
            let handler = future.handler.take();
            Ok((before, handler, matches!(future.waiting, Waiting::Gather(_))))
        });
        match before {
            Some(Ok((Phase::Cancelling { error, .. }, ..))) => {
                let error = PyErr::from_value(error.into_bound(py));
                let over = Phase::Done(Outcome::of(py, Err(error)));
                let before = this.if_future(py, |one| std::mem::replace(&mut one.phase, over));
                drop(before);
                Self::call_back(slf)
            }
            Some(Ok((.., true))) => Self::call_back_at_once(slf),
            Some(Ok((.., false))) => Self::call_back(slf),
            Some(Err(_)) | None => Ok(()),
        }
    }

    /// Notifies all waiters in the next iteration of the event loop, and has the handler that awaits it resumed.
    pub(super) fn call_back(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let handler = this.future(py, |future| {
            let nothing = Waiting::Await { is_blocking: false };
            match &future.waiting {
                Waiting::Handler(_) => Some(std::mem::replace(&mut future.waiting, nothing)),
                _ => None,
            }
        })?;
        if let Some(Waiting::Handler(execution)) = handler {
            let execution = execution.bind(py);
            let engine = execution
                .get()
                .with_completion(py, |completion| completion.engine.bind(py).clone());
            if let Some(engine) = engine {
                Engine::resume_soon(&engine, execution)?;
            }
        }
        for (callback, context) in this.take_callbacks(py)? {
            call_soon(slf, callback.bind(py), context.bind(py))?;
        }
        Ok(())
    }

    /// Calls `gather` at once: all it does is count, and end itself.
    fn call_back_at_once(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        for (callback, context) in this.take_callbacks(py)? {
            let called = Entered::enter(context.into_bound(py))
                .and_then(|_entered| callback.bind(py).call1((slf,)));
            if let Err(error) = called {
                call_exception_handler(slf, error)?;
            }
        }
        Ok(())
    }
}

fn call_soon(
    send: &Bound<'_, Send>,
    callback: &Bound<'_, PyAny>,
    context: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let event_loop = send.get().event_loop(send.py())?;
    call_soon_in(&event_loop, callback, send, context)
}

/// Whether asyncio lets an error end the program, out of whatever task or callback it is raised in.
pub(super) fn ends_program(py: Python<'_>, error: &PyErr) -> bool {
    error.is_instance_of::<PyKeyboardInterrupt>(py) || error.is_instance_of::<PySystemExit>(py)
}

/// Tells the event loop of an error in a callback, as it would itself. One that ends the program goes on.
fn call_exception_handler(send: &Bound<'_, Send>, error: PyErr) -> PyResult<()> {
    let py = send.py();
    if ends_program(py, &error) {
        return Err(error);
    }
    let about = PyDict::new(py);
    about.set_item("message", "Exception in a callback of a send")?;
    about.set_item("exception", error.into_value(py))?;
    about.set_item("future", send)?;
    send.get().event_loop(py)?.call_method1("call_exception_handler", (about,))?;
    Ok(())
}
