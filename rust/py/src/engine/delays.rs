//! Delays: messages that are queued at a later time. They are accepted, and so the runtime is not idle meanwhile.

use ferrogen_core::{Ticket, Time};
use pyo3::prelude::*;

use super::agents::{now, running_loop};
use super::deadlines::Watched;
use super::engine::Engine;
use super::messages::{Payload, Taken};
use super::options::MessageOptions;

impl Engine {
    /// Queues a message that is accepted, now or after its delay.
    #[inline]
    pub(super) fn queue(
        engine: &Bound<'_, Self>,
        payload: Payload,
        options: &MessageOptions,
    ) -> PyResult<Ticket> {
        let (py, this) = (engine.py(), engine.get());
        let now = this.time(py);
        if let Some(delay) = options.delay() {
            this.books.with(py, |books| books.machine.set_time(now));
            return Self::queue_after(engine, payload, delay);
        }
        let class = options.class();
        Ok(this.books.with(py, |books| {
            books.machine.set_time(now);
            books.machine.accept(payload, class)
        }))
    }

    #[cold]
    fn queue_after(engine: &Bound<'_, Self>, payload: Payload, delay: Time) -> PyResult<Ticket> {
        let py = engine.py();
        let when = now(&running_loop(py)?)?.checked_add(delay).unwrap_or(Time::MAX);
        let ticket = engine.get().books.with(py, |books| books.machine.hold());
        Self::queue_at(engine, Taken::of(ticket, payload), false, when)?;
        Ok(ticket)
    }

    /// Queues a message whose ticket is held, or a response, at a later time. If the intervention handlers have seen
    /// it, it does not pass them again.
    pub(super) fn queue_at(
        engine: &Bound<'_, Self>,
        taken: Taken,
        is_intercepted: bool,
        when: Time,
    ) -> PyResult<()> {
        let delayed = Watched::Delayed { taken, is_intercepted };
        engine.get().deadlines.with(engine.py(), |all| all.watch(when, delayed));
        Self::set_timer(engine)
    }

    /// The delay of a message has passed.
    pub(super) fn queue_delayed(
        engine: &Bound<'_, Self>,
        taken: Taken,
        is_intercepted: bool,
    ) -> PyResult<()> {
        let py = engine.py();
        if is_intercepted {
            return Self::dispatch(engine, taken);
        }
        let Ok((ticket, payload)) = taken.into_payload() else { return Ok(()) };
        let class = payload.class(py);
        engine.get().set_time(py);
        engine.get().books.with(py, |books| books.machine.enqueue(ticket, payload, class));
        Self::continue_soon(engine)
    }
}
