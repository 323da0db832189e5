//! Passivation: an idle agent is given to the host, which saves and closes it.

use std::time::Duration;

use pyo3::intern;
use pyo3::prelude::*;

use ferrogen_core::AgentSlot;

use super::agents::{Aftermath, now};
use super::engine::Engine;
use crate::agent_id::AgentId;
use crate::errors::raised;

impl Engine {
    /// Gives an agent to the host. What arrives from now on waits.
    pub(super) fn passivate(&self, py: Python<'_>, slot: AgentSlot) -> PyResult<()> {
        let (id, instance, entry_point) = self.books.with(py, |books| {
            let record = &mut books.records[slot];
            (record.id.clone_ref(py), record.instance.take(), record.entry_point.take())
        });
        drop(entry_point);
        self.host.call_method1(py, intern!(py, "passivate"), (id, instance)).map(|_| ())
    }

    /// Gives the agents to the host that have become too many, if no message does.
    pub(super) fn continue_if_due_here(engine: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (engine.py(), engine.get());
        if this.books.with(py, |books| books.machine.is_due()) && this.open_loop(py)?.is_some() {
            return Self::arm(engine);
        }
        Ok(())
    }
}

#[pymethods]
impl Engine {
    fn passivated(slf: &Bound<'_, Self>, agent_id: &Bound<'_, AgentId>) -> PyResult<bool> {
        let py = slf.py();
        let (is_missed, record) = {
            let mut books = slf.get().books.lock(py);
            let slot = books.existing(py, agent_id.get())?;
            let is_missed = books.machine.passivated(slot).map_err(raised)?;
            (is_missed, if is_missed { None } else { books.remove(slot) })
        };
        drop(record);
        Self::continue_if_due_here(slf)?;
        Ok(is_missed)
    }

    #[pyo3(signature = (agent_id, instance, *, retry_after))]
    fn stay_awake(
        slf: &Bound<'_, Self>,
        agent_id: &Bound<'_, AgentId>,
        instance: Py<PyAny>,
        retry_after: Option<f64>,
    ) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let postponed = match (retry_after, this.bound_loop(py)) {
            (Some(seconds), Some(event_loop)) => {
                let wait = Duration::try_from_secs_f64(seconds).unwrap_or_default();
                now(&event_loop)?.checked_add(wait)
            }
            _ => None,
        };
        let (slot, after) = {
            let mut books = this.books.lock(py);
            let slot = books.existing(py, agent_id.get())?;
            let rests = books.machine.stay_awake(slot, postponed).map_err(raised)?;
            books.records[slot].instance = Some(instance);
            // Without a time it is not tried again: the runtime is about to close all agents.
            let rests = rests && postponed.is_some();
            (slot, Aftermath::of_change(books.machine.is_due(), rests))
        };
        Self::follow_up(slf, slot, after)
    }
}
