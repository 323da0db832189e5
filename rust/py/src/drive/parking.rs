//! Handlers that wait for other agents. Their tasks sleep on; they are resumed one after the other.
//!
//! To a handler that waits for the answer of another agent, the `Send` it awaits is the future that its
//! task would wait for. As long as nobody touches the task, the handler is parked with the `Send`
//! instead, and stepped by the drive when that is done: a chain of agents costs a step a hop, and not
//! a task and two turns of the event loop. If the task is touched, it wakes and waits like any other.

use pyo3::intern;
use pyo3::prelude::*;

use super::coroutine::{Sent, send};
use super::current_task::AsCurrent;
use super::delivery_task;
use super::drive::Drive;
use super::ending::Ending;
use super::entered::Entered;
use super::handling::Handling;
use super::seats::{A_TURN, Seat};
use super::send::Send;
use super::spares::Spare;

impl Drive {
    /// Lets a handler wait for what its first step yielded.
    pub(super) fn hold(
        &self,
        spare: &Spare,
        coroutine: Bound<'_, PyAny>,
        pending: Bound<'_, PyAny>,
        ending: Ending,
    ) -> PyResult<()> {
        let py = pending.py();
        let (task, handling) = (spare.task.bind(py), spare.handling.bind(py));
        let early = !delivery_task::is_asleep(task);
        if !park(task, handling, &pending) {
            delivery_task::wake(task)?;
        }
        handling.get().suspend(coroutine, pending, early, ending)?;
        self.tasks.bind(py).add(task)
    }

    /// Has a handler that was parked resumed in the next turn of the event loop, or in this one if
    /// others are being resumed.
    pub(super) fn resume_soon(
        drive: &Bound<'_, Self>,
        handling: &Bound<'_, Handling>,
        event_loop: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let (py, this) = (drive.py(), drive.get());
        let was_resuming = this.state.with(py, |state| {
            state.resumable.push_back(handling.clone().unbind());
            std::mem::replace(&mut state.is_resuming, true)
        });
        if was_resuming { Ok(()) } else { Self::ask_for_a_turn(drive, event_loop) }
    }

    fn ask_for_a_turn(drive: &Bound<'_, Self>, event_loop: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = drive.py();
        let resume = drive.getattr(intern!(py, "resume_parked"))?;
        let asked = event_loop.call_method1(intern!(py, "call_soon"), (resume,));
        if asked.is_err() {
            drive.get().state.with(py, |state| state.is_resuming = false);
        }
        asked.map(|_| ())
    }

    /// Resumes the handlers whose waiting is over, and those whose waiting ends thereby.
    pub(super) fn resume_all(drive: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (drive.py(), drive.get());
        this.state.with(py, |state| state.left_this_turn = A_TURN);
        for _ in 0..A_TURN {
            let next = this.state.with(py, |state| {
                let next = state.resumable.pop_front();
                state.is_resuming = next.is_some();
                next
            });
            let Some(handling) = next else { return Ok(()) };
            if let Err(error) = Self::resume(drive, handling.into_bound(py)) {
                Self::go_on_later(drive)?;
                return Err(error);
            }
        }
        Self::go_on_later(drive)
    }

    fn go_on_later(drive: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (drive.py(), drive.get());
        let next = this.state.with(py, |state| {
            let next = state.resumable.front().map(|next| next.bind(py).clone());
            state.is_resuming = next.is_some();
            next
        });
        match next.and_then(|next| next.get().event_loop(py)) {
            Some(event_loop) => Self::ask_for_a_turn(drive, &event_loop),
            None => Ok(()),
        }
    }

    fn resume(drive: &Bound<'_, Self>, handling: Bound<'_, Handling>) -> PyResult<()> {
        let py = drive.py();
        let Some((task, coroutine, context)) = handling.get().parked(py) else { return Ok(()) };
        if !delivery_task::is_asleep(&task) {
            return Ok(()); // it has waited itself, and goes on by itself
        }
        // Once the runtime has stopped, its handlers go on as tasks.
        let Some(seat) = Seat::in_this_turn(drive) else { return delivery_task::wake(&task) };
        let stepped = AsCurrent::new(&seat.event_loop).and_then(|mut current| {
            current.enter(&task)?;
            let _entered = Entered::enter(context)?;
            Ok(send(&coroutine, py.None().bind(py)))
        });
        drop(coroutine);
        match stepped.unwrap_or_else(Sent::Raised) {
            Sent::Yielded(pending) => {
                let early = !delivery_task::is_asleep(&task);
                if !park(&task, &handling, &pending) {
                    delivery_task::wake(&task)?;
                }
                handling.get().wait_again(pending, early)
            }
            ended => {
                let concluded = handling.get().conclude(py, ended);
                let spare =
                    Spare { context: None, task: task.unbind(), handling: handling.unbind() };
                drive.get().put_back(py, Box::new(spare));
                match concluded {
                    Sent::Raised(error) => Err(error),
                    _ => Ok(()),
                }
            }
        }
    }
}

/// Parks a handler with the `Send` that it waits for, if it waits for one and nobody has touched its
/// task.
pub(super) fn park(
    task: &Bound<'_, PyAny>,
    handling: &Bound<'_, Handling>,
    pending: &Bound<'_, PyAny>,
) -> bool {
    delivery_task::is_asleep(task)
        && pending.cast_exact::<Send>().is_ok_and(|send| send.get().park(handling))
}
