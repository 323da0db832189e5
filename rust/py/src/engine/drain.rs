//! Drain: a stopped engine takes no messages. Those that no handler has begun become dead letters, and responses
//! reach their senders.

use ferrogen_core::{Outcome, Ticket, Undelivered};
use pyo3::intern;
use pyo3::prelude::*;

use super::deadlines::Deadlines;
use super::engine::Engine;
use super::messages::{Payload, Taken};
use super::scheduler::taken;

impl Engine {
    /// The runtime stops.
    pub(super) fn drain_all(engine: &Bound<'_, Self>, reason: &str) -> PyResult<()> {
        let (py, this) = (engine.py(), engine.get());
        let rest = this.books.with(py, |books| books.machine.drain());
        for one in rest {
            match one {
                Undelivered::Message(ticket, payload) => {
                    Self::drain_message(engine, ticket, &payload, reason)?;
                }
                Undelivered::Delivery(delivery, payload) => {
                    let error = this.stopped(py, reason)?;
                    Self::refuse_delivery(engine, delivery, &payload, &error)?;
                }
            }
        }
        for taken in this.deadlines.with(py, Deadlines::take_delayed) {
            Self::drain_taken(engine, taken, reason)?;
        }
        Self::process_responses(engine)
    }

    /// A message becomes a dead letter; a response reaches its sender.
    pub(super) fn drain_taken(
        engine: &Bound<'_, Self>,
        taken: Taken,
        reason: &str,
    ) -> PyResult<()> {
        match taken.into_payload() {
            Ok((ticket, payload)) => Self::drain_message(engine, ticket, &payload, reason),
            Err(response) => Self::dispatch(engine, response),
        }
    }

    fn drain_message(
        engine: &Bound<'_, Self>,
        ticket: Ticket,
        payload: &Payload,
        reason: &str,
    ) -> PyResult<()> {
        let (py, this) = (engine.py(), engine.get());
        let error = this.stopped(py, reason)?;
        this.dead_letter(py, payload, &error)?;
        if let Payload::Published(envelope) = payload {
            Self::routed(engine, envelope.bind(py))?;
        }
        Self::settle(engine, ticket, Outcome::DeadLettered)
    }

    /// Processes the queued responses. Returns the first error.
    pub(super) fn process_responses(engine: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (engine.py(), engine.get());
        let mut all = Ok(());
        while let Some(arrival) = this.books.with(py, |books| books.machine.take_response()) {
            let processed = Self::intercept(engine, taken(arrival))
                .and_then(|intercepted| Self::process_intercepted(engine, intercepted));
            all = all.and(processed);
        }
        all
    }

    fn stopped<'py>(&self, py: Python<'py>, reason: &str) -> PyResult<Bound<'py, PyAny>> {
        self.host.bind(py).call_method1(intern!(py, "stopped"), (reason,))
    }
}
