//! Which method of an agent's class handles a message of a given type.

use std::sync::Arc;

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyType;

/// One handler, as `ferrogen._agents.handler_building` describes it.
pub(super) struct Handler {
    /// The method as it was written, without the checks of its decorator.
    pub(super) function: Py<PyAny>,
    /// Whether it wants messages that were sent (`true`), published (`false`), or both.
    wants_rpc: Option<bool>,
    /// The user's own condition.
    matches: Option<Py<PyAny>>,
    /// The types that it may return; `None` is any.
    answers: Option<Vec<Py<PyType>>>,
    /// Judges an answer of another type: raises, or logs and returns what the sender gets.
    judge: Py<PyAny>,
}

impl Handler {
    /// Whether it takes a message that was sent (`is_rpc`) or published.
    #[inline]
    fn wants(
        &self,
        message: &Bound<'_, PyAny>,
        context: &Bound<'_, PyAny>,
        is_rpc: bool,
    ) -> PyResult<bool> {
        if self.wants_rpc == Some(!is_rpc) {
            return Ok(false);
        }
        match &self.matches {
            Some(matches) => matches.bind(message.py()).call1((message, context))?.is_truthy(),
            None => Ok(true),
        }
    }

    /// Lets an answer through if its type was declared; else its decorator judges it.
    #[inline]
    pub(super) fn check<'py>(&self, answer: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let Some(types) = &self.answers else { return Ok(answer) };
        let class = answer.get_type_ptr().cast();
        if types.iter().any(|declared| declared.as_ptr() == class) {
            return Ok(answer);
        }
        self.judge.bind(answer.py()).call1((answer,))
    }
}

/// How an agent is given a message, for as long as it is being given one.
pub(crate) type BoundWay<'py> = Way<Bound<'py, Handlers>, Bound<'py, PyAny>>;

/// How an agent is given a message.
pub(crate) enum Way<H = Py<Handlers>, F = Py<PyAny>> {
    /// Its class's handlers are looked up here, and called.
    Handlers(H),
    /// A function of its class is called, in place of `on_message`, which would do no more.
    Function(F),
    /// `on_message` is called.
    OnMessage,
}

impl Way {
    /// Reads what `ferrogen._runtime.inline.InlineHost.equip` says.
    pub(super) fn of(said: Bound<'_, PyAny>) -> Self {
        match said.cast_into::<Handlers>() {
            Ok(handlers) => Self::Handlers(handlers.unbind()),
            Err(error) => match error.into_inner() {
                nothing if nothing.is_none() => Self::OnMessage,
                function => Self::Function(function.unbind()),
            },
        }
    }

    pub(crate) fn bind<'py>(&self, py: Python<'py>) -> BoundWay<'py> {
        match self {
            Self::Handlers(handlers) => Way::Handlers(handlers.bind(py).clone()),
            Self::Function(function) => Way::Function(function.bind(py).clone()),
            Self::OnMessage => Way::OnMessage,
        }
    }

    pub(crate) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Self::Handlers(handlers) => visit.call(handlers),
            Self::Function(function) => visit.call(function),
            Self::OnMessage => Ok(()),
        }
    }
}

/// A type of message, and those that handle it.
type Entry = (Py<PyType>, Vec<Arc<Handler>>);
type Described = (Py<PyAny>, Option<bool>, Option<Py<PyAny>>, Option<Vec<Py<PyType>>>, Py<PyAny>);

/// The handlers of one agent class, by the exact type of the message.
#[pyclass(frozen, module = "ferrogen._core")]
pub(crate) struct Handlers {
    /// Sorted by where the type lies.
    entries: Vec<Entry>,
}

impl Handlers {
    /// The handler that takes a message: the first that wants it.
    #[inline]
    pub(super) fn find(
        &self,
        message: &Bound<'_, PyAny>,
        context: &Bound<'_, PyAny>,
        is_rpc: bool,
    ) -> PyResult<Option<&Arc<Handler>>> {
        let sought = message.get_type_ptr().cast();
        let Ok(place) = self.entries.binary_search_by_key(&sought, |(one, _)| one.as_ptr()) else {
            return Ok(None);
        };
        for handler in &self.entries[place].1 {
            if handler.wants(message, context, is_rpc)? {
                return Ok(Some(handler));
            }
        }
        Ok(None)
    }
}

#[pymethods]
impl Handlers {
    #[new]
    fn new(described: Vec<(Py<PyType>, Vec<Described>)>) -> Self {
        let entries = described.into_iter().map(|(message_type, handlers)| {
            let handlers =
                handlers.into_iter().map(|(function, wants_rpc, matches, answers, judge)| {
                    Arc::new(Handler { function, wants_rpc, matches, answers, judge })
                });
            (message_type, handlers.collect())
        });
        let mut entries: Vec<Entry> = entries.collect();
        entries.sort_by_key(|(message_type, _)| message_type.as_ptr());
        Self { entries }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        for (message_type, handlers) in &self.entries {
            visit.call(message_type)?;
            for handler in handlers {
                // A handler that a suspended delivery keeps, too, is not only ours to visit.
                if Arc::strong_count(handler) > 1 {
                    continue;
                }
                visit.call(&handler.function)?;
                visit.call(&handler.matches)?;
                handler.answers.iter().flatten().try_for_each(|answer| visit.call(answer))?;
                visit.call(&handler.judge)?;
            }
        }
        Ok(())
    }
}
