//! `PublishEnvelope`: a published message on its way to whoever hears its topic.
//!
//! One serves all recipients, so what they share and seldom read, the token and the message's id, is
//! made here when first asked for.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use crate::drive::{FreeList, GilMutex};
use crate::lazy_field::read_or_make;
use crate::letting_go::let_go;
use crate::message_context::{ContextFields, MessageContext, new_message_id, new_token};

struct Fields {
    message: Py<PyAny>,
    topic_id: Py<PyAny>,
    sender: Option<Py<PyAny>>,
    link: Option<Py<PyAny>>,
    context: Option<Py<PyAny>>,
    cancellation_token: Option<Py<PyAny>>,
    message_id: Option<Py<PyAny>>,
}

impl Fields {
    /// Lets go of everything.
    fn release(self, py: Python<'_>) {
        self.message.drop_ref(py);
        self.topic_id.drop_ref(py);
        let_go(py, self.sender);
        let_go(py, self.link);
        let_go(py, self.context);
        let_go(py, self.cancellation_token);
        let_go(py, self.message_id);
    }
}

#[pyclass(frozen, weakref, module = "ferrogen._core")]
pub(crate) struct PublishEnvelope {
    /// `None` while it waits to be used again.
    fields: GilMutex<Option<Fields>>,
}

impl PublishEnvelope {
    /// An envelope around what was given to `publish_message`.
    pub(crate) fn make(
        py: Python<'_>,
        message: Py<PyAny>,
        topic_id: Py<PyAny>,
        sender: Option<Py<PyAny>>,
        cancellation_token: Option<Py<PyAny>>,
        message_id: Option<Py<PyAny>>,
        link: Option<Py<PyAny>>,
    ) -> PyResult<Bound<'_, Self>> {
        let envelope = Self::new(message, topic_id, sender, cancellation_token, message_id, link);
        let Some(free) = FreeList::take::<Self>(py) else { return Bound::new(py, envelope) };
        let fields = envelope.fields.into_inner();
        free.get().fields.with(py, |place| *place = fields);
        Ok(free)
    }

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

    /// Whether these are its sender and its topic.
    #[inline]
    pub(crate) fn is_from(
        &self,
        py: Python<'_>,
        sender: Option<&Py<PyAny>>,
        topic_id: Option<&Py<PyAny>>,
    ) -> bool {
        let address = |one: &Py<PyAny>| one.as_ptr();
        self.with(py, |fields| {
            fields.sender.as_ref().map(address) == sender.map(address)
                && Some(fields.topic_id.as_ptr()) == topic_id.map(address)
        })
    }

    /// Lets go of everything. Nobody refers to it any more.
    pub(crate) fn release(&self, py: Python<'_>) {
        if let Some(fields) = self.fields.with(py, Option::take) {
            fields.release(py);
        }
    }

    /// Looks at the fields, without running Python.
    fn with<R>(&self, py: Python<'_>, look: impl FnOnce(&mut Fields) -> R) -> R {
        self.fields.with(py, |fields| look(filled(fields)))
    }

    fn read(&self, py: Python<'_>, field: fn(&Fields) -> &Option<Py<PyAny>>) -> Option<Py<PyAny>> {
        self.with(py, |fields| field(fields).as_ref().map(|value| value.clone_ref(py)))
    }
}

fn filled(fields: &mut Option<Fields>) -> &mut Fields {
    fields.as_mut().expect("what is referred to has its fields")
}

#[pymethods]
impl PublishEnvelope {
    #[new]
    #[pyo3(signature = (message, topic_id, sender, *, cancellation_token=None, message_id=None, link=None))]
    fn new(
        message: Py<PyAny>,
        topic_id: Py<PyAny>,
        sender: Option<Py<PyAny>>,
        cancellation_token: Option<Py<PyAny>>,
        message_id: Option<Py<PyAny>>,
        link: Option<Py<PyAny>>,
    ) -> Self {
        let context = None;
        let fields =
            Fields { message, topic_id, sender, link, context, cancellation_token, message_id };
        Self { fields: GilMutex::new(Some(fields)) }
    }

    #[getter]
    pub(crate) fn message(&self, py: Python<'_>) -> Py<PyAny> {
        self.with(py, |fields| fields.message.clone_ref(py))
    }

    #[setter]
    fn set_message(&self, py: Python<'_>, message: Py<PyAny>) {
        let before = self.with(py, |fields| std::mem::replace(&mut fields.message, message));
        drop(before);
    }

    #[getter]
    fn context(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.read(py, |fields| &fields.context)
    }

    #[setter]
    fn set_context(&self, py: Python<'_>, context: Option<Py<PyAny>>) {
        let before = self.with(py, |fields| std::mem::replace(&mut fields.context, context));
        drop(before);
    }

    #[getter]
    fn link(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.read(py, |fields| &fields.link)
    }

    #[getter]
    pub(crate) fn topic_id(&self, py: Python<'_>) -> Py<PyAny> {
        self.with(py, |fields| fields.topic_id.clone_ref(py))
    }

    #[getter]
    pub(crate) fn sender(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.read(py, |fields| &fields.sender)
    }

    #[getter]
    pub(crate) fn cancellation_token(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        read_or_make(
            &self.fields,
            py,
            |fields| &mut filled(fields).cancellation_token,
            || new_token(py),
        )
    }

    #[getter]
    pub(crate) fn message_id(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        read_or_make(
            &self.fields,
            py,
            |fields| &mut filled(fields).message_id,
            || new_message_id(py),
        )
    }

    fn message_context(slf: &Bound<'_, Self>) -> MessageContext {
        MessageContext::of(Self::context_of_recipient(slf))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.fields.visit(|fields| {
            let Some(fields) = fields else { return Ok(()) };
            visit.call(&fields.message)?;
            visit.call(&fields.topic_id)?;
            visit.call(&fields.sender)?;
            visit.call(&fields.link)?;
            visit.call(&fields.context)?;
            visit.call(&fields.cancellation_token)
        })
    }
}
