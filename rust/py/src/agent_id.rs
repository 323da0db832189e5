//! `AgentId`: the address of one agent, an agent type and a key.

use std::hash::{Hash, Hasher};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};

use crate::grammar::{AGENT_TYPE_PATTERN, is_valid_agent_type};
use crate::interpreter::WriteOnce;
use crate::python;

/// The parts are there from the beginning, and never change. Only what `AgentId.__new__(AgentId)`
/// makes has none yet: upstream's pickles call it, and hand the parts to `__setstate__`.
#[pyclass(frozen, subclass, weakref, module = "ferrogen")]
pub(crate) struct AgentId {
    pub(crate) parts: WriteOnce<Parts>,
    /// The number of an engine, and the slot of the agent there.
    slot: [AtomicU64; 2],
}

/// Both are plain strings, never of a subclass, and can be read as UTF-8. So comparing and
/// hashing them runs no code of the user's, and reading them cannot fail while a lock is held.
pub(crate) struct Parts {
    agent_type: Py<PyString>,
    key: Py<PyString>,
}

impl Parts {
    fn checked(agent_type: &Bound<'_, PyAny>, key: &Bound<'_, PyAny>) -> PyResult<Self> {
        let agent_type = agent_type_string(agent_type)?;
        let key = key.cast::<PyString>().map_err(|_| {
            PyTypeError::new_err(format!("agent key must be a str, not {}", type_name(key)))
        })?;
        let agent_type = valid_agent_type(&agent_type)?.unbind();
        Ok(Self { agent_type, key: valid_key(key)?.unbind() })
    }

    /// Parts that come from `valid_agent_type` and `valid_key`, or are as if they did.
    pub(crate) fn of(agent_type: Py<PyString>, key: Py<PyString>) -> Self {
        Self { agent_type, key }
    }

    pub(crate) fn release(self, py: Python<'_>) {
        self.agent_type.drop_ref(py);
        self.key.drop_ref(py);
    }
}

impl AgentId {
    /// The slot of the agent in the engine of this number, if that engine was the last to set one.
    #[inline]
    pub(crate) fn remembered_slot(&self, engine: u64) -> Option<u64> {
        let [by, slot] = &self.slot;
        (by.load(Relaxed) == engine).then(|| slot.load(Relaxed))
    }

    /// Remembers the slot of the agent in an engine. No engine has the number zero.
    pub(crate) fn remember_slot(&self, engine: u64, slot: u64) {
        self.slot[0].store(engine, Relaxed);
        self.slot[1].store(slot, Relaxed);
    }

    pub(crate) fn of(parts: Parts) -> Self {
        Self { parts: WriteOnce::new(Some(parts)), slot: Default::default() }
    }

    /// Makes another id of one that was cleared.
    pub(crate) fn renew(&self, py: Python<'_>, parts: Parts) {
        let refused = self.parts.set(py, parts).is_err();
        debug_assert!(!refused, "it was not cleared");
        self.remember_slot(0, 0);
    }

    fn parts<'a>(&'a self, py: Python<'a>) -> PyResult<&'a Parts> {
        self.parts.get(py).ok_or_else(|| {
            PyTypeError::new_err(
                "this AgentId has no type and key yet: make it by calling the class",
            )
        })
    }

    pub(crate) fn type_str<'a>(&'a self, py: Python<'a>) -> PyResult<&'a str> {
        self.parts(py)?.agent_type.to_str(py)
    }

    /// Whether both name the same agent. No code of a subclass is asked.
    pub(crate) fn names_same(&self, other: &Self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.key_str(py)? == other.key_str(py)? && self.type_str(py)? == other.type_str(py)?)
    }

    pub(crate) fn key_str<'a>(&'a self, py: Python<'a>) -> PyResult<&'a str> {
        self.parts(py)?.key.to_str(py)
    }
}

#[pymethods]
impl AgentId {
    #[new]
    #[pyo3(signature = (r#type=None, key=None), text_signature = "(type, key)")]
    fn new(
        py: Python<'_>,
        r#type: Option<&Bound<'_, PyAny>>,
        key: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let none = py.None();
        let none = none.bind(py);
        let parts = match (r#type, key) {
            (None, None) => None,
            _ => Some(Parts::checked(r#type.unwrap_or(none), key.unwrap_or(none))?),
        };
        Ok(Self { parts: WriteOnce::new(parts), slot: Default::default() })
    }

    /// Calling the class comes by here, unpickling does not. The arguments are those of `new`, or
    /// of a subclass.
    #[pyo3(signature = (*args, **_kwargs))]
    fn __init__(
        &self,
        args: &Bound<'_, PyTuple>,
        _kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        match self.parts.get(args.py()) {
            Some(_) => Ok(()),
            None => Err(PyTypeError::new_err("an AgentId needs a type and a key")),
        }
    }

    #[classmethod]
    fn from_str<'py>(cls: &Bound<'py, PyType>, agent_id: &str) -> PyResult<Bound<'py, PyAny>> {
        let (agent_type, key) = agent_id
            .split_once('/')
            .ok_or_else(|| PyValueError::new_err(format!("Invalid agent id: {agent_id}")))?;
        cls.call1((agent_type, key))
    }

    #[getter(r#type)]
    fn get_type(&self, py: Python<'_>) -> PyResult<Py<PyString>> {
        Ok(self.parts(py)?.agent_type.clone_ref(py))
    }

    #[getter]
    fn key(&self, py: Python<'_>) -> PyResult<Py<PyString>> {
        Ok(self.parts(py)?.key.clone_ref(py))
    }

    fn __eq__(&self, value: &Bound<'_, PyAny>) -> PyResult<bool> {
        let py = value.py();
        let Ok(other) = value.cast::<AgentId>() else { return Ok(false) };
        let (own, other) = (self.parts(py)?, other.get().parts(py)?);
        Ok(same(py, &own.key, &other.key)? && same(py, &own.agent_type, &other.agent_type)?)
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<u64> {
        let parts = self.parts(py)?;
        let mut hasher = std::hash::DefaultHasher::new();
        parts.agent_type.bind(py).hash()?.hash(&mut hasher);
        parts.key.bind(py).hash()?.hash(&mut hasher);
        Ok(hasher.finish())
    }

    fn __str__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("{}/{}", self.type_str(py)?, self.key_str(py)?))
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("AgentId(type=\"{}\", key=\"{}\")", self.type_str(py)?, self.key_str(py)?))
    }

    /// Pickling and copying rebuild the id from its parts, and keep what a subclass has added.
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        let py = slf.py();
        let Parts { agent_type, key } = slf.get().parts(py)?;
        let parts = (agent_type.clone_ref(py), key.clone_ref(py));
        match slf.as_any().getattr_opt("__dict__")? {
            Some(added) if !added.cast::<PyDict>()?.is_empty() => {
                (slf.get_type(), parts, added).into_pyobject(py)
            }
            _ => (slf.get_type(), parts).into_pyobject(py),
        }
    }

    /// What is pickled beside the parts: what a subclass has added. Upstream pickles the parts
    /// here, too, under the names of its attributes.
    fn __setstate__(slf: &Bound<'_, Self>, state: &Bound<'_, PyDict>) -> PyResult<()> {
        let added = state.copy()?;
        let (py, parts) = (slf.py(), &slf.get().parts);
        if parts.get(py).is_none() {
            let take = |name| added.as_any().call_method1("pop", (name, py.None()));
            // The first one counts; both are the same.
            let _ = parts.set(py, Parts::checked(&take("_type")?, &take("_key")?)?);
        }
        if !added.is_empty() {
            slf.as_any().getattr("__dict__")?.call_method1("update", (added,))?;
        }
        Ok(())
    }
}

/// The text of an agent type given as a `str` or an `AgentType`.
pub(crate) fn agent_type_string<'py>(given: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyString>> {
    if let Ok(text) = given.cast::<PyString>() {
        return Ok(text.clone());
    }
    if given.is_instance(python::agent_type(given.py())?)? {
        return Ok(given.getattr("type")?.cast_into()?);
    }
    let found = type_name(given);
    Err(PyTypeError::new_err(format!("agent type must be a str or an AgentType, not {found}")))
}

/// The same text as a plain string, if it can be an agent type.
pub(crate) fn valid_agent_type<'py>(
    given: &Bound<'py, PyString>,
) -> PyResult<Bound<'py, PyString>> {
    let text = plain(given)?;
    // A character that UTF-8 cannot encode is not a word character.
    let valid = text.to_str().map_or(Ok(false), |read| is_valid_agent_type(text.py(), read))?;
    if valid {
        return Ok(text);
    }
    Err(PyValueError::new_err(format!(
        "Invalid agent type: {}. Allowed values MUST match the regex: `{AGENT_TYPE_PATTERN}`",
        text.to_string_lossy()
    )))
}

/// The same text as a plain string, if it can be an agent key or the source of a topic.
pub(crate) fn valid_key<'py>(given: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyString>> {
    let key = plain(given)?;
    if key.to_str().is_err() {
        return Err(PyValueError::new_err(format!(
            "agent key {} has lone surrogates, so it cannot be encoded as UTF-8; escape or replace \
             them first",
            key.repr()?
        )));
    }
    Ok(key)
}

/// The text of a string, without what a subclass adds: an `Enum` of strings has a hash of its own.
fn plain<'py>(text: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyString>> {
    if text.is_exact_instance_of::<PyString>() {
        return Ok(text.clone());
    }
    let copied = text.py().get_type::<PyString>().call_method1("__str__", (text,))?;
    Ok(copied.cast_into()?)
}

fn same(py: Python<'_>, one: &Py<PyString>, other: &Py<PyString>) -> PyResult<bool> {
    Ok(one.is(other) || one.to_str(py)? == other.to_str(py)?)
}

fn type_name(value: &Bound<'_, PyAny>) -> String {
    value.get_type().name().map_or_else(|_| "an object".to_owned(), |name| name.to_string())
}
