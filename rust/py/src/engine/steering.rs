//! Steering: running handlers are cancelled with all that they have called, and chains with all their messages.

use std::cell::Cell;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ferrogen_core::{AgentSlot, DeliveryId};
use pyo3::intern;
use pyo3::prelude::*;
use slotmap::{Key, KeyData, SecondaryMap};

use super::chain::{self, Chain, Root};
use super::engine::Engine;
use super::execution::Execution;
use super::future::Phase;
use super::messages::{Payload, Request};
use super::send::Send;
use crate::agent_id::AgentId;
use crate::interpreter::current_task;

/// The deliveries whose messages can be cancelled.
#[derive(Default)]
pub(super) struct Steering {
    /// The chains that deliveries belong to. Entries of deliveries that have ended are replaced by later ones.
    chains: SecondaryMap<DeliveryId, Arc<Root>>,
    /// The deliveries that were cancelled, each with all that it has called. Those that have ended leave with the
    /// next cancellation.
    cancelling: HashSet<DeliveryId>,
}

thread_local! {
    /// Whether handlers are being cancelled with all that they have called.
    static IS_CANCELLING: Cell<bool> = const { Cell::new(false) };
}

pub(super) fn is_cancelling_all() -> bool {
    IS_CANCELLING.get()
}

impl Engine {
    /// Notes the chain that the handler of a delivery belongs to.
    pub(super) fn note_chain(&self, py: Python<'_>, delivery: DeliveryId, root: Arc<Root>) {
        let before = self.steering.with(py, |steering| steering.chains.insert(delivery, root));
        drop(before);
    }

    /// The error of a message that is cancelled before its handler begins.
    pub(super) fn cancelled_error(
        &self,
        py: Python<'_>,
        payload: &Payload,
    ) -> PyResult<Option<Py<PyAny>>> {
        let is_withdrawn = match payload {
            Payload::Direct(direct) => {
                let send = direct.send.get();
                send.is_withdrawn(py) || self.was_cancelled(py, direct.caller) && send.is_over(py)
            }
            _ => false,
        };
        let root =
            payload.options(py, |options| options.chain().and_then(|chain| chain.get().root()));
        if !is_withdrawn && !root.is_some_and(|root| root.is_cancelled.load(Ordering::Relaxed)) {
            return Ok(None);
        }
        let to = payload.to(py);
        self.host.call_method1(py, intern!(py, "cancelled"), (payload.message(py), to)).map(Some)
    }

    /// Whether a handler was cancelled with all that it has called.
    fn was_cancelled(&self, py: Python<'_>, delivery: Option<DeliveryId>) -> bool {
        self.is_steered.load(Ordering::Relaxed)
            && delivery.is_some_and(|one| {
                self.steering.with(py, |steering| steering.cancelling.contains(&one))
            })
    }

    /// Refuses a message of a chain that is cancelled.
    pub(super) fn check_chain(
        &self,
        py: Python<'_>,
        chain: &Chain,
        request: &Request,
    ) -> PyResult<()> {
        if !chain.is_cancelled() {
            return Ok(());
        }
        let about = (&request.message, &request.to);
        let error = self.host.bind(py).call_method1(intern!(py, "cancelled"), about)?;
        Err(PyErr::from_value(error))
    }

    /// Cancels the handler of a delivery, once, that is called by one that is being cancelled.
    pub(super) fn cancel_called(
        &self,
        py: Python<'_>,
        handler: &Execution,
        delivery: DeliveryId,
    ) -> PyResult<()> {
        if self.steering.with(py, |steering| steering.cancelling.insert(delivery)) {
            handler.cancel_handler(py, delivery)?;
        }
        Ok(())
    }

    /// A response is not awaited any more. If the handler that has called for it was cancelled with all that it has
    /// called, the one that is to respond is cancelled, too.
    #[cold]
    pub(super) fn cancel_called_by_task(
        &self,
        py: Python<'_>,
        handler: &Execution,
        delivery: DeliveryId,
    ) -> PyResult<()> {
        let sender = handler.with_completion(py, |completion| completion.sender(py)).flatten();
        let Some(sender) = sender.and_then(|sender| sender.cast_into::<AgentId>().ok()) else {
            return Ok(());
        };
        let is_cancelled = {
            let books = self.books.lock(py);
            let slot = books.find(py, sender.get())?;
            let is_of_sender =
                |one| books.machine.agent_of(one).is_some_and(|one| Some(one) == slot);
            self.steering.with(py, |Steering { cancelling, .. }| {
                if let Some(caller) = books.machine.caller_of(delivery) {
                    return cancelling.contains(&caller);
                }
                // The sender is a task that no handler awaits. Its handler was cancelled if all of that agent were.
                let mut others = books.machine.running().filter(|(of, _)| Some(*of) == slot);
                cancelling.iter().any(|one| is_of_sender(*one))
                    && others.all(|(_, one)| cancelling.contains(&one))
            })
        };
        if is_cancelled { self.cancel_called(py, handler, delivery) } else { Ok(()) }
    }

    /// Cancels the handlers of deliveries, and all that they have called. Returns the number of these handlers.
    fn cancel_all(
        slf: &Bound<'_, Self>,
        is_meant: impl Fn(&Steering, AgentSlot, DeliveryId) -> bool,
    ) -> PyResult<usize> {
        let (py, this) = (slf.py(), slf.get());
        // What is queued is looked at before it starts.
        chain::use_chains();
        let meant: HashSet<_> = this.books.with(py, |books| {
            this.steering.with(py, |steering| {
                steering.cancelling.retain(|one| books.machine.agent_of(*one).is_some());
                let running = books.machine.running();
                let meant = running.filter(|(slot, id)| is_meant(steering, *slot, *id));
                meant.map(|(_, delivery)| delivery).collect()
            })
        });
        if meant.is_empty() {
            return Ok(0);
        }
        this.is_steered.store(true, Ordering::Relaxed);
        let before = IS_CANCELLING.replace(true);
        let cancelled = this.cancel_each(py, &meant);
        IS_CANCELLING.set(before);
        cancelled.map(|()| meant.len())
    }

    fn cancel_each(&self, py: Python<'_>, meant: &HashSet<DeliveryId>) -> PyResult<()> {
        let tasks: Vec<_> = self.kept.bind(py).iter().collect();
        let mut found = Vec::new();
        for task in tasks {
            let coroutine = task.call_method0(intern!(py, "get_coro"))?;
            let Ok(execution) = coroutine.cast_into::<Execution>() else { continue };
            let Some(delivery) = execution.get().delivery(py) else { continue };
            let is_meant = |one| meant.contains(&one);
            if self.books.with(py, |books| books.machine.is_called_by(delivery, is_meant)) {
                found.push((task, delivery));
            }
        }
        for (task, delivery) in found {
            if self.steering.with(py, |steering| steering.cancelling.insert(delivery)) {
                task.call_method0(intern!(py, "cancel"))?;
            }
        }
        // The one that runs now.
        let Some(event_loop) = self.bound_loop(py) else { return Ok(()) };
        if let Some(running) = self.running.with(py, |running| *running)
            && let Some(task) = current_task::get(&event_loop)?
            && running.task == task.as_ptr() as usize
            && meant.contains(&running.delivery)
        {
            self.steering.with(py, |steering| steering.cancelling.insert(running.delivery));
            task.call_method0(intern!(py, "cancel"))?;
        }
        Ok(())
    }
}

#[pymethods]
impl Engine {
    fn cancel_agent(slf: &Bound<'_, Self>, agent_id: &Bound<'_, AgentId>) -> PyResult<usize> {
        let py = slf.py();
        let slot = slf.get().books.lock(py).find(py, agent_id.get())?;
        let Some(slot) = slot else { return Ok(0) };
        Self::cancel_all(slf, |_, one, _| one == slot)
    }

    fn cancel_chain(slf: &Bound<'_, Self>, chain: &Bound<'_, Chain>) -> PyResult<usize> {
        let Some(root) = chain.get().root() else { return Ok(0) };
        root.is_cancelled.store(true, Ordering::Relaxed);
        Self::cancel_all(slf, |steering, _, delivery| {
            steering.chains.get(delivery).is_some_and(|one| Arc::ptr_eq(one, &root))
        })
    }

    /// The numbers of the deliveries whose handlers run in an agent.
    fn running_in(&self, agent_id: &Bound<'_, AgentId>) -> PyResult<Vec<u64>> {
        let py = agent_id.py();
        let books = self.books.lock(py);
        let Some(slot) = books.find(py, agent_id.get())? else { return Ok(Vec::new()) };
        let running = books.machine.running().filter(|(one, _)| *one == slot);
        Ok(running.map(|(_, delivery)| delivery.data().as_ffi()).collect())
    }

    /// Whether the handler of a delivery runs.
    fn runs(&self, py: Python<'_>, delivery: u64) -> bool {
        let delivery = DeliveryId::from(KeyData::from_ffi(delivery));
        self.books.with(py, |books| books.machine.agent_of(delivery).is_some())
    }

    /// The number of the delivery whose handler runs in the current task.
    #[getter]
    fn current_delivery(&self, py: Python<'_>) -> PyResult<Option<u64>> {
        let Some(event_loop) = self.bound_loop(py) else { return Ok(None) };
        let task = current_task::get(&event_loop)?;
        Ok(self.running_in_task(task.as_ref()).map(|delivery| delivery.data().as_ffi()))
    }
}

impl Send {
    /// Whether its message is not to be handled: its sender was cancelled with all that it has called.
    pub(super) fn is_withdrawn(&self, py: Python<'_>) -> bool {
        self.if_future(py, |future| future.is_withdrawn) == Some(true)
    }

    /// Whether its response is not awaited any more.
    fn is_over(&self, py: Python<'_>) -> bool {
        self.if_future(py, |future| matches!(future.phase, Phase::Done(_))).unwrap_or(true)
    }
}
