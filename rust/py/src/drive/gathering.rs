//! Beginning what `asyncio.gather` waits for: all of it in one turn of the event loop, without tasks.

use std::collections::VecDeque;

use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use super::drive::Drive;
use super::entered::Entered;
use super::future::{Future, Outcome, Phase, Waiting, ends_program};
use super::request::{Errand, Request};
use super::seats::A_TURN;
use super::send::Send;
use super::sending::First;

/// How it goes on after a send has had its first step.
enum Next {
    /// With the one behind it.
    Behind,
    /// With itself, after a turn of the event loop.
    Again,
    /// It was not for the short cut.
    PlainWay,
}

/// Whether `asyncio.gather` is asking what a send is: it calls `ensure_future`, which calls `isfuture`.
///
/// Others who ask may rely on `ensure_future` making a task of it, and get a coroutine. What
/// `gather` makes of it nobody sees.
fn is_asked_by_gather(py: Python<'_>) -> PyResult<bool> {
    static GATHER: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let gather = GATHER.get_or_try_init(py, || {
        let function = py.import("asyncio.tasks")?.getattr("gather")?;
        PyResult::Ok(function.getattr("__code__")?.unbind())
    })?;
    // SAFETY: attached. The frame that runs is borrowed; those below it, and the code of each, are
    // new references, given back here.
    unsafe {
        let mut frame = ffi::PyEval_GetFrame();
        if frame.is_null() {
            return Ok(false);
        }
        ffi::Py_INCREF(frame.cast());
        for _ in 0..2 {
            let below = ffi::PyFrame_GetBack(frame);
            ffi::Py_DECREF(frame.cast());
            if below.is_null() {
                return Ok(false);
            }
            frame = below;
        }
        let code = ffi::PyFrame_GetCode(frame);
        ffi::Py_DECREF(frame.cast());
        let found = code.cast::<ffi::PyObject>() == gather.as_ptr();
        ffi::Py_DECREF(code.cast());
        Ok(found)
    }
}

impl Drive {
    /// Takes a send that nothing was done with into the next batch, if `gather` asks for it, and it
    /// would be for the short cut. Returns whether it is a future from here on.
    pub(super) fn gather(drive: &Bound<'_, Self>, send: &Bound<'_, Send>) -> PyResult<bool> {
        let (py, this) = (drive.py(), drive.get());
        if !is_asked_by_gather(py)? || !this.is_unobserved(py)? {
            return Ok(false);
        }
        let Some(event_loop) = this.entered_loop(py)? else { return Ok(false) };
        // A program that makes tasks in its own way may start them at once, or count them.
        if !event_loop.call_method0(intern!(py, "get_task_factory"))?.is_none() {
            return Ok(false);
        }
        let context = Entered::copy_of_current(py)?;
        let is_first = this.state.with(py, |state| state.gathered.is_empty());
        if is_first {
            Self::call_begin_gathered(drive, &event_loop)?;
        }
        let waiting = Waiting::Gather(context.unbind());
        let become_future = |request| Future::new(Phase::Queued(request), waiting, &event_loop);
        if !send.get().become_future(py, become_future) {
            return Ok(false);
        }
        let send = send.clone().unbind();
        this.state.with(py, |state| state.gathered.push_back(send));
        Ok(true)
    }

    fn call_begin_gathered(drive: &Bound<'_, Self>, event_loop: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = drive.py();
        let begin = drive.getattr(intern!(py, "begin_gathered"))?;
        event_loop.call_method1(intern!(py, "call_soon"), (begin,)).map(|_| ())
    }

    /// Gives all that was gathered its first step, in its order.
    pub(super) fn begin_all_gathered(drive: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (drive.py(), drive.get());
        let mut batch = this.state.with(py, |state| {
            state.left_this_turn = A_TURN;
            std::mem::take(&mut state.gathered)
        });
        let mut result = Ok(());
        while let Some(send) = batch.front().map(|one| one.bind(py).clone()) {
            match Self::begin_gathered_one(drive, &send) {
                Ok(Next::Behind) => {
                    batch.pop_front();
                }
                Ok(Next::Again) => break,
                // What is behind it must not overtake it, and takes the same way.
                Ok(Next::PlainWay) => result = to_tasks(py, std::mem::take(&mut batch)),
                Err(error) => {
                    batch.pop_front();
                    result = Err(error);
                }
            }
            if result.is_err() {
                break;
            }
        }
        if let Some(send) = batch.front() {
            let event_loop = send.get().event_loop(py)?;
            this.state.with(py, |state| {
                batch.append(&mut state.gathered);
                state.gathered = batch;
            });
            Self::call_begin_gathered(drive, &event_loop)?;
        }
        result
    }

    fn begin_gathered_one(drive: &Bound<'_, Self>, send: &Bound<'_, Send>) -> PyResult<Next> {
        let py = drive.py();
        let running = Phase::Running { cancelled: None };
        let Some(request) = send.get().take_queued(py, running) else { return Ok(Next::Behind) };
        let came_of_it = match request.errand {
            Errand::Send => Self::first_step(drive, send, &request, false),
            Errand::Publish => Self::publish(drive, &request),
        };
        if matches!(came_of_it, Ok(First::PlainWay | First::Pause))
            && let Some(error) = send.get().cancelled_meanwhile(py)
        {
            request.release(py);
            return Send::end(send, Outcome::Cancelled(error)).map(|()| Next::Behind);
        }
        match came_of_it {
            Ok(First::PlainWay) => {
                send.get().queue_again(py, request);
                Ok(Next::PlainWay)
            }
            Ok(First::Pause) => {
                send.get().queue_again(py, request);
                Ok(Next::Again)
            }
            Ok(First::Turn(_)) => unreachable!("only what is awaited by itself takes turns"),
            Ok(First::Suspended) => {
                request.release(py);
                Ok(Next::Behind)
            }
            Ok(First::Ended(result)) => {
                request.release(py);
                conclude(send, result)
            }
            Err(error) => {
                request.release(py);
                conclude(send, Err(error))
            }
        }
    }
}

/// Ends a send with what came of its first step. What ends the program goes on, as out of a task.
fn conclude(send: &Bound<'_, Send>, result: PyResult<Bound<'_, PyAny>>) -> PyResult<Next> {
    let py = send.py();
    let ends_all = result.as_ref().err().filter(|error| ends_program(py, error));
    let ends_all = ends_all.map(|error| error.clone_ref(py));
    let outcome = match (send.get().cancelled_meanwhile(py), result) {
        (Some(error), Ok(_)) => Outcome::Cancelled(error),
        (_, result) => Outcome::of(py, result),
    };
    Send::end(send, outcome)?;
    ends_all.map_or(Ok(Next::Behind), Err)
}

/// Makes a task of each, as `gather` would have.
fn to_tasks(py: Python<'_>, sends: VecDeque<Py<Send>>) -> PyResult<()> {
    for send in sends {
        let send = send.bind(py);
        let running = Phase::Running { cancelled: None };
        let Some(request) = send.get().take_queued(py, running) else { continue };
        if let Err(error) = to_task(send, request) {
            Send::end(send, Outcome::of(py, Err(error)))?;
        }
    }
    Ok(())
}

fn to_task(send: &Bound<'_, Send>, request: Request) -> PyResult<()> {
    let py = send.py();
    let event_loop = send.get().event_loop(py)?;
    let context = send.get().context(py)?.expect("what was gathered has a context");
    let create = event_loop.getattr(intern!(py, "create_task"))?;
    let task = context.call_method1(intern!(py, "run"), (create, Send::make(py, request)?))?;
    // Nor does `gather` let its tasks complain.
    task.setattr(intern!(py, "_log_destroy_pending"), false)?;
    Send::follow(send, &task)
}
