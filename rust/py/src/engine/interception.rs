//! Interception: the user's intervention handlers revise messages and responses, one after the other.
//!
//! The methods run inline while they do not suspend. While one is suspended the machine is paused: no message
//! overtakes the one in its hands.

use std::sync::atomic::Ordering;
use std::time::Duration;

use ferrogen_core::{Outcome, Ticket};
use pyo3::exceptions::PyRuntimeWarning;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};

use super::diversion::Diversion;
use super::engine::Engine;
use super::messages::Taken;
use super::settlement::{Completion, Ended, Work};
use super::task_pool::PooledTask;
use crate::interpreter::context::Entered;
use crate::interpreter::coroutine::{
    Sent, as_raised, awaited, call_with_keywords, function_of_method, send,
};
use crate::interpreter::current_task::CurrentTask;
use crate::interpreter::exception_state::{CleanExceptionState, Item};
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
    next: usize,
    /// The class of the current one, for a warning.
    class: Option<Py<PyType>>,
    /// The context of a message that was sent, which all of them share.
    context: Option<Py<MessageContext>>,
}

/// The result of an interception.
pub(super) enum Intercepted {
    Passed(Taken),
    /// It goes another way, or later.
    Diverted(Taken, Diversion),
    /// With the error that the sender gets, if an intervention handler has given one.
    Dropped(Taken, Option<PyErr>),
    Failed(Taken, PyErr),
    /// An intervention handler has suspended.
    Suspended,
}

impl Intercepted {
    fn ticket(&self) -> Option<Ticket> {
        match self {
            Self::Passed(taken)
            | Self::Diverted(taken, _)
            | Self::Dropped(taken, _)
            | Self::Failed(taken, _) => taken.ticket(),
            Self::Suspended => None,
        }
    }
}

/// The arguments of a method: the message, and the names and values of the others.
type Arguments<'py> = (Bound<'py, PyAny>, &'py Bound<'py, PyTuple>, [Bound<'py, PyAny>; 2]);

/// What an intervention handler has returned.
enum Verdict {
    Pass,
    Drop,
    /// It is dropped, and its sender gets this error.
    Reject(PyErr),
}

impl Engine {
    /// Whether an intervention handler has a method of its own of this name.
    #[inline]
    pub(super) fn is_intercepted(
        &self,
        py: Python<'_>,
        name: &Bound<'_, PyString>,
    ) -> PyResult<bool> {
        if self.interceptors.bind(py).is_empty() { Ok(false) } else { self.is_overridden(py, name) }
    }

    #[cold]
    fn is_overridden(&self, py: Python<'_>, name: &Bound<'_, PyString>) -> PyResult<bool> {
        let interceptors = self.interceptors.bind(py);
        if self.is_traced.load(Ordering::Relaxed) {
            return Ok(true); // each gets its span
        }
        for position in 0..interceptors.len() {
            let Ok(interceptor) = interceptors.get_item(position) else { break };
            if !is_inherited(&interceptor, name)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Lets the intervention handlers, if there are any, revise a message.
    pub(super) fn intercept(engine: &Bound<'_, Self>, taken: Taken) -> PyResult<Intercepted> {
        let py = engine.py();
        if engine.get().is_intercepted(py, method_of(py, &taken))? {
            Self::run_interceptors(engine, taken)
        } else {
            Ok(Intercepted::Passed(taken))
        }
    }

    /// The same where [`Engine::is_intercepted`].
    pub(super) fn run_interceptors(
        engine: &Bound<'_, Self>,
        taken: Taken,
    ) -> PyResult<Intercepted> {
        let (py, this) = (engine.py(), engine.get());
        let Some(event_loop) = this.bound_loop(py) else { return Ok(Intercepted::Passed(taken)) };
        let mut pooled = this.borrow_task(&event_loop)?;
        let mut current = CurrentTask::new(&event_loop)?;
        current.enter(Some(pooled.task.bind(py)))?;
        let mut interception =
            Interception { taken, diversion: None, next: 0, class: None, context: None };
        loop {
            let step = this.next_step(py, &mut interception, &mut pooled);
            let done = match step {
                Ok(None) => interception.into_passed(py),
                Ok(Some(Sent::Returned(revised))) => match interception.apply(engine, &revised) {
                    Ok(Verdict::Pass) => continue,
                    Ok(Verdict::Drop) => Intercepted::Dropped(interception.taken, None),
                    Ok(Verdict::Reject(error)) => {
                        Intercepted::Dropped(interception.taken, Some(error))
                    }
                    Err(error) => Intercepted::Failed(interception.taken, error),
                },
                Ok(Some(Sent::Yielded(yielded))) => {
                    current.leave();
                    Self::suspend_interception(engine, interception, pooled, yielded)?;
                    return Ok(Intercepted::Suspended);
                }
                Ok(Some(Sent::Raised(error))) | Err(error) => {
                    Intercepted::Failed(interception.taken, error)
                }
            };
            current.leave();
            this.return_task(py, pooled);
            return Ok(done);
        }
    }

    /// Calls the next intervention handler, and steps it once. `None` if there is none.
    fn next_step<'py>(
        &self,
        py: Python<'py>,
        interception: &mut Interception,
        pooled: &mut PooledTask,
    ) -> PyResult<Option<Sent<'py>>> {
        let context = self
            .state
            .with(py, |state| state.context.as_ref().map(|context| context.bind(py).clone()));
        let Some(context) = context else { return Ok(None) };
        let entered = Entered::enter(context.clone());
        // A handler that is called from inside an intervention handler is in that context already.
        let (context, _entered) = if let Ok(entered) = entered {
            (context, entered)
        } else {
            let copy = Entered::copy(&context)?;
            (copy.clone(), Entered::enter(copy)?)
        };
        let mut item = Item::NEW;
        let _clean = CleanExceptionState::enter(py, &mut item);
        pooled.execution.get().begin(py);
        pooled.enter(context);
        let coroutine = match interception.call_next(self, py) {
            Ok(Some(coroutine)) => coroutine,
            other => {
                pooled.execution.get().end_inline(py);
                drop(pooled.leave(py));
                return other.map(|_| None);
            }
        };
        let sent = send(&coroutine, py.None().bind(py));
        if matches!(sent, Sent::Yielded(_)) {
            pooled.coroutine = Some(coroutine.unbind());
        } else {
            pooled.execution.get().end_inline(py);
            drop(pooled.leave(py));
        }
        Ok(Some(sent))
    }

    /// The intervention handler goes on in a task; the machine is paused meanwhile.
    #[cold]
    fn suspend_interception(
        engine: &Bound<'_, Self>,
        interception: Interception,
        mut pooled: Box<PooledTask>,
        yielded: Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let (py, this) = (engine.py(), engine.get());
        let coroutine = pooled.coroutine.take().expect("it has just suspended").into_bound(py);
        this.books.with(py, |books| books.machine.pause());
        let completion = Completion {
            engine: engine.clone().unbind(),
            task: pooled.task.clone_ref(py),
            work: Work::Interception(Box::new(interception)),
        };
        this.hold(pooled, coroutine, yielded, completion)
    }

    /// Goes on with a message that all intervention handlers have seen, or one has dropped.
    pub(super) fn process_intercepted(
        engine: &Bound<'_, Self>,
        intercepted: Intercepted,
    ) -> PyResult<()> {
        match intercepted {
            Intercepted::Passed(taken) => Self::dispatch(engine, taken),
            Intercepted::Diverted(taken, diversion) => Self::divert(engine, taken, diversion),
            Intercepted::Dropped(taken, error) => {
                let error = Self::dropped_error(engine, &taken, error)?;
                Self::refuse(engine, taken, error, Outcome::Dropped)
            }
            Intercepted::Failed(taken, error) => {
                let py = engine.py();
                if let Taken::Published(_, envelope) = &taken {
                    let about = (envelope, error.value(py));
                    let name = intern!(py, "interception_failed");
                    engine.get().host.call_method1(py, name, about)?;
                }
                let ends_program = super::future::ends_program(py, &error);
                let again = ends_program.then(|| error.clone_ref(py));
                Self::refuse(engine, taken, error, Outcome::Failed)?;
                again.map_or(Ok(()), Err)
            }
            Intercepted::Suspended => Ok(()),
        }
    }

    /// The error that the sender of a dropped message gets; reports that it was dropped.
    pub(super) fn dropped_error(
        engine: &Bound<'_, Self>,
        taken: &Taken,
        given: Option<PyErr>,
    ) -> PyResult<PyErr> {
        let py = engine.py();
        let given = given.map(|error| error.into_value(py));
        let host = engine.get().host.bind(py);
        let error = match taken {
            Taken::Direct(_, direct) => {
                let request = &direct.request;
                let about = (&request.message, &request.sender, &request.to, "direct", given);
                host.call_method1(intern!(py, "dropped"), about)?
            }
            Taken::Published(_, envelope) => {
                let envelope = envelope.bind(py).get();
                let (message, sender) = (envelope.message(py), envelope.sender(py));
                let about = (message, sender, envelope.topic_id(py), "published", given);
                host.call_method1(intern!(py, "dropped"), about)?
            }
            Taken::Response(_, response) => {
                let (sender, recipient) = (&response.agent_id, &response.recipient);
                let about = (&response.value, sender, recipient, "response", given);
                host.call_method1(intern!(py, "dropped"), about)?
            }
        };
        Ok(PyErr::from_value(error))
    }

    /// Settles a message that goes no further.
    fn refuse(
        engine: &Bound<'_, Self>,
        taken: Taken,
        error: PyErr,
        outcome: Outcome,
    ) -> PyResult<()> {
        match taken {
            Taken::Direct(ticket, direct) => {
                let error = direct.observation.failed(engine.py(), error);
                Self::drop_message(engine, ticket, Some(&direct), error, outcome)
            }
            Taken::Published(ticket, envelope) => {
                Self::routed(engine, envelope.bind(engine.py()))?;
                Self::drop_message(engine, ticket, None, error, outcome)
            }
            Taken::Response(delivery, response) => {
                let error = response.observation.failed(engine.py(), error);
                Self::refuse_response(engine, delivery, &response, error, outcome)
            }
        }
    }
}

impl Interception {
    /// The coroutine of the next intervention handler with a method of its own.
    fn call_next<'py>(
        &mut self,
        engine: &Engine,
        py: Python<'py>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let name = method_of(py, &self.taken);
        while let Some(interceptor) = engine.interceptor(py, self.next)? {
            self.next += 1;
            let is_traced = engine.is_traced.load(Ordering::Relaxed);
            let method = interceptor.getattr(name)?;
            if !is_traced && is_default(&method)? {
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
                let about = (class, self.observer(py), method, message, keywords);
                host.call_method1(intern!(py, "traced_interception"), about)?
            } else {
                call_with_keywords(&method, &message, names, &values)?
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

    fn into_passed(mut self, py: Python<'_>) -> Intercepted {
        let diversion = self.diversion.take();
        match (self.into_taken(py), diversion) {
            (Ok(taken), None) => Intercepted::Passed(taken),
            (Ok(taken), Some(diversion)) => Intercepted::Diverted(taken, diversion),
            (Err((taken, error)), _) => Intercepted::Failed(taken, error),
        }
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
            method_of(py, &self.taken),
        );
        let category = py.get_type::<PyRuntimeWarning>();
        PyErr::warn(py, &category, &std::ffi::CString::new(text)?, 1)
    }

    /// Applies what an intervention handler has returned.
    fn apply(
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

    /// The coroutine of an intervention handler that was suspended has ended.
    pub(super) fn resume<'py>(
        mut self: Box<Self>,
        engine: &Bound<'py, Engine>,
        task: Py<PyAny>,
        result: PyResult<Bound<'py, PyAny>>,
    ) -> PyResult<Ended<'py>> {
        let (py, this) = (engine.py(), engine.get());
        let verdict = result.and_then(|revised| self.apply(engine, &revised));
        let intercepted = match verdict {
            Ok(Verdict::Pass) => match self.call_next(this, py) {
                Ok(Some(coroutine)) => {
                    this.kept.bind(py).add(&task)?;
                    let engine = engine.clone().unbind();
                    let completion = Completion { engine, task, work: Work::Interception(self) };
                    return Ok(Ended::Next(completion, coroutine));
                }
                Ok(None) => self.into_passed(py),
                Err(error) => Intercepted::Failed(self.taken, error),
            },
            Ok(Verdict::Drop) => Intercepted::Dropped(self.taken, None),
            Ok(Verdict::Reject(error)) => Intercepted::Dropped(self.taken, Some(error)),
            Err(error) => Intercepted::Failed(self.taken, error),
        };
        this.books.with(py, |books| books.machine.resume());
        let ticket = intercepted.ticket();
        let processed = Engine::process_intercepted(engine, intercepted);
        let processed = Engine::settle_after_error(engine, ticket, processed);
        this.host.call_method0(py, intern!(py, "notify_interception"))?;
        Engine::continue_soon(engine)?;
        processed.map(|()| Ended::Done)
    }

    pub(super) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.taken.visit(visit)?;
        self.diversion.as_ref().map_or(Ok(()), |diversion| diversion.visit(visit))?;
        visit.call(&self.class)?;
        visit.call(&self.context)
    }
}

fn method_of<'py>(py: Python<'py>, taken: &Taken) -> &'py Bound<'py, PyString> {
    match taken {
        Taken::Direct(..) => intern!(py, "on_send"),
        Taken::Published(..) => intern!(py, "on_publish"),
        Taken::Response(..) => intern!(py, "on_response"),
    }
}

/// Whether the method of an intervention handler is that of `DefaultInterventionHandler`, which returns the
/// message unmodified.
#[inline]
fn is_inherited(interceptor: &Bound<'_, PyAny>, name: &Bound<'_, PyString>) -> PyResult<bool> {
    is_default(&interceptor.getattr(name)?)
}

#[inline]
fn is_default(method: &Bound<'_, PyAny>) -> PyResult<bool> {
    static DEFAULTS: PyOnceLock<[Py<PyAny>; 3]> = PyOnceLock::new();
    let py = method.py();
    let defaults = DEFAULTS.get_or_try_init(py, || {
        let class = python::default_intervention_handler(py)?;
        let found = |name: &str| PyResult::Ok(class.getattr(name)?.unbind());
        PyResult::Ok([found("on_send")?, found("on_publish")?, found("on_response")?])
    })?;
    Ok(function_of_method(method)
        .is_some_and(|function| defaults.iter().any(|default| default.as_ptr() == function)))
}
