//! Delays: messages that are queued at a later time. They are accepted, and so the runtime is not idle meanwhile.

use ferrogen_core::{Outcome, Ticket};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use super::agents::now;
use super::deadlines::{Deadlines, Watched};
use super::engine::Engine;
use super::messages::Payload;
use super::options::MessageOptions;

impl Engine {
    /// Queues a message that was accepted, now or after its delay.
    pub(super) fn queue(engine: &Bound<'_, Self>, payload: Payload) -> PyResult<()> {
        let (py, this) = (engine.py(), engine.get());
        let class = payload.class(py);
        let Some(delay) = payload.options(py, MessageOptions::delay) else {
            this.books.with(py, |books| books.machine.accept(payload, class));
            return Ok(());
        };
        let event_loop = this.bound_loop(py).ok_or_else(|| {
            PyRuntimeError::new_err("a message with a delay needs a running event loop")
        })?;
        let when = now(&event_loop)?.checked_add(delay).unwrap_or(std::time::Duration::MAX);
        let ticket = this.books.with(py, |books| books.machine.hold());
        Self::queue_at(engine, ticket, payload, when)
    }

    /// Queues a message whose ticket is held, at a later time.
    pub(super) fn queue_at(
        engine: &Bound<'_, Self>,
        ticket: Ticket,
        payload: Payload,
        when: ferrogen_core::Time,
    ) -> PyResult<()> {
        let py = engine.py();
        engine.get().deadlines.with(py, |all| {
            all.watch(when, Watched::Delayed { ticket, payload });
        });
        Self::set_timer(engine)
    }

    /// The delay of a message has passed.
    pub(super) fn queue_delayed(
        engine: &Bound<'_, Self>,
        ticket: Ticket,
        payload: Payload,
    ) -> PyResult<()> {
        let (py, class) = (engine.py(), payload.class(engine.py()));
        engine.get().books.with(py, |books| books.machine.enqueue(ticket, payload, class));
        Self::continue_soon(engine)
    }

    /// The runtime stops: messages whose delay has not passed become dead letters.
    pub(super) fn drain_delayed(engine: &Bound<'_, Self>, reason: &str) -> PyResult<()> {
        let (py, this) = (engine.py(), engine.get());
        for (ticket, payload) in this.deadlines.with(py, Deadlines::take_delayed) {
            let error = this.stopped(py, reason)?;
            this.dead_letter(py, &payload, &error)?;
            Self::settle(engine, ticket, Outcome::DeadLettered)?;
        }
        Ok(())
    }
}
