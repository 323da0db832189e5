//! The first step of a handler: its method is called and stepped where its sender stands.

use std::sync::Arc;

use pyo3::exceptions::{PyRuntimeError, PyStopIteration, PyTypeError};
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::coroutine::{Sent, call, send};
use super::entered::Entered;
use super::handlers::{Handler, Way};
use super::handling::Handling;
use super::unhandled::{Item, Unhandled};
use super::watch::Watch;
use crate::dispatcher::{Inline, Source};
use crate::message_context::MessageContext;

/// What came of running a handler inline.
pub(super) enum Ran<'i, 'py> {
    /// It ended, with an answer or an error.
    Ended(PyResult<Bound<'py, PyAny>>),
    /// It waits for something.
    Suspended(Suspension<'i, 'py>),
}

/// A handler that waits for something.
pub(super) struct Suspension<'i, 'py> {
    pub(super) coroutine: Bound<'py, PyAny>,
    /// What it has yielded.
    pub(super) pending: Bound<'py, PyAny>,
    pub(super) handler: Option<&'i Arc<Handler>>,
}

/// What a handler is given.
pub(super) struct Given<'a, 'py> {
    pub(super) message: &'a Bound<'py, PyAny>,
    pub(super) context: &'a Bound<'py, MessageContext>,
    /// Whether the message was sent, and not published.
    pub(super) is_rpc: bool,
}

/// Runs the first step of a handler, in its own context and as its own task.
#[inline]
pub(super) fn run<'i, 'py>(
    inline: &'i Inline<'py>,
    source: Option<Source<'py>>,
    handling: &Handling,
    event_loop: &Bound<'py, PyAny>,
    given: &Given<'_, 'py>,
    watch: &Watch,
) -> Ran<'i, 'py> {
    let py = event_loop.py();
    let own = match source.expect("a delivery is run once") {
        Source::Ready(context) => Ok(context),
        Source::Template(context) => Entered::copy(&context),
    };
    let entered = match own.and_then(Entered::enter) {
        Ok(entered) => entered,
        Err(error) => return Ran::Ended(Err(error)),
    };
    handling.begin(entered.context(), event_loop);
    let mut item = Item::NEW;
    let _unhandled = Unhandled::enter(py, &mut item);
    let called = watch.begin(given.context).and_then(|()| call_method(inline, given));
    let (coroutine, handler) = match called {
        Ok(called) => called,
        Err(error) => return Ran::Ended(Err(as_raised(py, error))),
    };
    match send(&coroutine, py.None().bind(py)) {
        Sent::Returned(answer) => Ran::Ended(match &handler {
            Some(handler) => handler.check(answer),
            None => Ok(answer),
        }),
        Sent::Raised(error) => Ran::Ended(Err(error)),
        Sent::Yielded(pending) => Ran::Suspended(Suspension { coroutine, pending, handler }),
    }
}

/// Calls the method that handles the message; it returns its coroutine.
#[inline]
fn call_method<'i, 'py>(
    inline: &'i Inline<'py>,
    given: &Given<'_, 'py>,
) -> PyResult<(Bound<'py, PyAny>, Option<&'i Arc<Handler>>)> {
    let &Given { message, context, is_rpc } = given;
    let (py, agent, context) = (message.py(), &inline.agent, context.as_any());
    let handlers = match &inline.way {
        Way::Handlers(handlers) => handlers,
        Way::Function(function) => {
            let coroutine = call(function, [agent, message, context])?;
            return Ok((awaited(coroutine)?, None));
        }
        Way::OnMessage => return Ok((awaited(call_on_message(agent, message, context)?)?, None)),
    };
    if let Some(handler) = handlers.get().find(message, context, is_rpc)? {
        let coroutine = call(handler.function.bind(py), [agent, message, context])?;
        return Ok((awaited(coroutine)?, Some(handler)));
    }
    let name = intern!(py, "on_unhandled_message");
    Ok((awaited(agent.call_method1(name, (message, context))?)?, None))
}

/// Calls `on_message` of an agent that has one of its own.
#[cold]
fn call_on_message<'py>(
    agent: &Bound<'py, PyAny>,
    message: &Bound<'py, PyAny>,
    context: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = agent.py();
    let keywords = PyDict::new(py);
    keywords.set_item(intern!(py, "ctx"), context)?;
    agent.getattr(intern!(py, "on_message"))?.call((message,), Some(&keywords))
}

/// What `await` would step: the coroutine itself, or what its `__await__` returns.
#[inline]
fn awaited(awaitable: Bound<'_, PyAny>) -> PyResult<Bound<'_, PyAny>> {
    // SAFETY: a live reference is compared with a static type.
    let (is_coroutine, is_generator) = unsafe {
        let raw = awaitable.as_ptr();
        (ffi::PyCoro_CheckExact(raw) != 0, ffi::PyGen_CheckExact(raw) != 0)
    };
    if is_coroutine || is_generator && is_coroutine_by_decree(&awaitable)? {
        return Ok(awaitable);
    }
    steps_of(awaitable)
}

/// What the `__await__` of an awaitable returns.
#[cold]
fn steps_of(awaitable: Bound<'_, PyAny>) -> PyResult<Bound<'_, PyAny>> {
    let py = awaitable.py();
    match awaitable.getattr_opt(intern!(py, "__await__"))? {
        Some(method) => method.call0(),
        None => Err(PyTypeError::new_err(format!(
            "object {} can't be used in 'await' expression",
            awaitable.get_type().name()?
        ))),
    }
}

/// Whether a generator was made by a function under `types.coroutine`.
fn is_coroutine_by_decree(generator: &Bound<'_, PyAny>) -> PyResult<bool> {
    const CO_ITERABLE_COROUTINE: u32 = 0x100;
    let code = generator.getattr(intern!(generator.py(), "gi_code"))?;
    let flags: u32 = code.getattr(intern!(generator.py(), "co_flags"))?.extract()?;
    Ok(flags & CO_ITERABLE_COROUTINE != 0)
}

/// An error as it leaves a coroutine, in which `StopIteration` would pass for the end.
pub(super) fn as_raised(py: Python<'_>, error: PyErr) -> PyErr {
    if !error.is_instance_of::<PyStopIteration>(py) {
        return error;
    }
    let raised = PyRuntimeError::new_err("coroutine raised StopIteration");
    raised.set_cause(py, Some(error));
    raised
}
