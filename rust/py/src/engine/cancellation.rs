//! Cancellation of a send: by its sender, by its token, at its deadline.

use std::sync::atomic::Ordering;

use ferrogen_core::DeliveryId;
use pyo3::exceptions::asyncio::CancelledError;
use pyo3::intern;
use pyo3::prelude::*;

use super::deadlines::DeadlineKey;
use super::engine::Engine;
use super::execution::Execution;
use super::future::{Future, Outcome, Phase};
use super::send::Send;
use super::steering::is_cancelling_all;

/// How many iterations of the event loop a handler has to see that its message is cancelled by a token: a cancelled
/// task that it awaits takes two.
const ITERATIONS_OF_CANCELLATION: u32 = 4;

impl Send {
    /// Cancels it with the message of another cancellation.
    pub(super) fn cancel_with(slf: &Bound<'_, Self>, error: &Bound<'_, PyAny>) -> PyResult<()> {
        let message = error.getattr(intern!(slf.py(), "args"))?.try_iter()?.next().transpose()?;
        Self::cancel_future(slf, message.as_ref()).map(|_| ())
    }

    /// Asks it to end with a `CancelledError`. Returns whether there was anything to ask.
    pub(super) fn cancel_future(
        slf: &Bound<'_, Self>,
        message: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<bool> {
        let (py, this) = (slf.py(), slf.get());
        let error = cancelled_error(py, message)?;
        let (before, is_over) = this.future(py, |future| match &mut future.phase {
            Phase::Running { cancelled } => (Before::Asked(cancelled.replace(error)), false),
            Phase::Done(_) => (Before::Nothing(error), false),
            phase => {
                let over = Phase::Done(Outcome::Cancelled(error));
                (Before::Phase(std::mem::replace(phase, over)), true)
            }
        })?;
        if is_over {
            this.cancel_called(py)?;
            this.abandon_delivery(py)?;
            Self::call_back(slf)?;
        }
        let had_effect = !matches!(before, Before::Nothing(_));
        drop(before);
        Ok(had_effect)
    }

    /// Notes the delivery of its message, and its handler if that is suspended.
    pub(super) fn attach(
        &self,
        engine: &Bound<'_, Engine>,
        delivery: DeliveryId,
        handler: Option<&Bound<'_, Execution>>,
    ) {
        let py = engine.py();
        let delivery = Some((engine.clone().unbind(), delivery));
        let handler = handler.map(|handler| handler.clone().unbind());
        let before = self.if_future(py, |future| {
            let before = std::mem::replace(&mut future.delivery, delivery);
            (before, std::mem::replace(&mut future.handler, handler))
        });
        drop(before);
    }

    /// Cancels its handler, or withdraws its message, if its sender is cancelled with all that it has called.
    fn cancel_called(&self, py: Python<'_>) -> PyResult<()> {
        let is_cancelling_all = is_cancelling_all();
        let called = self.if_future(py, |one| {
            let handler = one.handler.as_ref().map(|handler| handler.clone_ref(py));
            one.is_withdrawn = is_cancelling_all && handler.is_none();
            let (engine, delivery) = one.delivery.as_ref()?;
            Some((engine.clone_ref(py), *delivery, handler?))
        });
        let Some(Some((engine, delivery, handler))) = called else { return Ok(()) };
        let (engine, handler) = (engine.get(), handler.get());
        if is_cancelling_all {
            engine.cancel_called(py, handler, delivery)
        } else if engine.is_steered.load(Ordering::Relaxed) {
            engine.cancel_called_by_task(py, handler, delivery)
        } else {
            Ok(())
        }
    }

    /// The delivery of its message, once it is placed.
    pub(super) fn delivery<'py>(
        &self,
        py: Python<'py>,
    ) -> Option<(Bound<'py, Engine>, DeliveryId)> {
        let found = |one: &mut Future| {
            one.delivery.as_ref().map(|(engine, delivery)| (engine.bind(py).clone(), *delivery))
        };
        self.if_future(py, found).flatten()
    }

    /// Its sender does not wait for the delivery any more.
    pub(super) fn abandon_delivery(&self, py: Python<'_>) -> PyResult<()> {
        let delivery = self.if_future(py, |one| {
            one.delivery.as_ref().map(|(engine, delivery)| (engine.clone_ref(py), *delivery))
        });
        if let Some((engine, delivery)) = delivery.flatten() {
            engine.get().books.with(py, |books| books.machine.abandon(delivery));
            Engine::withdraw(engine.bind(py), delivery)?;
        }
        Ok(())
    }

    /// Notes that its deadline is watched.
    pub(super) fn set_deadline(
        &self,
        py: Python<'_>,
        engine: &Bound<'_, Engine>,
        key: DeadlineKey,
    ) {
        let deadline = Some(Box::new((engine.clone().unbind(), key)));
        let before = self.if_future(py, |one| std::mem::replace(&mut one.deadline, deadline));
        drop(before);
    }

    pub(super) fn forget_deadline(&self, py: Python<'_>) {
        if let Some(deadline) = self.if_future(py, |one| one.deadline.take()).flatten() {
            let (engine, key) = *deadline;
            engine.get().forget_deadline(py, key);
        }
    }

    /// Its deadline has passed: its handler is cancelled, and it ends with this error.
    pub(super) fn expire(slf: &Bound<'_, Self>, error: Py<PyAny>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        this.forget_deadline(py);
        let handler = this.if_future(py, |future| {
            let handler = future.handler.as_ref().map(|handler| handler.clone_ref(py))?;
            let (engine, delivery) = future.delivery.as_ref()?;
            let is_awaited = matches!(future.phase, Phase::Suspended);
            if is_awaited {
                let (error, iterations) = (error.clone_ref(py), ITERATIONS_OF_CANCELLATION);
                future.phase = Phase::Cancelling { error, iterations };
            }
            Some((engine.bind(py).clone(), *delivery, handler, is_awaited))
        });
        let Some((engine, delivery, handler, is_awaited)) = handler.flatten() else {
            this.abandon_delivery(py)?;
            return Self::end(slf, Outcome::Error(error));
        };
        if is_awaited {
            Engine::cancel_soon(&engine, slf)?;
        }
        // Also if its sender does not wait any more.
        handler.get().cancel_handler(py, delivery).map(|_| ())
    }

    /// Its token is cancelled.
    pub(super) fn cancel_by_token(slf: &Bound<'_, Self>) -> PyResult<bool> {
        let (py, this) = (slf.py(), slf.get());
        if this.is_cancelling(py) {
            return Ok(true);
        }
        let error = cancelled_error(py, None)?;
        let engine = this.if_future(py, |future| match (&future.phase, &future.handler) {
            (Phase::Suspended, Some(_)) => {
                let engine = future.delivery.as_ref().map(|(engine, _)| engine.bind(py).clone());
                future.phase = Phase::Cancelling { error, iterations: ITERATIONS_OF_CANCELLATION };
                engine
            }
            _ => None,
        });
        match engine.flatten() {
            Some(engine) => Engine::cancel_soon(&engine, slf).map(|()| true),
            None => Self::cancel_future(slf, None),
        }
    }

    /// An iteration of the event loop has passed since its token was cancelled. Returns whether it still waits for its
    /// handler.
    pub(super) fn count_iteration(slf: &Bound<'_, Self>) -> PyResult<bool> {
        let (py, this) = (slf.py(), slf.get());
        let handler = this.if_future(py, |future| {
            let Phase::Cancelling { .. } = future.phase else { return None };
            future.handler.as_ref().map(|handler| handler.clone_ref(py))
        });
        let Some(Some(handler)) = handler else { return Ok(false) };
        // A handler that awaits a send which is cancelled, too, sees it when that has ended.
        let awaited = handler.get().awaited_send(py);
        let waits = awaited.is_some_and(|send| send.get().is_cancelling(py));
        let is_over = this.if_future(py, |future| match &mut future.phase {
            Phase::Cancelling { iterations, .. } if !waits => {
                *iterations = iterations.saturating_sub(1);
                *iterations == 0
            }
            _ => false,
        });
        if is_over != Some(true) {
            return Ok(true);
        }
        this.abandon_delivery(py)?;
        // Any outcome becomes the cancellation.
        Self::end(slf, Outcome::Response(py.None())).map(|()| false)
    }

    pub(super) fn is_cancelling(&self, py: Python<'_>) -> bool {
        self.if_future(py, |future| matches!(future.phase, Phase::Cancelling { .. })) == Some(true)
    }
}

/// What a cancellation replaced; dropped where Python may run.
#[allow(dead_code, reason = "held only to be dropped later")]
enum Before {
    Asked(Option<Py<PyAny>>),
    Phase(Phase),
    Nothing(Py<PyAny>),
}

pub(super) fn cancelled_error(
    py: Python<'_>,
    message: Option<&Bound<'_, PyAny>>,
) -> PyResult<Py<PyAny>> {
    let class = py.get_type::<CancelledError>();
    let error = match message {
        Some(message) => class.call1((message,))?,
        None => class.call0()?,
    };
    Ok(error.unbind())
}
