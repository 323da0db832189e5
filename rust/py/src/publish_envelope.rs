//! `PublishEnvelope`: a published message on its way to whoever hears its topic.
//!
//! One serves all recipients, so what they share and seldom read, the token and the message's id, is
//! made here when first asked for.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use crate::drive::GilMutex;
use crate::lazy_field::read_or_make;
use crate::message_context::{ContextFields, MessageContext, new_message_id, new_token};

/// What is made when read, or may be changed under way.
struct Fields {
    message: Py<PyAny>,
    context: Option<Py<PyAny>>,
    cancellation_token: Option<Py<PyAny>>,
    message_id: Option<Py<PyAny>>,
}

#[pyclass(frozen, weakref, module = "ferrogen._core")]
pub(crate) struct PublishEnvelope {
    fields: GilMutex<Fields>,
    topic_id: Py<PyAny>,
    sender: Option<Py<PyAny>>,
    link: Option<Py<PyAny>>,
}

impl PublishEnvelope {
    /// What each recipient is told; the token and the id stay here.
    pub(crate) fn context_of_recipient(this: &Bound<'_, Self>) -> ContextFields {
        let (py, envelope) = (this.py(), this.get());
        ContextFields {
            sender: envelope.sender(py),
            topic_id: Some(envelope.topic_id(py)),
            envelope: Some(this.clone().unbind()),
            ..ContextFields::default()
        }
    }
}

#[pymethods]
impl PublishEnvelope {
    #[new]
    #[pyo3(signature = (message, topic_id, sender, *, cancellation_token=None, message_id=None, link=None))]
    pub(crate) fn new(
        message: Py<PyAny>,
        topic_id: Py<PyAny>,
        sender: Option<Py<PyAny>>,
        cancellation_token: Option<Py<PyAny>>,
        message_id: Option<Py<PyAny>>,
        link: Option<Py<PyAny>>,
    ) -> Self {
        Self {
            fields: GilMutex::new(Fields {
                message,
                context: None,
                cancellation_token,
                message_id,
            }),
            topic_id,
            sender,
            link,
        }
    }

    #[getter]
    pub(crate) fn message(&self, py: Python<'_>) -> Py<PyAny> {
        self.fields.lock(py).message.clone_ref(py)
    }

    #[setter]
    fn set_message(&self, py: Python<'_>, message: Py<PyAny>) {
        let before = std::mem::replace(&mut self.fields.lock(py).message, message);
        drop(before);
    }

    #[getter]
    fn context(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.fields.lock(py).context.as_ref().map(|context| context.clone_ref(py))
    }

    #[setter]
    fn set_context(&self, py: Python<'_>, context: Option<Py<PyAny>>) {
        let before = std::mem::replace(&mut self.fields.lock(py).context, context);
        drop(before);
    }

    #[getter]
    fn link(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.link.as_ref().map(|link| link.clone_ref(py))
    }

    #[getter]
    pub(crate) fn topic_id(&self, py: Python<'_>) -> Py<PyAny> {
        self.topic_id.clone_ref(py)
    }

    #[getter]
    pub(crate) fn sender(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.sender.as_ref().map(|sender| sender.clone_ref(py))
    }

    #[getter]
    pub(crate) fn cancellation_token(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        read_or_make(&self.fields, py, |fields| &mut fields.cancellation_token, || new_token(py))
    }

    #[getter]
    pub(crate) fn message_id(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        read_or_make(&self.fields, py, |fields| &mut fields.message_id, || new_message_id(py))
    }

    pub(crate) fn message_context(slf: &Bound<'_, Self>) -> MessageContext {
        MessageContext::of(Self::context_of_recipient(slf))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.fields.visit(|fields| {
            visit.call(&fields.message)?;
            visit.call(&fields.context)?;
            visit.call(&fields.cancellation_token)
        })?;
        visit.call(&self.topic_id)?;
        visit.call(&self.sender)?;
        visit.call(&self.link)
    }
}
