//! `ModelCodec`: pydantic models as JSON, by the models' own rules.

use std::sync::OnceLock;

use pyo3::exceptions::PyException;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyType;

use super::is_exactly;
use super::nesting::PYDANTIC;
use super::output::Output;
use super::shape::Shapes;
use crate::fallible::{self, name};
use crate::stack;

/// What was found out about a model class at its first message.
struct Outline {
    /// What pydantic-core made for the class; it makes another one if the class is rebuilt.
    serializer: Py<PyAny>,
    shapes: Shapes,
}

/// Writes and reads one model.
#[pyclass(frozen, module = "ferrogen._core")]
pub(crate) struct ModelCodec {
    class: Py<PyType>,
    describe: Py<PyAny>,
    /// Writes what is not exactly of the class.
    write: Py<PyAny>,
    refuse: Py<PyAny>,
    outline: OnceLock<Option<Outline>>,
}

#[pymethods]
impl ModelCodec {
    #[new]
    fn new(
        message_class: Py<PyType>,
        describe: Py<PyAny>,
        write: Py<PyAny>,
        refuse: Py<PyAny>,
    ) -> Self {
        Self { class: message_class, describe, write, refuse, outline: OnceLock::new() }
    }

    pub(super) fn encode<'py>(&self, message: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = message.py();
        stack::check(py, stack::RESERVE)?;
        if !is_exactly(message, &self.class) {
            let fits = PYDANTIC.check_value(message);
            let done = fits.and_then(|()| self.write.bind(py).call1((message,)));
            return self.or_refuse(done, "write", py);
        }
        // The class has it; but asking the class takes twice as long, because of its metaclass.
        let serializer = message.getattr(name!(py, "__pydantic_serializer__")?)?;
        if let Some(outline) = self.outline(&serializer)?
            && serializer.is(&outline.serializer)
        {
            let mut out = Output::new();
            if outline.shapes.push(&mut out, message) {
                return out.finish(py).map(Bound::into_any);
            }
        }
        let fits = PYDANTIC.check_value(message);
        let done = fits.and_then(|()| serializer.call_method1(name!(py, "to_json")?, (message,)));
        self.or_refuse(done, "write", py)
    }

    pub(super) fn decode<'py>(&self, payload: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = payload.py();
        stack::check(py, stack::RESERVE)?;
        let validator = self.class.bind(py).getattr(name!(py, "__pydantic_validator__")?)?;
        let fits = PYDANTIC.check_payload(payload);
        let read =
            fits.and_then(|()| validator.call_method1(name!(py, "validate_json")?, (payload,)));
        self.or_refuse(read, "read", py)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.class)?;
        visit.call(&self.describe)?;
        visit.call(&self.write)?;
        visit.call(&self.refuse)?;
        let Some(Some(outline)) = self.outline.get() else { return Ok(()) };
        visit.call(&outline.serializer)?;
        outline.shapes.visit(&visit)
    }
}

impl ModelCodec {
    fn outline(&self, serializer: &Bound<'_, PyAny>) -> PyResult<Option<&Outline>> {
        if let Some(outline) = self.outline.get() {
            return Ok(outline.as_ref());
        }
        let described = self.describe.bind(serializer.py()).call1((&self.class,))?;
        let outline = if described.is_none() {
            None
        } else {
            let serializer = serializer.clone().unbind();
            Some(Outline { serializer, shapes: Shapes::of(&described)? })
        };
        Ok(self.outline.get_or_init(|| outline).as_ref())
    }

    /// Has an error explained, as one in doing this.
    fn or_refuse<'py>(
        &self,
        done: PyResult<Bound<'py, PyAny>>,
        doing: &str,
        py: Python<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        match done {
            Err(error) if error.is_instance_of::<PyException>(py) => {
                self.refuse.bind(py).call1((error, fallible::text(py, doing)?))
            }
            done => done,
        }
    }
}
