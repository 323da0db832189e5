//! Handlers that their senders resume: the `await` of a sender yields for a handler that yields to the event loop, and
//! resumes it when it is stepped again. The handler needs no callback of its own for that. If the sender leaves, the
//! handler continues in its task.

use std::sync::atomic::Ordering;

use pyo3::exceptions::PyRuntimeError;
use pyo3::exceptions::asyncio::CancelledError;
use pyo3::prelude::*;

use super::admission::InlineGuard;
use super::engine::Engine;
use super::execution::Execution;
use super::future::{Future, Phase, Waiting};
use super::intervention_methods::Method;
use super::observer::Observation;
use super::send::{REUSED, Send, Stage, is_cancelled};
use super::settlement::{Completion, HandlerWork, Reply, Work};
use super::suspension::{go_on_in_task, resumable_by, step};
use super::task_pool::PooledTask;
use crate::interpreter::coroutine::Sent;
use crate::interpreter::exception_state::raised_here;
use crate::message_context::MessageContext;

/// How deep handlers may nest that their senders resume: each iteration steps all of them.
const MOST_NESTED: u32 = 8;

impl Engine {
    /// Whether the sender may resume a handler that yields to the event loop: only asyncio refers to its task, and
    /// no token can cancel it.
    pub(super) fn may_be_resumed_by_sender(
        &self,
        py: Python<'_>,
        context: &Bound<'_, MessageContext>,
        pooled: &PooledTask,
    ) -> bool {
        context.get().token_if_any(py).is_none()
            && !self.is_intercepted(py, Method::Response).unwrap_or(true)
            && self.depth.load(Ordering::Relaxed) <= MOST_NESTED
            && pooled.is_private(py, 0)
    }

    pub(super) fn leave_to_sender(
        &self,
        pooled: Box<PooledTask>,
        coroutine: Bound<'_, PyAny>,
        completion: Completion,
    ) -> PyResult<Py<Execution>> {
        let py = coroutine.py();
        self.kept.bind(py).add(&pooled.task)?;
        let execution = pooled.execution.clone_ref(py);
        execution.get().set_completion(py, completion);
        execution.get().set_yielded(py, coroutine.unbind(), pooled);
        Ok(execution)
    }
}

impl Send {
    /// The sender is stepped again, and the handler with it.
    pub(super) fn resume_handler<'py>(
        this: &Bound<'py, Self>,
        execution: Bound<'py, Execution>,
    ) -> Sent<'py> {
        let py = this.py();
        if let Some(outcome) = execution.get().take_outcome(py) {
            return outcome.into_sent(py); // it has ended in its task
        }
        let engine = execution.get().with_completion(py, |one| one.engine.bind(py).clone());
        let Some(engine) = engine else {
            return Sent::Raised(PyRuntimeError::new_err(REUSED));
        };
        let Some((coroutine, mut pooled)) = execution.get().resume_inline(py) else {
            // It goes on in its task.
            let awaited = Self::await_response(this, &execution);
            return awaited.map_or_else(Sent::Raised, |()| Self::wait(this));
        };
        let coroutine = coroutine.into_bound(py);
        let guard = InlineGuard::in_this_iteration(&engine).filter(|_| !pooled.is_cancelled(py));
        let Some(guard) = guard else {
            let none = py.None().into_bound(py);
            let gone = Self::await_response(this, &execution)
                .and_then(|()| go_on_in_task(&execution, pooled, coroutine, none));
            return gone.map_or_else(Sent::Raised, |()| Self::wait(this));
        };
        let result =
            match step(&guard, &execution, &pooled, &coroutine).unwrap_or_else(Sent::Raised) {
                Sent::Yielded(yielded) => {
                    return Self::suspend_again(this, &execution, pooled, coroutine, yielded)
                        .unwrap_or_else(Sent::Raised);
                }
                Sent::Returned(value) => Ok(value),
                Sent::Raised(error) => Err(error),
            };
        drop(coroutine);
        let own = pooled.leave(py);
        execution.get().end_inline(py);
        let ended = Self::end_handler(&engine, &execution, &mut pooled, result, own);
        engine.get().return_task(py, pooled);
        match ended {
            Ok(value) => Sent::Returned(value),
            Err(error) => Sent::Raised(raised_here(py, error)),
        }
    }

    fn suspend_again<'py>(
        this: &Bound<'py, Self>,
        execution: &Bound<'py, Execution>,
        mut pooled: Box<PooledTask>,
        coroutine: Bound<'py, PyAny>,
        yielded: Bound<'py, PyAny>,
    ) -> PyResult<Sent<'py>> {
        let py = this.py();
        let context = execution.get().with_completion(py, |one| one.message_context(py)).flatten();
        let has_token = context.is_some_and(|context| context.get().token_if_any(py).is_some());
        if yielded.is_none() && !has_token {
            execution.get().set_yielded(py, coroutine.unbind(), pooled);
            this.get().put(py, Stage::ResumesHandler(execution.clone().unbind()));
            return Ok(Sent::Yielded(yielded));
        }
        Self::await_response(this, execution)?;
        if let Some(send) = resumable_by(&yielded, execution, &pooled) {
            pooled.suspend(py);
            execution.get().set_awaited_send(py, coroutine.unbind(), send, pooled);
        } else {
            go_on_in_task(execution, pooled, coroutine, yielded)?;
        }
        Ok(Self::wait(this))
    }

    fn end_handler<'py>(
        engine: &Bound<'py, Engine>,
        execution: &Bound<'py, Execution>,
        pooled: &mut PooledTask,
        result: PyResult<Bound<'py, PyAny>>,
        own: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = engine.py();
        let Some(Completion { task, work: Work::Handler(work), .. }) =
            execution.get().take_completion(py)
        else {
            return Err(PyRuntimeError::new_err(REUSED));
        };
        engine.get().kept.bind(py).discard(&task)?;
        drop(task);
        let HandlerWork { slot, delivery, handler, reply, .. } = work;
        let result = result.and_then(|value| match &handler {
            Some(handler) => handler.get().check(value),
            None => Ok(value),
        });
        let mut token = None;
        if let Reply::ResumedBySender(context) = reply {
            let context = context.into_bound(py);
            token = context.get().token_if_any(py);
            pooled.keep_context(py, context);
        }
        let result = result.map_err(Box::new);
        let value = Engine::settle_inline(engine, slot, delivery, result, own);
        let value = value.map_err(|error| *error)?;
        if is_cancelled(py, token.as_ref())? {
            return Err(CancelledError::new_err(()));
        }
        Ok(value)
    }

    /// Becomes the future in which the response comes.
    fn await_response(this: &Bound<'_, Self>, execution: &Bound<'_, Execution>) -> PyResult<()> {
        let py = this.py();
        let event_loop = execution.get().event_loop(py);
        let waiting = Waiting::Await { is_blocking: false };
        let future = Future::new(Phase::Suspended, waiting, &event_loop);
        this.get().put(py, Stage::Future(Box::new(future)));
        let send = this.clone().unbind();
        let context = execution
            .get()
            .with_completion(py, |completion| completion.reply_to_sender(execution, send))
            .flatten();
        context.map_or(Ok(()), |context| context.bind(py).get().link(this.as_any()))
    }

    /// An exception is thrown into the sender, which would have resumed its handler: the handler goes on without
    /// a sender.
    pub(super) fn leave_handler(
        this: &Bound<'_, Self>,
        execution: &Bound<'_, Execution>,
        error: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let py = this.py();
        drop(Self::resume_handler(this, execution.clone()));
        match this.get().take(py) {
            Stage::ResumesHandler(execution) => go_on_alone(execution.bind(py)),
            Stage::Future(future) => Self::leave(this, future, error),
            _ => Ok(()),
        }
    }
}

impl Completion {
    /// The message context of a handler that its sender resumes.
    fn message_context<'py>(&self, py: Python<'py>) -> Option<Bound<'py, MessageContext>> {
        match &self.work {
            Work::Handler(HandlerWork { reply: Reply::ResumedBySender(context), .. }) => {
                Some(context.bind(py).clone())
            }
            _ => None,
        }
    }

    /// From here on the sender awaits a future. Returns the context, if the sender had yielded before.
    fn reply_to_sender(
        &mut self,
        execution: &Bound<'_, Execution>,
        send: Py<Send>,
    ) -> Option<Py<MessageContext>> {
        let py = execution.py();
        let Work::Handler(work) = &mut self.work else { return None };
        let Reply::ResumedBySender(context) = &work.reply else { return None };
        let context = context.clone_ref(py);
        let recipient = context.bind(py).get().sender_if_any(py);
        send.get().attach(self.engine.bind(py), work.delivery, Some(execution));
        work.reply = Reply::Sender { send, observation: Observation::NONE, recipient };
        Some(context)
    }
}

/// Lets a handler whose sender is gone go on in its task.
pub(super) fn go_on_alone(execution: &Bound<'_, Execution>) -> PyResult<()> {
    let py = execution.py();
    if !execution.get().has_yielded(py) {
        return Ok(());
    }
    let Some((coroutine, pooled)) = execution.get().resume_inline(py) else { return Ok(()) };
    let coroutine = coroutine.into_bound(py);
    go_on_in_task(execution, pooled, coroutine, py.None().into_bound(py))
}

/// The same where an error cannot be raised.
pub(super) fn leave_alone(execution: &Bound<'_, Execution>) {
    if let Err(error) = go_on_alone(execution) {
        error.write_unraisable(execution.py(), Some(execution));
    }
}
