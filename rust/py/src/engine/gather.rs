//! Gathered sends: those that `asyncio.gather` awaits begin in one iteration of the event loop, without tasks.

use std::collections::VecDeque;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use super::accept::First;
use super::admission::BUDGET;
use super::callbacks::Callback;
use super::chain;
use super::engine::Engine;
use super::future::{Future, Outcome, Phase, Waiting, ends_program};
use super::messages::Kind;
use super::send::Send;
use crate::interpreter::context::Entered;
use crate::interpreter::coroutine::code_of_caller;

/// Whether `asyncio.gather` asks whether a send is a future: it calls `ensure_future`, which calls `isfuture`.
///
/// Other callers may rely on `ensure_future` making a task, and get a coroutine. What `gather` makes of it is
/// invisible.
fn is_asked_by_gather(py: Python<'_>) -> PyResult<bool> {
    static GATHER: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let gather = GATHER.get_or_try_init(py, || {
        let function = py.import("asyncio.tasks")?.getattr("gather")?;
        PyResult::Ok(function.getattr("__code__")?.unbind())
    })?;
    Ok(code_of_caller(py, 2).is_some_and(|code| code.is(gather)))
}

impl Engine {
    /// Adds a fresh send to the next batch if `gather` asks for it. Returns whether it is a future from here on.
    pub(super) fn gather(engine: &Bound<'_, Self>, send: &Bound<'_, Send>) -> PyResult<bool> {
        let (py, this) = (engine.py(), engine.get());
        if this.is_task_mode || !is_asked_by_gather(py)? || this.is_observed(py)? {
            return Ok(false);
        }
        let Some(event_loop) = this.open_loop(py)? else { return Ok(false) };
        // A program with a task factory of its own may start tasks at once, or count them.
        if !event_loop.call_method0(intern!(py, "get_task_factory"))?.is_none() {
            return Ok(false);
        }
        let context = Entered::copy_of_current(py)?;
        let is_first = this.state.with(py, |state| state.gathered.is_empty());
        if is_first {
            Callback::BeginGathered.call_soon(engine, &event_loop)?;
        }
        let waiting = Waiting::Gather(context.unbind());
        let become_future = |request| Future::new(Phase::Gathered(request), waiting, &event_loop);
        if !send.get().become_future(py, become_future) {
            return Ok(false);
        }
        let send = send.clone().unbind();
        this.state.with(py, |state| state.gathered.push_back(send));
        Ok(true)
    }

    /// Steps all gathered sends once, in their order.
    pub(super) fn begin_all_gathered(engine: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (engine.py(), engine.get());
        let mut batch = this.state.with(py, |state| {
            state.budget = BUDGET;
            std::mem::take(&mut state.gathered)
        });
        while let Some(send) = batch.pop_front() {
            if let Err(error) = Self::begin_gathered_one(engine, send.bind(py)) {
                Self::gather_again(engine, batch)?;
                return Err(error);
            }
        }
        Ok(())
    }

    /// Leaves the rest of a batch to the next iteration of the event loop: an error ends the program.
    #[cold]
    fn gather_again(engine: &Bound<'_, Self>, mut batch: VecDeque<Py<Send>>) -> PyResult<()> {
        let (py, this) = (engine.py(), engine.get());
        let Some(send) = batch.front().map(|one| one.bind(py).clone()) else { return Ok(()) };
        let was_empty = this.state.with(py, |state| {
            let was_empty = state.gathered.is_empty();
            batch.append(&mut state.gathered);
            state.gathered = batch;
            was_empty
        });
        if !was_empty {
            return Ok(());
        }
        let event_loop = send.get().event_loop(py)?;
        Callback::BeginGathered.call_soon(engine, &event_loop)
    }

    fn begin_gathered_one(engine: &Bound<'_, Self>, send: &Bound<'_, Send>) -> PyResult<()> {
        let py = engine.py();
        // What it inherits is in the context of the caller of `gather`.
        let context = if chain::are_used() { send.get().context_of_gather(py) } else { None };
        let _entered = context.map(Entered::enter).transpose()?;
        let running = Phase::Running { cancelled: None };
        let Some(request) = send.get().take_gathered(py, running) else { return Ok(()) };
        let first = engine.get().begin_joined(send, || match request.kind {
            Kind::Send => Self::send(engine, send, &request, false),
            Kind::Publish => Self::publish(engine, send, &request),
        });
        match first {
            Ok(First::Yielded(_)) => unreachable!("only an awaited send resumes its handler"),
            Ok(First::Suspended) => {
                request.release(py);
                Ok(())
            }
            Ok(First::Ended(result)) => {
                request.release(py);
                conclude(send, result.map_err(|error| *error))
            }
            Err(error) => {
                request.release(py);
                conclude(send, Err(error))
            }
        }
    }
}

/// Ends a send with the result of its first step. An error that ends the program is raised, as by a task.
fn conclude(send: &Bound<'_, Send>, result: PyResult<Bound<'_, PyAny>>) -> PyResult<()> {
    let py = send.py();
    let ends_all = result.as_ref().err().filter(|error| ends_program(py, error));
    let ends_all = ends_all.map(|error| error.clone_ref(py));
    let outcome = match (send.get().cancelled_meanwhile(py), result) {
        (Some(error), Ok(_)) => Outcome::Cancelled(error),
        (_, result) => Outcome::of(py, result),
    };
    Send::end(send, outcome)?;
    ends_all.map_or(Ok(()), Err)
}
