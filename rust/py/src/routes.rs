//! `Routes`: subscriptions, and the agents that a topic reaches.
//!
//! The three built-in kinds of subscription become rules of the core; any other object is asked.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use ferrogen_core as core;
use pyo3::exceptions::PyTypeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::agent_id::{AgentId, Parts, valid_agent_type, valid_key};
use crate::drive::GilMutex;
use crate::errors::raised;
use crate::python;

#[derive(Default)]
struct Table {
    names: core::Names,
    /// By the symbol of the agent type.
    agent_types: Vec<Py<PyString>>,
    routes: core::Routes,
    subscriptions: BTreeMap<core::RouteId, Py<PyAny>>,
}

impl Table {
    fn intern(&mut self, agent_type: &Bound<'_, PyString>) -> PyResult<core::Symbol> {
        let symbol = self.names.intern(agent_type.to_str()?);
        if symbol.index() == self.agent_types.len() {
            self.agent_types.push(agent_type.clone().unbind());
        }
        Ok(symbol)
    }
}

/// What is known about a subscription before it is added.
enum Kind<'py> {
    Exact(Bound<'py, PyString>, Bound<'py, PyString>),
    Prefix(Bound<'py, PyString>, Bound<'py, PyString>),
    Custom,
}

/// One subscription that heard a topic, with what is needed to address its agent.
enum Listener {
    Type(Py<PyString>),
    Custom(Py<PyAny>),
}

#[pyclass(frozen, module = "ferrogen._core")]
#[derive(Default)]
pub(crate) struct Routes {
    table: GilMutex<Table>,
    /// Counts the changes.
    edition: AtomicU64,
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
        let heard = match &kind {
            Kind::Exact(heard, _) | Kind::Prefix(heard, _) => heard.to_str()?,
            Kind::Custom => "",
        };
        let mut table = self.table.lock(subscription.py());
        let rule = match &kind {
            Kind::Exact(_, agent_type) => core::Rule::Exact(heard, table.intern(agent_type)?),
            Kind::Prefix(_, agent_type) => core::Rule::Prefix(heard, table.intern(agent_type)?),
            Kind::Custom => core::Rule::Opaque,
        };
        let route = table.routes.add(id, rule).map_err(raised)?;
        table.subscriptions.insert(route, subscription.clone().unbind());
        self.edition.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn remove(&self, py: Python<'_>, id: &str) -> PyResult<()> {
        let removed: Vec<Option<Py<PyAny>>> = {
            let mut table = self.table.lock(py);
            let routes = table.routes.remove(id).map_err(raised)?;
            self.edition.fetch_add(1, Ordering::Relaxed);
            routes.iter().map(|route| table.subscriptions.remove(route)).collect()
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
    /// Another number after each change. `None` while there is a subscription that must be asked
    /// about each message: what was heard once may not be heard again.
    pub(crate) fn edition(&self, py: Python<'_>) -> Option<u64> {
        let table = self.table.lock(py);
        let is_certain = table.routes.opaque().next().is_none();
        is_certain.then(|| self.edition.load(Ordering::Relaxed))
    }

    fn listeners(&self, py: Python<'_>, topic_type: &str) -> Vec<Listener> {
        let table = self.table.lock(py);
        let mut hits = Vec::new();
        table.routes.hear(topic_type, &mut hits);
        hits.iter()
            .map(|hit| match hit.agent_type {
                Some(symbol) => Listener::Type(table.agent_types[symbol.index()].clone_ref(py)),
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
