//! Agents: how a delivery to one ends, and what Python asks of them.

use std::num::NonZeroUsize;
use std::time::Duration;

use ferrogen_core::{self as core, AgentSlot, DeliveryId, Outcome};
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;

use super::books::Machine;
use super::engine::Engine;
use crate::agent_id::AgentId;
use crate::errors::raised;
use crate::interpreter::context::Variables;
use crate::interpreter::free_list::is_unique;

/// What the end of a handler has made possible.
#[derive(Clone, Copy)]
pub(super) struct Aftermath {
    /// Other deliveries are due.
    is_due: bool,
    /// Every message is settled.
    is_idle: bool,
    /// The agent is idle, and its idle time counts.
    rests: bool,
}

impl Aftermath {
    /// Of a change after which messages are open, if there are any.
    pub(super) fn of_change(is_due: bool, rests: bool) -> Self {
        Self { is_due, is_idle: false, rests }
    }
}

impl Engine {
    /// Reports how a handler has ended. The context that it ran in is kept for the next one if it is
    /// unmodified.
    #[inline(always)]
    pub(super) fn finish(
        &self,
        py: Python<'_>,
        slot: AgentSlot,
        delivery: DeliveryId,
        outcome: Outcome,
        mut context: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Aftermath> {
        let now = self.time(py);
        // A context that is not kept is dropped after the lock.
        let mut guard = self.books.lock(py);
        let books = &mut *guard;
        books.machine.set_time(now);
        let finished = books.machine.finish(delivery, outcome).map_err(raised)?;
        if context.is_some()
            && let Some(kept) = books.records.get_mut(slot).and_then(|one| one.context.as_mut())
            && kept.copy.is_none()
        {
            let is_unmodified = |one: &mut Bound<'_, PyAny>| {
                let variables = Variables::of(one);
                variables.is_some() && variables == kept.variables && is_unique(one)
            };
            kept.copy = context.take_if(is_unmodified).map(Bound::unbind);
        }
        let (is_due, is_idle) = (books.machine.is_due(), books.machine.is_idle());
        Ok(Aftermath { is_due, is_idle, rests: finished.rests })
    }

    /// Reports that a handler has ended whose response is queued.
    pub(super) fn release_agent(
        &self,
        py: Python<'_>,
        delivery: DeliveryId,
    ) -> PyResult<Aftermath> {
        self.set_time(py);
        let rests = self.books.with(py, |books| books.machine.release(delivery));
        Ok(self.aftermath(py, rests.map_err(raised)?))
    }

    pub(super) fn aftermath(&self, py: Python<'_>, rests: bool) -> Aftermath {
        self.books.with(py, |books| {
            let (is_due, is_idle) = (books.machine.is_due(), books.machine.is_idle());
            Aftermath { is_due, is_idle, rests }
        })
    }

    /// Whether responses are messages that are taken by hand: the runtime is not started.
    pub(super) fn is_by_hand(&self, py: Python<'_>) -> bool {
        self.state.with(py, |state| state.is_by_hand)
    }

    /// Whether there is something to do after a handler.
    #[inline]
    pub(super) fn has_work(&self, after: Aftermath) -> bool {
        use std::sync::atomic::Ordering::Relaxed;
        after.is_due || after.rests || after.is_idle && self.idle_is_awaited.load(Relaxed)
    }

    /// Does what the end of a handler has made possible.
    pub(super) fn follow_up(
        engine: &Bound<'_, Self>,
        slot: AgentSlot,
        after: Aftermath,
    ) -> PyResult<()> {
        let (py, this) = (engine.py(), engine.get());
        if after.rests
            && let Some(event_loop) = this.bound_loop(py)
        {
            let now = now(&event_loop)?;
            let is_due = this.books.with(py, |books| {
                books.machine.rest(slot, now);
                books.machine.is_due()
            });
            Self::set_timer(engine)?;
            if is_due {
                Self::continue_soon(engine)?;
            }
        } else if after.is_due {
            Self::continue_soon(engine)?;
        }
        this.notify_if_idle(py)
    }

    /// Wakes the code that waits for idleness.
    pub(super) fn notify_if_idle(&self, py: Python<'_>) -> PyResult<()> {
        use std::sync::atomic::Ordering::Relaxed;
        if self.idle_is_awaited.load(Relaxed)
            && self.books.with(py, |books| books.machine.is_idle())
        {
            self.host.call_method0(py, intern!(py, "notify_idle"))?;
        }
        Ok(())
    }

    /// The idle time of all agents starts anew: the runtime was started on another event loop.
    pub(super) fn rest_all(&self, event_loop: &Bound<'_, PyAny>) -> PyResult<()> {
        let now = now(event_loop)?;
        self.books.with(event_loop.py(), |books| {
            let slots: Vec<_> = books.records.keys().collect();
            for slot in slots {
                books.machine.rest(slot, now);
            }
        });
        Ok(())
    }
}

/// The event loop that runs in this thread.
pub(super) fn running_loop(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    py.import(intern!(py, "asyncio"))?.call_method0(intern!(py, "get_running_loop"))
}

/// The time of an event loop, as the core's.
pub(super) fn now(event_loop: &Bound<'_, PyAny>) -> PyResult<core::Time> {
    let seconds: f64 = event_loop.call_method0(intern!(event_loop.py(), "time"))?.extract()?;
    Ok(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

/// What Python asks of the agents.
#[pymethods]
impl Engine {
    #[expect(clippy::too_many_arguments, reason = "a signature of Python")]
    #[pyo3(signature = (agent_type, *, concurrency, reentrant, capacity, overflow, passivate_after, max_active))]
    fn configure(
        slf: &Bound<'_, Self>,
        agent_type: &str,
        concurrency: Option<NonZeroUsize>,
        reentrant: bool,
        capacity: Option<NonZeroUsize>,
        overflow: &str,
        passivate_after: Option<f64>,
        max_active: Option<NonZeroUsize>,
    ) -> PyResult<()> {
        let py = slf.py();
        let overflow = match overflow {
            "reject" => core::Overflow::Reject,
            "drop_newest" => core::Overflow::DropNewest,
            "drop_oldest" => core::Overflow::DropOldest,
            "wait" => core::Overflow::Wait,
            other => {
                let text = format!("an unknown overflow policy: {other:?}");
                return Err(PyValueError::new_err(text));
            }
        };
        let passivate_after =
            passivate_after.map(|one| Duration::try_from_secs_f64(one).unwrap_or(Duration::MAX));
        if overflow == core::Overflow::Wait && capacity.is_some() {
            slf.get().uses_backpressure.store(true, std::sync::atomic::Ordering::Relaxed);
        }
        let policy = core::Policy {
            concurrency,
            reentrant,
            capacity,
            overflow,
            passivate_after,
            max_active,
        };
        let entry_points: Vec<_> = slf.get().books.with(py, |books| {
            // A registered type is never released: its policy stays.
            let agent_type = books.names.intern(agent_type);
            books.machine.configure(agent_type, policy);
            // What is called with the messages of an agent may depend on its options.
            let records = books.records.values_mut().filter(|one| one.agent_type == agent_type);
            records.filter_map(|record| record.entry_point.take()).collect()
        });
        drop(entry_points);
        Self::continue_if_due_here(slf)
    }

    fn build(&self, agent_id: &Bound<'_, AgentId>) -> PyResult<()> {
        let py = agent_id.py();
        let mut books = self.books.lock(py);
        // A message may have asked for the build, which is due.
        if let Some(slot) = books.find(py, agent_id.get())?
            && books.machine.take_build(slot)
        {
            return Ok(());
        }
        books.enter(agent_id, None, Machine::begin_build)?;
        Ok(())
    }

    fn built(
        slf: &Bound<'_, Self>,
        agent_id: &Bound<'_, AgentId>,
        instance: Py<PyAny>,
    ) -> PyResult<()> {
        let py = slf.py();
        let (slot, after) = {
            let mut books = slf.get().books.lock(py);
            let slot = books.existing(py, agent_id.get())?;
            let rests = books.machine.built(slot).map_err(raised)?;
            books.records[slot].instance = Some(instance);
            (slot, Aftermath::of_change(books.machine.is_due(), rests))
        };
        Self::follow_up(slf, slot, after)
    }

    fn build_failed(
        slf: &Bound<'_, Self>,
        agent_id: &Bound<'_, AgentId>,
        error: Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let py = slf.py();
        let (record, waiting) = {
            let mut books = slf.get().books.lock(py);
            let slot = books.existing(py, agent_id.get())?;
            let waiting = books.machine.build_failed(slot).map_err(raised)?;
            (books.remove(slot), waiting)
        };
        drop(record);
        for (delivery, payload) in waiting {
            Self::fail_undelivered(slf, delivery, payload, &error)?;
        }
        slf.get().notify_if_idle(py)
    }

    fn enter(
        slf: &Bound<'_, Self>,
        agent_id: &Bound<'_, AgentId>,
        instance: Py<PyAny>,
    ) -> PyResult<()> {
        slf.get().books.lock(slf.py()).enter(agent_id, Some(instance), Machine::enter)?;
        Ok(())
    }

    fn instance(&self, agent_id: &Bound<'_, AgentId>) -> PyResult<Option<Py<PyAny>>> {
        let py = agent_id.py();
        let books = self.books.lock(py);
        let Some(slot) = books.find(py, agent_id.get())? else { return Ok(None) };
        Ok(books.records[slot].instance.as_ref().map(|instance| instance.clone_ref(py)))
    }

    #[expect(clippy::type_complexity, reason = "a row for each agent")]
    fn agents(&self, py: Python<'_>) -> Vec<(Py<AgentId>, Option<Py<PyAny>>, usize, usize)> {
        let books = self.books.lock(py);
        let agents = books.records.iter().filter_map(|(slot, record)| {
            let load = books.machine.load(slot)?;
            let instance = record.instance.as_ref().map(|instance| instance.clone_ref(py));
            Some((record.id.clone_ref(py), instance, load.queued, load.running))
        });
        agents.collect()
    }

    fn instances(&self, py: Python<'_>) -> Vec<(Py<AgentId>, Py<PyAny>)> {
        let books = self.books.lock(py);
        let ready = books.records.values().filter_map(|record| {
            let instance = record.instance.as_ref()?;
            Some((record.id.clone_ref(py), instance.clone_ref(py)))
        });
        ready.collect()
    }
}
