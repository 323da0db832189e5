//! `MessageContext`: what a handler is told about its message, made as far as it is looked at.
//!
//! A cancellation token and a message id cost more than delivering the message, and few handlers
//! read them, so a context that the runtime makes has neither until asked.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyModule, PyString, PyTuple};

use crate::cancellation_token::CancellationToken;
use crate::drive::GilMutex;
use crate::lazy_field::read_or_make;
use crate::letting_go::let_go;
use crate::publish_envelope::PublishEnvelope;

/// What a context says, as far as it is known.
#[derive(Default)]
pub(crate) struct ContextFields {
    pub(crate) sender: Option<Py<PyAny>>,
    pub(crate) topic_id: Option<Py<PyAny>>,
    pub(crate) cancellation_token: Option<Py<PyAny>>,
    pub(crate) message_id: Option<Py<PyAny>>,
    /// Whence the token and the id of a published message come, which all its recipients share.
    pub(crate) envelope: Option<Py<PublishEnvelope>>,
    /// Where it is not known, a message without a topic was sent, and one with a topic published.
    pub(crate) is_rpc: Option<Py<PyAny>>,
    /// The future in which the sender waits for the answer. A token that is made later cancels it.
    pub(crate) answer: Option<Py<PyAny>>,
}

impl ContextFields {
    /// Whether there is nothing to let go of.
    #[inline]
    fn is_blank(&self) -> bool {
        self.sender.is_none()
            && self.topic_id.is_none()
            && self.cancellation_token.is_none()
            && self.message_id.is_none()
            && self.envelope.is_none()
            && self.is_rpc.is_none()
            && self.answer.is_none()
    }

    /// Lets go of everything.
    fn release(self, py: Python<'_>) {
        let_go(py, self.sender);
        let_go(py, self.topic_id);
        let_go(py, self.cancellation_token);
        let_go(py, self.message_id);
        let_go(py, self.is_rpc);
        let_go(py, self.answer);
        let_go(py, self.envelope);
    }

    fn is_rpc(&self, py: Python<'_>) -> Py<PyAny> {
        PyBool::new(py, self.topic_id.is_none()).to_owned().into_any().unbind()
    }
}

/// What comes with a message: who sent it, how, and how to give up on it.
#[pyclass(frozen, subclass, weakref, module = "ferrogen")]
pub(crate) struct MessageContext {
    fields: GilMutex<ContextFields>,
}

impl MessageContext {
    pub(crate) fn of(fields: ContextFields) -> Self {
        Self { fields: GilMutex::new(fields) }
    }

    /// Makes a context of one that is empty.
    #[inline]
    pub(crate) fn renew(&self, py: Python<'_>, fields: ContextFields) {
        if !fields.is_blank() {
            let before = self.fields.with(py, |place| std::mem::replace(place, fields));
            before.release(py);
        }
    }

    /// Whether it is as each recipient of a published message gets it.
    #[inline]
    pub(crate) fn tells_of(&self, envelope: &Bound<'_, PublishEnvelope>) -> bool {
        let py = envelope.py();
        self.fields.with(py, |fields| {
            fields.envelope.as_ref().is_some_and(|one| one.is(envelope))
                && fields.cancellation_token.is_none()
                && fields.message_id.is_none()
                && fields.is_rpc.is_none()
                && fields.answer.is_none()
                && envelope.get().is_from(py, fields.sender.as_ref(), fields.topic_id.as_ref())
        })
    }

    /// Lets go of everything.
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

    /// Lets the token cancel the future in which the sender waits, now or as soon as there is one.
    pub(crate) fn link(&self, answer: &Bound<'_, PyAny>) -> PyResult<()> {
        let token = {
            let mut fields = self.fields.lock(answer.py());
            fields.answer = Some(answer.clone().unbind());
            fields.cancellation_token.as_ref().map(|token| token.clone_ref(answer.py()))
        };
        token.map_or(Ok(()), |token| link(token.bind(answer.py()), answer))
    }

    /// The token, if there is one by now.
    pub(crate) fn token_if_made(&self, py: Python<'_>) -> Option<Py<PyAny>> {
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
            answer: None,
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
                let answer = self.read(py, |fields| &fields.answer);
                answer.map_or(Ok(()), |answer| link(token.bind(py), answer.bind(py)))?;
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
            visit.call(&fields.envelope)?;
            visit.call(&fields.answer)
        })
    }

    fn __clear__(&self, py: Python<'_>) {
        let cleared = std::mem::take(&mut *self.fields.lock(py));
        drop(cleared);
    }
}

fn link(token: &Bound<'_, PyAny>, answer: &Bound<'_, PyAny>) -> PyResult<()> {
    token.call_method1(intern!(answer.py(), "link_future"), (answer,)).map(|_| ())
}

/// A token that nobody has given.
pub(crate) fn new_token(py: Python<'_>) -> PyResult<Py<PyAny>> {
    Ok(Py::new(py, CancellationToken::default())?.into_any())
}

/// A name for a message that nobody has named.
pub(crate) fn new_message_id(py: Python<'_>) -> PyResult<Py<PyAny>> {
    static UUID: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let uuid = UUID.get_or_try_init(py, || py.import("uuid").map(Bound::unbind))?;
    let id = uuid.bind(py).call_method0(intern!(py, "uuid4"))?;
    Ok(id.str()?.into_any().unbind())
}

const FIELDS: [&str; 5] = ["sender", "topic_id", "is_rpc", "cancellation_token", "message_id"];
