//! Suspended handlers: in their task, or resumed by the engine.
//!
//! A handler that suspends keeps its task, which then waits for what the handler awaits. Two kinds of waits
//! cost less. A handler that awaits the response of another agent is resumed by the engine when the response is
//! there, so that a chain of agents costs a step a hop. A handler that yields to the event loop
//! (`sleep(0)`) is resumed by its sender (`resumed_by_sender.rs`), or by the engine in the next iteration.

use pyo3::prelude::*;

use super::admission::{BUDGET, InlineGuard};
use super::callbacks::Callback;
use super::engine::Engine;
use super::execution::Execution;
use super::intervention_methods::Method;
use super::send::Send;
use super::settlement::{Completion, HandlerWork, Reply, Work};
use super::task_pool::{PooledTask, step_task};
use crate::interpreter::context::Entered;
use crate::interpreter::coroutine::Sent;
use crate::interpreter::current_task::CurrentTask;
use crate::interpreter::exception_state::{CleanExceptionState, Item};

/// A suspended handler that will not be resumed, since the event loop has raised.
pub(super) struct NotHeld {
    pub(super) completion: Option<Completion>,
    pub(super) error: PyErr,
}

impl NotHeld {
    fn abandon(execution: &Bound<'_, Execution>, error: PyErr) -> Box<Self> {
        let completion = execution.get().abandon(execution.py());
        Box::new(Self { completion, error })
    }

    /// The handler ends with the error.
    pub(super) fn complete(self, py: Python<'_>) -> PyResult<()> {
        match self.completion {
            Some(completion) => completion.complete(py, Err(self.error)).map(|_| ()),
            None => Err(self.error),
        }
    }
}

impl Engine {
    /// Suspends a handler that has just yielded.
    pub(super) fn hold(
        &self,
        mut pooled: Box<PooledTask>,
        coroutine: Bound<'_, PyAny>,
        yielded: Bound<'_, PyAny>,
        completion: Completion,
    ) -> Result<(), Box<NotHeld>> {
        let py = coroutine.py();
        if let Err(error) = self.kept.bind(py).add(&pooled.task) {
            self.abandon_task(py, pooled);
            return Err(Box::new(NotHeld { completion: Some(completion), error }));
        }
        let execution = pooled.execution.bind(py).clone();
        completion.attach(&execution);
        if let Some(send) = resumable_by(&yielded, &execution, &pooled) {
            pooled.suspend(py);
            execution.get().set_completion(py, completion);
            execution.get().set_awaited_send(py, coroutine.unbind(), send, pooled);
            return Ok(());
        }
        let goes_on = if yielded.is_none() {
            let engine = completion.engine.bind(py).clone();
            execution.get().set_completion(py, completion);
            execution.get().set_yielded(py, coroutine.unbind(), pooled);
            Self::resume_in_next_iteration(&engine, &execution)
        } else {
            pooled.suspend(py);
            execution.get().suspend(coroutine, yielded, completion, pooled);
            step_task(&execution.get().event_loop(py), &execution, None)
        };
        goes_on.map_err(|error| NotHeld::abandon(&execution, error))
    }

    // Handlers that await a send.

    /// Schedules a handler whose response is there to be resumed.
    pub(super) fn resume_soon(
        engine: &Bound<'_, Self>,
        execution: &Bound<'_, Execution>,
    ) -> PyResult<()> {
        let (py, this) = (engine.py(), engine.get());
        let was_resuming = this.state.with(py, |state| {
            state.resumable.push_back(execution.clone().unbind());
            std::mem::replace(&mut state.is_resuming, true)
        });
        if was_resuming { Ok(()) } else { Self::schedule_resuming(engine, execution) }
    }

    fn schedule_resuming(
        engine: &Bound<'_, Self>,
        execution: &Bound<'_, Execution>,
    ) -> PyResult<()> {
        let py = engine.py();
        let event_loop = execution.get().event_loop(py);
        let asked = Callback::ResumeResponded.call_soon(engine, &event_loop);
        if asked.is_err() {
            engine.get().state.with(py, |state| state.is_resuming = false);
        }
        asked
    }

    /// Resumes the handlers whose responses are there, and those that become resumable thereby.
    pub(super) fn resume_all(engine: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (engine.py(), engine.get());
        this.state.with(py, |state| state.budget = BUDGET);
        for _ in 0..BUDGET {
            let next = this.state.with(py, |state| {
                let next = state.resumable.pop_front();
                state.is_resuming = next.is_some();
                next
            });
            let Some(execution) = next else { return Ok(()) };
            if let Err(error) = Self::resume(engine, execution.bind(py)) {
                Self::resume_rest(engine)?;
                return Err(error);
            }
        }
        Self::resume_rest(engine)
    }

    fn resume_rest(engine: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (engine.py(), engine.get());
        let next = this.state.with(py, |state| {
            let next = state.resumable.front().map(|next| next.bind(py).clone());
            state.is_resuming = next.is_some();
            next
        });
        next.map_or(Ok(()), |next| Self::schedule_resuming(engine, &next))
    }

    /// Resumes a handler that awaits a send, or has yielded to the event loop.
    pub(super) fn resume(
        engine: &Bound<'_, Self>,
        execution: &Bound<'_, Execution>,
    ) -> PyResult<()> {
        let py = engine.py();
        let awaited = execution.get().awaited_send(py);
        let awaits_send = !execution.get().has_yielded(py);
        let Some((coroutine, mut pooled)) = execution.get().resume_inline(py) else {
            return Ok(()); // it goes on in its task
        };
        let coroutine = coroutine.into_bound(py);
        if awaits_send {
            pooled.resume(py);
        }
        if pooled.is_cancelled(py) {
            // The task itself decides which cancellation its handler gets.
            pooled.suspend(py);
            let none = py.None().into_bound(py);
            execution.get().go_on_in_task(coroutine, none, pooled);
            let awaited = awaited.as_ref().map(|send| send.bind(py).as_any());
            return step_task(&execution.get().event_loop(py), execution, awaited);
        }
        // Once the runtime has stopped, its handlers go on as tasks.
        let Some(guard) = InlineGuard::in_this_iteration(engine) else {
            return go_on_in_task(execution, pooled, coroutine, py.None().into_bound(py));
        };
        let stepped = step(&guard, execution, &pooled, &coroutine).unwrap_or_else(Sent::Raised);
        let ended = match stepped {
            Sent::Yielded(yielded) => {
                return Self::hold_again(engine, execution, pooled, coroutine, yielded);
            }
            Sent::Returned(value) => Ok(value),
            Sent::Raised(error) => Err(error),
        };
        drop(coroutine);
        execution.get().end_inline(py);
        drop(pooled.leave(py));
        let event_loop = guard.event_loop.clone();
        drop(guard);
        if let Some(interception) = execution.get().take_interception(py)? {
            return Self::go_on_intercepting(engine, &event_loop, *interception, pooled, ended);
        }
        let conclude = || {
            let concluded = execution.get().conclude(py, ended);
            engine.get().return_task(py, pooled);
            concluded.map(|_| ())
        };
        // Intervention handlers may run the event loop themselves.
        if engine.get().is_intercepted(py, Method::Response).unwrap_or(true) {
            conclude()
        } else {
            Self::in_place_of_batch(engine, conclude)
        }
    }

    /// A handler that was resumed inline has yielded again.
    fn hold_again(
        engine: &Bound<'_, Self>,
        execution: &Bound<'_, Execution>,
        mut pooled: Box<PooledTask>,
        coroutine: Bound<'_, PyAny>,
        yielded: Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let py = engine.py();
        if let Some(send) = resumable_by(&yielded, execution, &pooled) {
            pooled.suspend(py);
            execution.get().set_awaited_send(py, coroutine.unbind(), send, pooled);
            return Ok(());
        }
        if yielded.is_none() {
            execution.get().set_yielded(py, coroutine.unbind(), pooled);
            return Self::resume_in_next_iteration(engine, execution)
                .or_else(|error| NotHeld::abandon(execution, error).complete(py));
        }
        go_on_in_task(execution, pooled, coroutine, yielded)
    }

    // Sends whose tokens are cancelled.

    /// Lets a send end in a few iterations of the event loop.
    pub(super) fn cancel_soon(engine: &Bound<'_, Self>, send: &Bound<'_, Send>) -> PyResult<()> {
        let (py, this) = (engine.py(), engine.get());
        let event_loop = send.get().event_loop(py)?;
        let is_first = this.state.with(py, |state| {
            state.cancelling.push_back(send.clone().unbind());
            state.cancelling.len() == 1
        });
        if is_first {
            Callback::FinishCancelled.call_soon(engine, &event_loop)?;
        }
        Ok(())
    }

    pub(super) fn finish_all_cancelled(engine: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (engine.py(), engine.get());
        let mut waiting = this.state.with(py, |state| std::mem::take(&mut state.cancelling));
        let mut rest = std::collections::VecDeque::new();
        while let Some(send) = waiting.pop_front() {
            if Send::count_iteration(send.bind(py))? {
                rest.push_back(send);
            }
        }
        let first = rest.front().map(|send| send.bind(py).clone());
        let was_empty = this.state.with(py, |state| {
            let was_empty = state.cancelling.is_empty();
            rest.append(&mut state.cancelling);
            state.cancelling = rest;
            was_empty
        });
        match first {
            Some(send) if was_empty => {
                let event_loop = send.get().event_loop(py)?;
                Callback::FinishCancelled.call_soon(engine, &event_loop)
            }
            _ => Ok(()),
        }
    }
}

/// The send that a handler awaits, if the engine is to resume the handler with its response.
pub(super) fn resumable_by<'a, 'py>(
    yielded: &'a Bound<'py, PyAny>,
    execution: &Bound<'py, Execution>,
    pooled: &PooledTask,
) -> Option<&'a Bound<'py, Send>> {
    let send = yielded.cast_exact::<Send>().ok()?;
    (!pooled.is_cancelled(execution.py()) && send.get().set_waiting_handler(execution))
        .then_some(send)
}

/// Leaves the task to its handler, which has yielded this.
pub(super) fn go_on_in_task<'py>(
    execution: &Bound<'py, Execution>,
    mut pooled: Box<PooledTask>,
    coroutine: Bound<'py, PyAny>,
    yielded: Bound<'py, PyAny>,
) -> PyResult<()> {
    let py = execution.py();
    pooled.suspend(py);
    execution.get().go_on_in_task(coroutine, yielded, pooled);
    step_task(&execution.get().event_loop(py), execution, None)
}

/// Steps a suspended handler inline, in its own context and as its own task.
pub(super) fn step<'py>(
    guard: &InlineGuard<'py>,
    execution: &Bound<'py, Execution>,
    pooled: &PooledTask,
    coroutine: &Bound<'py, PyAny>,
) -> PyResult<Sent<'py>> {
    let py = execution.py();
    let task = pooled.task.bind(py);
    let mut current = CurrentTask::new(&guard.event_loop)?;
    current.enter(Some(task))?;
    let _entered = Entered::enter(pooled.context(py)?)?;
    let mut item = Item::NEW;
    let _clean = CleanExceptionState::enter(py, &mut item);
    let running = execution.get().with_completion(py, |one| one.running(py)).flatten();
    let _running = running
        .as_ref()
        .map(|(engine, delivery, task)| engine.get().enter_handler(*delivery, task));
    Ok(execution.get().run(coroutine))
}

impl Completion {
    /// Lets the send that awaits the response know its handler.
    pub(super) fn attach(&self, execution: &Bound<'_, Execution>) {
        let py = execution.py();
        if let Work::Handler(HandlerWork { delivery, reply: Reply::Sender { send, .. }, .. }) =
            &self.work
        {
            send.get().attach(self.engine.bind(py), *delivery, Some(execution));
        }
    }
}
