//! `Drive`: the short cut of one runtime.

use std::collections::VecDeque;
use std::ffi::c_ulong;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use ferrogen_core::Outcome;
use pyo3::ffi;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyList, PySet};

use super::FORKS;
use super::gil_mutex::GilMutex;
use super::handlers::Way;
use super::handling::Handling;
use super::heard::Heard;
use super::loggers::Quiet;
use super::request::{Errand, Request};
use super::seats::A_TURN;
use super::send::Send;
use super::spares::Spare;
use super::untold::Untold;
use super::variables::Variables;
use crate::agent_id::AgentId;
use crate::dispatcher::{Begun, Dispatcher, Equipment, Inline, Place, Start};
use crate::routes::Routes;

pub(super) struct State {
    thread: c_ulong,
    /// What [`FORKS`] was when it was opened: a forked process has the state, but not the loop.
    forks: u32,
    /// Its event loop, as long as it is open.
    pub(super) event_loop: Option<Py<PyAny>>,
    pub(super) left_this_turn: u32,
    pub(super) generation: u32,
    #[expect(clippy::vec_box, reason = "they are moved about with each message")]
    pub(super) spares: Vec<Box<Spare>>,
    /// Whether the event loop has been asked to call [`Drive::pump`].
    pub(super) is_armed: bool,
    pub(super) heard: Heard,
    /// What `asyncio.gather` waits for and has not begun.
    pub(super) gathered: VecDeque<Py<Send>>,
    /// The handlers that were parked, and whose waiting is over.
    pub(super) resumable: VecDeque<Py<Handling>>,
    /// Whether they are being resumed, or the event loop has been asked to.
    pub(super) is_resuming: bool,
}

impl State {
    /// Whether it is open to this thread of this process.
    pub(super) fn is_open_here(&self) -> bool {
        // SAFETY: asks for a number, which every thread has.
        self.event_loop.is_some()
            && self.thread == unsafe { ffi::PyThread_get_thread_ident() }
            && self.forks == FORKS.load(Ordering::Relaxed)
    }
}

/// The short cut of one runtime: runs handlers inline, in the order the plain way would.
#[pyclass(frozen, weakref, module = "ferrogen._core")]
pub(crate) struct Drive {
    pub(super) dispatcher: Py<Dispatcher>,
    pub(super) routes: Py<Routes>,
    /// `ferrogen._runtime.inline.InlineHost`: what is done in Python.
    pub(super) host: Py<PyAny>,
    pub(super) quiet: Quiet,
    /// The user's intervention handlers: while there are any, messages take the plain way.
    pub(super) overseers: Py<PyList>,
    /// The tasks of handlers that wait: asyncio itself keeps only weak references to tasks.
    pub(super) tasks: Py<PySet>,
    pub(super) state: GilMutex<State>,
    // Read with each message, and so not in the state.
    /// How many handlers run inside one another.
    pub(super) depth: AtomicU32,
    /// Whether somebody records spans.
    pub(super) is_traced: AtomicBool,
    pub(super) idle_is_awaited: AtomicBool,
    pub(super) untold: Untold,
}

#[pymethods]
impl Drive {
    #[new]
    #[pyo3(signature = (*, dispatcher, routes, host, loggers, overseers, tasks))]
    fn new(
        py: Python<'_>,
        dispatcher: Py<Dispatcher>,
        routes: Py<Routes>,
        host: Py<PyAny>,
        loggers: (String, String),
        overseers: Py<PyList>,
        tasks: Py<PySet>,
    ) -> PyResult<Self> {
        Ok(Self {
            dispatcher,
            routes,
            host,
            quiet: Quiet::find(py, [&loggers.0, &loggers.1])?,
            overseers,
            tasks,
            state: GilMutex::new(State {
                thread: 0,
                forks: 0,
                event_loop: None,
                left_this_turn: A_TURN,
                generation: 0,
                spares: Vec::new(),
                is_armed: false,
                heard: Heard::default(),
                gathered: VecDeque::new(),
                resumable: VecDeque::new(),
                is_resuming: false,
            }),
            depth: AtomicU32::new(0),
            is_traced: AtomicBool::new(false),
            idle_is_awaited: AtomicBool::new(false),
            untold: Untold::nobody(),
        })
    }

    #[pyo3(signature = (event_loop, *, is_traced))]
    fn open(&self, event_loop: Bound<'_, PyAny>, is_traced: bool) {
        let py = event_loop.py();
        self.is_traced.store(is_traced, Ordering::Relaxed);
        self.idle_is_awaited.store(false, Ordering::Relaxed);
        // SAFETY: asks for a number, which every thread has.
        let thread = unsafe { ffi::PyThread_get_thread_ident() };
        let before = self.state.with(py, |state| {
            state.is_armed = false;
            state.thread = thread;
            state.forks = FORKS.load(Ordering::Relaxed);
            state.generation += 1;
            state.event_loop.replace(event_loop.unbind())
        });
        drop(before);
    }

    fn shut(&self, py: Python<'_>) {
        let before = self
            .state
            .with(py, |state| (state.event_loop.take(), std::mem::take(&mut state.spares)));
        drop(before);
    }

    #[getter]
    fn is_running(&self) -> bool {
        self.depth.load(Ordering::Relaxed) > 0
    }

    #[setter]
    fn set_idle_is_awaited(&self, awaited: bool) {
        self.idle_is_awaited.store(awaited, Ordering::Relaxed);
    }

    #[pyo3(signature = (message, recipient, *, sender=None, cancellation_token=None, message_id=None))]
    fn send_message(
        slf: Py<Self>,
        py: Python<'_>,
        message: Py<PyAny>,
        recipient: Py<PyAny>,
        sender: Option<Py<PyAny>>,
        cancellation_token: Option<Py<PyAny>>,
        message_id: Option<Py<PyAny>>,
    ) -> PyResult<Bound<'_, Send>> {
        let request = Request {
            errand: Errand::Send,
            drive: slf,
            message,
            to: recipient,
            sender,
            cancellation_token,
            message_id,
        };
        Send::make(py, request)
    }

    #[pyo3(signature = (message, topic_id, *, sender=None, cancellation_token=None, message_id=None))]
    fn publish_message(
        slf: Py<Self>,
        py: Python<'_>,
        message: Py<PyAny>,
        topic_id: Py<PyAny>,
        sender: Option<Py<PyAny>>,
        cancellation_token: Option<Py<PyAny>>,
        message_id: Option<Py<PyAny>>,
    ) -> PyResult<Bound<'_, Send>> {
        let request = Request {
            errand: Errand::Publish,
            drive: slf,
            message,
            to: topic_id,
            sender,
            cancellation_token,
            message_id,
        };
        Send::make(py, request)
    }

    /// Hands out what was published. The event loop calls it.
    fn pump(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::hand_out(slf)
    }

    /// Begins what is gathered. The event loop calls it.
    fn begin_gathered(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::begin_all_gathered(slf)
    }

    /// Resumes handlers whose waiting for other agents is over. The event loop calls it.
    fn resume_parked(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::resume_all(slf)
    }

    fn will_hand_out(slf: &Bound<'_, Self>) -> PyResult<bool> {
        Self::takes_over(slf)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.dispatcher)?;
        visit.call(&self.routes)?;
        visit.call(&self.host)?;
        visit.call(&self.overseers)?;
        visit.call(&self.tasks)?;
        self.state.visit(|state| {
            visit.call(&state.event_loop)?;
            for spare in &state.spares {
                visit.call(&spare.context)?;
                visit.call(&spare.task)?;
                visit.call(&spare.handling)?;
            }
            for send in &state.gathered {
                visit.call(send)?;
            }
            for handling in &state.resumable {
                visit.call(handling)?;
            }
            Ok(())
        })
    }
}

/// Whether a delivery has begun.
pub(super) enum Beginning {
    /// Something is ahead of it, or the agent is not ready.
    Refused,
    /// Nothing is ahead of it, and the agent is not there.
    Missing,
    Begun,
}

impl Drive {
    /// Begins the delivery of a message, unless something is ahead of it, and puts it into its place.
    #[inline]
    pub(super) fn begin<'py>(
        &self,
        recipient: &Bound<'py, AgentId>,
        start: Start,
        generation: u32,
        place: &mut Option<Inline<'py>>,
    ) -> PyResult<Beginning> {
        let py = recipient.py();
        let dispatcher = self.dispatcher.get();
        loop {
            match dispatcher.begin_inline(py, recipient.get(), start, generation, place)? {
                Begun::Refused => return Ok(Beginning::Refused),
                Begun::Missing => return Ok(Beginning::Missing),
                Begun::Started => return Ok(Beginning::Begun),
                Begun::Unequipped { agent_id, agent } => {
                    let host = self.host.bind(py);
                    let equipped = host.call_method1(intern!(py, "equip"), (agent_id, agent))?;
                    let (way, context, is_watched): (Bound<'_, PyAny>, Bound<'_, PyAny>, _) =
                        equipped.extract()?;
                    let equipment = Equipment {
                        way: Way::of(way),
                        variables: Variables::of(&context),
                        context: context.unbind(),
                        copy: None,
                        is_watched,
                        generation,
                    };
                    dispatcher.equip(py, recipient.get(), equipment)?;
                }
            }
        }
    }

    /// Reports how a handler has ended, and in which context, and sees to what that allows.
    #[inline]
    pub(super) fn conclude(
        &self,
        agent_id: &Bound<'_, AgentId>,
        place: Place,
        is_watched: bool,
        outcome: Outcome,
        context: Option<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        if self.end(agent_id.py(), place, is_watched, outcome, context)? {
            self.see_to(agent_id)?;
        }
        Ok(())
    }

    /// Reports how a handler has ended, and in which context. Returns whether there is something to
    /// be seen to.
    #[inline]
    pub(super) fn end(
        &self,
        py: Python<'_>,
        place: Place,
        is_watched: bool,
        outcome: Outcome,
        context: Option<Bound<'_, PyAny>>,
    ) -> PyResult<bool> {
        let after = self.dispatcher.get().end_inline(py, place, outcome, context)?;
        let is_awaited = after.is_idle && self.idle_is_awaited.load(Ordering::Relaxed);
        Ok(after.is_due || is_watched || is_awaited)
    }

    /// Sees to what the end of a handler of an agent allows.
    pub(super) fn see_to(&self, agent_id: &Bound<'_, AgentId>) -> PyResult<()> {
        let py = agent_id.py();
        self.host.call_method1(py, intern!(py, "after_handler"), (agent_id,)).map(|_| ())
    }
}
