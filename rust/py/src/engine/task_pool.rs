//! The task pool: real `asyncio` tasks, reused while handlers finish without suspending.
//!
//! The current task of a handler is an initialized, pending `asyncio.Task` whose coroutine is an
//! [`Execution`]. While it is in the pool, the task waits for a future of its own. While a handler runs
//! inline, its task has the state of a running task: it waits for nothing, and its context is the handler's.
//! A handler that suspends keeps its task. A task that anything else refers to afterwards, or whose state has
//! changed, is not reused: it ends.

use pyo3::exceptions::PyRuntimeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyNone, PyString};

use super::callbacks::{Callback, call_soon_in};
use super::engine::Engine;
use super::execution::Execution;
use super::messages::Request;
use crate::interpreter::GilMutex;
use crate::interpreter::context::Entered;
use crate::interpreter::current_task::CurrentTask;
use crate::interpreter::free_list::{is_unique, references_to};
use crate::interpreter::task_layout::{
    self, Field, Snapshot, exchange, read, set, toggle_log_flag,
};
use crate::message_context::{ContextFields, MessageContext};
use crate::publish_envelope::PublishEnvelope;

/// How many tasks are kept.
const MOST_IDLE: usize = 256;

/// A task of the pool, in it or in use.
pub(super) struct PooledTask {
    pub(super) task: Py<PyAny>,
    pub(super) execution: Py<Execution>,
    /// The context of the last message, if only the pool refers to it.
    message_context: Option<Py<MessageContext>>,
    /// The state of the idle task, and how many references there are to it and to its coroutine.
    idle: Snapshot,
    references: isize,
    execution_references: isize,
    /// The coroutine of an intervention handler that has suspended in the task.
    pub(super) coroutine: Option<Py<PyAny>>,
    /// What is exchanged with the fields of the task when a handler begins, and when it ends: the event loop, the
    /// future that the idle task waits for, and the contexts.
    other_loop: Option<Py<PyAny>>,
    other_waiter: Option<Py<PyAny>>,
    other_context: Option<Py<PyAny>>,
}

/// An empty context, in which idle tasks live.
fn empty_context(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static CONTEXT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let context = CONTEXT.get_or_try_init(py, || {
        PyResult::Ok(py.import("contextvars")?.getattr("Context")?.call0()?.unbind())
    })?;
    Ok(context.bind(py))
}

/// The event loop of idle tasks: `asyncio.all_tasks()` returns those of the running loop.
pub(super) fn no_loop(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static NO_LOOP: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let no_loop = NO_LOOP.get_or_try_init(py, || {
        PyResult::Ok(PyString::new(py, "no event loop: an idle task").into_any().unbind())
    })?;
    Ok(no_loop.bind(py))
}

/// An event loop for the time in which a task is created: it catches the first step, which is then made at
/// once, so that the task waits for its own future from the beginning.
#[pyclass(frozen, module = "ferrogen._core")]
#[derive(Default)]
struct StepCatcher(GilMutex<Option<Py<PyAny>>>);

#[pymethods]
impl StepCatcher {
    #[expect(clippy::unused_self, reason = "the protocol of event loops")]
    fn get_debug(&self) -> bool {
        false
    }

    #[pyo3(signature = (callback, *, context = None))]
    fn call_soon(&self, py: Python<'_>, callback: Py<PyAny>, context: Option<Py<PyAny>>) {
        drop(context);
        let before = self.0.with(py, |place| place.replace(callback));
        drop(before);
    }
}

impl PooledTask {
    fn new(event_loop: &Bound<'_, PyAny>) -> PyResult<Box<Self>> {
        let py = event_loop.py();
        let execution = Bound::new(py, Execution::idle(event_loop))?;
        let catcher = Bound::new(py, StepCatcher::default())?;
        let keywords = PyDict::new(py);
        keywords.set_item(intern!(py, "loop"), &catcher)?;
        if cfg!(Py_3_11) {
            keywords.set_item(intern!(py, "context"), empty_context(py)?)?;
        }
        let task = task_layout::class(py).call((&execution,), Some(&keywords))?;
        toggle_log_flag(&task);
        set(&task, Field::Loop, event_loop.clone().unbind());
        if !cfg!(Py_3_11) {
            set(&task, Field::Context, empty_context(py)?.clone().unbind());
        }
        if cfg!(Py_3_12) {
            // Later versions format the name when it is first read.
            task.call_method0(intern!(py, "get_name"))?;
        }
        if let Some(step) = catcher.get().0.with(py, Option::take) {
            let mut current = CurrentTask::new(event_loop)?;
            current.enter(None)?;
            step.call0(py)?;
        }
        set(&task, Field::Loop, no_loop(py)?.clone().unbind());
        Ok(Box::new(Self {
            idle: Snapshot::of(&task),
            references: references_to(&task),
            execution_references: references_to(&execution),
            task: task.unbind(),
            execution: execution.unbind(),
            message_context: None,
            coroutine: None,
            other_loop: Some(event_loop.clone().unbind()),
            other_waiter: None,
            other_context: None,
        }))
    }

    /// Gives the task the state of a running one, with this context.
    #[inline(always)]
    pub(super) fn enter(&mut self, context: Bound<'_, PyAny>) {
        let task = self.task.bind(context.py());
        self.other_context = Some(context.unbind());
        exchange(task, Field::Context, &mut self.other_context);
        exchange(task, Field::Loop, &mut self.other_loop);
        exchange(task, Field::Waiter, &mut self.other_waiter);
        toggle_log_flag(task);
    }

    /// Gives the task the state of an idle one again, if it has been entered. Returns the context of the handler.
    #[inline(always)]
    pub(super) fn leave<'py>(&mut self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.other_context.as_ref()?;
        let task = self.task.bind(py);
        toggle_log_flag(task);
        exchange(task, Field::Waiter, &mut self.other_waiter);
        exchange(task, Field::Loop, &mut self.other_loop);
        exchange(task, Field::Context, &mut self.other_context);
        self.other_context.take().map(|context| context.into_bound(py))
    }

    /// Gives the task the state of an idle one again, after its handler has ended in it.
    fn take_back(&mut self, py: Python<'_>) {
        let task = self.task.bind(py);
        toggle_log_flag(task);
        exchange(task, Field::Loop, &mut self.other_loop);
        exchange(task, Field::Context, &mut self.other_context);
        drop(self.other_context.take());
    }

    /// The handler suspends: the task waits for its own future, to which its cancellation goes.
    pub(super) fn suspend(&mut self, py: Python<'_>) {
        exchange(self.task.bind(py), Field::Waiter, &mut self.other_waiter);
    }

    /// The handler is resumed: the task waits for nothing.
    pub(super) fn resume(&mut self, py: Python<'_>) {
        exchange(self.task.bind(py), Field::Waiter, &mut self.other_waiter);
    }

    /// The context of the handler that has suspended.
    pub(super) fn context<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        read(self.task.bind(py), Field::Context)
            .ok_or_else(|| PyRuntimeError::new_err("the task of the handler has no context"))
    }

    /// Whether there are no references to the task but those of the pool and `more`.
    pub(super) fn is_private(&self, py: Python<'_>, more: isize) -> bool {
        references_to(self.task.bind(py)) <= self.references + more
    }

    /// Whether only the pool and the task refer to the coroutine of the task.
    fn is_execution_private(&self, py: Python<'_>) -> bool {
        references_to(self.execution.bind(py)) <= self.execution_references
    }

    /// Whether a cancellation of the task is requested.
    pub(super) fn is_cancelled(&self, py: Python<'_>) -> bool {
        let requested = self.task.bind(py).getattr(intern!(py, "_must_cancel"));
        requested.and_then(|one| one.is_truthy()).unwrap_or(true)
    }

    /// The task is dropped while it is pending: it does not complain.
    pub(super) fn silence(&self, py: Python<'_>) {
        toggle_log_flag(self.task.bind(py));
    }

    /// Whether the idle task is as it was, and there are no references to it but `more` than then.
    #[inline(always)]
    pub(super) fn is_untouched(&self, py: Python<'_>, more: isize) -> bool {
        let task = self.task.bind(py);
        references_to(task) <= self.references + more && self.idle.matches(task)
    }

    /// Ends the task. Without its event loop running it is left pending, and says nothing about it.
    pub(super) fn retire(self: Box<Self>, py: Python<'_>, event_loop: Option<&Bound<'_, PyAny>>) {
        let execution = self.execution.bind(py);
        execution.get().retire(py);
        let own = execution.get().event_loop(py).unbind();
        set(self.task.bind(py), Field::Loop, own);
        toggle_log_flag(self.task.bind(py));
        let is_running = |event_loop: &&Bound<'_, PyAny>| {
            crate::interpreter::current_task::is_running(event_loop).unwrap_or(false)
        };
        match event_loop.filter(is_running) {
            None => toggle_log_flag(self.task.bind(py)),
            Some(event_loop) => {
                if let Err(error) = step_task(event_loop, execution, None) {
                    error.write_unraisable(py, Some(execution));
                }
            }
        }
    }

    pub(super) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.task)?;
        visit.call(&self.execution)?;
        visit.call(&self.message_context)?;
        visit.call(&self.other_loop)?;
        visit.call(&self.other_waiter)?;
        visit.call(&self.other_context)
    }
}

/// Steps a task that waits for its own future, as its event loop would: in its context, and without a current
/// task. `awaited` is what its handler has waited for, if that is done. Where the step fails, as in a deep
/// recursion, the event loop makes it soon.
pub(super) fn step_task(
    event_loop: &Bound<'_, PyAny>,
    execution: &Bound<'_, Execution>,
    awaited: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    let py = execution.py();
    let Some((wakeup, waiter)) = execution.get().take_wakeup(py) else { return Ok(()) };
    let task = wakeup.getattr(intern!(py, "__self__"))?;
    let context = read(&task, Field::Context);
    let done = awaited.unwrap_or(waiter.as_any());
    let step = || -> PyResult<()> {
        let mut current = CurrentTask::new(event_loop)?;
        current.enter(None)?;
        let _entered = context.clone().map(Entered::enter).transpose()?;
        wakeup.call1((done,)).map(|_| ())
    };
    step().or_else(|_| {
        let none = PyNone::get(py).to_owned().into_any();
        call_soon_in(event_loop, &wakeup, done, context.as_ref().unwrap_or(&none))
    })
}

/// Fills an empty context, or makes one.
fn fill(
    py: Python<'_>,
    context: Option<Py<MessageContext>>,
    fields: ContextFields,
) -> PyResult<Bound<'_, MessageContext>> {
    let Some(context) = context else { return Bound::new(py, MessageContext::of(fields)) };
    let context = context.into_bound(py);
    context.get().renew(py, fields);
    Ok(context)
}

/// The context of a message, reused.
impl PooledTask {
    /// The context of a message that was sent.
    #[inline(always)]
    pub(super) fn message_context<'py>(
        &mut self,
        py: Python<'py>,
        request: &Request,
    ) -> PyResult<Bound<'py, MessageContext>> {
        match self.message_context.take() {
            Some(context) if request.has_blank_context() => Ok(context.into_bound(py)),
            context => fill(py, context, request.context(py)),
        }
    }

    /// The context for one more recipient of a message: that of the last one, if it is unmodified.
    #[inline]
    pub(super) fn context_of<'py>(
        &mut self,
        envelope: &Bound<'py, PublishEnvelope>,
    ) -> PyResult<Bound<'py, MessageContext>> {
        let py = envelope.py();
        match &self.message_context {
            Some(context) if context.get().is_of(envelope) => {
                let context = self.message_context.take().expect("it was looked at");
                Ok(context.into_bound(py))
            }
            _ => {
                let context = self.message_context.take();
                fill(py, context, PublishEnvelope::context_of_recipient(envelope))
            }
        }
    }

    /// Keeps a context for the next recipient of the same message, if it is unique.
    #[inline]
    pub(super) fn keep_context_of_recipient(&mut self, context: Bound<'_, MessageContext>) {
        if is_unique(&context) {
            self.message_context = Some(context.unbind());
        }
    }

    /// Clears the context after the last recipient.
    pub(super) fn clear_context(&self, py: Python<'_>) {
        if let Some(context) = &self.message_context {
            context.get().empty(py);
        }
    }

    /// Keeps a context for the next message, if it is unique.
    #[inline]
    pub(super) fn keep_context(&mut self, py: Python<'_>, context: Bound<'_, MessageContext>) {
        if is_unique(&context) {
            context.get().empty(py);
            self.message_context = Some(context.unbind());
        }
    }
}

impl Engine {
    /// Takes a task from the pool, or makes one.
    #[inline]
    pub(super) fn borrow_task(&self, event_loop: &Bound<'_, PyAny>) -> PyResult<Box<PooledTask>> {
        let py = event_loop.py();
        while let Some(pooled) = self.state.with(py, |state| state.pool.pop()) {
            // Code that finds it among all objects may have cancelled or changed it.
            if pooled.execution.get().is_ended(py) {
                continue;
            }
            if pooled.is_untouched(py, 0) {
                return Ok(pooled);
            }
            self.retire(py, pooled);
        }
        PooledTask::new(event_loop)
    }

    /// Puts an idle task into the pool, or ends it.
    #[inline]
    pub(super) fn return_task(&self, py: Python<'_>, pooled: Box<PooledTask>) {
        if pooled.is_untouched(py, 0) {
            let left = self.state.with(py, |state| {
                let is_kept = state.is_open_here() && state.pool.len() < MOST_IDLE;
                if is_kept {
                    state.pool.push(pooled);
                    None
                } else {
                    Some(pooled)
                }
            });
            if let Some(left) = left {
                self.retire(py, left);
            }
        } else {
            self.retire(py, pooled);
        }
    }

    /// Schedules a check of the tasks whose handlers end in this iteration of the event loop. Returns whether
    /// their tasks may be reused.
    pub(super) fn check_returned_soon(engine: &Bound<'_, Self>) -> PyResult<bool> {
        let py = engine.py();
        let event_loop = engine.get().state.with(py, |state| {
            if !state.is_open_here() {
                return None;
            }
            let event_loop = state.event_loop.as_ref().map(|one| one.bind(py).clone());
            Some(event_loop.filter(|_| !std::mem::replace(&mut state.is_checking, true)))
        });
        match event_loop {
            None => Ok(false),
            Some(None) => Ok(true),
            Some(Some(event_loop)) => {
                let armed = Callback::CheckReturned.call_soon(engine, &event_loop);
                if armed.is_err() {
                    engine.get().state.with(py, |state| state.is_checking = false);
                }
                armed.map(|()| true)
            }
        }
    }

    /// Puts tasks whose handlers have ended into the pool, or ends them.
    pub(super) fn take_returned(&self, py: Python<'_>) {
        let returned = self.state.with(py, |state| {
            state.is_checking = false;
            std::mem::take(&mut state.returned)
        });
        for mut pooled in returned {
            pooled.take_back(py);
            if pooled.is_execution_private(py) {
                pooled.execution.get().forget(py);
                self.return_task(py, pooled);
            } else {
                // A sender that has yet to take the outcome, for one, knows the handler by it.
                self.retire(py, pooled);
            }
        }
    }

    /// Takes back the task of a handler that has suspended and cannot be resumed.
    #[cold]
    pub(super) fn abandon_task(&self, py: Python<'_>, mut pooled: Box<PooledTask>) {
        drop(pooled.leave(py));
        pooled.execution.get().end_inline(py);
        self.return_task(py, pooled);
    }

    #[cold]
    fn retire(&self, py: Python<'_>, pooled: Box<PooledTask>) {
        let event_loop = self.bound_loop(py);
        pooled.retire(py, event_loop.as_ref());
    }
}
