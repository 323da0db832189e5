//! Interception: the user's intervention handlers revise messages and responses, one after the other.
//!
//! The methods run inline while they do not suspend. While one is suspended the machine is paused: no message
//! overtakes the one in its hands. One that yields to the event loop (`sleep(0)`) is resumed inline in the next
//! iteration; one that awaits anything else goes on in its task.

use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

use ferrogen_core::{Outcome, Ticket};
use pyo3::intern;
use pyo3::prelude::*;

use super::diversion::Diversion;
use super::engine::Engine;
use super::intervention_methods::Method;
use super::messages::Taken;
use super::revision::{Interception, Verdict};
use super::settlement::{Completion, Ended, Work};
use super::suspension::NotHeld;
use super::task_pool::PooledTask;
use crate::errors::exception;
use crate::interpreter::context::Entered;
use crate::interpreter::coroutine::Sent;
use crate::interpreter::current_task::CurrentTask;
use crate::interpreter::exception_state::{CleanExceptionState, Item};

/// The result of an interception.
pub(super) enum Intercepted {
    Passed(Taken),
    /// It goes another way, or later.
    Diverted(Taken, Diversion),
    /// With the error that the sender gets, if an intervention handler has given one. It may have been diverted
    /// before.
    Dropped(Taken, Option<PyErr>, Option<Diversion>),
    Failed(Taken, PyErr, Option<Diversion>),
    /// An intervention handler has suspended. It is resumed in the next iteration of the event loop if it has yielded
    /// to that.
    Suspended {
        has_yielded: bool,
    },
}

impl Intercepted {
    fn ticket(&self) -> Option<Ticket> {
        match self {
            Self::Passed(taken)
            | Self::Diverted(taken, _)
            | Self::Dropped(taken, ..)
            | Self::Failed(taken, ..) => taken.ticket(),
            Self::Suspended { .. } => None,
        }
    }
}

impl Engine {
    /// Whether an intervention handler has such a method of its own.
    #[inline]
    pub(super) fn is_intercepted(&self, py: Python<'_>, method: Method) -> PyResult<bool> {
        if self.interceptors.bind(py).is_empty() {
            Ok(false)
        } else {
            self.is_overridden(py, method)
        }
    }

    #[cold]
    fn is_overridden(&self, py: Python<'_>, method: Method) -> PyResult<bool> {
        let interceptors = self.interceptors.bind(py);
        if self.is_traced.load(Ordering::Relaxed) {
            return Ok(true); // each gets its span
        }
        for position in 0..interceptors.len() {
            let Ok(interceptor) = interceptors.get_item(position) else { break };
            if !self.is_inherited(&interceptor, method)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Lets the intervention handlers, if there are any, revise a message.
    pub(super) fn intercept(engine: &Bound<'_, Self>, taken: Taken) -> PyResult<Intercepted> {
        let py = engine.py();
        if engine.get().is_intercepted(py, Method::of(&taken))? {
            Self::run_interceptors(engine, taken)
        } else {
            Ok(Intercepted::Passed(taken))
        }
    }

    /// The same where [`Engine::is_intercepted`].
    pub(super) fn run_interceptors(
        engine: &Bound<'_, Self>,
        taken: Taken,
    ) -> PyResult<Intercepted> {
        let (py, this) = (engine.py(), engine.get());
        let Some(event_loop) = this.bound_loop(py) else { return Ok(Intercepted::Passed(taken)) };
        let pooled = this.borrow_task(&event_loop)?;
        let interception =
            Interception { taken, diversion: None, next: 0, class: None, context: None };
        Self::run_methods(engine, &event_loop, interception, pooled, None)
    }

    /// Calls one intervention handler after the other. `last` is what the one has ended with that was resumed.
    fn run_methods<'py>(
        engine: &Bound<'py, Self>,
        event_loop: &Bound<'py, PyAny>,
        mut interception: Interception,
        mut pooled: Box<PooledTask>,
        mut last: Option<PyResult<Bound<'py, PyAny>>>,
    ) -> PyResult<Intercepted> {
        let (py, this) = (engine.py(), engine.get());
        let mut current = CurrentTask::new(event_loop)?;
        let done = loop {
            let ended = match last.take() {
                Some(ended) => ended,
                None if interception.next >= this.interceptors.bind(py).len() => {
                    break interception.into_passed(py);
                }
                None => {
                    if !current.is_entered() {
                        current.enter(Some(pooled.task.bind(py)))?;
                    }
                    match this.next_step(py, &mut interception, &mut pooled) {
                        Ok(None) => break interception.into_passed(py),
                        Ok(Some(Sent::Returned(revised))) => Ok(revised),
                        Ok(Some(Sent::Raised(error))) | Err(error) => Err(error),
                        Ok(Some(Sent::Yielded(yielded))) => {
                            current.leave();
                            return Self::suspend_interception(
                                engine,
                                interception,
                                pooled,
                                yielded,
                            );
                        }
                    }
                }
            };
            match interception.follow(engine, ended) {
                ControlFlow::Continue(unfinished) => interception = unfinished,
                ControlFlow::Break(done) => break done,
            }
        };
        current.leave();
        this.return_task(py, pooled);
        Ok(done)
    }

    /// Calls the next intervention handler, and steps it once. `None` if there is none.
    fn next_step<'py>(
        &self,
        py: Python<'py>,
        interception: &mut Interception,
        pooled: &mut PooledTask,
    ) -> PyResult<Option<Sent<'py>>> {
        let context = self
            .state
            .with(py, |state| state.context.as_ref().map(|context| context.bind(py).clone()));
        let Some(context) = context else { return Ok(None) };
        let entered = Entered::enter(context.clone());
        // A handler that is called from inside an intervention handler is in that context already.
        let (context, _entered) = if let Ok(entered) = entered {
            (context, entered)
        } else {
            let copy = Entered::copy(&context)?;
            (copy.clone(), Entered::enter(copy)?)
        };
        let mut item = Item::NEW;
        let _clean = CleanExceptionState::enter(py, &mut item);
        pooled.execution.get().begin(py);
        pooled.enter(context);
        let coroutine = match interception.call_next(self, py) {
            Ok(Some(coroutine)) => coroutine,
            other => {
                pooled.execution.get().end_inline(py);
                drop(pooled.leave(py));
                return other.map(|_| None);
            }
        };
        let sent = pooled.execution.get().run(&coroutine);
        if matches!(sent, Sent::Yielded(_)) {
            pooled.coroutine = Some(coroutine.unbind());
        } else {
            pooled.execution.get().end_inline(py);
            drop(pooled.leave(py));
        }
        Ok(Some(sent))
    }

    /// An intervention handler has suspended; the machine is paused until it ends.
    #[cold]
    fn suspend_interception(
        engine: &Bound<'_, Self>,
        interception: Interception,
        mut pooled: Box<PooledTask>,
        yielded: Bound<'_, PyAny>,
    ) -> PyResult<Intercepted> {
        let (py, this) = (engine.py(), engine.get());
        let has_yielded = yielded.is_none();
        let coroutine = pooled.coroutine.take().expect("it has just suspended").into_bound(py);
        this.books.with(py, |books| books.machine.pause());
        this.release_unrouted(py)?;
        let completion = Completion {
            engine: engine.clone().unbind(),
            task: pooled.task.clone_ref(py),
            work: Work::Interception(Box::new(interception)),
        };
        match this.hold(pooled, coroutine, yielded, completion) {
            Ok(()) => Ok(Intercepted::Suspended { has_yielded }),
            Err(not_held) => {
                let NotHeld { completion, error } = *not_held;
                this.books.with(py, |books| books.machine.resume());
                match completion.map(|completion| completion.release(py)).transpose()? {
                    Some((.., Work::Interception(interception))) => {
                        Ok(interception.into_failed(error))
                    }
                    _ => Err(error),
                }
            }
        }
    }

    /// Goes on after an intervention handler that was resumed inline has ended.
    pub(super) fn go_on_intercepting<'py>(
        engine: &Bound<'py, Self>,
        event_loop: &Bound<'py, PyAny>,
        interception: Interception,
        pooled: Box<PooledTask>,
        last: PyResult<Bound<'py, PyAny>>,
    ) -> PyResult<()> {
        let intercepted = Self::run_methods(engine, event_loop, interception, pooled, Some(last))?;
        if matches!(intercepted, Intercepted::Suspended { .. }) {
            return Ok(());
        }
        Self::in_place_of_batch(engine, || Self::end_interception(engine, intercepted))
    }

    /// Goes on with the message that a suspended intervention handler had in its hands.
    fn end_interception(engine: &Bound<'_, Self>, intercepted: Intercepted) -> PyResult<()> {
        let (py, this) = (engine.py(), engine.get());
        this.books.with(py, |books| books.machine.resume());
        let ticket = intercepted.ticket();
        let processed = Self::process_intercepted(engine, intercepted);
        let processed = Self::settle_after_error(engine, ticket, processed);
        if this.interception_is_awaited.swap(false, Ordering::Relaxed) {
            this.host.call_method0(py, intern!(py, "notify_interception"))?;
        }
        Self::continue_soon(engine)?;
        Self::arm(engine)?;
        processed
    }

    /// Goes on with a message that all intervention handlers have seen, or one has dropped.
    pub(super) fn process_intercepted(
        engine: &Bound<'_, Self>,
        intercepted: Intercepted,
    ) -> PyResult<()> {
        match intercepted {
            Intercepted::Passed(taken) => Self::dispatch(engine, taken),
            Intercepted::Diverted(taken, diversion) => Self::divert(engine, taken, diversion),
            Intercepted::Dropped(taken, error, diversion) => {
                let error = Self::dropped_error(engine, &taken, error)?;
                Self::refuse_diverted(engine, diversion, &error)?;
                Self::refuse(engine, taken, error, Outcome::Dropped)
            }
            Intercepted::Failed(taken, error, diversion) => {
                let py = engine.py();
                Self::refuse_diverted(engine, diversion, &error)?;
                if let Taken::Published(_, envelope) = &taken {
                    let about = (envelope, exception(py, &error));
                    let name = intern!(py, "interception_failed");
                    engine.get().host.call_method1(py, name, about)?;
                }
                let ends_program = super::future::ends_program(py, &error);
                let again = ends_program.then(|| error.clone_ref(py));
                Self::refuse(engine, taken, error, Outcome::Failed)?;
                again.map_or(Ok(()), Err)
            }
            Intercepted::Suspended { .. } => Ok(()),
        }
    }

    /// The error that the sender of a dropped message gets; reports that it was dropped.
    pub(super) fn dropped_error(
        engine: &Bound<'_, Self>,
        taken: &Taken,
        given: Option<PyErr>,
    ) -> PyResult<PyErr> {
        let py = engine.py();
        let given = given.map(|error| error.into_value(py));
        let host = engine.get().host.bind(py);
        let error = match taken {
            Taken::Direct(_, direct) => {
                let request = &direct.request;
                let about = (&request.message, &request.sender, &request.to, "direct", given);
                host.call_method1(intern!(py, "dropped"), about)?
            }
            Taken::Published(_, envelope) => {
                let envelope = envelope.bind(py).get();
                let (message, sender) = (envelope.message(py), envelope.sender(py));
                let about = (message, sender, envelope.topic_id(py), "published", given);
                host.call_method1(intern!(py, "dropped"), about)?
            }
            Taken::Response(_, response) => {
                let (sender, recipient) = (&response.agent_id, &response.recipient);
                let about = (&response.value, sender, recipient, "response", given);
                host.call_method1(intern!(py, "dropped"), about)?
            }
        };
        Ok(PyErr::from_value(error))
    }

    /// Settles a message that goes no further.
    fn refuse(
        engine: &Bound<'_, Self>,
        taken: Taken,
        error: PyErr,
        outcome: Outcome,
    ) -> PyResult<()> {
        match taken {
            Taken::Direct(ticket, direct) => {
                let error = direct.observation.failed(engine.py(), error);
                Self::drop_message(engine, ticket, Some(&direct), error, outcome)
            }
            Taken::Published(ticket, envelope) => {
                Self::routed(engine, envelope.bind(engine.py()))?;
                Self::drop_message(engine, ticket, None, error, outcome)
            }
            Taken::Response(delivery, response) => {
                let error = response.observation.failed(engine.py(), error);
                Self::refuse_response(engine, delivery, &response, error, outcome)
            }
        }
    }
}

impl Interception {
    /// Applies what a method has ended with. Breaks unless the next one is to be called.
    fn follow(
        mut self,
        engine: &Bound<'_, Engine>,
        ended: PyResult<Bound<'_, PyAny>>,
    ) -> ControlFlow<Intercepted, Self> {
        match ended.and_then(|revised| self.apply(engine, &revised)) {
            Ok(Verdict::Pass) => ControlFlow::Continue(self),
            Ok(Verdict::Drop) => ControlFlow::Break(self.into_dropped(None)),
            Ok(Verdict::Reject(error)) => ControlFlow::Break(self.into_dropped(Some(error))),
            Err(error) => ControlFlow::Break(self.into_failed(error)),
        }
    }

    /// The coroutine of an intervention handler has ended in its task, in which the next one is called.
    pub(super) fn resume<'py>(
        self,
        engine: &Bound<'py, Engine>,
        task: Py<PyAny>,
        ended: PyResult<Bound<'py, PyAny>>,
    ) -> PyResult<Ended<'py>> {
        let (py, this) = (engine.py(), engine.get());
        let intercepted = match self.follow(engine, ended) {
            ControlFlow::Break(done) => done,
            ControlFlow::Continue(mut unfinished) => match unfinished.call_next(this, py) {
                Ok(Some(coroutine)) => {
                    this.kept.bind(py).add(&task)?;
                    let (engine, work) = (engine.clone().unbind(), Box::new(unfinished));
                    let completion = Completion { engine, task, work: Work::Interception(work) };
                    return Ok(Ended::Next(completion, coroutine));
                }
                Ok(None) => unfinished.into_passed(py),
                Err(error) => unfinished.into_failed(error),
            },
        };
        Engine::end_interception(engine, intercepted).map(|()| Ended::Done)
    }
}
