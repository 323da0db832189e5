//! `JsonWriter`: values as Python's `json` writes them, dataclasses among them.
//!
//! It goes by what the values are, not by what the annotations say, as `json` does. A value of a
//! class that it does not know is given to a Python function, which answers with one of simpler
//! classes; so each way of writing something is there once.

use std::borrow::Cow;

use pyo3::exceptions::{
    PyMemoryError, PyOverflowError, PyRecursionError, PyTypeError, PyValueError,
};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

use super::nesting;
use super::output::Output;
use super::plan::{Plan, Plans};
use super::text;
use crate::fallible::{self, name};
use crate::{python, stack};

/// How deep values may be nested, if the stack of the thread suffices.
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
        let mut out = Output::new();
        let done = self.push(&mut out, message, 0);
        self.finish(message.py(), out, done)
    }

    pub(super) fn write_dataclass<'py>(
        &self,
        message: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let mut out = Output::new();
        let done = stack::check(message.py(), stack::RESERVE).and_then(|()| {
            self.plans.with(message, |plan| match plan {
                Some(plan) => self.push_fields(&mut out, plan, message, 0),
                None => Err(no_dataclass(message)),
            })
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
        out: Output,
        done: PyResult<()>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        done.and_then(|()| out.finish(py)).map_err(|error| self.refusal(py, error))
    }

    fn push(&self, out: &mut Output, value: &Bound<'_, PyAny>, depth: usize) -> PyResult<()> {
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
            out.extend(b"null");
            return Ok(());
        }
        if let Ok(truth) = value.cast_exact::<PyBool>() {
            out.extend(text::word(truth.is_true()));
            return Ok(());
        }
        self.push_nested(out, value, depth)
    }

    // Not inlined, as the functions that it calls: every level of nesting takes their frames alone.
    #[inline(never)]
    fn push_nested(
        &self,
        out: &mut Output,
        value: &Bound<'_, PyAny>,
        depth: usize,
    ) -> PyResult<()> {
        if depth >= DEEPEST {
            return Err(too_deep(value.py()));
        }
        stack::check(value.py(), stack::RESERVE)?;
        if let Ok(items) = value.cast_exact::<PyList>() {
            return self.push_items(out, items.iter(), depth);
        }
        if let Ok(items) = value.cast_exact::<PyDict>() {
            return self.push_dict(out, items, depth);
        }
        if let Ok(items) = value.cast_exact::<PyTuple>() {
            return self.push_items(out, items.iter(), depth);
        }
        match self.plans.find(value).map(|known| &known.plan) {
            Some(Some(plan)) => self.push_fields(out, plan, value, depth),
            Some(None) => self.push_simplified(out, value, depth),
            None => self.push_unknown(out, value, depth),
        }
    }

    /// Writes a value of a class that has not been met before.
    #[inline(never)]
    fn push_unknown(
        &self,
        out: &mut Output,
        value: &Bound<'_, PyAny>,
        depth: usize,
    ) -> PyResult<()> {
        self.plans.with(value, |plan| match plan {
            Some(plan) => self.push_fields(out, plan, value, depth),
            None => self.push_simplified(out, value, depth),
        })
    }

    #[inline(never)]
    fn push_items<'py>(
        &self,
        out: &mut Output,
        items: impl Iterator<Item = Bound<'py, PyAny>>,
        depth: usize,
    ) -> PyResult<()> {
        out.push(b'[');
        for (index, item) in items.enumerate() {
            if index > 0 {
                out.extend(b", ");
            }
            self.push(out, &item, depth + 1)?;
        }
        out.push(b']');
        Ok(())
    }

    #[inline(never)]
    fn push_fields(
        &self,
        out: &mut Output,
        plan: &Plan,
        message: &Bound<'_, PyAny>,
        depth: usize,
    ) -> PyResult<()> {
        let py = message.py();
        if plan.fields.is_empty() {
            out.push(b'{');
        }
        for field in &plan.fields {
            out.extend(&field.lead);
            self.push(out, &message.getattr(field.name.bind(py))?, depth + 1)?;
        }
        out.push(b'}');
        Ok(())
    }

    #[inline(never)]
    fn push_dict(&self, out: &mut Output, dict: &Bound<'_, PyDict>, depth: usize) -> PyResult<()> {
        let start = out.len();
        out.push(b'{');
        // A copy: attributes of the values may be properties that change the dict.
        let mut items = Vec::new();
        if items.try_reserve_exact(dict.len()).is_err() {
            return Err(fallible::out_of_memory(dict.py()));
        }
        items.extend(dict.iter());
        for (index, (key, value)) in items.into_iter().enumerate() {
            if index > 0 {
                out.extend(b", ");
            }
            if !push_key(out, &key)? {
                out.truncate(start);
                return self.push_simplified(out, dict, depth);
            }
            out.extend(b": ");
            self.push(out, &value, depth + 1)?;
        }
        out.push(b'}');
        Ok(())
    }

    #[inline(never)]
    fn push_simplified(
        &self,
        out: &mut Output,
        value: &Bound<'_, PyAny>,
        depth: usize,
    ) -> PyResult<()> {
        nesting::msgspec().check_value(value)?;
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
        match self.try_refusal(py, error) {
            Ok(refusal) | Err(refusal) => refusal,
        }
    }

    fn try_refusal(&self, py: Python<'_>, error: PyErr) -> PyResult<PyErr> {
        let class = python::serialization_error(py)?;
        // An attribute may be a property that wrote another message.
        if error.is_instance(py, class) {
            return Ok(error);
        }
        let reason = error.value(py).str()?;
        let type_name = self.type_name.bind(py);
        let words = format!("cannot write \"{}\" as JSON: {}", lossy(type_name)?, lossy(&reason)?);
        let refusal = fallible::error(class, &words);
        refusal.set_cause(py, Some(error));
        Ok(refusal)
    }
}

/// The text, with replacements for what has no UTF-8.
fn lossy<'a>(text: &'a Bound<'_, PyString>) -> PyResult<Cow<'a, str>> {
    match text.to_str() {
        Err(error) if error.is_instance_of::<PyMemoryError>(text.py()) => Err(error),
        Err(_) => {
            let py = text.py();
            let arguments = (name!(py, "utf-8")?, name!(py, "surrogatepass")?);
            let encoded = text.call_method1(name!(py, "encode")?, arguments)?;
            Ok(String::from_utf8_lossy(encoded.cast::<PyBytes>()?.as_bytes()).into_owned().into())
        }
        Ok(text) => Ok(text.into()),
    }
}

#[cold]
#[inline(never)]
fn too_deep(py: Python<'_>) -> PyErr {
    let words = format!(
        "maximum recursion depth exceeded: something is nested more than {DEEPEST} deep, or holds \
         itself"
    );
    fallible::error(&py.get_type::<PyRecursionError>(), &words)
}

#[cold]
fn no_dataclass(message: &Bound<'_, PyAny>) -> PyErr {
    let py = message.py();
    match message.get_type().name().and_then(|name| lossy(&name).map(Cow::into_owned)) {
        Ok(name) => {
            let words = format!("it is of type {name}, which is not a dataclass");
            fallible::error(&py.get_type::<PyTypeError>(), &words)
        }
        Err(error) => error,
    }
}

/// Writes the key of a dict, which JSON has as text. Returns whether its type is supported.
fn push_key(out: &mut Output, key: &Bound<'_, PyAny>) -> PyResult<bool> {
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
        out.extend(text::word(truth.is_true()));
    } else if key.is_none() {
        out.extend(b"null");
    } else {
        return Ok(false);
    }
    out.push(b'"');
    Ok(true)
}
