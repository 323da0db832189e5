//! Handlers that give others a turn. The turn is their sender's own: what a handler yields is yielded
//! on by its sender's `await`, and when the sender is stepped again, so is the handler.
//!
//! To a handler of its own task, `sleep(0)` costs a task, two turns of the event loop and a future; so,
//! it costs what it costs in a coroutine that is awaited. It is parked meanwhile, as in `parking`: if
//! somebody touches its task, or it waits for more than a turn, or its sender goes away, it goes on in
//! its task like any other.

use std::sync::atomic::Ordering;

use pyo3::exceptions::PyRuntimeError;
use pyo3::exceptions::asyncio::CancelledError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use super::coroutine::{Sent, send};
use super::current_task::AsCurrent;
use super::delivery_task::{is_asleep, wake};
use super::drive::Drive;
use super::ending::Ending;
use super::entered::Entered;
use super::future::{Future, Phase, Waiting};
use super::handling::Handling;
use super::parking::park;
use super::private::is_private;
use super::seats::Seat;
use super::send::{REUSED, Send, Stage};
use super::sending::is_cancelled;
use super::spares::Spare;
use super::unhandled::{Item, Unhandled, raised_here};
use crate::message_context::MessageContext;

/// Where asyncio keeps the tasks that `all_tasks` shows, and that end with `asyncio.run`. Handlers that give
/// turns are among them: nothing they wait for would end them.
struct Registry {
    register: Py<PyAny>,
    unregister: Py<PyAny>,
}

fn registry(py: Python<'_>) -> PyResult<&Registry> {
    static REGISTRY: PyOnceLock<Registry> = PyOnceLock::new();
    REGISTRY.get_or_try_init(py, || {
        let tasks = py.import("asyncio.tasks")?;
        Ok(Registry {
            register: tasks.getattr("_register_task")?.unbind(),
            unregister: tasks.getattr("_unregister_task")?.unbind(),
        })
    })
}

/// How many handlers may stand inside one another that take their senders' turns: each turn steps
/// all of them.
const DEEP: u32 = 8;

impl Drive {
    /// Whether a handler that gives others a turn may have its sender's: nobody but asyncio knows of its
    /// task, and nobody may cancel it by a token.
    pub(super) fn takes_turns(
        &self,
        told: &Bound<'_, MessageContext>,
        task: &Bound<'_, PyAny>,
    ) -> bool {
        !has_token(told)
            && self.depth.load(Ordering::Relaxed) <= DEEP
            && is_asleep(task)
            && is_private(task)
    }

    /// Parks a handler that gives others a turn, until its sender has its next.
    pub(super) fn give_a_turn(
        &self,
        spare: &Spare,
        coroutine: Bound<'_, PyAny>,
        ending: Ending,
    ) -> PyResult<()> {
        let py = coroutine.py();
        spare.handling.get().suspend(coroutine, py.None().into_bound(py), false, ending)?;
        registry(py)?.register.bind(py).call1((&spare.task,))?;
        self.tasks.bind(py).add(&spare.task)
    }
}

impl Send {
    /// The sender has its next turn, and the handler with it.
    pub(super) fn take_turn<'py>(this: &Bound<'py, Self>, handling: Py<Handling>) -> Sent<'py> {
        let py = this.py();
        let handling = handling.into_bound(py);
        if let Some(outcome) = handling.get().take_outcome(py) {
            return outcome.into_sent(py); // it has gone on as a task, and has ended
        }
        let Some((task, coroutine, context)) = handling.get().parked(py) else {
            return Sent::Raised(PyRuntimeError::new_err(REUSED));
        };
        let seat = if is_asleep(&task) { handling.get().seat(py) } else { None };
        let Some(seat) = seat else {
            return Self::go_on_as_task(this, &handling, &task).unwrap_or_else(Sent::Raised);
        };
        let stepped = step(&seat, &task, &coroutine, context).unwrap_or_else(Sent::Raised);
        drop(coroutine);
        match stepped {
            Sent::Yielded(pending) => Self::again(this, &handling, &task, pending)
                .unwrap_or_else(|error| Self::ended(this, handling, &seat, Err(error))),
            Sent::Returned(answer) => Self::ended(this, handling, &seat, Ok(answer)),
            Sent::Raised(error) => Self::ended(this, handling, &seat, Err(error)),
        }
    }

    /// The handler has yielded again.
    fn again<'py>(
        this: &Bound<'py, Self>,
        handling: &Bound<'py, Handling>,
        task: &Bound<'py, PyAny>,
        pending: Bound<'py, PyAny>,
    ) -> PyResult<Sent<'py>> {
        let py = this.py();
        let early = !is_asleep(task);
        handling.get().wait_again(pending.clone(), early)?;
        if pending.is_none()
            && !early
            && !handling.get().told(py).is_some_and(|told| has_token(&told))
        {
            this.get().put(py, Stage::Turn(handling.clone().unbind()));
            return Ok(Sent::Yielded(pending));
        }
        Self::become_answer(this, handling)?;
        if !park(task, handling, &pending) {
            wake(task)?;
        }
        Ok(Self::wait(this))
    }

    /// The handler goes on as a task, for which its sender waits.
    fn go_on_as_task<'py>(
        this: &Bound<'py, Self>,
        handling: &Bound<'py, Handling>,
        task: &Bound<'py, PyAny>,
    ) -> PyResult<Sent<'py>> {
        Self::become_answer(this, handling)?;
        wake(task)?;
        Ok(Self::wait(this))
    }

    /// Becomes the future in which the answer will come.
    fn become_answer(this: &Bound<'_, Self>, handling: &Bound<'_, Handling>) -> PyResult<()> {
        let (py, handling) = (this.py(), handling.get());
        let Some(event_loop) = handling.event_loop(py) else { return Ok(()) };
        let waiting = Waiting::Await { is_blocking: false };
        let future = Future::new(Phase::Suspended, waiting, &event_loop);
        this.get().put(py, Stage::Future(Box::new(future)));
        let told = handling.told(py);
        handling.answer_to(this);
        told.map_or(Ok(()), |told| told.get().link(this.as_any()))
    }

    fn ended<'py>(
        this: &Bound<'py, Self>,
        handling: Bound<'py, Handling>,
        seat: &Seat<'py>,
        outcome: PyResult<Bound<'py, PyAny>>,
    ) -> Sent<'py> {
        let py = this.py();
        drop(this.get().take(py));
        let Some((ending, own)) = handling.get().take_ending(py) else {
            return Sent::Raised(PyRuntimeError::new_err(REUSED));
        };
        let (task, told) = (ending.task(py), ending.told(py));
        let forgotten = registry(py).and_then(|one| one.unregister.bind(py).call1((&task,)));
        let outcome = forgotten.and(outcome);
        let token = told.as_ref().and_then(|told| told.get().token_if_made(py));
        let result = ending.conclude(py, outcome, own);
        drop(ending);
        let mut spare = Spare { context: None, task: task.unbind(), handling: handling.unbind() };
        if let Some(told) = told {
            spare.keep(py, told);
        }
        seat.drive.get().put_back(py, Box::new(spare));
        let result = result.and_then(|answer| {
            let cancelled = is_cancelled(py, token.as_ref())?;
            if cancelled { Err(CancelledError::new_err(())) } else { Ok(answer) }
        });
        match result {
            Ok(answer) => Sent::Returned(answer),
            Err(error) => Sent::Raised(raised_here(py, error)),
        }
    }

    /// The sender is thrown an exception in its turn. The handler has had the same one to come, and
    /// goes on without a sender.
    pub(super) fn leave_turn(
        this: &Bound<'_, Self>,
        handling: Py<Handling>,
        error: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let py = this.py();
        drop(Self::take_turn(this, handling));
        match this.get().take(py) {
            Stage::Turn(handling) => go_on_alone(handling.bind(py)),
            Stage::Future(future) => Self::leave(this, future, error),
            _ => Ok(()),
        }
    }
}

/// Lets a handler whose sender is gone go on in its task; where that cannot be, it is closed.
pub(super) fn go_on_alone(handling: &Bound<'_, Handling>) -> PyResult<()> {
    let py = handling.py();
    match handling.get().parked(py) {
        Some((task, ..)) if wake(&task).is_err() => Handling::close(handling),
        _ => Ok(()),
    }
}

/// Steps a handler in its own context and as its own task.
fn step<'py>(
    seat: &Seat<'py>,
    task: &Bound<'py, PyAny>,
    coroutine: &Bound<'py, PyAny>,
    context: Bound<'py, PyAny>,
) -> PyResult<Sent<'py>> {
    let py = task.py();
    let mut current = AsCurrent::new(&seat.event_loop)?;
    current.enter(task)?;
    let _entered = Entered::enter(context)?;
    let mut item = Item::NEW;
    let _unhandled = Unhandled::enter(py, &mut item);
    Ok(send(coroutine, py.None().bind(py)))
}

/// The same where nobody can be told of an error.
pub(super) fn leave_alone(handling: &Bound<'_, Handling>) {
    if let Err(error) = go_on_alone(handling) {
        error.write_unraisable(handling.py(), Some(handling));
    }
}

/// Whether somebody may cancel the message by its token.
fn has_token(told: &Bound<'_, MessageContext>) -> bool {
    told.get().token_if_made(told.py()).is_some()
}
