//! Who hears the topics that were published to last.

use std::sync::Arc;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::drive::Drive;
use crate::agent_id::AgentId;

/// How many topics are remembered, at the most (R1).
const PLACES: usize = 16;

/// The topics that were published to last, so that one which is published to again and again is
/// not looked up each time.
#[derive(Default)]
pub(super) struct Heard {
    places: [Option<Known>; PLACES],
}

struct Known {
    topic_type: Py<PyString>,
    source: Py<PyString>,
    /// Of the routes, when they were asked.
    edition: u64,
    recipients: Arc<[Py<AgentId>]>,
}

impl Known {
    fn is_about(
        &self,
        topic_type: &Bound<'_, PyString>,
        source: &Bound<'_, PyString>,
        edition: u64,
    ) -> bool {
        let py = topic_type.py();
        let same = |known: &Py<PyString>, asked: &Bound<'_, PyString>| {
            // Both can be read as UTF-8, or the routes would have refused them.
            known.is(asked) || known.to_str(py).ok() == asked.to_str().ok()
        };
        self.edition == edition && same(&self.topic_type, topic_type) && same(&self.source, source)
    }
}

impl Drive {
    /// The agents that hear a topic, in the order of subscribing.
    /// `before_asking` is called before subscriptions of the user's own may be.
    pub(super) fn recipients(
        &self,
        topic: &Bound<'_, PyAny>,
        before_asking: impl FnOnce(),
    ) -> PyResult<Arc<[Py<AgentId>]>> {
        let py = topic.py();
        let routes = self.routes.get();
        let ask = || -> PyResult<Arc<[Py<AgentId>]>> {
            before_asking();
            Ok(routes.recipients(topic)?.into_iter().map(Bound::unbind).collect())
        };
        let topic_type = topic.getattr(intern!(py, "type"))?;
        let source = topic.getattr(intern!(py, "source"))?;
        let (Ok(topic_type), Ok(source), Some(edition)) = (
            topic_type.cast_exact::<PyString>(),
            source.cast_exact::<PyString>(),
            routes.edition(py),
        ) else {
            return ask();
        };
        let mixed = topic_type.hash()? ^ source.hash()?.rotate_left(8);
        let place = mixed.unsigned_abs() % PLACES;
        let known = self.state.with(py, |state| {
            let known = state.heard.places[place].as_ref();
            known
                .filter(|known| known.is_about(topic_type, source, edition))
                .map(|known| known.recipients.clone())
        });
        if let Some(recipients) = known {
            return Ok(recipients);
        }
        let recipients = ask()?;
        let known = Known {
            topic_type: topic_type.clone().unbind(),
            source: source.clone().unbind(),
            edition,
            recipients: recipients.clone(),
        };
        let before = self.state.with(py, |state| state.heard.places[place].replace(known));
        drop(before);
        Ok(recipients)
    }
}
