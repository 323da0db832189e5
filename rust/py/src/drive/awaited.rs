//! How a `Send` becomes a future that somebody waits for, and stops being one.

use pyo3::prelude::*;

use super::coroutine::{Sent, Step};
use super::future::{Future, Outcome, Phase, Waiting};
use super::handling::Handling;
use super::request::Request;
use super::send::{Send, Stage};

impl Send {
    pub(super) fn if_future<R>(
        &self,
        py: Python<'_>,
        look: impl FnOnce(&mut Future) -> R,
    ) -> Option<R> {
        self.stage.with(py, |stage| match stage {
            Stage::Future(future) => Some(look(future)),
            _ => None,
        })
    }

    /// Becomes a future, unless something was done with it before.
    pub(super) fn become_future(
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

    /// Notes that the handler suspended in its first step. What is awaited is a future from here on.
    pub(super) fn handler_suspended(
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

    /// Waits for the handler: yields itself as the future to wait for, unless that is done by now.
    pub(super) fn wait<'py>(this: &Bound<'py, Self>) -> Sent<'py> {
        let py = this.py();
        let is_done = this.get().if_future(py, |future| {
            future.waiting = Waiting::Await { is_blocking: true };
            matches!(future.phase, Phase::Done(_))
        });
        match is_done {
            Some(false) => Sent::Yielded(this.clone().into_any()),
            _ => Self::step(this, py.None().bind(py)),
        }
    }

    /// Lets a handler that was handed this send to wait for be parked. Returns whether it is: the
    /// `await` must have yielded it just now.
    pub(super) fn park(&self, handling: &Bound<'_, Handling>) -> bool {
        let py = handling.py();
        self.if_future(py, |future| match (&future.phase, &future.waiting) {
            (Phase::Suspended, Waiting::Await { is_blocking: true }) => {
                future.waiting = Waiting::Parked(handling.clone().unbind());
                true
            }
            _ => false,
        })
        .unwrap_or(false)
    }

    /// The `await` is left with an exception. If that is not what came of it, nobody will ask again.
    pub(super) fn leave(
        this: &Bound<'_, Self>,
        mut future: Box<Future>,
        error: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        if matches!(future.waiting, Waiting::Gather(_)) {
            this.get().put(this.py(), Stage::Future(future));
            return Ok(());
        }
        if matches!(future.phase, Phase::Done(_)) {
            return Ok(());
        }
        future.waiting = Waiting::Nobody;
        this.get().put(this.py(), Stage::Future(future));
        Self::end(this, Outcome::Cancelled(error.clone().unbind()))
    }

    /// Nothing came of the waiting for a handler that suspended.
    pub(super) fn give_up(&self, py: Python<'_>) {
        let before = self.if_future(py, |future| match future.waiting {
            Waiting::Gather(_) => None,
            _ => Some(()),
        });
        if let Some(Some(())) = before {
            drop(self.take(py));
        }
    }

    /// Whether it is used up.
    pub(super) fn has_ended(&self, py: Python<'_>) -> bool {
        self.stage.with(py, |stage| matches!(stage, Stage::Taken))
    }

    /// Takes what was asked for, if it has not begun.
    pub(super) fn take_queued(&self, py: Python<'_>, next: Phase) -> Option<Request> {
        self.if_future(py, |future| match std::mem::replace(&mut future.phase, next) {
            Phase::Queued(request) => Some(request),
            other => {
                // What was put in has no reference to drop.
                future.phase = other;
                None
            }
        })?
    }

    /// Puts back what was asked for: it is yet to begin.
    pub(super) fn queue_again(&self, py: Python<'_>, request: Request) {
        let queued = Phase::Queued(request);
        drop(self.if_future(py, |future| std::mem::replace(&mut future.phase, queued)));
    }

    /// With which exception it was cancelled during its first step.
    pub(super) fn cancelled_meanwhile(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.if_future(py, |future| match &mut future.phase {
            Phase::Running { cancelled } => cancelled.take(),
            _ => None,
        })?
    }
}
