//! Revisions: an intervention handler is called with a message, and what it returns is applied.

use std::sync::atomic::Ordering;
use std::time::Duration;

use pyo3::exceptions::PyRuntimeWarning;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};

use super::diversion::Diversion;
use super::engine::Engine;
use super::interception::Intercepted;
use super::intervention_methods::Method;
use super::messages::Taken;
use crate::interpreter::coroutine::{as_raised, awaited, call_method};
use crate::interpreter::free_list::is_unique;
use crate::message_context::MessageContext;
use crate::publish_envelope::PublishEnvelope;
use crate::python;

/// A message between two intervention handlers.
pub(super) struct Interception {
    pub(super) taken: Taken,
    /// What they have made of its way.
    pub(super) diversion: Option<Diversion>,
    /// The position of the next intervention handler.
    pub(super) next: usize,
    /// The class of the current one, for a warning.
    pub(super) class: Option<Py<PyType>>,
    /// The context of a message that was sent, which all of them share.
    pub(super) context: Option<Py<MessageContext>>,
}

/// The arguments of a method: the message, and the names and values of the others.
type Arguments<'py> = (Bound<'py, PyAny>, &'py Bound<'py, PyTuple>, [Bound<'py, PyAny>; 2]);

/// What an intervention handler has returned.
pub(super) enum Verdict {
    Pass,
    Drop,
    /// It is dropped, and its sender gets this error.
    Reject(PyErr),
}

impl Interception {
    /// The coroutine of the next intervention handler with a method of its own.
    pub(super) fn call_next<'py>(
        &mut self,
        engine: &Engine,
        py: Python<'py>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let method = Method::of(&self.taken);
        while let Some(interceptor) = engine.interceptor(py, self.next)? {
            self.next += 1;
            let is_traced = engine.is_traced.load(Ordering::Relaxed);
            if !is_traced && engine.is_inherited(&interceptor, method)? {
                continue;
            }
            self.class = Some(interceptor.get_type().unbind());
            let (message, names, values) = self.arguments(py)?;
            let coroutine = if is_traced && !matches!(self.taken, Taken::Response(..)) {
                let keywords = PyDict::new(py);
                for (name, value) in names.iter().zip(&values) {
                    keywords.set_item(name, value)?;
                }
                let host = engine.host.bind(py);
                let class = interceptor.get_type().name()?;
                let method = interceptor.getattr(method.name(py))?;
                let about = (class, self.observer(py), method, message, keywords);
                host.call_method1(intern!(py, "traced_interception"), about)?
            } else {
                call_method(
                    method.name(py),
                    2,
                    [&interceptor, &message, &values[0], &values[1]],
                    names,
                )?
            };
            return awaited(coroutine).map_err(|error| as_raised(py, error)).map(Some);
        }
        Ok(None)
    }

    fn observer<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        match &self.taken {
            Taken::Direct(_, direct) => direct.observation.object(py),
            Taken::Published(_, envelope) => {
                envelope.bind(py).get().observer(py).map(|one| one.into_bound(py))
            }
            Taken::Response(..) => None,
        }
    }

    pub(super) fn into_passed(mut self, py: Python<'_>) -> Intercepted {
        let diversion = self.diversion.take();
        match (self.into_taken(py), diversion) {
            (Ok(taken), None) => Intercepted::Passed(taken),
            (Ok(taken), Some(diversion)) => Intercepted::Diverted(taken, diversion),
            (Err((taken, error)), diversion) => Intercepted::Failed(taken, error, diversion),
        }
    }

    pub(super) fn into_dropped(self, error: Option<PyErr>) -> Intercepted {
        Intercepted::Dropped(self.taken, error, self.diversion)
    }

    pub(super) fn into_failed(self, error: PyErr) -> Intercepted {
        Intercepted::Failed(self.taken, error, self.diversion)
    }

    /// Replaces the message or the response.
    pub(super) fn replace(&mut self, py: Python<'_>, revised: Py<PyAny>) {
        match &mut self.taken {
            Taken::Direct(_, direct) => {
                drop(std::mem::replace(&mut direct.request.message, revised));
            }
            Taken::Published(_, envelope) => envelope.bind(py).get().set_message(py, revised),
            Taken::Response(_, response) => drop(std::mem::replace(&mut response.value, revised)),
        }
    }

    /// Gives the message the token and the id that intervention handlers have read from its context.
    pub(super) fn keep_context_fields(&mut self, py: Python<'_>) {
        let Some(context) = self.context.take() else { return };
        if let Taken::Direct(_, direct) = &mut self.taken {
            let context = context.bind(py).get();
            direct.request.cancellation_token = context.token_if_any(py);
            direct.request.message_id = context.message_id_if_any(py);
        }
    }

    /// The message. Its token and id are those that intervention handlers have read, or may read later.
    fn into_taken(mut self, py: Python<'_>) -> Result<Taken, (Taken, PyErr)> {
        let Some(context) = self.context.take() else { return Ok(self.taken) };
        let Taken::Direct(_, direct) = &mut self.taken else { return Ok(self.taken) };
        let (context, request) = (context.into_bound(py), &mut direct.request);
        if is_unique(&context) {
            request.cancellation_token = context.get().token_if_any(py);
            request.message_id = context.get().message_id_if_any(py);
            return Ok(self.taken);
        }
        let read = |name| PyResult::Ok(Some(context.as_any().getattr(name)?.unbind()));
        match (read("cancellation_token"), read("message_id")) {
            (Ok(token), Ok(id)) => {
                (request.cancellation_token, request.message_id) = (token, id);
                Ok(self.taken)
            }
            (Err(error), _) | (_, Err(error)) => Err((self.taken, error)),
        }
    }

    /// The message, the names of the keyword arguments, and their values.
    fn arguments<'py>(&mut self, py: Python<'py>) -> PyResult<Arguments<'py>> {
        static NAMES: PyOnceLock<[Py<PyTuple>; 3]> = PyOnceLock::new();
        let [send, publish, response] = NAMES.get_or_try_init(py, || {
            let [context, recipient, sender] =
                ["message_context", "recipient", "sender"].map(|name| PyString::intern(py, name));
            PyResult::Ok([
                PyTuple::new(py, [&context, &recipient])?.unbind(),
                PyTuple::new(py, [&context])?.unbind(),
                PyTuple::new(py, [&sender, &recipient])?.unbind(),
            ])
        })?;
        let none = || py.None().into_bound(py);
        Ok(match &self.taken {
            Taken::Direct(_, direct) => {
                let context = match &self.context {
                    Some(context) => context.bind(py).clone(),
                    None => Bound::new(py, MessageContext::of(direct.request.context(py)))?,
                };
                self.context = Some(context.clone().unbind());
                let recipient = direct.request.to.bind(py).clone();
                let message = direct.request.message.bind(py).clone();
                (message, send.bind(py), [context.into_any(), recipient])
            }
            Taken::Published(_, envelope) => {
                let fields = PublishEnvelope::context_of_recipient(envelope.bind(py));
                let context = Bound::new(py, MessageContext::of(fields))?;
                let message = envelope.bind(py).get().message(py).into_bound(py);
                (message, publish.bind(py), [context.into_any(), none()])
            }
            Taken::Response(_, one) => {
                let recipient =
                    one.recipient.as_ref().map_or_else(none, |one| one.bind(py).clone());
                let sender = one.agent_id.bind(py).clone().into_any();
                (one.value.bind(py).clone(), response.bind(py), [sender, recipient])
            }
        })
    }

    #[cold]
    fn warn_of_none(&self, py: Python<'_>) -> PyResult<()> {
        let Some(class) = &self.class else { return Ok(()) };
        let text = format!(
            "Intervention handler {}.{} returned None, which leaves the message unmodified. \
             Return the message, or DropMessage to drop it.",
            class.bind(py).name()?,
            Method::of(&self.taken).name(py),
        );
        let category = py.get_type::<PyRuntimeWarning>();
        PyErr::warn(py, &category, &std::ffi::CString::new(text)?, 1)
    }

    /// Applies what an intervention handler has returned.
    pub(super) fn apply(
        &mut self,
        engine: &Bound<'_, Engine>,
        revised: &Bound<'_, PyAny>,
    ) -> PyResult<Verdict> {
        let py = revised.py();
        let drop_message = python::drop_message(py)?;
        let class = revised.get_type();
        if revised.is(drop_message) || class.is(drop_message) {
            return Ok(Verdict::Drop);
        }
        if revised.is_none() {
            self.warn_of_none(py)?;
        } else if class.is(python::reject(py)?) {
            let error = revised.getattr(intern!(py, "error"))?;
            return Ok(Verdict::Reject(PyErr::from_value(error)));
        } else if class.is(python::redirect(py)?) {
            self.redirect(engine, revised)?;
        } else if class.is(python::delay(py)?) {
            let seconds = revised.getattr(intern!(py, "seconds"))?.extract()?;
            let delay = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
            let diversion = self.diversion.get_or_insert_default();
            diversion.delay = Some(diversion.delay.unwrap_or_default().saturating_add(delay));
            let message = revised.getattr(intern!(py, "message"))?;
            if !message.is_none() {
                self.replace(py, message.unbind());
            }
        } else {
            self.replace(py, revised.clone().unbind());
        }
        Ok(Verdict::Pass)
    }

    pub(super) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.taken.visit(visit)?;
        self.diversion.as_ref().map_or(Ok(()), |diversion| diversion.visit(visit))?;
        visit.call(&self.class)?;
        visit.call(&self.context)
    }
}
