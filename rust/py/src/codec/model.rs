//! `ModelCodec`: pydantic models as JSON, by the models' own rules.

use std::sync::OnceLock;

use pyo3::exceptions::PyException;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyType};

use super::shape::Shape;
use super::{USUAL_LENGTH, is_exactly};

/// What was found out about a model class at its first message.
struct Outline {
    /// What pydantic-core made for the class; it makes another one if the class is rebuilt.
    serializer: Py<PyAny>,
    shape: Shape,
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
        if !is_exactly(message, &self.class) {
            return self.write.bind(py).call1((message,));
        }
        // The class has it; but asking the class takes twice as long, because of its metaclass.
        let serializer = message.getattr(intern!(py, "__pydantic_serializer__"))?;
        if let Some(outline) = self.outline(&serializer)?
            && serializer.is(&outline.serializer)
        {
            let mut out = Vec::with_capacity(USUAL_LENGTH);
            if outline.shape.push(&mut out, message) {
                return Ok(PyBytes::new(py, &out).into_any());
            }
        }
        self.or_refuse(serializer.call_method1(intern!(py, "to_json"), (message,)), "write", py)
    }

    pub(super) fn decode<'py>(&self, payload: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = payload.py();
        let validator = self.class.bind(py).getattr(intern!(py, "__pydantic_validator__"))?;
        self.or_refuse(validator.call_method1(intern!(py, "validate_json"), (payload,)), "read", py)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.class)?;
        visit.call(&self.describe)?;
        visit.call(&self.write)?;
        visit.call(&self.refuse)?;
        let Some(Some(outline)) = self.outline.get() else { return Ok(()) };
        visit.call(&outline.serializer)?;
        outline.shape.visit(&visit)
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
            Some(Outline { serializer, shape: Shape::of(&described)? })
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
                self.refuse.bind(py).call1((error, doing))
            }
            done => done,
        }
    }
}
