//! Statistics: how deliveries have ended, what is counted by Python, and the snapshot.

use ferrogen_core::{DeliveryId, Ends, Histogram, Outcome, Ticket};
use pyo3::exceptions::PyValueError;
use pyo3::exceptions::asyncio::CancelledError;
use pyo3::prelude::*;
use pyo3::types::PyType;

use super::chain;
use super::engine::Engine;
use crate::agent_id::AgentId;
use crate::python;

/// A snapshot of waiting or handling times, in seconds.
#[pyclass(frozen, module = "ferrogen")]
pub(crate) struct TimeHistogram {
    histogram: Histogram,
    seconds_per_tick: f64,
}

impl TimeHistogram {
    /// Seconds, in whole nanoseconds.
    #[expect(clippy::cast_precision_loss, reason = "a histogram is less precise")]
    fn seconds(&self, ticks: u64) -> f64 {
        (ticks as f64 * self.seconds_per_tick * 1e9).round() / 1e9
    }
}

#[pymethods]
impl TimeHistogram {
    #[getter]
    fn count(&self) -> u64 {
        self.histogram.count()
    }

    #[getter]
    #[expect(clippy::cast_precision_loss, reason = "a mean")]
    fn mean(&self) -> f64 {
        let (count, sum) = (self.histogram.count(), self.histogram.sum());
        if count == 0 { 0.0 } else { self.seconds(sum) / count as f64 }
    }

    #[getter]
    fn total(&self) -> f64 {
        self.seconds(self.histogram.sum())
    }

    #[getter]
    fn max(&self) -> f64 {
        self.seconds(self.histogram.max())
    }

    #[getter]
    fn p50(&self) -> f64 {
        self.seconds(self.histogram.percentile(50.0))
    }

    #[getter]
    fn p90(&self) -> f64 {
        self.seconds(self.histogram.percentile(90.0))
    }

    #[getter]
    fn p99(&self) -> f64 {
        self.seconds(self.histogram.percentile(99.0))
    }

    fn percentile(&self, percent: f64) -> PyResult<f64> {
        if !(0.0..=100.0).contains(&percent) {
            let text = format!("percent must be a number from 0 to 100; got {percent}");
            return Err(PyValueError::new_err(text));
        }
        Ok(self.seconds(self.histogram.percentile(percent)))
    }

    fn __repr__(&self) -> String {
        format!(
            "<TimeHistogram count={} mean={:.9}s p50={:.9}s p99={:.9}s max={:.9}s>",
            self.count(),
            self.mean(),
            self.p50(),
            self.p99(),
            self.max()
        )
    }
}

/// Handled, failed, cancelled, expired, dropped.
type EndCounts = (u64, u64, u64, u64, u64);
/// The agent type; queued, running; ends; retried, restarted; waiting and handling times.
type Row = (String, (u64, u64), EndCounts, (u64, u64), TimeHistogram, TimeHistogram);

fn counts(ends: Ends) -> EndCounts {
    (ends.handled, ends.failed, ends.cancelled, ends.expired, ends.dropped)
}

#[pymethods]
impl Engine {
    fn stats(
        &self,
        py: Python<'_>,
    ) -> (Vec<Row>, (u64, EndCounts), (TimeHistogram, TimeHistogram)) {
        let seconds_per_tick = self.clock.seconds_per_tick();
        let snapshot = |histogram| TimeHistogram { histogram, seconds_per_tick };
        let (mut all_waiting, mut all_handling) = (Histogram::default(), Histogram::default());
        self.books.with(py, |books| {
            let rows = books.machine.statistics().map(|(index, counted, times)| {
                all_waiting.merge(&times.waiting);
                all_handling.merge(&times.handling);
                let name = books.names.text(index).unwrap_or_default().to_owned();
                let load = (counted.queued(), counted.running());
                let again = (counted.retried, counted.restarted);
                let (waiting, handling) = (snapshot(times.waiting), snapshot(times.handling));
                (name, load, counts(counted.ends), again, waiting, handling)
            });
            let rows = rows.collect();
            let unrouted = books.machine.unrouted();
            let all = (snapshot(all_waiting), snapshot(all_handling));
            (rows, (unrouted.queued, counts(unrouted.ends)), all)
        })
    }

    fn count_retry(&self, py: Python<'_>, agent_type: &str) {
        self.books.with(py, |books| {
            let agent_type = books.tracked(agent_type);
            books.machine.count_retry(agent_type);
        });
    }

    fn count_restart(&self, py: Python<'_>, agent_type: &str) {
        self.books.with(py, |books| {
            let agent_type = books.tracked(agent_type);
            books.machine.count_restart(agent_type);
        });
    }

    /// The handler that runs rejects its message.
    fn note_rejection(&self, py: Python<'_>) {
        if let Some(running) = self.running.with(py, |running| *running) {
            self.books.with(py, |books| books.machine.reject(running.delivery));
        }
    }
}

impl Engine {
    /// A message that was accepted is counted for the type of its recipient.
    pub(super) fn address(&self, ticket: Ticket, recipient: &Bound<'_, AgentId>) -> PyResult<()> {
        let py = recipient.py();
        let mut books = self.books.lock(py);
        let agent_type = books.type_of(recipient, self.number)?;
        books.machine.address(ticket, agent_type);
        Ok(())
    }

    /// How a delivery has ended whose handler has raised.
    #[cold]
    pub(super) fn outcome_of(
        &self,
        py: Python<'_>,
        delivery: DeliveryId,
        error: &PyErr,
    ) -> Outcome {
        let is_cancelled = error.is_instance_of::<CancelledError>(py);
        if chain::are_used() && self.is_late(py, delivery) {
            // A message that the handler sent may expire before the handler is cancelled.
            let class = python::deadline_exceeded_error(py);
            if is_cancelled || class.is_ok_and(|class| error.is_instance(py, class)) {
                return Outcome::Expired;
            }
        }
        if is_cancelled { Outcome::Cancelled } else { Outcome::Failed }
    }
}

/// How a delivery or a message has ended that is refused with an error before its handler begins.
#[cold]
pub(super) fn outcome_of_refusal(py: Python<'_>, error: &Bound<'_, PyAny>) -> Outcome {
    let is = |class: PyResult<&Bound<'_, PyType>>| {
        class.is_ok_and(|class| error.is_instance(class).unwrap_or(false))
    };
    if is(python::deadline_exceeded_error(py)) {
        Outcome::Expired
    } else if is(python::message_cancelled_error(py)) {
        Outcome::Cancelled
    } else {
        Outcome::DeadLettered
    }
}
