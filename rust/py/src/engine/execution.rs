//! `Execution`: the coroutine of a task in which handlers run.
//!
//! A task of the pool yields a future of its own, its [`Waiter`], as long as no handler has suspended in it. From
//! then on it yields what the handler yields, and ends with it.

use ferrogen_core::DeliveryId;
use pyo3::intern;
use pyo3::prelude::*;

use super::engine::Engine;
use super::future::Outcome;
use super::invoke::Unstarted;
use super::joins::is_joined;
use super::revision::Interception;
use super::send::Send;
use super::settlement::{Completion, Work};
use super::task_pool::PooledTask;
use super::waiter::Waiter;
use crate::interpreter::GilMutex;
use crate::interpreter::coroutine::{Sent, send_none};
use crate::interpreter::release::release;

mod protocol;
mod steps;

/// What the next step of the task does.
pub(super) enum Stage {
    /// No handler has suspended in the task.
    Idle,
    /// A handler is resumed in the task, or an intervention handler runs in it, inside its caller.
    Inline,
    /// The handler of a task in task mode has not begun.
    Unstarted(Box<Unstarted>),
    /// The handler has yielded to the event loop, and is resumed in the next step of its sender, or in the next
    /// iteration.
    Yielded(Py<PyAny>, Box<PooledTask>),
    /// The handler awaits this response, and is resumed by the engine.
    AwaitsSend(Py<PyAny>, Box<PooledTask>, Py<Send>),
    /// The handler has yielded this, which the task has yet to yield.
    Pending(Py<PyAny>, Awaited),
    /// The handler waits for what the task has yielded.
    Waiting(Py<PyAny>),
    /// The task ends with its next step.
    Ended,
}

/// What a handler has yielded, and whether it awaits that as a future.
pub(super) struct Awaited(Py<PyAny>, bool);

impl Awaited {
    /// Inspects what the handler has just yielded.
    fn new(yielded: Bound<'_, PyAny>) -> Self {
        let blocking = yielded.getattr_opt(intern!(yielded.py(), "_asyncio_future_blocking"));
        let is_blocking = matches!(blocking, Ok(Some(one)) if one.is_truthy().unwrap_or(false));
        Self(yielded.unbind(), is_blocking)
    }
}

struct Inner {
    stage: Stage,
    completion: Option<Completion>,
    /// The place of the task in the pool, while a handler is suspended in it.
    pooled: Option<Box<PooledTask>>,
    /// The outcome of a handler that ended in its own task while its sender had yielded.
    outcome: Option<Outcome>,
    waiter: Option<Py<Waiter>>,
    /// The send that the task waits for, if it waits for one.
    awaited: Option<Py<Send>>,
}

#[pyclass(frozen, weakref, module = "ferrogen._core")]
pub(crate) struct Execution {
    event_loop: Py<PyAny>,
    /// The coroutine of the handler that is being stepped inside its caller.
    running: GilMutex<Option<Py<PyAny>>>,
    inner: GilMutex<Inner>,
}

impl Execution {
    /// The coroutine of a task of the pool.
    pub(super) fn idle(event_loop: &Bound<'_, PyAny>) -> Self {
        Self::new(event_loop, Stage::Idle)
    }

    /// The coroutine of a task in which one handler runs from its beginning.
    pub(super) fn unstarted(event_loop: &Bound<'_, PyAny>, handler: Unstarted) -> Self {
        Self::new(event_loop, Stage::Unstarted(Box::new(handler)))
    }

    fn new(event_loop: &Bound<'_, PyAny>, stage: Stage) -> Self {
        let (completion, pooled, outcome, waiter, awaited) = (None, None, None, None, None);
        let inner = Inner { stage, completion, pooled, outcome, waiter, awaited };
        let (running, inner) = (GilMutex::new(None), GilMutex::new(inner));
        Self { event_loop: event_loop.clone().unbind(), running, inner }
    }

    pub(super) fn event_loop<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        self.event_loop.bind(py).clone()
    }

    fn take_stage(&self, py: Python<'_>, next: Stage) -> Stage {
        self.inner.with(py, |inner| std::mem::replace(&mut inner.stage, next))
    }

    fn put_stage(&self, py: Python<'_>, stage: Stage) {
        let before = self.inner.with(py, |inner| std::mem::replace(&mut inner.stage, stage));
        drop(before);
    }

    // Tasks of the pool.

    /// Whether the idle task is not to be used.
    #[inline]
    pub(super) fn is_ended(&self, py: Python<'_>) -> bool {
        self.inner.with(py, |inner| {
            matches!(inner.stage, Stage::Ended)
                || inner.waiter.as_ref().is_some_and(|waiter| waiter.get().is_cancelled(py))
        })
    }

    #[inline]
    pub(super) fn begin(&self, py: Python<'_>) {
        self.put_stage(py, Stage::Inline);
    }

    /// Makes a step of a handler that runs inline: what looks at the task meanwhile sees its coroutine.
    #[inline(always)]
    pub(super) fn run<'py>(&self, coroutine: &Bound<'py, PyAny>) -> Sent<'py> {
        let py = coroutine.py();
        let own = Some(coroutine.clone().unbind());
        let before = self.running.with(py, |place| std::mem::replace(place, own));
        let sent = send_none(coroutine);
        let own = self.running.with(py, |place| std::mem::replace(place, before));
        release(py, own);
        sent
    }

    fn is_running(&self, py: Python<'_>) -> bool {
        self.running.with(py, |running| running.is_some())
    }

    pub(super) fn end_inline(&self, py: Python<'_>) {
        self.put_stage(py, Stage::Idle);
    }

    /// Drops what is left of the last handler.
    pub(super) fn forget(&self, py: Python<'_>) {
        let rest = self.inner.with(py, |inner| (inner.outcome.take(), inner.awaited.take()));
        drop(rest);
    }

    pub(super) fn retire(&self, py: Python<'_>) {
        self.put_stage(py, Stage::Ended);
    }

    /// The function that steps the task, and the future that it waits for.
    pub(super) fn take_wakeup<'py>(
        &self,
        py: Python<'py>,
    ) -> Option<(Bound<'py, PyAny>, Bound<'py, Waiter>)> {
        let waiter =
            self.inner.with(py, |inner| inner.waiter.as_ref().map(|one| one.clone_ref(py)))?;
        let waiter = waiter.into_bound(py);
        let wakeup = waiter.get().take_wakeup(py)?;
        Some((wakeup.into_bound(py), waiter))
    }

    // Handlers that suspend.

    /// Leaves the task to a handler that has yielded something other than a send.
    pub(super) fn suspend(
        &self,
        coroutine: Bound<'_, PyAny>,
        yielded: Bound<'_, PyAny>,
        completion: Completion,
        pooled: Box<PooledTask>,
    ) {
        let py = coroutine.py();
        self.go_on_in_task(coroutine, yielded, pooled);
        self.set_completion(py, completion);
    }

    /// Drops a suspended handler that cannot be resumed. Returns what it was to complete.
    pub(super) fn abandon(&self, py: Python<'_>) -> Option<Completion> {
        let (stage, pooled, completion) = self.inner.with(py, |inner| {
            let stage = std::mem::replace(&mut inner.stage, Stage::Ended);
            (stage, inner.pooled.take(), inner.completion.take())
        });
        if let (Stage::Yielded(_, pooled), _) | (_, Some(pooled)) = (&stage, &pooled) {
            pooled.silence(py);
        }
        drop((stage, pooled));
        completion
    }

    pub(super) fn set_awaited_send(
        &self,
        py: Python<'_>,
        coroutine: Py<PyAny>,
        send: &Bound<'_, Send>,
        pooled: Box<PooledTask>,
    ) {
        self.put_stage(py, Stage::AwaitsSend(coroutine, pooled, send.clone().unbind()));
        self.forward_cancellation(py, Some(send));
    }

    /// Sets what the task's own future, if it waits for that, forwards a cancellation to.
    fn forward_cancellation(&self, py: Python<'_>, send: Option<&Bound<'_, Send>>) {
        let waiter =
            self.inner.with(py, |inner| inner.waiter.as_ref().map(|one| one.clone_ref(py)));
        if let Some(waiter) = waiter {
            waiter.get().forward_cancellation(py, send.map(|send| send.clone().unbind()));
        }
    }

    pub(super) fn set_yielded(
        &self,
        py: Python<'_>,
        coroutine: Py<PyAny>,
        pooled: Box<PooledTask>,
    ) {
        self.put_stage(py, Stage::Yielded(coroutine, pooled));
    }

    pub(super) fn set_completion(&self, py: Python<'_>, completion: Completion) {
        let before = self.inner.with(py, |inner| inner.completion.replace(completion));
        drop(before);
    }

    pub(super) fn take_completion(&self, py: Python<'_>) -> Option<Completion> {
        self.inner.with(py, |inner| inner.completion.take())
    }

    pub(super) fn with_completion<R>(
        &self,
        py: Python<'_>,
        look: impl FnOnce(&mut Completion) -> R,
    ) -> Option<R> {
        self.inner.with(py, |inner| inner.completion.as_mut().map(look))
    }

    /// The message that was in the hands of the intervention handler that has ended in the task.
    pub(super) fn take_interception(&self, py: Python<'_>) -> PyResult<Option<Box<Interception>>> {
        let completion =
            self.inner.with(py, |inner| inner.completion.take_if(Completion::is_interception));
        match completion.map(|completion| completion.release(py)).transpose()? {
            Some((.., Work::Interception(interception))) => Ok(Some(interception)),
            _ => Ok(None),
        }
    }

    /// The delivery of its handler, if that is suspended or has not begun.
    pub(super) fn delivery(&self, py: Python<'_>) -> Option<DeliveryId> {
        self.inner.with(py, |inner| match (&inner.stage, &inner.completion) {
            (Stage::Unstarted(handler), _) => Some(handler.delivery),
            (_, Some(completion)) => completion.delivery(),
            _ => None,
        })
    }

    /// Cancels the suspended handler of a delivery. Returns whether it still has that delivery.
    pub(super) fn cancel_handler(&self, py: Python<'_>, delivery: DeliveryId) -> PyResult<bool> {
        match self.with_completion(py, |completion| completion.running(py)).flatten() {
            Some((_, running, task)) if running == delivery => {
                task.call_method0(intern!(py, "cancel")).map(|_| true)
            }
            _ => Ok(false),
        }
    }

    /// The coroutine and task of a handler that is to be resumed inline.
    pub(super) fn resume_inline(&self, py: Python<'_>) -> Option<(Py<PyAny>, Box<PooledTask>)> {
        let (found, send) = match self.take_stage(py, Stage::Inline) {
            Stage::Yielded(coroutine, pooled) => (Some((coroutine, pooled)), None),
            Stage::AwaitsSend(coroutine, pooled, send) => (Some((coroutine, pooled)), Some(send)),
            stage => {
                self.put_stage(py, stage);
                (None, None)
            }
        };
        if send.is_some() {
            self.forward_cancellation(py, None);
        }
        drop(send);
        found
    }

    fn note_awaited(&self, yielded: &Bound<'_, PyAny>) {
        let send = yielded.cast_exact::<Send>().ok().map(|send| send.clone().unbind());
        let py = yielded.py();
        let before = self.inner.with(py, |inner| std::mem::replace(&mut inner.awaited, send));
        drop(before);
        if is_joined(yielded) {
            self.await_tasks(yielded);
        }
    }

    /// Its handler awaits a task or a gather.
    #[cold]
    fn await_tasks(&self, yielded: &Bound<'_, PyAny>) {
        let py = yielded.py();
        let running = self.with_completion(py, |completion| completion.running(py)).flatten();
        let Some((engine, delivery, _)) = running else { return };
        if let Err(error) = Engine::await_all(&engine, delivery, std::slice::from_ref(yielded)) {
            error.write_unraisable(py, Some(yielded));
        }
    }

    /// The send that its handler awaits.
    pub(super) fn awaited_send(&self, py: Python<'_>) -> Option<Py<Send>> {
        self.inner.with(py, |inner| match &inner.stage {
            Stage::AwaitsSend(_, _, send) => Some(send.clone_ref(py)),
            _ => inner.awaited.as_ref().map(|send| send.clone_ref(py)),
        })
    }

    pub(super) fn has_yielded(&self, py: Python<'_>) -> bool {
        self.inner.with(py, |inner| matches!(inner.stage, Stage::Yielded(..)))
    }

    pub(super) fn take_outcome(&self, py: Python<'_>) -> Option<Outcome> {
        self.inner.with(py, |inner| inner.outcome.take())
    }

    /// The handler goes on in its task, which is yet to yield this.
    pub(super) fn go_on_in_task(
        &self,
        coroutine: Bound<'_, PyAny>,
        yielded: Bound<'_, PyAny>,
        pooled: Box<PooledTask>,
    ) {
        let py = coroutine.py();
        let before = self.inner.with(py, |inner| inner.pooled.replace(pooled));
        drop(before);
        self.put_stage(py, Stage::Pending(coroutine.unbind(), Awaited::new(yielded)));
    }

    fn coroutine<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        let running = self.running.with(py, |one| one.as_ref().map(|one| one.bind(py).clone()));
        if running.is_some() {
            return running;
        }
        self.inner.with(py, |inner| match &inner.stage {
            Stage::Yielded(coroutine, _)
            | Stage::AwaitsSend(coroutine, ..)
            | Stage::Pending(coroutine, _)
            | Stage::Waiting(coroutine) => Some(coroutine.bind(py).clone()),
            _ => None,
        })
    }

    fn of_coroutine(&self, py: Python<'_>, name: &str) -> PyResult<Py<PyAny>> {
        match self.coroutine(py) {
            Some(coroutine) => Ok(coroutine.getattr(name)?.unbind()),
            None => Ok(py.None()),
        }
    }
}
