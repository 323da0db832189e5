//! Routing: the recipients of a topic, cached, and those that a message has yet to reach.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::engine::Engine;
use crate::agent_id::AgentId;
use crate::interpreter::GilMutex;
use crate::publish_envelope::PublishEnvelope;

/// How many topics are cached (R1). A cached topic saves making the ids of its recipients.
const PLACES: usize = 256;

pub(super) type Recipients = Arc<[Py<AgentId>]>;

/// The recipients of recently published topics.
#[derive(Default)]
pub(super) struct RecipientCache {
    places: Vec<Option<Cached>>,
}

struct Cached {
    topic_type: Py<PyString>,
    source: Py<PyString>,
    /// The version of the routes when they were asked.
    version: u64,
    recipients: Recipients,
}

impl Cached {
    fn matches(
        &self,
        topic_type: &Bound<'_, PyString>,
        source: &Bound<'_, PyString>,
        version: u64,
    ) -> bool {
        let py = topic_type.py();
        let same = |cached: &Py<PyString>, asked: &Bound<'_, PyString>| {
            // Both can be read as UTF-8, or the routes would have refused them.
            cached.is(asked) || cached.to_str(py).ok() == asked.to_str().ok()
        };
        self.version == version && same(&self.topic_type, topic_type) && same(&self.source, source)
    }
}

impl RecipientCache {
    pub(super) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        for cached in self.places.iter().flatten() {
            cached.recipients.iter().try_for_each(|recipient| visit.call(recipient))?;
        }
        Ok(())
    }
}

impl Engine {
    /// The recipients of a topic, in the order of subscribing. `before_asking` is called before subscriptions
    /// of the user's own classes may be asked.
    pub(super) fn recipients(
        &self,
        topic: &Bound<'_, PyAny>,
        before_asking: impl FnOnce(),
    ) -> PyResult<Recipients> {
        let py = topic.py();
        let routes = self.routes.get();
        let ask = || -> PyResult<Recipients> {
            before_asking();
            Ok(routes.recipients(topic)?.into_iter().map(Bound::unbind).collect())
        };
        let topic_type = topic.getattr(intern!(py, "type"))?;
        let source = topic.getattr(intern!(py, "source"))?;
        let (Ok(topic_type), Ok(source), Some(version)) = (
            topic_type.cast_exact::<PyString>(),
            source.cast_exact::<PyString>(),
            routes.version(py),
        ) else {
            return ask();
        };
        let mixed = topic_type.hash()? ^ source.hash()?.rotate_left(8);
        let place = mixed.unsigned_abs() % PLACES;
        let cached = self.state.with(py, |state| {
            let cached = state.recipient_cache.places.get(place)?.as_ref();
            cached
                .filter(|cached| cached.matches(topic_type, source, version))
                .map(|cached| cached.recipients.clone())
        });
        if let Some(recipients) = cached {
            return Ok(recipients);
        }
        let recipients: Recipients = match routes.recipients_by_type(topic_type, source)? {
            Some(recipients) => recipients.into_iter().map(Bound::unbind).collect(),
            None => ask()?,
        };
        let cached = Cached {
            topic_type: topic_type.clone().unbind(),
            source: source.clone().unbind(),
            version,
            recipients: recipients.clone(),
        };
        let before = self.state.with(py, |state| {
            let places = &mut state.recipient_cache.places;
            if places.is_empty() {
                places.resize_with(PLACES, || None);
            }
            places[place].replace(cached)
        });
        drop(before);
        Ok(recipients)
    }
}

/// The recipients without the one that publishes. The comparison may run code of a subclass.
pub(super) fn without_sender(
    recipients: Recipients,
    envelope: &Bound<'_, PublishEnvelope>,
    mut before_comparing: impl FnMut(),
) -> PyResult<Recipients> {
    let py = envelope.py();
    let Some(sender) = envelope.get().sender(py) else { return Ok(recipients) };
    let is_exact = |one: &Bound<'_, PyAny>| one.is_exact_instance_of::<AgentId>();
    let sender_is_exact = is_exact(sender.bind(py));
    let mut others = Vec::with_capacity(recipients.len());
    for recipient in recipients.iter() {
        if !sender_is_exact || !is_exact(recipient.bind(py)) {
            before_comparing();
        }
        if !recipient.is(&sender) && !recipient.bind(py).eq(&sender)? {
            others.push(recipient.clone_ref(py));
        }
    }
    Ok(others.into())
}

/// The recipients that the message being delivered has yet to reach. No message that its handlers send
/// reaches them first (O1).
pub(super) struct RemainingRecipients {
    recipients: GilMutex<Option<Recipients>>,
    /// How many remain, counted from the end. Read with each message that is sent.
    count: AtomicUsize,
}

impl RemainingRecipients {
    pub(super) fn none() -> Self {
        Self { recipients: GilMutex::new(None), count: AtomicUsize::new(0) }
    }

    pub(super) fn begin(&self, py: Python<'_>, recipients: &Recipients) {
        if recipients.len() > 1 {
            let before = self.recipients.with(py, |place| place.replace(recipients.clone()));
            drop(before);
        }
    }

    pub(super) fn set_count(&self, count: usize) {
        self.count.store(count, Ordering::Relaxed);
    }

    pub(super) fn end(&self, py: Python<'_>) {
        self.set_count(0);
        let recipients = self.recipients.with(py, Option::take);
        drop(recipients);
    }

    #[inline]
    pub(super) fn contains(&self, recipient: &Bound<'_, AgentId>) -> bool {
        let count = self.count.load(Ordering::Relaxed);
        if count == 0 {
            return false;
        }
        let py = recipient.py();
        let is_same =
            |one: &Py<AgentId>| one.get().names_same(recipient.get(), py).unwrap_or(false);
        self.recipients.with(py, |recipients| {
            recipients.as_ref().is_some_and(|all| all[all.len() - count..].iter().any(is_same))
        })
    }

    pub(super) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.recipients.visit(|recipients| {
            recipients.iter().flat_map(|all| all.iter()).try_for_each(|one| visit.call(one))
        })
    }
}
