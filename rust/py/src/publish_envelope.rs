//! `PublishEnvelope`: a published message that is not yet delivered to all of its recipients.
//!
//! All recipients share one envelope. The token and the message id, which handlers seldom read, are
//! created when first read.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use crate::engine::{MessageOptions, Publisher};
use crate::interpreter::GilMutex;
use crate::interpreter::free_list::{FreeList, Recycled, Unreferenced};
use crate::interpreter::release::release;
use crate::lazy_field::read_or_make;
use crate::message_context::{ContextFields, MessageContext, new_message_id, new_token};

struct Fields {
    message: Py<PyAny>,
    topic_id: Py<PyAny>,
    sender: Option<Py<PyAny>>,
    /// The observer of the message, if it is logged or traced.
    observer: Option<Py<PyAny>>,
    cancellation_token: Option<Py<PyAny>>,
    message_id: Option<Py<PyAny>>,
    options: MessageOptions,
    /// What is unusual about its delivery.
    delivery: Option<Box<Delivery>>,
}

#[derive(Default)]
struct Delivery {
    /// The only recipient, in place of the subscribers of the topic.
    recipient: Option<Py<PyAny>>,
    /// Who waits until it has its places.
    publisher: Option<Box<Publisher>>,
}

impl Fields {
    /// Releases everything.
    fn release(self, py: Python<'_>) {
        self.message.drop_ref(py);
        self.topic_id.drop_ref(py);
        release(py, self.sender);
        release(py, self.observer);
        release(py, self.cancellation_token);
        release(py, self.message_id);
    }
}

#[pyclass(frozen, weakref, module = "ferrogen._core")]
pub(crate) struct PublishEnvelope {
    /// `None` while it is in the free list.
    fields: GilMutex<Option<Fields>>,
}

impl PublishEnvelope {
    /// The envelope of a message, reused if possible.
    #[expect(clippy::too_many_arguments, reason = "a field each")]
    pub(crate) fn make(
        py: Python<'_>,
        message: Py<PyAny>,
        topic_id: Py<PyAny>,
        sender: Option<Py<PyAny>>,
        cancellation_token: Option<Py<PyAny>>,
        message_id: Option<Py<PyAny>>,
        observer: Option<Py<PyAny>>,
        options: MessageOptions,
    ) -> PyResult<Bound<'_, Self>> {
        let mut envelope =
            Self::new(message, topic_id, sender, cancellation_token, message_id, observer);
        filled(envelope.fields.get_mut()).options = options;
        let Some(free) = FreeList::take::<Self>(py) else { return Bound::new(py, envelope) };
        let fields = envelope.fields.into_inner();
        free.get().fields.with(py, |place| *place = fields);
        Ok(free)
    }

    /// The context of each recipient; the token and the id stay here.
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

    /// Releases its content.
    pub(crate) fn release(&self, py: Python<'_>) {
        if let Some(fields) = self.fields.with(py, Option::take) {
            fields.release(py);
        }
    }

    /// Looks at the fields, without running Python.
    fn with<R>(&self, py: Python<'_>, look: impl FnOnce(&mut Fields) -> R) -> R {
        self.fields.with(py, |fields| look(filled(fields)))
    }

    /// Whether it has an observer.
    #[inline]
    pub(crate) fn is_observed(&self, py: Python<'_>) -> bool {
        self.with(py, |fields| fields.observer.is_some())
    }

    /// What the publisher has set besides.
    pub(crate) fn options<R>(&self, py: Python<'_>, read: impl FnOnce(&MessageOptions) -> R) -> R {
        self.with(py, |fields| read(&fields.options))
    }

    pub(crate) fn set_topic_id(&self, py: Python<'_>, topic_id: Py<PyAny>) {
        let before = self.with(py, |fields| std::mem::replace(&mut fields.topic_id, topic_id));
        drop(before);
    }

    /// The only recipient, if there is one in place of the subscribers.
    #[inline]
    pub(crate) fn recipient(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.with(py, |fields| {
            fields.delivery.as_ref()?.recipient.as_ref().map(|one| one.clone_ref(py))
        })
    }

    pub(crate) fn set_recipient(&self, py: Python<'_>, recipient: Option<Py<PyAny>>) {
        let before = self.with(py, |fields| {
            std::mem::replace(&mut fields.delivery.get_or_insert_default().recipient, recipient)
        });
        drop(before);
    }

    pub(crate) fn set_publisher(&self, py: Python<'_>, publisher: Publisher) {
        let before = self.with(py, |fields| {
            fields.delivery.get_or_insert_default().publisher.replace(Box::new(publisher))
        });
        drop(before);
    }

    /// Looks at its publisher, if that waits, without running Python.
    pub(crate) fn publisher<R>(
        &self,
        py: Python<'_>,
        look: impl FnOnce(&mut Publisher) -> R,
    ) -> Option<R> {
        self.with(py, |fields| fields.delivery.as_mut()?.publisher.as_deref_mut().map(look))
    }

    pub(crate) fn take_publisher(&self, py: Python<'_>) -> Option<Box<Publisher>> {
        self.with(py, |fields| fields.delivery.as_mut()?.publisher.take())
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
    #[pyo3(signature = (message, topic_id, sender, *, cancellation_token=None, message_id=None, observer=None))]
    fn new(
        message: Py<PyAny>,
        topic_id: Py<PyAny>,
        sender: Option<Py<PyAny>>,
        cancellation_token: Option<Py<PyAny>>,
        message_id: Option<Py<PyAny>>,
        observer: Option<Py<PyAny>>,
    ) -> Self {
        let options = MessageOptions::default();
        let fields = Fields {
            message,
            topic_id,
            sender,
            observer,
            cancellation_token,
            message_id,
            options,
            delivery: None,
        };
        Self { fields: GilMutex::new(Some(fields)) }
    }

    #[getter]
    pub(crate) fn message(&self, py: Python<'_>) -> Py<PyAny> {
        self.with(py, |fields| fields.message.clone_ref(py))
    }

    #[setter]
    pub(crate) fn set_message(&self, py: Python<'_>, message: Py<PyAny>) {
        let before = self.with(py, |fields| std::mem::replace(&mut fields.message, message));
        drop(before);
    }

    #[getter]
    pub(crate) fn observer(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.read(py, |fields| &fields.observer)
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
            visit.call(&fields.observer)?;
            visit.call(&fields.cancellation_token)?;
            visit.call(&fields.message_id)?;
            if let Some(delivery) = &fields.delivery {
                visit.call(&delivery.recipient)?;
                delivery.publisher.as_ref().map_or(Ok(()), |publisher| publisher.visit(&visit))?;
            }
            fields.options.visit(&visit)
        })
    }
}

impl Recycled for PublishEnvelope {
    fn free_list() -> &'static FreeList {
        static FREE: FreeList = FreeList::new();
        &FREE
    }

    fn clear(&self, unreferenced: Unreferenced<'_>) -> bool {
        let py = unreferenced.py();
        self.release(py);
        true
    }
}
