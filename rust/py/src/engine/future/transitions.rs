//! How a `Send` becomes a future, and stops being one.

use pyo3::prelude::*;
use pyo3::types::PyNone;

use crate::engine::execution::Execution;
use crate::engine::messages::Request;
use crate::engine::send::{Send, Stage};
use crate::interpreter::coroutine::{Sent, Step};

use super::{Future, Outcome, Phase, Waiting};

impl Send {
    pub(in crate::engine) fn if_future<R>(
        &self,
        py: Python<'_>,
        look: impl FnOnce(&mut Future) -> R,
    ) -> Option<R> {
        self.stage.with(py, |stage| match stage {
            Stage::Future(future) => Some(look(future)),
            _ => None,
        })
    }

    /// The context of the caller of the `gather` that awaits it.
    pub(in crate::engine) fn context_of_gather<'py>(
        &self,
        py: Python<'py>,
    ) -> Option<Bound<'py, PyAny>> {
        let context = self.if_future(py, |future| match &future.waiting {
            Waiting::Gather(context) => Some(context.bind(py).clone()),
            _ => None,
        });
        context.flatten()
    }

    /// Becomes a future, if it is fresh.
    pub(in crate::engine) fn become_future(
        &self,
        py: Python<'_>,
        make: impl FnOnce(Request) -> Future,
    ) -> bool {
        let (stage, done) = match self.take(py) {
            Stage::Fresh(request) => (Stage::Future(Box::new(make(request))), true),
            other => (other, false),
        };
        self.put(py, stage);
        done
    }

    /// Its message is queued or its handler has suspended: it is a future from here on. Returns the exception
    /// with which it was cancelled meanwhile.
    pub(in crate::engine) fn suspend(
        &self,
        py: Python<'_>,
        event_loop: &Bound<'_, PyAny>,
    ) -> Option<Py<PyAny>> {
        let cancelled = self.if_future(py, |future| {
            match std::mem::replace(&mut future.phase, Phase::Suspended) {
                Phase::Running { cancelled } => cancelled,
                _ => None,
            }
        });
        cancelled.unwrap_or_else(|| {
            let waiting = Waiting::Await { is_blocking: false };
            let future = Future::new(Phase::Suspended, waiting, event_loop);
            self.put(py, Stage::Future(Box::new(future)));
            None
        })
    }

    /// An intervention handler has its message, or the response. One that has yielded to the event loop is resumed in
    /// the next iteration, before a sender that yields now. That is cheaper than a future. Senders that are agents
    /// await futures, by which they are cancelled with the messages that they have sent.
    pub(in crate::engine) fn expect_progress(
        &self,
        py: Python<'_>,
        has_yielded: bool,
        is_from_outside: bool,
    ) {
        self.if_future(py, |future| future.expects_progress = has_yielded && is_from_outside);
    }

    /// Waits for the response: yields itself as the future to wait for, unless that is done by now.
    pub(in crate::engine) fn wait<'py>(this: &Bound<'py, Self>) -> Sent<'py> {
        let py = this.py();
        let waits = this.get().if_future(py, |future| {
            let expects_progress = std::mem::take(&mut future.expects_progress);
            if matches!(future.phase, Phase::Done(_)) {
                return None;
            }
            future.waiting = if expects_progress {
                Waiting::Iteration
            } else {
                Waiting::Await { is_blocking: true }
            };
            Some(expects_progress)
        });
        match waits {
            Some(Some(true)) => Sent::Yielded(PyNone::get(py).to_owned().into_any()),
            Some(Some(false)) => Sent::Yielded(this.clone().into_any()),
            _ => Self::step(this, py.None().bind(py)),
        }
    }

    /// Registers the handler that awaits it. Returns whether it did: the `await` must have yielded this send
    /// just now.
    pub(in crate::engine) fn set_waiting_handler(&self, execution: &Bound<'_, Execution>) -> bool {
        let py = execution.py();
        self.if_future(py, |future| match (&future.phase, &future.waiting) {
            (Phase::Suspended | Phase::Cancelling { .. }, Waiting::Await { is_blocking: true }) => {
                future.waiting = Waiting::Handler(execution.clone().unbind());
                true
            }
            _ => false,
        })
        .unwrap_or(false)
    }

    /// An exception leaves the `await`. If it is not the outcome, the outcome is of no interest any more.
    pub(in crate::engine) fn leave(
        this: &Bound<'_, Self>,
        mut future: Box<Future>,
        error: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        if matches!(future.waiting, Waiting::Gather(_)) {
            this.get().put(this.py(), Stage::Future(future));
            return Ok(());
        }
        if matches!(future.phase, Phase::Done(_)) {
            if future.leave_with_deadline(this.py()).is_some() {
                this.get().put(this.py(), Stage::Future(future));
            }
            return Ok(());
        }
        future.waiting = Waiting::Nothing;
        this.get().put(this.py(), Stage::Future(future));
        this.get().abandon_delivery(this.py())?;
        Self::end(this, Outcome::Cancelled(error.clone().unbind()))
    }

    /// Its handler could not be left suspended.
    pub(in crate::engine) fn give_up(&self, py: Python<'_>) {
        let before = self.if_future(py, |future| match future.waiting {
            Waiting::Gather(_) => None,
            _ => Some(()),
        });
        if let Some(Some(())) = before {
            drop(self.take(py));
        }
    }

    /// Whether it is used up.
    pub(in crate::engine) fn has_ended(&self, py: Python<'_>) -> bool {
        self.stage.with(py, |stage| matches!(stage, Stage::Taken))
    }

    /// Takes the request, if it has not begun.
    pub(in crate::engine) fn take_gathered(&self, py: Python<'_>, next: Phase) -> Option<Request> {
        self.if_future(py, |future| match std::mem::replace(&mut future.phase, next) {
            Phase::Gathered(request) => Some(request),
            other => {
                // The new phase has no reference to drop.
                future.phase = other;
                None
            }
        })?
    }

    /// The exception with which it was cancelled during its first step.
    pub(in crate::engine) fn cancelled_meanwhile(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.if_future(py, |future| match &mut future.phase {
            Phase::Running { cancelled } => cancelled.take(),
            _ => None,
        })?
    }
}
