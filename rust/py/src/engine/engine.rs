//! `Engine`: the state of one runtime, and what Python may ask of it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use ferrogen_core::DeliveryId;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyList, PySet};

use super::admission::BUDGET;
use super::backpressure::{BlockedMessages, UnroutedMessages};
use super::books::Books;
use super::chain;
use super::clock::Clock;
use super::deadlines::Deadlines;
use super::execution::Execution;
use super::interceptor_order::InterceptorOrder;
use super::intervention_methods::KnownClasses;
use super::joins::Joins;
use super::messages::{Kind, Request};
use super::observer::LogLevels;
use super::options::MessageOptions;
use super::routing::{RecipientCache, RemainingRecipients};
use super::scheduler::Timer;
use super::send::Send;
use super::steering::Steering;
use super::task_pool::PooledTask;
use crate::interpreter::GilMutex;
use crate::interpreter::threads::ThreadOfProcess;
use crate::routes::Routes;

/// What belongs to the event loop.
#[expect(clippy::struct_excessive_bools, reason = "independent facts about one event loop")]
pub(super) struct State {
    /// The thread and process in which the runtime was started.
    pub(super) thread: ThreadOfProcess,
    /// The event loop that the runtime is bound to.
    pub(super) event_loop: Option<Py<PyAny>>,
    /// Whether messages are taken without being asked for.
    pub(super) is_started: bool,
    /// Whether they are taken by hand.
    pub(super) is_by_hand: bool,
    /// How many inline handlers are left in this iteration of the event loop.
    pub(super) budget: u32,
    /// The context of intervention handlers.
    pub(super) context: Option<Py<PyAny>>,
    #[expect(clippy::vec_box, reason = "they are moved with each message")]
    pub(super) pool: Vec<Box<PooledTask>>,
    /// The tasks whose handlers have just ended in them, and whether a check of them is scheduled.
    #[expect(clippy::vec_box, reason = "as above")]
    pub(super) returned: Vec<Box<PooledTask>>,
    pub(super) is_checking: bool,
    /// Whether a call of [`Engine::run_turn`] is scheduled.
    pub(super) is_armed: bool,
    pub(super) recipient_cache: RecipientCache,
    /// Sends that `asyncio.gather` awaits and that have not begun.
    pub(super) gathered: VecDeque<Py<Send>>,
    /// Sends whose tokens are cancelled, and whose handlers have yet to see it.
    pub(super) cancelling: VecDeque<Py<Send>>,
    /// Handlers whose responses are there, to be resumed.
    pub(super) resumable: VecDeque<Py<Execution>>,
    /// Whether they are being resumed, or that is scheduled.
    pub(super) is_resuming: bool,
    pub(super) timer: Option<Timer>,
    pub(super) interceptor_order: InterceptorOrder,
    pub(super) known_classes: KnownClasses,
}

impl State {
    /// Whether the runtime is started, in this thread of this process.
    #[inline]
    pub(super) fn is_open_here(&self) -> bool {
        self.is_started && self.thread == ThreadOfProcess::current()
    }

    /// Whether no messages are taken, and responses reach their senders.
    pub(super) fn is_stopped(&self) -> bool {
        !self.is_started && !self.is_by_hand
    }
}

/// The handler that runs, and its task.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Running {
    pub(super) delivery: DeliveryId,
    pub(super) task: usize,
}

/// The engine of one runtime: takes each message from acceptance to settlement.
#[pyclass(frozen, weakref, module = "ferrogen._core")]
pub(crate) struct Engine {
    /// Identifies this engine in the slots that agent ids remember.
    pub(super) number: u64,
    /// `ferrogen.runtime.host.EngineHost`: the part of the engine that is written in Python.
    pub(super) host: Py<PyAny>,
    pub(super) routes: Py<Routes>,
    pub(super) log_levels: LogLevels,
    /// The user's intervention handlers.
    pub(super) interceptors: Py<PyList>,
    /// The tasks of suspended handlers: asyncio keeps only weak references to tasks.
    pub(super) kept: Py<PySet>,
    /// Whether each handler gets a task of its own.
    pub(super) is_task_mode: bool,
    pub(super) books: GilMutex<Books>,
    pub(super) state: GilMutex<State>,
    pub(super) running: GilMutex<Option<Running>>,
    pub(super) deadlines: GilMutex<Deadlines>,
    pub(super) blocked: GilMutex<BlockedMessages>,
    pub(super) unrouted: GilMutex<UnroutedMessages>,
    pub(super) steering: GilMutex<Steering>,
    pub(super) joins: GilMutex<Joins>,
    pub(super) clock: Clock,
    // Read with each message, and so not in the state.
    /// How many handlers run inside one another.
    pub(super) depth: AtomicU32,
    pub(super) is_traced: AtomicBool,
    pub(super) idle_is_awaited: AtomicBool,
    pub(super) interception_is_awaited: AtomicBool,
    /// Whether handlers have ever been cancelled with all that they have called.
    pub(super) is_steered: AtomicBool,
    /// Whether handlers have ever awaited tasks.
    pub(super) uses_joins: AtomicBool,
    /// The handler that awaits the gathered sends that begin now; 0 if there is none.
    pub(super) gathered_by: AtomicU64,
    /// Whether agents of some type let their senders wait for room.
    pub(super) uses_backpressure: AtomicBool,
    /// How many messages a chain has at most, unless its first message says so.
    pub(super) max_hops: Option<u32>,
    pub(super) remaining: RemainingRecipients,
}

#[pymethods]
impl Engine {
    #[new]
    #[expect(clippy::too_many_arguments, reason = "a signature of Python")]
    #[pyo3(signature = (*, host, routes, loggers, interceptors, kept, task_mode, max_hops=None, timed=true))]
    fn new(
        py: Python<'_>,
        host: Py<PyAny>,
        routes: Py<Routes>,
        loggers: (String, String),
        interceptors: Py<PyList>,
        kept: Py<PySet>,
        task_mode: bool,
        max_hops: Option<u32>,
        timed: bool,
    ) -> PyResult<Self> {
        static MADE: AtomicU64 = AtomicU64::new(0);
        if max_hops.is_some() {
            chain::use_chains();
        }
        Ok(Self {
            number: MADE.fetch_add(1, Ordering::Relaxed) + 1,
            host,
            routes,
            log_levels: LogLevels::find(py, [&loggers.0, &loggers.1])?,
            interceptors,
            kept,
            is_task_mode: task_mode,
            books: GilMutex::new(Books::new(timed)),
            state: GilMutex::new(State {
                thread: ThreadOfProcess::default(),
                event_loop: None,
                is_started: false,
                is_by_hand: true,
                budget: BUDGET,
                context: None,
                pool: Vec::new(),
                returned: Vec::new(),
                is_checking: false,
                is_armed: false,
                recipient_cache: RecipientCache::default(),
                gathered: VecDeque::new(),
                cancelling: VecDeque::new(),
                resumable: VecDeque::new(),
                is_resuming: false,
                timer: None,
                interceptor_order: InterceptorOrder::default(),
                known_classes: KnownClasses::default(),
            }),
            running: GilMutex::new(None),
            deadlines: GilMutex::new(Deadlines::default()),
            blocked: GilMutex::new(BlockedMessages::new()),
            unrouted: GilMutex::default(),
            steering: GilMutex::default(),
            joins: GilMutex::default(),
            clock: Clock::new(timed),
            depth: AtomicU32::new(0),
            is_traced: AtomicBool::new(false),
            idle_is_awaited: AtomicBool::new(false),
            interception_is_awaited: AtomicBool::new(false),
            is_steered: AtomicBool::new(false),
            uses_joins: AtomicBool::new(false),
            gathered_by: AtomicU64::new(0),
            uses_backpressure: AtomicBool::new(false),
            max_hops,
            remaining: RemainingRecipients::none(),
        })
    }

    /// Send a message to one agent; await the result to get its response.
    ///
    /// The handler goes on if the sender stops waiting, by cancellation of its task or of the token.
    ///
    /// Args:
    ///     message: The message.
    ///     recipient: The agent to send it to; it is built if it does not exist yet.
    ///     sender: The agent that sends it, or None from outside.
    ///     cancellation_token: Cancels the waiting; the handler has it in its context.
    ///     message_id: Names the message in logs and traces; generated if left out.
    ///     priority: From -2 (lowest) to 2 (highest), among the messages that are queued; see `Priority`.
    ///     fairness_key: Queued messages of one priority with different keys take turns.
    ///     timeout: After how many seconds the message expires.
    ///     delay: How many seconds later the message is queued.
    ///     retry: How the handler is called again if it fails, in place of the agent's own policy.
    ///     max_hops: How many messages its chain has at most, from this one on.
    ///
    /// Returns:
    ///     The return value of the handler.
    ///
    /// Raises:
    ///     TypeError: The recipient is not an `AgentId`.
    ///     RecipientNotFoundError: The recipient's type is not registered.
    ///     HopLimitError: Too many messages led to this one.
    ///     MailboxFullError: The recipient's bounded mailbox is full.
    ///     DeadlockError: The recipient waits, directly or through others, for this message.
    ///     MessageDroppedException: An intervention handler dropped the message or the response.
    ///     RuntimeStoppedError: The runtime stopped before the message was handled, or is closed.
    ///     WrongLoopError: The runtime runs on another event loop.
    ///     BaseException: Whatever the handler, an intervention handler or the factory raised.
    #[expect(clippy::doc_markdown, reason = "a docstring of Python")]
    #[expect(clippy::too_many_arguments, reason = "a signature of Python")]
    #[pyo3(signature = (message, recipient, *, sender=None, cancellation_token=None, message_id=None, priority=None, fairness_key=None, timeout=None, delay=None, retry=None, max_hops=None))]
    fn send_message<'py>(
        slf: Py<Self>,
        py: Python<'py>,
        message: Py<PyAny>,
        recipient: Py<PyAny>,
        sender: Option<Py<PyAny>>,
        cancellation_token: Option<Py<PyAny>>,
        message_id: Option<Py<PyAny>>,
        priority: Option<&Bound<'_, PyAny>>,
        fairness_key: Option<&Bound<'_, PyAny>>,
        timeout: Option<&Bound<'_, PyAny>>,
        delay: Option<&Bound<'_, PyAny>>,
        retry: Option<&Bound<'_, PyAny>>,
        max_hops: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Bound<'py, Send>> {
        let host = slf.get().host.bind(py);
        let options =
            MessageOptions::read(host, priority, fairness_key, timeout, delay, retry, max_hops)?;
        let to = recipient;
        let kind = Kind::Send;
        Send::make(
            py,
            Request {
                kind,
                engine: slf,
                message,
                to,
                sender,
                cancellation_token,
                message_id,
                options,
            },
        )
    }

    /// Publish a message to every agent that is subscribed to its topic, except the sender.
    ///
    /// The returned awaitable ends as soon as the message is accepted; it does not wait for the handlers.
    ///
    /// Args:
    ///     message: The message.
    ///     topic_id: The topic to publish to.
    ///     sender: The agent that publishes it, or None from outside.
    ///     cancellation_token: Handlers have it in their context.
    ///     message_id: Names the message in logs and traces; generated if left out.
    ///
    /// Raises:
    ///     TypeError: The topic is not a `TopicId`.
    ///     RuntimeStoppedError: The runtime is closed or has halted.
    ///     WrongLoopError: The runtime runs on another event loop.
    #[expect(clippy::doc_markdown, reason = "a docstring of Python")]
    #[expect(clippy::too_many_arguments, reason = "a signature of Python")]
    #[pyo3(signature = (message, topic_id, *, sender=None, cancellation_token=None, message_id=None, priority=None, fairness_key=None, timeout=None, delay=None, retry=None, max_hops=None))]
    fn publish_message<'py>(
        slf: Py<Self>,
        py: Python<'py>,
        message: Py<PyAny>,
        topic_id: Py<PyAny>,
        sender: Option<Py<PyAny>>,
        cancellation_token: Option<Py<PyAny>>,
        message_id: Option<Py<PyAny>>,
        priority: Option<&Bound<'_, PyAny>>,
        fairness_key: Option<&Bound<'_, PyAny>>,
        timeout: Option<&Bound<'_, PyAny>>,
        delay: Option<&Bound<'_, PyAny>>,
        retry: Option<&Bound<'_, PyAny>>,
        max_hops: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Bound<'py, Send>> {
        let host = slf.get().host.bind(py);
        let options =
            MessageOptions::read(host, priority, fairness_key, timeout, delay, retry, max_hops)?;
        let to = topic_id;
        let kind = Kind::Publish;
        Send::make(
            py,
            Request {
                kind,
                engine: slf,
                message,
                to,
                sender,
                cancellation_token,
                message_id,
                options,
            },
        )
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.host)?;
        visit.call(&self.routes)?;
        visit.call(&self.interceptors)?;
        visit.call(&self.kept)?;
        self.remaining.visit(&visit)?;
        self.books.visit(|books| books.visit(&visit))?;
        self.deadlines.visit(|deadlines| deadlines.visit(&visit))?;
        self.blocked
            .visit(|blocked| blocked.values().try_for_each(|envelope| visit.call(envelope)))?;
        self.unrouted.visit(|unrouted| unrouted.values().try_for_each(|one| visit.call(one)))?;
        self.joins.visit(|joins| joins.visit(&visit))?;
        self.state.visit(|state| {
            visit.call(&state.event_loop)?;
            visit.call(&state.context)?;
            if let Some(timer) = &state.timer {
                timer.visit(&visit)?;
            }
            state.pool.iter().try_for_each(|task| task.visit(&visit))?;
            state.returned.iter().try_for_each(|task| task.visit(&visit))?;
            state.recipient_cache.visit(&visit)?;
            state.interceptor_order.visit(&visit)?;
            state.gathered.iter().try_for_each(|send| visit.call(send))?;
            state.cancelling.iter().try_for_each(|send| visit.call(send))?;
            state.resumable.iter().try_for_each(|execution| visit.call(execution))
        })
    }

    fn __clear__(&self, py: Python<'_>) {
        let cleared = self.state.with(py, |state| {
            let sends =
                (std::mem::take(&mut state.gathered), std::mem::take(&mut state.cancelling));
            let queues = (sends, std::mem::take(&mut state.resumable));
            let cache = (
                std::mem::take(&mut state.recipient_cache),
                std::mem::take(&mut state.interceptor_order),
            );
            (
                state.event_loop.take(),
                state.context.take(),
                std::mem::take(&mut state.pool),
                queues,
                cache,
            )
        });
        let books = self.books.with(py, std::mem::take);
        let deadlines = self.deadlines.with(py, std::mem::take);
        let blocked = self.blocked.with(py, std::mem::take);
        let unrouted = self.unrouted.with(py, std::mem::take);
        let joins = self.joins.with(py, std::mem::take);
        drop((cleared, books, deadlines, blocked, unrouted, joins));
    }
}

impl Engine {
    /// Its event loop, if the runtime is started on it and it runs here.
    pub(super) fn open_loop<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let event_loop = self.state.with(py, |state| {
            let event_loop = state.event_loop.as_ref().filter(|_| state.is_open_here());
            event_loop.map(|event_loop| event_loop.bind(py).clone())
        });
        match event_loop {
            Some(event_loop) if crate::interpreter::current_task::is_entered(&event_loop)? => {
                Ok(Some(event_loop))
            }
            _ => Ok(None),
        }
    }

    /// The event loop that it is bound to.
    pub(super) fn bound_loop<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.state.with(py, |state| state.event_loop.as_ref().map(|one| one.bind(py).clone()))
    }

    /// Whether messages are logged or traced.
    #[inline(always)]
    pub(super) fn is_observed(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.is_traced.load(Ordering::Relaxed) || !self.log_levels.are_disabled(py)?)
    }

    /// The delivery whose handler sends from a task, or awaits that task.
    pub(super) fn caller(&self, task: Option<&Bound<'_, PyAny>>) -> Option<DeliveryId> {
        let running = self.running_in_task(task);
        if running.is_some() || !self.uses_joins.load(Ordering::Relaxed) {
            return running;
        }
        match task {
            Some(task) => self.joined_by(task),
            None => self.gathering_caller(),
        }
    }

    /// The delivery whose handler runs in a task, if it is the innermost one.
    pub(super) fn running_in_task(&self, task: Option<&Bound<'_, PyAny>>) -> Option<DeliveryId> {
        let task = task?;
        let running = self.running.with(task.py(), |running| *running)?;
        (running.task == task.as_ptr() as usize).then_some(running.delivery)
    }

    /// Sets the handler that runs, until the guard is dropped.
    #[inline]
    pub(super) fn enter_handler<'a, 'py>(
        &'a self,
        delivery: DeliveryId,
        task: &Bound<'py, PyAny>,
    ) -> RunningGuard<'a, 'py> {
        let (py, running) = (task.py(), Running { delivery, task: task.as_ptr() as usize });
        let before = self.running.with(py, |place| place.replace(running));
        RunningGuard { engine: self, before, py }
    }
}

/// Restores the handler that ran before.
pub(super) struct RunningGuard<'a, 'py> {
    engine: &'a Engine,
    before: Option<Running>,
    py: Python<'py>,
}

impl Drop for RunningGuard<'_, '_> {
    #[inline]
    fn drop(&mut self) {
        let before = self.before;
        self.engine.running.with(self.py, |place| *place = before);
    }
}
