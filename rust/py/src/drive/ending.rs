//! What is to be done when a handler that suspended ends.

use std::sync::Arc;

use ferrogen_core::Outcome;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use super::drive::Drive;
use super::future;
use super::handlers::Handler;
use super::send::Send;
use super::watch::Watch;
use crate::agent_id::AgentId;
use crate::dispatcher::{Inline, Place};
use crate::message_context::MessageContext;

/// Who is to hear how a handler that suspended has ended.
pub(super) enum Waiter {
    /// The sender, by what it awaits, and whoever looks at the message.
    Sender(Py<Send>, Watch),
    /// The runtime, since the message was published: this is called with the result and the error,
    /// after whoever looks at the message has heard.
    Runtime(Py<PyAny>, Watch),
    /// The sender, when it is stepped again. This is what the handler was told.
    Turn(Py<MessageContext>),
}

/// What is to be done when a handler that suspended ends.
pub(super) struct Ending {
    drive: Py<Drive>,
    task: Py<PyAny>,
    agent_id: Py<AgentId>,
    place: Place,
    is_watched: bool,
    handler: Option<Arc<Handler>>,
    waiter: Waiter,
}

impl Ending {
    pub(super) fn of(
        drive: &Bound<'_, Drive>,
        task: &Bound<'_, PyAny>,
        inline: &Inline<'_>,
        handler: Option<&Arc<Handler>>,
        waiter: Waiter,
    ) -> Self {
        Self {
            drive: drive.clone().unbind(),
            task: task.clone().unbind(),
            agent_id: inline.agent_id.clone().unbind(),
            place: inline.place,
            is_watched: inline.is_watched,
            handler: handler.cloned(),
            waiter,
        }
    }

    /// Tells how the handler has ended. Returns what its sender, who will ask, is to hear.
    pub(super) fn tell(
        &self,
        py: Python<'_>,
        outcome: PyResult<Bound<'_, PyAny>>,
    ) -> PyResult<Option<future::Outcome>> {
        let drive = self.drive.get();
        let outcome = self.checked(py, outcome)?;
        let (answer, outcome) = match &self.waiter {
            Waiter::Sender(answer, watch) => (answer.bind(py), watch.end(py, outcome)),
            Waiter::Runtime(settle, watch) => {
                let (value, error) = match watch.end(py, outcome) {
                    Ok(value) => (value.unbind(), None),
                    Err(error) => (py.None(), Some(error.into_value(py))),
                };
                return settle.call1(py, (value, error)).map(|_| None);
            }
            Waiter::Turn(_) => {
                let result = self.settle(py, outcome, None);
                return Ok(Some(future::Outcome::of(py, result)));
            }
        };
        let how = how(&outcome);
        let told = Send::end(answer, future::Outcome::of(py, outcome));
        drive.conclude(self.agent_id.bind(py), self.place, self.is_watched, how, None)?;
        told.map(|()| None)
    }

    /// Settles the message, whose sender asks just now. Returns what it is to hear.
    pub(super) fn conclude<'py>(
        &self,
        py: Python<'py>,
        outcome: PyResult<Bound<'py, PyAny>>,
        context: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let outcome = self.checked(py, outcome)?;
        self.settle(py, outcome, context)
    }

    fn settle<'py>(
        &self,
        py: Python<'py>,
        outcome: PyResult<Bound<'py, PyAny>>,
        context: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (drive, agent_id) = (self.drive.get(), self.agent_id.bind(py));
        drive.conclude(agent_id, self.place, self.is_watched, how(&outcome), context)?;
        outcome
    }

    /// What came of the handler, if it may be.
    fn checked<'py>(
        &self,
        py: Python<'py>,
        outcome: PyResult<Bound<'py, PyAny>>,
    ) -> PyResult<PyResult<Bound<'py, PyAny>>> {
        self.drive.get().tasks.bind(py).discard(&self.task)?;
        Ok(outcome.and_then(|value| match &self.handler {
            Some(handler) => handler.check(value),
            None => Ok(value),
        }))
    }

    /// What the handler was told, if its sender waits for a turn.
    pub(super) fn told<'py>(&self, py: Python<'py>) -> Option<Bound<'py, MessageContext>> {
        match &self.waiter {
            Waiter::Turn(context) => Some(context.bind(py).clone()),
            _ => None,
        }
    }

    /// From here on, the sender waits for a future.
    pub(super) fn wait_for(&mut self, answer: Py<Send>) -> Waiter {
        std::mem::replace(&mut self.waiter, Waiter::Sender(answer, Watch::NOBODY))
    }

    pub(super) fn drive<'py>(&self, py: Python<'py>) -> Bound<'py, Drive> {
        self.drive.bind(py).clone()
    }

    pub(super) fn task<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        self.task.bind(py).clone()
    }

    pub(super) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.drive)?;
        visit.call(&self.task)?;
        visit.call(&self.agent_id)?;
        match &self.waiter {
            Waiter::Sender(answer, watch) => {
                visit.call(answer)?;
                watch.visit(visit)
            }
            Waiter::Turn(context) => visit.call(context),
            Waiter::Runtime(settle, watch) => {
                visit.call(settle)?;
                watch.visit(visit)
            }
        }
    }
}

fn how(outcome: &PyResult<Bound<'_, PyAny>>) -> Outcome {
    if outcome.is_ok() { Outcome::Answered } else { Outcome::Failed }
}
