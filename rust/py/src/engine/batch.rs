//! One batch of the scheduler: due deliveries and queued messages, whose handlers run inline one after the other.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ferrogen_core::{AgentSlot, DeliveryId, Step};
use pyo3::prelude::*;

use super::admission::InlineGuard;
use super::beginning::Invocation;
use super::engine::Engine;
use super::interception::Intercepted;
use super::intervention_methods::Method;
use super::invoke::{Arguments, Delivered, Handled, Ran, Suspension};
use super::messages::{DirectMessage, Payload, Taken};
use super::options::MessageOptions;
use super::scheduler::taken;
use super::settlement::{Completion, Destination, HandlerWork, Work};
use super::task_pool::PooledTask;
use crate::interpreter::current_task::CurrentTask;

mod publishing;

/// How long a batch takes before the event loop gets an iteration.
const BATCH: Duration = Duration::from_millis(1);
/// After how many deliveries the clock is read.
const BETWEEN_READINGS: usize = 16;

/// One batch: handlers run inline, one after the other, in one task while it is untouched.
pub(super) struct Batch<'a, 'py> {
    guard: &'a InlineGuard<'py>,
    current: CurrentTask<'a, 'py>,
    /// The current task, if there is one.
    pooled: Option<Box<PooledTask>>,
    began: Instant,
    deliveries: usize,
}

/// How far a delivery of the batch has come.
#[derive(PartialEq, Eq)]
enum Progress {
    Ended,
    Suspended,
    /// Something is ahead of it.
    Refused,
}

impl<'a, 'py> Batch<'a, 'py> {
    pub(super) fn new(guard: &'a InlineGuard<'py>) -> PyResult<Self> {
        let current = CurrentTask::new(&guard.event_loop)?;
        Ok(Self { guard, current, pooled: None, began: Instant::now(), deliveries: 0 })
    }

    fn py(&self) -> Python<'py> {
        self.guard.event_loop.py()
    }

    fn engine(&self) -> &'a Bound<'py, Engine> {
        &self.guard.engine
    }

    /// Runs the batch. Returns whether nothing is left to do. Suspended handlers and agents that are built come
    /// before the next message.
    pub(super) fn run(&mut self) -> PyResult<bool> {
        let (py, engine) = (self.py(), self.engine());
        let mut goes_on = true;
        loop {
            if !engine.get().state.with(py, |state| state.is_open_here()) {
                return Ok(true);
            }
            if self.run_step(&mut goes_on)? {
                // Other steps come before the next message.
            } else if !goes_on {
                return Ok(false);
            } else if let Some(arrival) = engine.get().books.with(py, |books| books.machine.take())
            {
                goes_on = self.process(taken(arrival))?;
            } else {
                return Ok(true);
            }
            if self.is_over() {
                return Ok(false);
            }
        }
    }

    /// Whether the event loop is to get an iteration.
    fn is_over(&mut self) -> bool {
        if self.deliveries < BETWEEN_READINGS {
            return false;
        }
        self.deliveries = 0;
        self.began.elapsed() >= BATCH
    }

    /// Does what is due, and takes no message.
    pub(super) fn run_due(&mut self) -> PyResult<()> {
        while self.run_step(&mut true)? && !self.is_over() {}
        Ok(())
    }

    /// Takes one message, and does what is due before and after it. Returns whether there was one.
    pub(super) fn run_one(&mut self) -> PyResult<bool> {
        while self.run_step(&mut true)? {}
        let arrival = self.engine().get().books.with(self.py(), |books| books.machine.take());
        let Some(arrival) = arrival else { return Ok(false) };
        self.process(taken(arrival))?;
        while self.run_step(&mut true)? {}
        Ok(true)
    }

    /// Does what is due next. Returns whether there was anything.
    fn run_step(&mut self, goes_on: &mut bool) -> PyResult<bool> {
        let (py, engine) = (self.py(), self.engine());
        match engine.get().books.with(py, |books| books.machine.step()) {
            None => return Ok(false),
            Some(Step::Deliver(slot, delivery, payload)) => {
                self.deliveries += 1;
                let is_direct = matches!(payload, Payload::Direct(_));
                let progress = self.deliver(slot, delivery, payload);
                engine.get().clock.is_set.store(false, Ordering::Relaxed);
                let has_ended = progress? == Progress::Ended;
                *goes_on &= has_ended;
                return Ok(has_ended || !is_direct);
            }
            Some(other) => {
                self.leave();
                *goes_on &= matches!(other, Step::Passivate(_));
                Engine::do_step(engine, other)?;
            }
        }
        Ok(true)
    }

    /// Processes a message that was taken. Returns whether the batch goes on.
    fn process(&mut self, taken: Taken) -> PyResult<bool> {
        let ticket = taken.ticket();
        let processed = self.process_taken(taken);
        Engine::settle_after_error(self.engine(), ticket, processed)
    }

    fn process_taken(&mut self, taken: Taken) -> PyResult<bool> {
        let (py, engine) = (self.py(), self.engine());
        let Some(taken) = Engine::drop_if_expired(engine, taken)? else { return Ok(true) };
        let taken = if engine.get().is_intercepted(py, Method::of(&taken))? {
            self.leave();
            match Engine::run_interceptors(engine, taken)? {
                Intercepted::Passed(taken) => taken,
                Intercepted::Suspended { .. } => return Ok(true),
                other => return Engine::process_intercepted(engine, other).map(|()| true),
            }
        } else {
            taken
        };
        match taken {
            Taken::Published(ticket, envelope) => self.publish(ticket, envelope.bind(py)),
            other => {
                self.leave();
                Engine::dispatch(engine, other)?;
                Ok(true)
            }
        }
    }

    /// Runs a delivery that is due.
    fn deliver(
        &mut self,
        slot: AgentSlot,
        delivery: DeliveryId,
        payload: Payload,
    ) -> PyResult<Progress> {
        let (py, engine) = (self.py(), self.engine());
        let this = engine.get();
        if Engine::refuse_if_expired(engine, delivery, &payload)? {
            return Ok(Progress::Ended);
        }
        let mut invocation = this.invocation(py, slot, delivery)?;
        invocation.apply(this, payload.of_handler(py));
        this.set_time(py);
        this.books.with(py, |books| books.machine.begun(delivery));
        match payload {
            Payload::Direct(direct) => self.run_direct(&mut invocation, direct),
            Payload::Published(envelope) => {
                let envelope = envelope.bind(py);
                self.leave();
                match this.delivery_observation(&invocation.agent_id, envelope) {
                    Ok(observation) => {
                        let progress = self.run_published(&mut invocation, envelope, observation);
                        self.clear_context();
                        progress
                    }
                    Err(error) => self.fail_publication(&invocation, envelope, error),
                }
            }
            Payload::Response(_) => unreachable!("a response is not delivered to an agent"),
        }
    }

    fn run_direct(
        &mut self,
        invocation: &mut Invocation<'py>,
        direct: Box<DirectMessage>,
    ) -> PyResult<Progress> {
        let (py, this) = (self.py(), self.engine().get());
        let source = invocation.context.take();
        let invocation = &*invocation;
        let message = direct.request.message.bind(py).clone();
        let pooled = self.task()?;
        let context = pooled.message_context(py, &direct.request).and_then(|context| {
            direct.link(&context)?;
            Ok(context)
        });
        let context = match context {
            Ok(context) => context,
            Err(error) => return self.end_send(invocation, *direct, Err(Box::new(error))),
        };
        let arguments = Arguments { message: &message, context: &context, is_rpc: true };
        match this.run(invocation, source, pooled, &arguments, &direct.observation) {
            Ran::Ended(result) => {
                drop(pooled.leave(py));
                pooled.keep_context(py, context);
                self.leave();
                self.end_send(invocation, *direct, result)
            }
            Ran::Suspended(suspension) => {
                let pooled = self.take_task();
                self.hold(invocation, pooled, Delivered::Direct(direct), suspension)
            }
        }
    }

    fn end_send(
        &mut self,
        invocation: &Invocation<'py>,
        direct: DirectMessage,
        result: Handled<'py>,
    ) -> PyResult<Progress> {
        self.leave();
        let (py, engine) = (self.py(), self.engine());
        let DirectMessage { request, send, observation, .. } = direct;
        let result = observation.end(py, result).map_err(|error| *error);
        let to = Destination { send, observation, recipient: request.sender };
        let (slot, delivery) = (invocation.slot, invocation.delivery);
        Engine::end_send(engine, slot, delivery, invocation.agent_id.clone(), to, result)?;
        Ok(Progress::Ended)
    }

    fn hold(
        &mut self,
        invocation: &Invocation<'py>,
        pooled: Box<PooledTask>,
        delivered: Delivered,
        suspension: Suspension<'_, 'py>,
    ) -> PyResult<Progress> {
        let (py, engine) = (self.py(), self.engine());
        let Suspension { coroutine, yielded, handler } = suspension;
        let deadline = match &delivered {
            Delivered::Published(envelope, _) => {
                envelope.get().options(py, MessageOptions::deadline)
            }
            Delivered::Direct(_) => None, // the send is watched
        };
        let work = HandlerWork {
            slot: invocation.slot,
            delivery: invocation.delivery,
            agent_id: invocation.agent_id.clone().unbind(),
            handler: handler.map(|handler| handler.clone_ref(py)),
            reply: delivered.into_reply(),
        };
        let completion = Completion {
            engine: engine.clone().unbind(),
            task: pooled.task.clone_ref(py),
            work: Work::Handler(work),
        };
        let execution = pooled.execution.bind(py).clone();
        let held = engine.get().hold(pooled, coroutine, yielded, completion);
        held.or_else(|not_held| not_held.complete(py))?;
        if let Some(deadline) = deadline {
            Engine::watch_handler(engine, &execution, invocation.delivery, deadline)?;
        }
        Ok(Progress::Suspended)
    }

    // The current task.

    /// The task for the next handler, idle and the current one.
    #[inline(always)]
    fn task(&mut self) -> PyResult<&mut PooledTask> {
        let py = self.py();
        // asyncio refers to its current task.
        if self.pooled.as_mut().is_some_and(|pooled| !pooled.is_untouched(py, 1)) {
            self.leave();
        }
        self.unchecked_task()
    }

    /// The same where no handler has run since it was checked.
    #[inline(always)]
    fn unchecked_task(&mut self) -> PyResult<&mut PooledTask> {
        if self.pooled.is_none() {
            self.borrow_task()?;
        }
        Ok(self.pooled.as_mut().expect("it was put there"))
    }

    #[cold]
    fn borrow_task(&mut self) -> PyResult<()> {
        let pooled = self.engine().get().borrow_task(&self.guard.event_loop)?;
        self.current.enter(Some(pooled.task.bind(self.py())))?;
        self.pooled = Some(pooled);
        Ok(())
    }

    /// Takes the task out, for a handler that has suspended in it.
    fn take_task(&mut self) -> Box<PooledTask> {
        self.current.leave();
        let pooled = self.pooled.take().expect("a handler has just run in it");
        pooled.clear_context(self.py());
        pooled
    }

    fn clear_context(&self) {
        if let Some(pooled) = &self.pooled {
            pooled.clear_context(self.py());
        }
    }

    /// Restores the current task: code other than handlers may run.
    fn leave(&mut self) {
        if self.pooled.is_some() {
            let pooled = self.take_task();
            self.engine().get().return_task(self.py(), pooled);
        }
    }
}

impl Drop for Batch<'_, '_> {
    fn drop(&mut self) {
        self.leave();
    }
}
