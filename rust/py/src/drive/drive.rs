//! `Drive`: the short cut of one runtime.

use std::collections::VecDeque;
use std::ffi::c_ulong;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use ferrogen_core::Outcome;
use pyo3::exceptions::asyncio::CancelledError;
use pyo3::ffi;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyList, PySet};

use super::FORKS;
use super::current_task::{AsCurrent, is_running};
use super::delivery_task;
use super::ending::{Ending, Waiter};
use super::first_step::{Ran, run};
use super::gil_mutex::GilMutex;
use super::handlers::Way;
use super::handling::Handling;
use super::heard::Heard;
use super::loggers::Quiet;
use super::private::is_private;
use super::seats::{A_TURN, Admission};
use super::send::{Errand, Request, Send};
use super::watch::Watch;
use crate::agent_id::AgentId;
use crate::dispatcher::{Begun, Dispatcher, Equipment, Inline, Place, Start};
use crate::message_context::MessageContext;
use crate::routes::Routes;

/// A sleeping task and the handling it would wake with.
pub(super) struct Spare {
    /// The context of the last message, if nobody holds it any more.
    pub(super) context: Option<Py<MessageContext>>,
    pub(super) task: Py<PyAny>,
    pub(super) handling: Py<Handling>,
}

impl Spare {
    /// What the handler of a message that was sent is told about it.
    fn context_of<'py>(
        &mut self,
        py: Python<'py>,
        request: &Request,
    ) -> PyResult<Bound<'py, MessageContext>> {
        let sender = clone(py, request.sender.as_ref());
        let token = clone(py, request.cancellation_token.as_ref());
        let message_id = clone(py, request.message_id.as_ref());
        let Some(context) = self.context.take() else {
            return Bound::new(py, MessageContext::lazy(py, sender, None, token, message_id));
        };
        let context = context.into_bound(py);
        context.get().renew(py, sender, token, message_id);
        Ok(context)
    }

    /// Keeps a context for the next message, unless somebody else holds it.
    fn keep(&mut self, py: Python<'_>, context: Option<Bound<'_, MessageContext>>) {
        self.context = context.filter(is_private).map(|context| {
            context.get().empty(py);
            context.unbind()
        });
    }
}

pub(super) struct State {
    thread: c_ulong,
    /// What [`FORKS`] was when it was opened: a forked process has the state, but not the loop.
    forks: u32,
    /// Its event loop, as long as it is open.
    pub(super) event_loop: Option<Py<PyAny>>,
    pub(super) left_this_turn: u32,
    pub(super) generation: u32,
    spares: Vec<Spare>,
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
    quiet: Quiet,
    /// The user's intervention handlers: while there are any, messages take the plain way.
    overseers: Py<PyList>,
    /// The tasks of handlers that wait: asyncio itself keeps only weak references to tasks.
    pub(super) tasks: Py<PySet>,
    pub(super) state: GilMutex<State>,
    // Read with each message, and so not in the state.
    /// How many handlers run inside one another.
    pub(super) depth: AtomicU32,
    /// Whether somebody records spans.
    is_traced: AtomicBool,
    pub(super) idle_is_awaited: AtomicBool,
}

/// What came of the first step of a message.
pub(super) enum First<'py> {
    /// It is not for the short cut.
    PlainWay,
    /// Others have not had a turn for a while: yield once, and come again.
    Pause,
    /// Its handler ended.
    Ended(PyResult<Bound<'py, PyAny>>),
    /// Its handler suspended. What is awaited has become a future, which the answer will come in.
    Suspended,
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
        })
    }

    #[pyo3(signature = (event_loop, *, is_traced))]
    fn open(&self, event_loop: Bound<'_, PyAny>, is_traced: bool) {
        let py = event_loop.py();
        self.is_traced.store(is_traced, Ordering::Relaxed);
        self.idle_is_awaited.store(false, Ordering::Relaxed);
        let before = unsafe {
            // SAFETY: fields are exchanged; the loop that was there is dropped outside.
            self.state.with(py, |state| {
                state.is_armed = false;
                state.thread = ffi::PyThread_get_thread_ident();
                state.forks = FORKS.load(Ordering::Relaxed);
                state.generation += 1;
                state.event_loop.replace(event_loop.unbind())
            })
        };
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
        message: Py<PyAny>,
        recipient: Py<PyAny>,
        sender: Option<Py<PyAny>>,
        cancellation_token: Option<Py<PyAny>>,
        message_id: Option<Py<PyAny>>,
    ) -> Send {
        Send::new(Request {
            errand: Errand::Send,
            drive: slf,
            message,
            to: recipient,
            sender,
            cancellation_token,
            message_id,
        })
    }

    #[pyo3(signature = (message, topic_id, *, sender=None, cancellation_token=None, message_id=None))]
    fn publish_message(
        slf: Py<Self>,
        message: Py<PyAny>,
        topic_id: Py<PyAny>,
        sender: Option<Py<PyAny>>,
        cancellation_token: Option<Py<PyAny>>,
        message_id: Option<Py<PyAny>>,
    ) -> Send {
        Send::new(Request {
            errand: Errand::Publish,
            drive: slf,
            message,
            to: topic_id,
            sender,
            cancellation_token,
            message_id,
        })
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
pub(super) enum Beginning<'py> {
    /// Something is ahead of it, or the agent is not ready.
    Refused,
    /// Nothing is ahead of it, and the agent is not there.
    Missing,
    Begun(Inline<'py>),
}

impl Drive {
    /// Takes the short cut with a message that was sent, if it is open to it. `may_build` says that
    /// the sender's task is the current one, in which a factory may run.
    pub(super) fn first_step<'py>(
        drive: &Bound<'py, Self>,
        send: &Bound<'py, Send>,
        request: &Request,
        may_build: bool,
    ) -> PyResult<First<'py>> {
        let (py, this) = (drive.py(), drive.get());
        let Ok(recipient) = request.to.bind(py).cast::<AgentId>() else {
            return Ok(First::PlainWay);
        };
        if this.is_overseen(py) || is_cancelled(py, request.cancellation_token.as_ref())? {
            return Ok(First::PlainWay);
        }
        let is_watched = this.is_watched(py)?;
        let seat = match Self::admit(drive) {
            Admission::Refused => return Ok(First::PlainWay),
            Admission::Pause => return Ok(First::Pause),
            Admission::Admitted(seat) => seat,
        };
        let mut spare = this.spare(py)?;
        let (current, inline) = loop {
            let current = AsCurrent::enter(&seat.event_loop, spare.task.bind(py))?;
            if current.before.is_none() && !is_running(&seat.event_loop)? {
                return Ok(First::PlainWay);
            }
            match this.begin(recipient, Start::Message, seat.generation)? {
                Beginning::Refused => return Ok(First::PlainWay),
                Beginning::Begun(inline) => break (current, inline),
                // What is built is reported after the message that asked for it.
                Beginning::Missing if !may_build || is_watched => return Ok(First::PlainWay),
                Beginning::Missing => {
                    // The factory runs in the sender's task, not in the handler's.
                    drop(current);
                    let built = this.host.call_method1(py, intern!(py, "build"), (recipient,))?;
                    if !built.is_truthy(py)? {
                        return Ok(First::PlainWay);
                    }
                }
            }
        };
        let (current, watch) = if is_watched {
            // That a message is handed over is reported by its sender, not by the handler.
            drop(current);
            let watch = Watch::over(this.host.bind(py), request);
            (AsCurrent::enter(&seat.event_loop, spare.task.bind(py))?, watch)
        } else {
            (current, Ok(Watch::NOBODY))
        };
        let prepared = watch.and_then(|watch| Ok((spare.context_of(py, request)?, watch)));
        let ran = match &prepared {
            Ok((context, watch)) => run(
                &inline,
                spare.handling.get(),
                &seat.event_loop,
                request.message.bind(py),
                context,
                watch,
                true,
            ),
            Err(error) => Ran::Ended(Err(error.clone_ref(py))),
        };
        drop(current);
        match ran {
            Ran::Ended(result) => {
                let (context, watch) = prepared
                    .map_or((None, Watch::NOBODY), |(context, watch)| (Some(context), watch));
                let token = context.as_ref().and_then(|one| one.get().token_if_made(py));
                spare.keep(py, context);
                this.put_back(py, spare);
                let result = this.settle(&inline, watch.end(py, result));
                if result.is_ok() && is_cancelled(py, token.as_ref())? {
                    return Ok(First::Ended(Err(CancelledError::new_err(()))));
                }
                Ok(First::Ended(result))
            }
            Ran::Suspended { coroutine, pending, handler } => {
                let handed_over = prepared.and_then(|(context, watch)| {
                    let cancelled = send.get().handler_suspended(py, &seat.event_loop);
                    context.get().link(send.as_any())?;
                    let waiter = Waiter::Sender(send.clone().unbind(), watch);
                    let ending = Ending::of(drive, spare.task.bind(py), &inline, handler, waiter);
                    this.hold(&spare, coroutine, pending, ending)?;
                    cancelled.map_or(Ok(()), |error| Send::cancel_with(send, error.bind(py)))
                });
                match handed_over {
                    Ok(()) => Ok(First::Suspended),
                    // The handler cannot go on: its coroutine is gone, its task finds nothing to do.
                    Err(error) => {
                        send.get().give_up(py);
                        Ok(First::Ended(this.settle(&inline, Err(error))))
                    }
                }
            }
        }
    }

    /// The coroutine of the plain way.
    pub(super) fn plain_way<'py>(
        drive: &Bound<'py, Self>,
        request: Request,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = drive.py();
        let host = drive.get().host.bind(py);
        let Request { message, to, sender, cancellation_token, message_id, .. } = request;
        let name = match request.errand {
            Errand::Send => intern!(py, "send_plainly"),
            Errand::Publish => intern!(py, "publish_plainly"),
        };
        host.call_method1(name, (message, to, sender, cancellation_token, message_id))
    }

    /// Begins the delivery of a message, unless something is ahead of it.
    pub(super) fn begin<'py>(
        &self,
        recipient: &Bound<'py, AgentId>,
        start: Start,
        generation: u32,
    ) -> PyResult<Beginning<'py>> {
        let py = recipient.py();
        let dispatcher = self.dispatcher.get();
        loop {
            match dispatcher.begin_inline(py, recipient.get(), start, generation)? {
                Begun::Refused => return Ok(Beginning::Refused),
                Begun::Missing => return Ok(Beginning::Missing),
                Begun::Started(inline) => return Ok(Beginning::Begun(inline)),
                Begun::Unequipped { agent_id, agent } => {
                    let host = self.host.bind(py);
                    let equipped = host.call_method1(intern!(py, "equip"), (agent_id, agent))?;
                    let (way, context, is_watched): (Bound<'_, PyAny>, _, _) =
                        equipped.extract()?;
                    let equipment =
                        Equipment { way: Way::of(way), context, is_watched, generation };
                    dispatcher.equip(py, recipient.get(), equipment)?;
                }
            }
        }
    }

    /// Settles a message whose handler ended in its first step.
    fn settle<'py>(
        &self,
        inline: &Inline<'py>,
        result: PyResult<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let outcome = if result.is_ok() { Outcome::Answered } else { Outcome::Failed };
        self.conclude(&inline.agent_id, inline.place, inline.is_watched, outcome)?;
        result
    }

    /// Reports how a handler has ended, and sees to what that allows.
    pub(super) fn conclude(
        &self,
        agent_id: &Bound<'_, AgentId>,
        place: Place,
        is_watched: bool,
        outcome: Outcome,
    ) -> PyResult<()> {
        let py = agent_id.py();
        let after = self.dispatcher.get().end_inline(py, place, outcome)?;
        let is_awaited = after.is_idle && self.idle_is_awaited.load(Ordering::Relaxed);
        if after.is_due || is_watched || is_awaited {
            self.host.call_method1(py, intern!(py, "after_handler"), (agent_id,))?;
        }
        Ok(())
    }

    /// Whether nobody oversees, logs or traces messages.
    pub(super) fn is_unobserved(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(!self.is_overseen(py) && !self.is_watched(py)?)
    }

    /// Whether the user's intervention handlers may change what is sent.
    fn is_overseen(&self, py: Python<'_>) -> bool {
        !self.overseers.bind(py).is_empty()
    }

    /// Whether somebody logs or traces messages.
    fn is_watched(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.is_traced.load(Ordering::Relaxed) || !self.quiet.holds(py)?)
    }

    pub(super) fn spare(&self, py: Python<'_>) -> PyResult<Spare> {
        if let Some(spare) = self.state.with(py, |state| state.spares.pop()) {
            return Ok(spare);
        }
        let handling = Bound::new(py, Handling::new())?;
        let task = delivery_task::asleep(py, &handling)?.unbind();
        Ok(Spare { context: None, task, handling: handling.unbind() })
    }

    /// Keeps a task that nobody has touched, for the next handler.
    pub(super) fn put_back(&self, py: Python<'_>, spare: Spare) {
        spare.handling.get().ended_inline(py);
        let task = spare.task.bind(py);
        if !delivery_task::is_asleep(task) || !is_private(task) {
            return;
        }
        // There are never more than run inside one another. Once it is shut, the next loop may be
        // another one.
        let left = self.state.with(py, |state| {
            if state.event_loop.is_none() {
                return Some(spare);
            }
            state.spares.push(spare);
            None
        });
        drop(left);
    }
}

fn is_cancelled(py: Python<'_>, token: Option<&Py<PyAny>>) -> PyResult<bool> {
    match token {
        Some(token) => token.bind(py).call_method0(intern!(py, "is_cancelled"))?.is_truthy(),
        None => Ok(false),
    }
}

fn clone(py: Python<'_>, one: Option<&Py<PyAny>>) -> Option<Py<PyAny>> {
    one.map(|one| one.clone_ref(py))
}
