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

/// Who is to hear how a handler that suspended has ended.
pub(super) enum Waiter {
    /// The sender, by what it awaits, and whoever looks at the message.
    Sender(Py<Send>, Watch),
    /// The runtime, since the message was published: this is called with the result and the error,
    /// after whoever looks at the message has heard.
    Runtime(Py<PyAny>, Watch),
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

    /// Tells how the handler has ended.
    pub(super) fn tell(&self, py: Python<'_>, outcome: PyResult<Bound<'_, PyAny>>) -> PyResult<()> {
        let drive = self.drive.get();
        drive.tasks.bind(py).discard(&self.task)?;
        let outcome = outcome.and_then(|value| match &self.handler {
            Some(handler) => handler.check(value),
            None => Ok(value),
        });
        let (answer, outcome) = match &self.waiter {
            Waiter::Sender(answer, watch) => (answer.bind(py), watch.end(py, outcome)),
            Waiter::Runtime(settle, watch) => {
                let (value, error) = match watch.end(py, outcome) {
                    Ok(value) => (value.unbind(), None),
                    Err(error) => (py.None(), Some(error.into_value(py))),
                };
                return settle.call1(py, (value, error)).map(|_| ());
            }
        };
        let how = if outcome.is_ok() { Outcome::Answered } else { Outcome::Failed };
        let told = Send::end(answer, future::Outcome::of(py, outcome));
        drive.conclude(self.agent_id.bind(py), self.place, self.is_watched, how, None)?;
        told
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
            Waiter::Runtime(settle, watch) => {
                visit.call(settle)?;
                watch.visit(visit)
            }
        }
    }
}
