//! `AgentId`: the address of one agent, an agent type and a key.

use std::hash::{Hash, Hasher};

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};

use crate::grammar::{AGENT_TYPE_PATTERN, is_valid_agent_type};
use crate::python;

#[pyclass(frozen, subclass, weakref, module = "ferrogen")]
pub(crate) struct AgentId {
    agent_type: Py<PyString>,
    key: Py<PyString>,
}

impl AgentId {
    /// An id whose type is known to be valid.
    pub(crate) fn of(agent_type: Py<PyString>, key: Py<PyString>) -> Self {
        Self { agent_type, key }
    }

    pub(crate) fn type_str<'a>(&'a self, py: Python<'a>) -> PyResult<&'a str> {
        self.agent_type.to_str(py)
    }

    pub(crate) fn key_str<'a>(&'a self, py: Python<'a>) -> PyResult<&'a str> {
        self.key.to_str(py)
    }
}

#[pymethods]
impl AgentId {
    #[new]
    #[pyo3(signature = (r#type, key))]
    fn new(r#type: &Bound<'_, PyAny>, key: &Bound<'_, PyAny>) -> PyResult<Self> {
        let agent_type = agent_type_string(r#type)?;
        let key = key.cast::<PyString>().map_err(|_| {
            PyTypeError::new_err(format!("agent key must be a str, not {}", type_name(key)))
        })?;
        let text = agent_type.to_str()?;
        if !is_valid_agent_type(r#type.py(), text)? {
            return Err(invalid_agent_type(text));
        }
        Ok(Self::of(agent_type.unbind(), key.clone().unbind()))
    }

    #[classmethod]
    fn from_str<'py>(cls: &Bound<'py, PyType>, agent_id: &str) -> PyResult<Bound<'py, PyAny>> {
        let (agent_type, key) = agent_id
            .split_once('/')
            .ok_or_else(|| PyValueError::new_err(format!("Invalid agent id: {agent_id}")))?;
        cls.call1((agent_type, key))
    }

    #[getter(r#type)]
    fn get_type(&self, py: Python<'_>) -> Py<PyString> {
        self.agent_type.clone_ref(py)
    }

    #[getter]
    fn key(&self, py: Python<'_>) -> Py<PyString> {
        self.key.clone_ref(py)
    }

    fn __eq__(&self, value: &Bound<'_, PyAny>) -> PyResult<bool> {
        let py = value.py();
        let Ok(other) = value.cast::<AgentId>() else { return Ok(false) };
        let other = other.get();
        Ok(same(py, &self.key, &other.key)? && same(py, &self.agent_type, &other.agent_type)?)
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<u64> {
        let mut hasher = std::hash::DefaultHasher::new();
        self.agent_type.bind(py).hash()?.hash(&mut hasher);
        self.key.bind(py).hash()?.hash(&mut hasher);
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
        let id = slf.get();
        let parts = (id.agent_type.clone_ref(py), id.key.clone_ref(py));
        match slf.as_any().getattr_opt("__dict__")? {
            Some(added) if !added.cast::<PyDict>()?.is_empty() => {
                (slf.get_type(), parts, added).into_pyobject(py)
            }
            _ => (slf.get_type(), parts).into_pyobject(py),
        }
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

/// The error for a text that cannot be an agent type.
pub(crate) fn invalid_agent_type(text: &str) -> PyErr {
    PyValueError::new_err(format!(
        "Invalid agent type: {text}. Allowed values MUST match the regex: `{AGENT_TYPE_PATTERN}`"
    ))
}

fn same(py: Python<'_>, one: &Py<PyString>, other: &Py<PyString>) -> PyResult<bool> {
    Ok(one.is(other) || one.to_str(py)? == other.to_str(py)?)
}

fn type_name(value: &Bound<'_, PyAny>) -> String {
    value.get_type().name().map_or_else(|_| "an object".to_owned(), |name| name.to_string())
}
