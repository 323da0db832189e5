//! `MessageContext`: the sender, topic, id and cancellation token of a message.
//!
//! A token and an id cost more than delivering the message, and few handlers read them, so a context that
//! the runtime makes creates them when they are first read.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyString, PyTuple};
use uuid::Uuid;

use crate::cancellation_token::CancellationToken;
use crate::fallible;
use crate::interpreter::GilMutex;
use crate::interpreter::release::release;
use crate::lazy_field::read_or_make;
use crate::publish_envelope::PublishEnvelope;

/// The fields of a context, as far as they are known.
#[derive(Default)]
pub(crate) struct ContextFields {
    pub(crate) sender: Option<Py<PyAny>>,
    pub(crate) topic_id: Option<Py<PyAny>>,
    pub(crate) cancellation_token: Option<Py<PyAny>>,
    pub(crate) message_id: Option<Py<PyAny>>,
    /// The source of the token and the id of a published message, which all its recipients share.
    pub(crate) envelope: Option<Py<PublishEnvelope>>,
    /// If unknown: a message without a topic was sent, and one with a topic was published.
    pub(crate) is_rpc: Option<Py<PyAny>>,
    /// The future in which the sender awaits the response. A token that is created later cancels it.
    pub(crate) response: Option<Py<PyAny>>,
}

impl ContextFields {
    /// Whether there is nothing to release.
    #[inline]
    fn is_blank(&self) -> bool {
        self.sender.is_none()
            && self.topic_id.is_none()
            && self.cancellation_token.is_none()
            && self.message_id.is_none()
            && self.envelope.is_none()
            && self.is_rpc.is_none()
            && self.response.is_none()
    }

    /// Releases everything.
    fn release(self, py: Python<'_>) {
        release(py, self.sender);
        release(py, self.topic_id);
        release(py, self.cancellation_token);
        release(py, self.message_id);
        release(py, self.is_rpc);
        release(py, self.response);
        release(py, self.envelope);
    }

    fn is_rpc(&self, py: Python<'_>) -> Py<PyAny> {
        PyBool::new(py, self.topic_id.is_none()).to_owned().into_any().unbind()
    }
}

/// The sender, topic, id and cancellation token of a message.
#[pyclass(frozen, subclass, weakref, module = "ferrogen")]
pub(crate) struct MessageContext {
    fields: GilMutex<ContextFields>,
}

impl MessageContext {
    pub(crate) fn of(fields: ContextFields) -> Self {
        Self { fields: GilMutex::new(fields) }
    }

    /// Fills an empty context.
    #[inline]
    pub(crate) fn renew(&self, py: Python<'_>, fields: ContextFields) {
        if !fields.is_blank() {
            let before = self.fields.with(py, |place| std::mem::replace(place, fields));
            before.release(py);
        }
    }

    /// Whether it is unmodified since it was made for a recipient of this message.
    #[inline]
    pub(crate) fn is_of(&self, envelope: &Bound<'_, PublishEnvelope>) -> bool {
        let py = envelope.py();
        self.fields.with(py, |fields| {
            fields.envelope.as_ref().is_some_and(|one| one.is(envelope))
                && fields.cancellation_token.is_none()
                && fields.message_id.is_none()
                && fields.is_rpc.is_none()
                && fields.response.is_none()
                && envelope.get().is_from(py, fields.sender.as_ref(), fields.topic_id.as_ref())
        })
    }

    /// Releases everything.
    #[inline]
    pub(crate) fn empty(&self, py: Python<'_>) {
        let before =
            self.fields.with(py, |fields| (!fields.is_blank()).then(|| std::mem::take(fields)));
        if let Some(before) = before {
            before.release(py);
        }
    }

    fn envelope(&self, py: Python<'_>) -> Option<Py<PublishEnvelope>> {
        self.fields.lock(py).envelope.as_ref().map(|envelope| envelope.clone_ref(py))
    }

    /// Links the token to the future in which the sender awaits the response, now or when it is created.
    pub(crate) fn link(&self, response: &Bound<'_, PyAny>) -> PyResult<()> {
        let token = {
            let mut fields = self.fields.lock(response.py());
            fields.response = Some(response.clone().unbind());
            fields.cancellation_token.as_ref().map(|token| token.clone_ref(response.py()))
        };
        token.map_or(Ok(()), |token| link(token.bind(response.py()), response))
    }

    pub(crate) fn sender_if_any(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.fields.lock(py).sender.as_ref().map(|sender| sender.clone_ref(py))
    }

    /// The id, if it was given or created.
    pub(crate) fn message_id_if_any(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.fields.lock(py).message_id.as_ref().map(|id| id.clone_ref(py))
    }

    /// The token, if it was given or created.
    pub(crate) fn token_if_any(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.fields.lock(py).cancellation_token.as_ref().map(|token| token.clone_ref(py))
    }

    fn read(
        &self,
        py: Python<'_>,
        field: fn(&ContextFields) -> &Option<Py<PyAny>>,
    ) -> Option<Py<PyAny>> {
        field(&self.fields.lock(py)).as_ref().map(|value| value.clone_ref(py))
    }

    fn write(
        &self,
        py: Python<'_>,
        field: fn(&mut ContextFields) -> &mut Option<Py<PyAny>>,
        value: Py<PyAny>,
    ) {
        let before = field(&mut self.fields.lock(py)).replace(value);
        drop(before);
    }
}

#[pymethods]
impl MessageContext {
    #[new]
    #[pyo3(signature = (sender, topic_id, is_rpc, cancellation_token, message_id))]
    fn new(
        sender: Py<PyAny>,
        topic_id: Py<PyAny>,
        is_rpc: Py<PyAny>,
        cancellation_token: Py<PyAny>,
        message_id: Py<PyAny>,
    ) -> Self {
        let fields = ContextFields {
            sender: Some(sender),
            topic_id: Some(topic_id),
            is_rpc: Some(is_rpc),
            cancellation_token: Some(cancellation_token),
            message_id: Some(message_id),
            envelope: None,
            response: None,
        };
        Self { fields: GilMutex::new(fields) }
    }

    #[getter]
    fn sender(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.read(py, |fields| &fields.sender)
    }

    #[setter]
    fn set_sender(&self, py: Python<'_>, value: Py<PyAny>) {
        self.write(py, |fields| &mut fields.sender, value);
    }

    #[getter]
    fn topic_id(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.read(py, |fields| &fields.topic_id)
    }

    #[setter]
    fn set_topic_id(&self, py: Python<'_>, value: Py<PyAny>) {
        self.set_is_rpc(py, self.is_rpc(py));
        self.write(py, |fields| &mut fields.topic_id, value);
    }

    #[getter]
    fn is_rpc(&self, py: Python<'_>) -> Py<PyAny> {
        let fields = self.fields.lock(py);
        fields.is_rpc.as_ref().map_or_else(|| fields.is_rpc(py), |known| known.clone_ref(py))
    }

    #[setter]
    fn set_is_rpc(&self, py: Python<'_>, value: Py<PyAny>) {
        self.write(py, |fields| &mut fields.is_rpc, value);
    }

    #[getter]
    fn cancellation_token(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        read_or_make(
            &self.fields,
            py,
            |fields| &mut fields.cancellation_token,
            || {
                if let Some(envelope) = self.envelope(py) {
                    return envelope.get().cancellation_token(py);
                }
                let token = new_token(py)?;
                let response = self.read(py, |fields| &fields.response);
                response.map_or(Ok(()), |response| link(token.bind(py), response.bind(py)))?;
                Ok(token)
            },
        )
    }

    #[setter]
    fn set_cancellation_token(&self, py: Python<'_>, value: Py<PyAny>) {
        self.write(py, |fields| &mut fields.cancellation_token, value);
    }

    #[getter]
    fn message_id(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        read_or_make(
            &self.fields,
            py,
            |fields| &mut fields.message_id,
            || match self.envelope(py) {
                Some(envelope) => envelope.get().message_id(py),
                None => new_message_id(py),
            },
        )
    }

    #[setter]
    fn set_message_id(&self, py: Python<'_>, value: Py<PyAny>) {
        self.write(py, |fields| &mut fields.message_id, value);
    }

    #[getter]
    #[expect(clippy::unused_self, reason = "it is that of the handler that runs")]
    fn inbox<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let steering = py.import(intern!(py, "ferrogen.runtime.calls.steering"))?;
        steering.call_method0(intern!(py, "current_inbox"))
    }

    fn __eq__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let py = slf.py();
        if !slf.get_type().is(other.get_type()) {
            return Ok(py.NotImplemented());
        }
        for field in FIELDS {
            if !slf.getattr(field)?.eq(other.getattr(field)?)? {
                return Ok(PyBool::new(py, false).to_owned().into_any().unbind());
            }
        }
        Ok(PyBool::new(py, true).to_owned().into_any().unbind())
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let mut parts = Vec::with_capacity(FIELDS.len());
        for field in FIELDS {
            let shown: Bound<'_, PyString> = slf.getattr(field)?.repr()?;
            parts.push(format!("{field}={shown}"));
        }
        Ok(format!("{}({})", slf.get_type().qualname()?, parts.join(", ")))
    }

    /// Copying and pickling make the token and the id, and then carry all five fields.
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        let py = slf.py();
        let fields: Vec<_> =
            FIELDS.iter().map(|field| slf.getattr(*field)).collect::<PyResult<_>>()?;
        (slf.get_type(), PyTuple::new(py, fields)?).into_pyobject(py)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.fields.visit(|fields| {
            visit.call(&fields.sender)?;
            visit.call(&fields.topic_id)?;
            visit.call(&fields.cancellation_token)?;
            visit.call(&fields.message_id)?;
            visit.call(&fields.is_rpc)?;
            visit.call(&fields.envelope)?;
            visit.call(&fields.response)
        })
    }

    fn __clear__(&self, py: Python<'_>) {
        let cleared = std::mem::take(&mut *self.fields.lock(py));
        drop(cleared);
    }
}

fn link(token: &Bound<'_, PyAny>, response: &Bound<'_, PyAny>) -> PyResult<()> {
    token.call_method1(intern!(response.py(), "link_future"), (response,)).map(|_| ())
}

/// The token of a message that came without one.
pub(crate) fn new_token(py: Python<'_>) -> PyResult<Py<PyAny>> {
    Ok(Py::new(py, CancellationToken::default())?.into_any())
}

/// The id of a message that came without one.
pub(crate) fn new_message_id(py: Python<'_>) -> PyResult<Py<PyAny>> {
    let mut buffer = Uuid::encode_buffer();
    let id = Uuid::new_v4().hyphenated().encode_lower(&mut buffer);
    Ok(fallible::text(py, id)?.into_any().unbind())
}

const FIELDS: [&str; 5] = ["sender", "topic_id", "is_rpc", "cancellation_token", "message_id"];
