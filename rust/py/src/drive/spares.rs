//! Tasks that sleep, for handlers that will most likely never wake theirs.

use pyo3::prelude::*;

use super::delivery_task;
use super::drive::Drive;
use super::handling::Handling;
use super::private::is_private;
use crate::message_context::{ContextFields, MessageContext};
use crate::publish_envelope::PublishEnvelope;

/// A sleeping task and the handling it would wake with.
pub(super) struct Spare {
    /// The context of the last message, if nobody holds it any more.
    pub(super) context: Option<Py<MessageContext>>,
    pub(super) task: Py<PyAny>,
    pub(super) handling: Py<Handling>,
}

impl Spare {
    /// Gives a handler the context of its message.
    #[inline]
    pub(super) fn tell<'py>(
        &mut self,
        py: Python<'py>,
        told: ContextFields,
    ) -> PyResult<Bound<'py, MessageContext>> {
        let Some(context) = self.context.take() else {
            return Bound::new(py, MessageContext::of(told));
        };
        let context = context.into_bound(py);
        context.get().renew(py, told);
        Ok(context)
    }

    /// Gives one more recipient the context of its message: that of the last one, if it is as it was.
    #[inline]
    pub(super) fn tell_of<'py>(
        &mut self,
        envelope: &Bound<'py, PublishEnvelope>,
    ) -> PyResult<Bound<'py, MessageContext>> {
        let py = envelope.py();
        match &self.context {
            Some(context) if context.get().tells_of(envelope) => {
                let context = self.context.take().expect("it was looked at");
                Ok(context.into_bound(py))
            }
            _ => self.tell(py, PublishEnvelope::context_of_recipient(envelope)),
        }
    }

    /// Keeps a context for the next recipient of the same message, unless somebody else holds it.
    #[inline]
    pub(super) fn keep_told(&mut self, context: Bound<'_, MessageContext>) {
        if is_private(&context) {
            self.context = Some(context.unbind());
        }
    }

    /// Lets go of what the context tells, after the last recipient.
    pub(super) fn forget(&self, py: Python<'_>) {
        if let Some(context) = &self.context {
            context.get().empty(py);
        }
    }

    /// Keeps a context for the next message, unless somebody else holds it.
    #[inline]
    pub(super) fn keep(&mut self, py: Python<'_>, context: Bound<'_, MessageContext>) {
        if is_private(&context) {
            context.get().empty(py);
            self.context = Some(context.unbind());
        }
    }
}

impl Drive {
    #[inline]
    pub(super) fn spare(&self, py: Python<'_>) -> PyResult<Box<Spare>> {
        if let Some(spare) = self.state.with(py, |state| state.spares.pop()) {
            return Ok(spare);
        }
        let handling = Bound::new(py, Handling::new())?;
        let task = delivery_task::asleep(py, &handling)?.unbind();
        Ok(Box::new(Spare { context: None, task, handling: handling.unbind() }))
    }

    /// Keeps a task that nobody has touched, for the next handler. Returns the context that the
    /// last one ran in.
    #[inline]
    pub(super) fn put_back<'py>(
        &self,
        py: Python<'py>,
        spare: Box<Spare>,
    ) -> Option<Bound<'py, PyAny>> {
        let context = spare.handling.get().ended_inline(py);
        let task = spare.task.bind(py);
        if !delivery_task::is_asleep(task) || !is_private(task) {
            return context;
        }
        // There are never more than run inside one another. Once it is shut, the next loop may be
        // another one.
        let left = self.state.with(py, |state| {
            if state.event_loop.is_none() {
                return Some(spare);
            }
            state.spares.push(spare);
            None
        });
        drop(left);
        context
    }
}
