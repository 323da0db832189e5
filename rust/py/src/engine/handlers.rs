//! Which method of an agent's class handles a message of a given type.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyType;

/// One handler, as `ferrogen.agents.handler_building` describes it.
#[pyclass(frozen, module = "ferrogen._core")]
pub(super) struct Handler {
    /// The method as it was written, without the checks of its decorator.
    pub(super) function: Py<PyAny>,
    /// Whether it handles messages that were sent (`true`), published (`false`), or both.
    wants_rpc: Option<bool>,
    /// The user's own condition.
    matches: Option<Py<PyAny>>,
    /// The types that it may return; `None` is any.
    returns: Option<Vec<Py<PyType>>>,
    /// Checks a return value of another type: raises, or logs and returns the response.
    check_return: Py<PyAny>,
}

impl Handler {
    /// Whether it takes a message that was sent (`is_rpc`) or published.
    #[inline(always)]
    fn wants(
        &self,
        message: &Bound<'_, PyAny>,
        context: &Bound<'_, PyAny>,
        is_rpc: bool,
    ) -> PyResult<bool> {
        if self.wants_rpc == Some(!is_rpc) {
            return Ok(false);
        }
        if self.matches.is_none() { Ok(true) } else { self.is_matched(message, context) }
    }

    #[cold]
    fn is_matched(&self, message: &Bound<'_, PyAny>, context: &Bound<'_, PyAny>) -> PyResult<bool> {
        let Some(matches) = &self.matches else { return Ok(true) };
        matches.bind(message.py()).call1((message, context))?.is_truthy()
    }

    /// Checks a return value against the declared types.
    #[inline(always)]
    pub(super) fn check<'py>(&self, value: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let Some(types) = &self.returns else { return Ok(value) };
        let class = value.get_type_ptr().cast();
        if types.iter().any(|declared| declared.as_ptr() == class) {
            return Ok(value);
        }
        self.check_other(value)
    }

    #[cold]
    fn check_other<'py>(&self, value: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.check_return.bind(value.py()).call1((value,))
    }
}

#[pymethods]
impl Handler {
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.function)?;
        visit.call(&self.matches)?;
        self.returns.iter().flatten().try_for_each(|one| visit.call(one))?;
        visit.call(&self.check_return)
    }
}

/// An [`EntryPoint`] in use.
pub(super) type BoundEntryPoint<'py> = EntryPoint<Bound<'py, Handlers>, Bound<'py, PyAny>>;

/// What is called with the messages of an agent.
pub(super) enum EntryPoint<H = Py<Handlers>, F = Py<PyAny>> {
    /// The handler of its class that is found here.
    Handlers(H),
    /// A function of its class, in place of an `on_message` that would only call it.
    Function(F),
    /// `on_message`.
    OnMessage,
}

impl EntryPoint {
    /// Reads what `ferrogen.runtime.host.EngineHost.profile` returns.
    pub(super) fn of(entry_point: Bound<'_, PyAny>) -> Self {
        match entry_point.cast_into::<Handlers>() {
            Ok(handlers) => Self::Handlers(handlers.unbind()),
            Err(error) => match error.into_inner() {
                nothing if nothing.is_none() => Self::OnMessage,
                function => Self::Function(function.unbind()),
            },
        }
    }

    pub(super) fn bind<'py>(&self, py: Python<'py>) -> BoundEntryPoint<'py> {
        match self {
            Self::Handlers(handlers) => EntryPoint::Handlers(handlers.bind(py).clone()),
            Self::Function(function) => EntryPoint::Function(function.bind(py).clone()),
            Self::OnMessage => EntryPoint::OnMessage,
        }
    }

    pub(super) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Self::Handlers(handlers) => visit.call(handlers),
            Self::Function(function) => visit.call(function),
            Self::OnMessage => Ok(()),
        }
    }
}

impl BoundEntryPoint<'_> {
    pub(super) fn unbind(self) -> EntryPoint {
        match self {
            Self::Handlers(handlers) => EntryPoint::Handlers(handlers.unbind()),
            Self::Function(function) => EntryPoint::Function(function.unbind()),
            Self::OnMessage => EntryPoint::OnMessage,
        }
    }
}

/// A message type and its handlers.
type Entry = (Py<PyType>, Vec<Py<Handler>>);
type Described = (Py<PyAny>, Option<bool>, Option<Py<PyAny>>, Option<Vec<Py<PyType>>>, Py<PyAny>);

/// The handlers of one agent class, by the exact type of the message.
#[pyclass(frozen, module = "ferrogen._core")]
pub(crate) struct Handlers {
    /// Sorted by the address of the type.
    entries: Vec<Entry>,
}

impl Handlers {
    /// The handler of a message: the first of its type that wants it.
    #[inline(always)]
    pub(super) fn find(
        &self,
        message: &Bound<'_, PyAny>,
        context: &Bound<'_, PyAny>,
        is_rpc: bool,
    ) -> PyResult<Option<&Py<Handler>>> {
        let sought = message.get_type_ptr().cast();
        // Classes with one message type are the most frequent.
        let entry = match self.entries.as_slice() {
            [entry] => Some(entry).filter(|(one, _)| one.as_ptr() == sought),
            entries => {
                let found = entries.binary_search_by_key(&sought, |(one, _)| one.as_ptr());
                found.ok().map(|place| &entries[place])
            }
        };
        let Some((_, handlers)) = entry else { return Ok(None) };
        for handler in handlers {
            if handler.get().wants(message, context, is_rpc)? {
                return Ok(Some(handler));
            }
        }
        Ok(None)
    }
}

#[pymethods]
impl Handlers {
    #[new]
    fn new(py: Python<'_>, described: Vec<(Py<PyType>, Vec<Described>)>) -> PyResult<Self> {
        let mut entries: Vec<Entry> = Vec::with_capacity(described.len());
        for (message_type, handlers) in described {
            let handlers = handlers.into_iter().map(
                |(function, wants_rpc, matches, returns, check_return)| {
                    Py::new(py, Handler { function, wants_rpc, matches, returns, check_return })
                },
            );
            entries.push((message_type, handlers.collect::<PyResult<_>>()?));
        }
        entries.sort_by_key(|(message_type, _)| message_type.as_ptr());
        Ok(Self { entries })
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        for (message_type, handlers) in &self.entries {
            visit.call(message_type)?;
            handlers.iter().try_for_each(|handler| visit.call(handler))?;
        }
        Ok(())
    }
}
