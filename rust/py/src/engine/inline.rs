//! Handlers that run inline: inside the `await` of their sender.

use ferrogen_core::{DeliveryId, Outcome, Ticket};
use pyo3::exceptions::asyncio::CancelledError;
use pyo3::intern;
use pyo3::prelude::*;

use super::admission::InlineGuard;
use super::beginning::{Beginning, Invocation, Start};
use super::diversion::Diversion;
use super::engine::Engine;
use super::interception::Intercepted;
use super::intervention_methods::Method;
use super::invoke::{Arguments, Handled, Ran, Suspension};
use super::messages::{DirectMessage, Response, Taken};
use super::observer::Observation;
use super::send::{Send, is_cancelled};
use super::settlement::{Completion, HandlerWork, Reply, Work};
use super::task_pool::PooledTask;
use crate::agent_id::AgentId;
use crate::errors::raised;
use crate::interpreter::coroutine::as_raised;
use crate::interpreter::current_task::{self, CurrentTask, is_running};
use crate::interpreter::exception_state::{CleanExceptionState, Item};
use crate::message_context::MessageContext;

use super::accept::{First, Sending};

impl Engine {
    /// Builds an agent inline. Returns whether it exists now.
    #[cold]
    fn build_inline(&self, recipient: &Bound<'_, AgentId>) -> PyResult<bool> {
        let py = recipient.py();
        let mut item = Item::NEW;
        let clean = CleanExceptionState::enter(py, &mut item);
        let built = self.host.call_method1(py, intern!(py, "build_inline"), (recipient,));
        drop(clean);
        built.map_err(|error| as_raised(py, error))?.is_truthy(py)
    }
}

impl<'py> Sending<'_, 'py> {
    /// Runs the handler, unless something is ahead of the message.
    pub(super) fn run_inline(&self, guard: &InlineGuard<'py>) -> PyResult<Option<First<'py>>> {
        let (engine, py) = (self.engine.get(), self.engine.py());
        if engine.is_intercepted(py, Method::Send)? {
            return self.run_intercepted(guard);
        }
        // From 3.14 on no task can be made or entered outside of its running loop.
        let mut pooled = match engine.borrow_task(&guard.event_loop) {
            Err(_) if !is_running(&guard.event_loop)? => return Ok(None),
            borrowed => borrowed?,
        };
        let mut current = CurrentTask::new(&guard.event_loop)?;
        let mut place = None;
        loop {
            let entered = current.enter(Some(pooled.task.bind(py)));
            if (entered.is_err() || current.before.is_none()) && !is_running(&guard.event_loop)? {
                current.leave();
                engine.return_task(py, pooled);
                return Ok(None);
            }
            entered?;
            let start = Start::Message { caller: engine.caller(current.before.as_ref()) };
            match engine.begin(self.recipient, start, &mut place)? {
                Beginning::Begun => break,
                // An agent that is built is reported after the message that it is built for.
                Beginning::Missing if self.is_awaited && !self.is_observed => {
                    // The factory runs in the sender's task, not in the handler's.
                    current.leave();
                    match engine.build_inline(self.recipient) {
                        Ok(true) => {}
                        other => {
                            engine.return_task(py, pooled);
                            other?;
                            return self.await_build(guard);
                        }
                    }
                }
                Beginning::Refused | Beginning::Missing => {
                    current.leave();
                    engine.return_task(py, pooled);
                    return Ok(None);
                }
            }
        }
        let Some(invocation) = &mut place else { return Ok(None) };
        invocation.apply(engine, self.request.options.of_handler(py, self.chain.as_ref()));
        let observation = if self.is_observed {
            // The sender reports it, not the handler.
            current.leave();
            match Observation::of_send(engine.host.bind(py), self.request) {
                Ok(observation) => {
                    current.enter(Some(pooled.task.bind(py)))?;
                    observation
                }
                Err(error) => {
                    let settled = self.fail(invocation, error);
                    engine.return_task(py, pooled);
                    return Ok(Some(First::Ended(settled)));
                }
            }
        } else {
            Observation::NONE
        };
        let message = self.request.message.bind(py);
        let context = match pooled.message_context(py, self.request) {
            Ok(context) => context,
            Err(error) => {
                current.leave();
                return Ok(Some(First::Ended(self.fail(invocation, error))));
            }
        };
        self.invoke(guard, invocation, pooled, current, (message, context), observation).map(Some)
    }

    /// Places the message in the mailbox of its recipient, if that is being built. Nothing was ahead of it before
    /// the factory was called.
    #[cold]
    fn await_build(&self, guard: &InlineGuard<'py>) -> PyResult<Option<First<'py>>> {
        let (engine, py) = (self.engine.get(), self.engine.py());
        if !engine.books.lock(py).contains(self.recipient, engine.number)? {
            return Ok(None);
        }
        let task = current_task::get(&guard.event_loop)?;
        let direct = Box::new(self.direct_message(engine.caller(task.as_ref()))?);
        let suspended = self.suspend(&guard.event_loop)?;
        let ticket = self.hold_ticket()?;
        Engine::dispatch(self.engine, Taken::Direct(ticket, direct))?;
        Ok(Some(suspended))
    }

    /// Accepts the message without queueing it.
    fn hold_ticket(&self) -> PyResult<Ticket> {
        let (engine, py) = (self.engine.get(), self.engine.py());
        engine.set_time(py);
        let ticket = engine.books.with(py, |books| books.machine.hold());
        engine.address(ticket, self.recipient)?;
        Ok(ticket)
    }

    /// The same after the intervention handlers have revised the message.
    #[cold]
    fn run_intercepted(&self, guard: &InlineGuard<'py>) -> PyResult<Option<First<'py>>> {
        let (engine, py) = (self.engine.get(), self.engine.py());
        if engine.books.with(py, |books| !books.machine.is_clear()) {
            return Ok(None);
        }
        if !self.is_registered()? {
            return Ok(None); // an error, which the queue raises
        }
        let task = current_task::get(&guard.event_loop)?;
        let caller = engine.caller(task.as_ref());
        let ticket = self.hold_ticket()?;
        let direct = match self.direct_message(caller) {
            Ok(direct) => Box::new(direct),
            Err(error) => {
                Engine::settle(self.engine, ticket, Outcome::Failed)?;
                return Err(error);
            }
        };
        let taken = Taken::Direct(ticket, direct);
        let (outcome, error) = match Engine::run_interceptors(self.engine, taken)? {
            Intercepted::Suspended { has_yielded } => {
                return self.suspend_intercepted(guard, has_yielded).map(Some);
            }
            Intercepted::Passed(taken) => {
                return self.run_revised(guard, taken, caller).map(Some);
            }
            Intercepted::Diverted(taken, diversion) => {
                let suspended = self.suspend(&guard.event_loop)?;
                Engine::divert(self.engine, taken, diversion)?;
                return Ok(Some(suspended));
            }
            Intercepted::Dropped(taken, error, diversion) => {
                let error = Engine::dropped_error(self.engine, &taken, error)?;
                (Outcome::Dropped, observed(py, &taken, diversion.as_ref(), error))
            }
            Intercepted::Failed(taken, error, diversion) => {
                (Outcome::Failed, observed(py, &taken, diversion.as_ref(), error))
            }
        };
        Engine::settle(self.engine, ticket, outcome)?;
        Ok(Some(First::Ended(Err(Box::new(error)))))
    }

    /// Runs the handler of a revised message inline, or queues the message.
    fn run_revised(
        &self,
        guard: &InlineGuard<'py>,
        taken: Taken,
        caller: Option<DeliveryId>,
    ) -> PyResult<First<'py>> {
        let (engine, py) = (self.engine.get(), self.engine.py());
        let Taken::Direct(ticket, direct) = taken else { unreachable!("it was sent") };
        let mut pooled = engine.borrow_task(&guard.event_loop)?;
        let mut current = CurrentTask::new(&guard.event_loop)?;
        current.enter(Some(pooled.task.bind(py)))?;
        let mut place = None;
        let start = Start::Recipient { ticket, caller };
        let begun = engine.begin_outlined(self.recipient, start, &mut place);
        let Some(invocation) = place.as_mut().filter(|_| matches!(begun, Ok(Beginning::Begun)))
        else {
            current.leave();
            engine.return_task(py, pooled);
            begun?;
            let suspended = self.suspend(&guard.event_loop)?;
            Engine::dispatch(self.engine, Taken::Direct(ticket, direct))?;
            return Ok(suspended);
        };
        invocation.apply(engine, self.request.options.of_handler(py, self.chain.as_ref()));
        let settled = engine.books.with(py, |books| books.machine.settle(ticket, Outcome::Handled));
        settled.map_err(raised)?;
        let DirectMessage { request, observation, .. } = *direct;
        let context = pooled.message_context(py, &request)?;
        let message = request.message.bind(py);
        self.invoke(guard, invocation, pooled, current, (message, context), observation)
    }

    /// Runs a handler that the core has started.
    #[inline(always)]
    fn invoke(
        &self,
        guard: &InlineGuard<'py>,
        invocation: &mut Invocation<'py>,
        mut pooled: Box<PooledTask>,
        mut current: CurrentTask<'_, 'py>,
        (message, context): (&Bound<'py, PyAny>, Bound<'py, MessageContext>),
        observation: Observation,
    ) -> PyResult<First<'py>> {
        let (engine, py) = (self.engine.get(), self.engine.py());
        let source = invocation.context.take();
        let invocation = &*invocation;
        let arguments = Arguments { message, context: &context, is_rpc: true };
        let ran = engine.run(invocation, source, &mut pooled, &arguments, &observation);
        let has_sender = current.before.is_some();
        match ran {
            Ran::Ended(result) => {
                let mut own = pooled.leave(py);
                current.leave();
                let token = context.get().token_if_any(py);
                pooled.keep_context(py, context);
                engine.return_task(py, pooled);
                let result = observation.end(py, result);
                if let Some(first) =
                    self.respond(invocation, &result, &observation, guard, &mut own)?
                {
                    return Ok(first);
                }
                let result = self.settle(invocation, result, own);
                if token.is_some() && result.is_ok() && is_cancelled(py, token.as_ref())? {
                    return Ok(First::Ended(Err(Box::new(CancelledError::new_err(())))));
                }
                Ok(First::Ended(result))
            }
            Ran::Suspended(suspension) => {
                current.leave();
                let may_be_resumed_by_sender = self.is_awaited
                    && has_sender
                    && !self.is_observed
                    && self.deadline().is_none()
                    && self.request.cancellation_token.is_none();
                let suspended = self.hold(
                    guard,
                    pooled,
                    invocation,
                    (context, observation),
                    suspension,
                    may_be_resumed_by_sender,
                );
                suspended.or_else(|error| {
                    // The handler cannot go on: its coroutine is dropped.
                    self.send.get().give_up(py);
                    Ok(First::Ended(self.fail(invocation, error)))
                })
            }
        }
    }

    /// Lets observers and intervention handlers see a response. `None` if the sender gets the result at once.
    #[inline(always)]
    fn respond(
        &self,
        invocation: &Invocation<'py>,
        result: &Handled<'py>,
        observation: &Observation,
        guard: &InlineGuard<'py>,
        own: &mut Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<First<'py>>> {
        let (engine, py) = (self.engine.get(), self.engine.py());
        let Ok(value) = result else { return Ok(None) };
        if engine.is_intercepted(py, Method::Response)? {
            let own = own.take();
            return self.respond_intercepted(invocation, value, observation, guard, own).map(Some);
        }
        if observation.is_some() {
            observation.responded(value)?;
        }
        Ok(None)
    }

    #[cold]
    fn respond_intercepted(
        &self,
        invocation: &Invocation<'py>,
        value: &Bound<'py, PyAny>,
        observation: &Observation,
        guard: &InlineGuard<'py>,
        own: Option<Bound<'py, PyAny>>,
    ) -> PyResult<First<'py>> {
        let (engine, py) = (self.engine, self.engine.py());
        let (slot, delivery) = (invocation.slot, invocation.delivery);
        let after = engine.get().release_agent(py, delivery)?;
        Engine::follow_up(engine, slot, after)?;
        let response = Response {
            value: value.clone().unbind(),
            send: self.send.clone().unbind(),
            observation: observation.clone_ref(py),
            agent_id: invocation.agent_id.clone().unbind(),
            recipient: self.request.sender.as_ref().map(|one| one.clone_ref(py)),
        };
        let taken = Taken::Response(delivery, Box::new(response));
        let (outcome, result) = match Engine::run_interceptors(engine, taken)? {
            Intercepted::Suspended { has_yielded } => {
                return self.suspend_intercepted(guard, has_yielded);
            }
            Intercepted::Passed(Taken::Response(_, response)) => {
                let value = response.value.into_bound(py);
                (Outcome::Responded, response.observation.responded(&value).map(|()| value))
            }
            Intercepted::Passed(_) => unreachable!("a response stays one"),
            Intercepted::Diverted(taken, diversion) => {
                let suspended = self.suspend(&guard.event_loop)?;
                Engine::divert(engine, taken, diversion)?;
                return Ok(suspended);
            }
            Intercepted::Dropped(taken, error, diversion) => {
                let error = Engine::dropped_error(engine, &taken, error)?;
                let error = observed(py, &taken, diversion.as_ref(), error);
                (Engine::settle_redirected(engine, &taken, Outcome::Dropped)?, Err(error))
            }
            Intercepted::Failed(taken, error, diversion) => {
                let error = observed(py, &taken, diversion.as_ref(), error);
                (Engine::settle_redirected(engine, &taken, Outcome::Failed)?, Err(error))
            }
        };
        let after = engine.get().finish(py, slot, delivery, outcome, own)?;
        Engine::follow_up(engine, slot, after)?;
        Ok(First::Ended(result.map_err(Box::new)))
    }

    /// Waits for an intervention handler that has suspended.
    fn suspend_intercepted(
        &self,
        guard: &InlineGuard<'py>,
        has_yielded: bool,
    ) -> PyResult<First<'py>> {
        let suspended = self.suspend(&guard.event_loop)?;
        self.send.get().expect_progress(
            self.engine.py(),
            has_yielded,
            self.request.sender.is_none(),
        );
        Ok(suspended)
    }

    /// Leaves a handler suspended.
    #[cold]
    fn hold(
        &self,
        guard: &InlineGuard<'py>,
        pooled: Box<PooledTask>,
        invocation: &Invocation<'py>,
        (context, observation): (Bound<'py, MessageContext>, Observation),
        suspension: Suspension<'_, 'py>,
        may_be_resumed_by_sender: bool,
    ) -> PyResult<First<'py>> {
        let (engine, py) = (self.engine.get(), self.engine.py());
        let Suspension { coroutine, yielded, handler } = suspension;
        let is_left_to_sender = may_be_resumed_by_sender
            && yielded.is_none()
            && engine.may_be_resumed_by_sender(py, &context, &pooled);
        let task = pooled.task.clone_ref(py);
        let completion = |reply| Completion {
            engine: self.engine.clone().unbind(),
            task,
            work: Work::Handler(HandlerWork {
                slot: invocation.slot,
                delivery: invocation.delivery,
                agent_id: invocation.agent_id.clone().unbind(),
                handler: handler.map(|handler| handler.clone_ref(py)),
                reply,
            }),
        };
        if is_left_to_sender {
            let completion = completion(Reply::ResumedBySender(context.unbind()));
            return engine.leave_to_sender(pooled, coroutine, completion).map(First::Yielded);
        }
        let cancelled = self.send.get().suspend(py, &guard.event_loop);
        if let Err(error) = context.get().link(self.send.as_any()) {
            drop(coroutine);
            engine.abandon_task(py, pooled);
            return Err(error);
        }
        let recipient = self.request.sender.as_ref().map(|one| one.clone_ref(py));
        let send = self.send.clone().unbind();
        let completion = completion(Reply::Sender { send, observation, recipient });
        let held = engine.hold(pooled, coroutine, yielded, completion);
        held.or_else(|not_held| not_held.complete(py))?;
        self.watch()?;
        if let Some(error) = cancelled {
            Send::cancel_with(self.send, error.bind(py))?;
        }
        Ok(First::Suspended)
    }

    /// Settles a message whose handler has not begun, or cannot go on.
    #[cold]
    #[inline(never)]
    fn fail(&self, invocation: &Invocation<'py>, error: PyErr) -> Handled<'py> {
        self.settle(invocation, Err(Box::new(error)), None)
    }

    /// Settles a message whose handler ended in its first step.
    #[inline(always)]
    fn settle(
        &self,
        invocation: &Invocation<'py>,
        result: Handled<'py>,
        context: Option<Bound<'py, PyAny>>,
    ) -> Handled<'py> {
        let (slot, delivery) = (invocation.slot, invocation.delivery);
        Engine::settle_inline(self.engine, slot, delivery, result, context)
    }
}

/// An error that the sender gets, after its observer.
fn observed(py: Python<'_>, taken: &Taken, diversion: Option<&Diversion>, error: PyErr) -> PyErr {
    match taken {
        Taken::Direct(_, direct) => direct.observation.failed(py, error),
        Taken::Response(_, response) => response.observation.failed(py, error),
        Taken::Published(..) => match diversion.and_then(Diversion::observation) {
            Some(observation) => observation.failed(py, error),
            None => error,
        },
    }
}
