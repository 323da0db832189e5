//! Invocation: a handler is called and stepped once, inline or in a task of its own.

use pyo3::exceptions::asyncio::CancelledError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use ferrogen_core::{AgentSlot, DeliveryId};

use super::beginning::{ContextSource, Invocation};
use super::engine::Engine;
use super::execution::Execution;
use super::handlers::{BoundEntryPoint, EntryPoint, Handler, Handlers};
use super::messages::DirectMessage;
use super::observer::Observation;
use super::settlement::{Completion, HandlerWork, Reply, Work};
use super::task_pool::PooledTask;
use crate::agent_id::AgentId;
use crate::interpreter::coroutine::{Sent, as_raised, awaited, call};
use crate::interpreter::current_task;
use crate::interpreter::exception_state::{CleanExceptionState, Item};
use crate::message_context::MessageContext;
use crate::publish_envelope::PublishEnvelope;

/// The result of a handler that has ended. With the error in a box it moves in two registers.
pub(super) type Handled<'py> = Result<Bound<'py, PyAny>, Box<PyErr>>;

/// The result of running a handler inline.
pub(super) enum Ran<'i, 'py> {
    /// It ended, with a value or an error.
    Ended(Handled<'py>),
    /// It suspended.
    Suspended(Suspension<'i, 'py>),
}

/// A handler that has suspended.
pub(super) struct Suspension<'i, 'py> {
    pub(super) coroutine: Bound<'py, PyAny>,
    pub(super) yielded: Bound<'py, PyAny>,
    pub(super) handler: Option<&'i Py<Handler>>,
}

/// The arguments of a handler.
pub(super) struct Arguments<'a, 'py> {
    pub(super) message: &'a Bound<'py, PyAny>,
    pub(super) context: &'a Bound<'py, MessageContext>,
    /// Whether the message was sent, and not published.
    pub(super) is_rpc: bool,
}

impl Engine {
    /// Runs the first step of a handler, in its own context and as its own task, which must be the current
    /// one. The task keeps the state of a running one: the caller makes it leave.
    #[inline(always)]
    pub(super) fn run<'i, 'py>(
        &self,
        invocation: &'i Invocation<'py>,
        source: Option<ContextSource<'py>>,
        pooled: &mut PooledTask,
        arguments: &Arguments<'_, 'py>,
        observation: &Observation,
    ) -> Ran<'i, 'py> {
        let py = arguments.message.py();
        let source = source.expect("an invocation runs once");
        let entered = match source.enter(&invocation.agent_id) {
            Ok(entered) => entered,
            Err(error) => return Ran::Ended(Err(Box::new(error))),
        };
        pooled.enter(entered.context().clone());
        let mut item = Item::NEW;
        let _clean = CleanExceptionState::enter(py, &mut item);
        let _running = self.enter_handler(invocation.delivery, pooled.task.bind(py));
        let called = observation
            .begin(arguments.context)
            .and_then(|()| call_handler(&invocation.agent, &invocation.entry_point, arguments));
        let (coroutine, handler) = match called {
            Ok(called) => called,
            Err(error) => return Ran::Ended(Err(Box::new(as_raised(py, error)))),
        };
        match pooled.execution.get().run(&coroutine) {
            Sent::Returned(value) => Ran::Ended(match handler {
                Some(handler) => handler.get().check(value).map_err(Box::new),
                None => Ok(value),
            }),
            Sent::Raised(error) => Ran::Ended(Err(Box::new(error))),
            Sent::Yielded(yielded) => Ran::Suspended(Suspension { coroutine, yielded, handler }),
        }
    }
}

/// Calls the handler of a message, which returns its coroutine.
#[inline(always)]
fn call_handler<'i, 'py>(
    agent: &Bound<'py, PyAny>,
    entry_point: &'i BoundEntryPoint<'py>,
    arguments: &Arguments<'_, 'py>,
) -> PyResult<(Bound<'py, PyAny>, Option<&'i Py<Handler>>)> {
    let &Arguments { message, context, is_rpc } = arguments;
    let (py, context) = (message.py(), context.as_any());
    let handlers: &Bound<'py, Handlers> = match entry_point {
        EntryPoint::Handlers(handlers) => handlers,
        EntryPoint::Function(function) => {
            return Ok((awaited(call(function, [agent, message, context])?)?, None));
        }
        EntryPoint::OnMessage => {
            return Ok((awaited(call_on_message(agent, message, context)?)?, None));
        }
    };
    if let Some(handler) = handlers.get().find(message, context, is_rpc)? {
        let coroutine = call(handler.get().function.bind(py), [agent, message, context])?;
        return Ok((awaited(coroutine)?, Some(handler)));
    }
    let name = intern!(py, "on_unhandled_message");
    Ok((awaited(agent.call_method1(name, (message, context))?)?, None))
}

/// Calls the `on_message` of an agent that has one of its own.
#[cold]
fn call_on_message<'py>(
    agent: &Bound<'py, PyAny>,
    message: &Bound<'py, PyAny>,
    context: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = agent.py();
    let keywords = PyDict::new(py);
    keywords.set_item(intern!(py, "ctx"), context)?;
    agent.getattr(intern!(py, "on_message"))?.call((message,), Some(&keywords))
}

/// A message that was delivered to one agent.
pub(super) enum Delivered {
    Direct(Box<DirectMessage>),
    Published(Py<PublishEnvelope>, Observation),
}

impl Delivered {
    /// Its message and context.
    pub(super) fn arguments<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyAny>, Bound<'py, MessageContext>)> {
        match self {
            Self::Direct(direct) => {
                let context = MessageContext::of(direct.request.context(py));
                let context = Bound::new(py, context)?;
                direct.link(&context)?;
                Ok((direct.request.message.bind(py).clone(), context))
            }
            Self::Published(envelope, _) => {
                let envelope = envelope.bind(py);
                let context = MessageContext::of(PublishEnvelope::context_of_recipient(envelope));
                Ok((envelope.get().message(py).into_bound(py), Bound::new(py, context)?))
            }
        }
    }

    pub(super) fn observation(&self) -> &Observation {
        match self {
            Self::Direct(direct) => &direct.observation,
            Self::Published(_, observation) => observation,
        }
    }

    /// Where the result of its handler goes.
    pub(super) fn into_reply(self) -> Reply {
        match self {
            Self::Direct(direct) => {
                let DirectMessage { request, send, observation, .. } = *direct;
                Reply::Sender { send, observation, recipient: request.sender }
            }
            Self::Published(envelope, observation) => Reply::Publication { envelope, observation },
        }
    }

    pub(super) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Self::Direct(direct) => direct.visit(visit),
            Self::Published(envelope, observation) => {
                visit.call(envelope)?;
                observation.visit(visit)
            }
        }
    }
}

/// A handler that begins in the first step of a task of its own: task mode.
pub(super) struct Unstarted {
    pub(super) engine: Py<Engine>,
    pub(super) slot: AgentSlot,
    pub(super) delivery: DeliveryId,
    pub(super) agent_id: Py<AgentId>,
    pub(super) agent: Py<PyAny>,
    pub(super) entry_point: EntryPoint,
    pub(super) delivered: Delivered,
}

impl Unstarted {
    /// Calls the handler. `None` if it has ended already.
    pub(super) fn begin<'py>(
        self,
        execution: &Bound<'py, Execution>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = execution.py();
        let engine = self.engine.bind(py).clone();
        engine.get().set_time(py);
        engine.get().books.with(py, |books| books.machine.begun(self.delivery));
        let event_loop = execution.get().event_loop(py);
        let task = current_task::get(&event_loop)?;
        let called = (|| {
            if let Delivered::Direct(direct) = &self.delivered
                && direct.send.get().is_withdrawn(py)
            {
                return Err(CancelledError::new_err(()));
            }
            let (message, context) = self.delivered.arguments(py)?;
            self.delivered.observation().begin(&context)?;
            let is_rpc = matches!(self.delivered, Delivered::Direct(_));
            let arguments = Arguments { message: &message, context: &context, is_rpc };
            let entry_point = self.entry_point.bind(py);
            let _running = task.as_ref().map(|one| engine.get().enter_handler(self.delivery, one));
            let (coroutine, handler) = call_handler(self.agent.bind(py), &entry_point, &arguments)
                .map_err(|error| as_raised(py, error))?;
            PyResult::Ok((coroutine, handler.map(|handler| handler.clone_ref(py))))
        })();
        let (coroutine, handler) = match called {
            Ok((coroutine, handler)) => (Ok(coroutine), handler),
            Err(error) => (Err(error), None),
        };
        let task = task.map_or_else(|| py.None(), Bound::unbind);
        let completion = self.into_completion(task, handler);
        match coroutine {
            Ok(coroutine) => {
                completion.attach(execution);
                execution.get().set_completion(py, completion);
                Ok(Some(coroutine))
            }
            Err(error) => completion.complete(py, Err(error)).map(|_| None),
        }
    }

    /// Settles the message of a handler that will never begin.
    pub(super) fn fail(self, py: Python<'_>, error: PyErr) -> PyResult<()> {
        let engine = self.engine.bind(py).clone();
        engine.get().books.with(py, |books| books.machine.begun(self.delivery));
        self.into_completion(py.None(), None).complete(py, Err(error)).map(|_| ())
    }

    fn into_completion(self, task: Py<PyAny>, handler: Option<Py<Handler>>) -> Completion {
        let Self { engine, slot, delivery, agent_id, delivered, .. } = self;
        let reply = delivered.into_reply();
        let work = HandlerWork { slot, delivery, agent_id, handler, reply };
        Completion { engine, task, work: Work::Handler(work) }
    }

    pub(super) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.engine)?;
        visit.call(&self.agent_id)?;
        visit.call(&self.agent)?;
        self.entry_point.visit(visit)?;
        self.delivered.visit(visit)
    }
}
