//! `DataclassCodec`: dataclasses as JSON, written here and read by msgspec.

use pyo3::exceptions::PyException;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use super::nesting;
use super::writer::JsonWriter;
use crate::stack;

/// Writes and reads one dataclass.
#[pyclass(frozen, module = "ferrogen._core")]
pub(crate) struct DataclassCodec {
    writer: JsonWriter,
    read: Py<PyAny>,
    repair: Py<PyAny>,
}

#[pymethods]
impl DataclassCodec {
    #[new]
    fn new(
        type_name: Py<PyString>,
        simplify: Py<PyAny>,
        read: Py<PyAny>,
        repair: Py<PyAny>,
    ) -> Self {
        Self { writer: JsonWriter::new(type_name, simplify), read, repair }
    }

    pub(super) fn encode<'py>(&self, message: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
        self.writer.write_dataclass(message)
    }

    pub(super) fn decode<'py>(&self, payload: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = payload.py();
        stack::check(py, stack::RESERVE)?;
        let fits = nesting::msgspec().check_payload(payload);
        match fits.and_then(|()| self.read.bind(py).call1((payload,))) {
            Err(error) if error.is_instance_of::<PyException>(py) => {
                self.repair.bind(py).call1((payload, error))
            }
            read => read,
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.read)?;
        visit.call(&self.repair)?;
        self.writer.__traverse__(visit)
    }
}
