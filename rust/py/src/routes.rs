//! `Routes`: subscriptions, and the recipients of a topic.
//!
//! Subscriptions of the built-in classes become rules of the core; objects of other classes are asked.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use ferrogen_core as core;
use pyo3::exceptions::PyTypeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::agent_id::{AgentId, Parts, valid_agent_type, valid_key};
use crate::agent_id_call;
use crate::errors::raised;
use crate::interpreter::GilMutex;
use crate::python;

#[derive(Default)]
struct Table {
    names: core::Names,
    /// By the symbol of the agent type.
    agent_types: Vec<Option<Py<PyString>>>,
    routes: core::Routes,
    subscriptions: BTreeMap<core::RouteId, Py<PyAny>>,
}

impl Table {
    /// The symbol of an agent type, with one more user.
    fn intern(&mut self, agent_type: &Bound<'_, PyString>) -> PyResult<core::Symbol> {
        let symbol = self.names.intern(agent_type.to_str()?);
        if symbol.index() >= self.agent_types.len() {
            self.agent_types.resize_with(symbol.index() + 1, || None);
        }
        let place = &mut self.agent_types[symbol.index()];
        if place.is_none() {
            *place = Some(agent_type.clone().unbind());
        }
        Ok(symbol)
    }

    /// Ends a use of a symbol. Returns the name if that was the last.
    fn release(&mut self, symbol: core::Symbol) -> Option<Py<PyString>> {
        if self.names.release(symbol) { self.agent_types[symbol.index()].take() } else { None }
    }
}

/// The kind of a subscription that is to be added.
enum Kind<'py> {
    Exact(Bound<'py, PyString>, Bound<'py, PyString>),
    Prefix(Bound<'py, PyString>, Bound<'py, PyString>),
    Wildcard(Bound<'py, PyString>, Bound<'py, PyString>),
    Custom,
}

/// A subscription that matches a topic.
enum Listener {
    Type(Py<PyString>),
    Custom(Py<PyAny>),
}

#[pyclass(frozen, module = "ferrogen._core")]
#[derive(Default)]
pub(crate) struct Routes {
    table: GilMutex<Table>,
    /// Counts the changes.
    version: AtomicU64,
}

#[pymethods]
impl Routes {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    fn add(&self, subscription: &Bound<'_, PyAny>) -> PyResult<()> {
        let kind = kind_of(subscription)?;
        let id: Bound<'_, PyString> = subscription.getattr("id")?.cast_into()?;
        self.refuse_equal(subscription, &kind)?;
        // Read before the lock: to fail is to make an exception, which can start a collection.
        let id = id.to_str()?;
        let topic_type = match &kind {
            Kind::Exact(text, _) | Kind::Prefix(text, _) | Kind::Wildcard(text, _) => {
                text.to_str()?
            }
            Kind::Custom => "",
        };
        let mut table = self.table.lock(subscription.py());
        let (rule, symbol) = match &kind {
            Kind::Exact(_, agent_type) => {
                let symbol = table.intern(agent_type)?;
                (core::Rule::Exact(topic_type, symbol), Some(symbol))
            }
            Kind::Prefix(_, agent_type) => {
                let symbol = table.intern(agent_type)?;
                (core::Rule::Prefix(topic_type, symbol), Some(symbol))
            }
            Kind::Wildcard(_, agent_type) => {
                let symbol = table.intern(agent_type)?;
                (core::Rule::Wildcard(topic_type, symbol), Some(symbol))
            }
            Kind::Custom => (core::Rule::Opaque, None),
        };
        match table.routes.add(id, rule) {
            Ok(route) => {
                table.subscriptions.insert(route, subscription.clone().unbind());
                self.version.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => {
                let name = symbol.and_then(|symbol| table.release(symbol));
                drop(table);
                drop(name);
                Err(raised(error))
            }
        }
    }

    fn remove(&self, py: Python<'_>, id: &str) -> PyResult<()> {
        let removed: Vec<_> = {
            let mut guard = self.table.lock(py);
            let table = &mut *guard;
            let routes = table.routes.remove(id).map_err(raised)?;
            self.version.fetch_add(1, Ordering::Relaxed);
            let remove = |one: &core::Removed| {
                let name = one.agent_type.and_then(|symbol| table.release(symbol));
                (table.subscriptions.remove(&one.route), name)
            };
            routes.iter().map(remove).collect()
        };
        drop(removed);
        Ok(())
    }

    pub(crate) fn recipients<'py>(
        &self,
        topic: &Bound<'py, PyAny>,
    ) -> PyResult<Vec<Bound<'py, AgentId>>> {
        let py = topic.py();
        let topic_type: Bound<'_, PyString> = topic.getattr("type")?.cast_into()?;
        let listeners = self.listeners(py, topic_type.to_str()?);
        if listeners.is_empty() {
            return Ok(Vec::new());
        }
        let source = valid_key(topic.getattr("source")?.cast()?)?;
        let mut recipients = Vec::with_capacity(listeners.len());
        for listener in listeners {
            match listener {
                Listener::Type(agent_type) => {
                    let id = AgentId::of(Parts::of(agent_type, source.clone().unbind()));
                    recipients.push(Bound::new(py, id)?);
                }
                Listener::Custom(subscription) => {
                    let subscription = subscription.bind(py);
                    if subscription.call_method1("is_match", (topic,))?.is_truthy()? {
                        let agent = subscription.call_method1("map_to_agent", (topic,))?;
                        recipients.push(agent.cast_into::<AgentId>()?);
                    }
                }
            }
        }
        Ok(recipients)
    }

    #[getter]
    fn subscriptions(&self, py: Python<'_>) -> Vec<Py<PyAny>> {
        self.table.lock(py).subscriptions.values().map(|known| known.clone_ref(py)).collect()
    }

    fn __len__(&self, py: Python<'_>) -> usize {
        self.table.lock(py).routes.len()
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.table.visit(|table| {
            table.subscriptions.values().try_for_each(|subscription| visit.call(subscription))
        })
    }

    fn __clear__(&self, py: Python<'_>) {
        let cleared = std::mem::take(&mut *self.table.lock(py));
        drop(cleared);
    }
}

impl Routes {
    /// Another number after each change. `None` while a subscription must be asked about each message:
    /// its answer may change.
    pub(crate) fn version(&self, py: Python<'_>) -> Option<u64> {
        let table = self.table.lock(py);
        let is_certain = table.routes.opaque().next().is_none();
        is_certain.then(|| self.version.load(Ordering::Relaxed))
    }

    /// The recipients of a topic that only built-in subscriptions match; `None` if others must be asked.
    pub(crate) fn recipients_by_type<'py>(
        &self,
        topic_type: &Bound<'py, PyString>,
        source: &Bound<'py, PyString>,
    ) -> PyResult<Option<Vec<Bound<'py, AgentId>>>> {
        let py = topic_type.py();
        let listeners = self.listeners(py, topic_type.to_str()?);
        if listeners.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let source = valid_key(source)?;
        let mut recipients = Vec::with_capacity(listeners.len());
        for listener in listeners {
            let Listener::Type(agent_type) = listener else { return Ok(None) };
            let parts = Parts::of(agent_type, source.clone().unbind());
            recipients.push(agent_id_call::make(py, parts)?);
        }
        Ok(Some(recipients))
    }

    fn listeners(&self, py: Python<'_>, topic_type: &str) -> Vec<Listener> {
        let table = self.table.lock(py);
        let mut hits = Vec::new();
        table.routes.matches(topic_type, &mut hits);
        hits.iter()
            .map(|hit| match hit.agent_type {
                Some(symbol) => {
                    let name = table.agent_types[symbol.index()].as_ref();
                    Listener::Type(name.expect("a route is a user of its name").clone_ref(py))
                }
                None => Listener::Custom(table.subscriptions[&hit.route].clone_ref(py)),
            })
            .collect()
    }

    /// Asks every subscription whose equality the core cannot judge. No lock is held meanwhile.
    fn refuse_equal(&self, subscription: &Bound<'_, PyAny>, kind: &Kind<'_>) -> PyResult<()> {
        let py = subscription.py();
        let known: Vec<Py<PyAny>> = {
            let table = self.table.lock(py);
            match kind {
                Kind::Custom => table.subscriptions.values().map(|sub| sub.clone_ref(py)).collect(),
                _ => table
                    .routes
                    .opaque()
                    .map(|route| table.subscriptions[&route].clone_ref(py))
                    .collect(),
            }
        };
        for one in known {
            if one.bind(py).eq(subscription)? {
                return Err(raised(core::CoreError::SubscriptionExists));
            }
        }
        Ok(())
    }
}

/// Sorts out a subscription. A subclass may have overridden anything, so only the exact built-in
/// classes become rules.
fn kind_of<'py>(subscription: &Bound<'py, PyAny>) -> PyResult<Kind<'py>> {
    let py = subscription.py();
    let class = subscription.get_type();
    let text = |name| -> PyResult<Bound<'py, PyString>> {
        Ok(subscription.getattr(name)?.cast_into::<PyString>()?)
    };
    if class.is(python::type_subscription(py)?) || class.is(python::default_subscription(py)?) {
        return Ok(Kind::Exact(text("topic_type")?, valid_agent_type(&text("agent_type")?)?));
    }
    if class.is(python::type_prefix_subscription(py)?) {
        return Ok(Kind::Prefix(
            text("topic_type_prefix")?,
            valid_agent_type(&text("agent_type")?)?,
        ));
    }
    if class.is(python::wildcard_subscription(py)?) {
        return Ok(Kind::Wildcard(text("pattern")?, valid_agent_type(&text("agent_type")?)?));
    }
    for method in ["is_match", "map_to_agent"] {
        if !subscription.hasattr(method)? {
            return Err(PyTypeError::new_err(format!(
                "{} is not a subscription: it has no {method}()",
                class.name()?
            )));
        }
    }
    Ok(Kind::Custom)
}
