//! What somebody asks for: that a message is sent, or published.

use std::ffi::CStr;

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use super::drive::Drive;
use crate::letting_go::let_go;
use crate::message_context::ContextFields;

/// What a message is sent as.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Errand {
    /// A message to one agent, whose answer the sender waits for.
    Send,
    /// A message to a topic.
    Publish,
}

impl Errand {
    pub(super) fn never_awaited(self) -> &'static CStr {
        match self {
            Self::Send => c"coroutine 'SingleThreadedAgentRuntime.send_message' was never awaited",
            Self::Publish => {
                c"coroutine 'SingleThreadedAgentRuntime.publish_message' was never awaited"
            }
        }
    }
}

/// What was asked for.
pub(super) struct Request {
    pub(super) errand: Errand,
    pub(super) drive: Py<Drive>,
    pub(super) message: Py<PyAny>,
    /// The agent or the topic.
    pub(super) to: Py<PyAny>,
    pub(super) sender: Option<Py<PyAny>>,
    pub(super) cancellation_token: Option<Py<PyAny>>,
    pub(super) message_id: Option<Py<PyAny>>,
}

impl Request {
    /// Lets go of everything.
    #[inline]
    pub(super) fn release(self, py: Python<'_>) {
        self.drive.drop_ref(py);
        self.message.drop_ref(py);
        self.to.drop_ref(py);
        let_go(py, self.sender);
        let_go(py, self.cancellation_token);
        let_go(py, self.message_id);
    }

    /// What the handler of a message that was sent is told about it.
    #[inline]
    pub(super) fn context(&self, py: Python<'_>) -> ContextFields {
        let cloned = |one: &Option<Py<PyAny>>| one.as_ref().map(|one| one.clone_ref(py));
        ContextFields {
            sender: cloned(&self.sender),
            cancellation_token: cloned(&self.cancellation_token),
            message_id: cloned(&self.message_id),
            ..ContextFields::default()
        }
    }

    pub(super) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.drive)?;
        visit.call(&self.message)?;
        visit.call(&self.to)?;
        visit.call(&self.sender)?;
        visit.call(&self.cancellation_token)?;
        visit.call(&self.message_id)
    }
}
