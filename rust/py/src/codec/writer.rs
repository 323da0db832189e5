//! `JsonWriter`: values as Python's `json` writes them, dataclasses among them.
//!
//! It goes by what the values are, not by what the annotations say, as `json` does. A value of a
//! class that it does not know is given to a Python function, which answers with one of simpler
//! classes; so each way of writing something is there once.

use pyo3::exceptions::{PyOverflowError, PyRecursionError, PyTypeError, PyValueError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

use super::USUAL_LENGTH;
use super::plan::{Plan, Plans};
use super::text;
use crate::python;

/// How deep values may be nested; every level takes some of the stack.
const DEEPEST: usize = 1_000;

/// Writes values as JSON.
#[pyclass(frozen, module = "ferrogen._core")]
pub(crate) struct JsonWriter {
    type_name: Py<PyString>,
    simplify: Py<PyAny>,
    plans: Plans,
}

#[pymethods]
impl JsonWriter {
    #[new]
    pub(super) fn new(type_name: Py<PyString>, simplify: Py<PyAny>) -> Self {
        Self { type_name, simplify, plans: Plans::default() }
    }

    fn write<'py>(&self, message: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
        let mut out = Vec::with_capacity(USUAL_LENGTH);
        let done = self.push(&mut out, message, 0);
        self.finish(message.py(), out, done)
    }

    pub(super) fn write_dataclass<'py>(
        &self,
        message: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let mut out = Vec::with_capacity(USUAL_LENGTH);
        let done = self.plans.with(message, |plan| match plan {
            Some(plan) => self.push_fields(&mut out, plan, message, 0),
            None => Err(no_dataclass(message)),
        });
        self.finish(message.py(), out, done)
    }

    pub(super) fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.simplify)?;
        self.plans.visit(&visit)
    }
}

impl JsonWriter {
    fn finish<'py>(
        &self,
        py: Python<'py>,
        out: Vec<u8>,
        done: PyResult<()>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        match done {
            Ok(()) => Ok(PyBytes::new(py, &out)),
            Err(error) => Err(self.refusal(py, error)),
        }
    }

    fn push(&self, out: &mut Vec<u8>, value: &Bound<'_, PyAny>, depth: usize) -> PyResult<()> {
        if let Ok(text) = value.cast_exact::<PyString>() {
            return text::push_string(out, text);
        }
        if let Ok(number) = value.cast_exact::<PyInt>() {
            return text::push_int(out, number);
        }
        if let Ok(number) = value.cast_exact::<PyFloat>() {
            return text::push_float(out, number);
        }
        if value.is_none() {
            out.extend_from_slice(b"null");
            return Ok(());
        }
        if let Ok(truth) = value.cast_exact::<PyBool>() {
            out.extend_from_slice(text::word(truth.is_true()));
            return Ok(());
        }
        if depth >= DEEPEST {
            return Err(PyRecursionError::new_err(format!(
                "maximum recursion depth exceeded: something is nested more than {DEEPEST} deep, \
                 or holds itself"
            )));
        }
        if let Ok(items) = value.cast_exact::<PyList>() {
            return self.push_items(out, items.iter(), depth);
        }
        if let Ok(items) = value.cast_exact::<PyDict>() {
            return self.push_dict(out, items, depth);
        }
        if let Ok(items) = value.cast_exact::<PyTuple>() {
            return self.push_items(out, items.iter(), depth);
        }
        self.plans.with(value, |plan| match plan {
            Some(plan) => self.push_fields(out, plan, value, depth),
            None => self.push_simplified(out, value, depth),
        })
    }

    fn push_items<'py>(
        &self,
        out: &mut Vec<u8>,
        items: impl Iterator<Item = Bound<'py, PyAny>>,
        depth: usize,
    ) -> PyResult<()> {
        out.push(b'[');
        for (index, item) in items.enumerate() {
            if index > 0 {
                out.extend_from_slice(b", ");
            }
            self.push(out, &item, depth + 1)?;
        }
        out.push(b']');
        Ok(())
    }

    fn push_fields(
        &self,
        out: &mut Vec<u8>,
        plan: &Plan,
        message: &Bound<'_, PyAny>,
        depth: usize,
    ) -> PyResult<()> {
        let py = message.py();
        if plan.fields.is_empty() {
            out.push(b'{');
        }
        for field in &plan.fields {
            out.extend_from_slice(&field.lead);
            self.push(out, &message.getattr(field.name.bind(py))?, depth + 1)?;
        }
        out.push(b'}');
        Ok(())
    }

    fn push_dict(&self, out: &mut Vec<u8>, dict: &Bound<'_, PyDict>, depth: usize) -> PyResult<()> {
        let start = out.len();
        out.push(b'{');
        // A copy: attributes of the values may be properties that change the dict.
        let items: Vec<_> = dict.iter().collect();
        for (index, (key, value)) in items.into_iter().enumerate() {
            if index > 0 {
                out.extend_from_slice(b", ");
            }
            if !push_key(out, &key)? {
                out.truncate(start);
                return self.push_simplified(out, dict, depth);
            }
            out.extend_from_slice(b": ");
            self.push(out, &value, depth + 1)?;
        }
        out.push(b'}');
        Ok(())
    }

    fn push_simplified(
        &self,
        out: &mut Vec<u8>,
        value: &Bound<'_, PyAny>,
        depth: usize,
    ) -> PyResult<()> {
        let simpler = self.simplify.bind(value.py()).call1((value,))?;
        self.push(out, &simpler, depth + 1)
    }

    /// Says which message could not be written. What else user code raised, its caller gets.
    fn refusal(&self, py: Python<'_>, error: PyErr) -> PyErr {
        let explained = error.is_instance_of::<PyTypeError>(py)
            || error.is_instance_of::<PyValueError>(py)
            || error.is_instance_of::<PyOverflowError>(py)
            || error.is_instance_of::<PyRecursionError>(py);
        if !explained {
            return error;
        }
        let words = format!(
            "cannot write \"{}\" as JSON: {}",
            self.type_name.bind(py).to_string_lossy(),
            error.value(py)
        );
        match python::serialization_error(py) {
            // An attribute may be a property that wrote another message.
            Ok(class) if error.is_instance(py, class) => error,
            Ok(class) => {
                let refusal = PyErr::from_type(class.clone(), words);
                refusal.set_cause(py, Some(error));
                refusal
            }
            Err(failed) => failed,
        }
    }
}

#[cold]
fn no_dataclass(message: &Bound<'_, PyAny>) -> PyErr {
    match message.get_type().name() {
        Ok(name) => PyTypeError::new_err(format!("it is of type {name}, which is no dataclass")),
        Err(error) => error,
    }
}

/// Writes the key of a dict, which JSON has as text; tells whether it knew how.
fn push_key(out: &mut Vec<u8>, key: &Bound<'_, PyAny>) -> PyResult<bool> {
    if let Ok(text) = key.cast_exact::<PyString>() {
        text::push_string(out, text)?;
        return Ok(true);
    }
    out.push(b'"');
    if let Ok(number) = key.cast_exact::<PyInt>() {
        text::push_int(out, number)?;
    } else if let Ok(number) = key.cast_exact::<PyFloat>() {
        text::push_float(out, number)?;
    } else if let Ok(truth) = key.cast_exact::<PyBool>() {
        out.extend_from_slice(text::word(truth.is_true()));
    } else if key.is_none() {
        out.extend_from_slice(b"null");
    } else {
        return Ok(false);
    }
    out.push(b'"');
    Ok(true)
}
