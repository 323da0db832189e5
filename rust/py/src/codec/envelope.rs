//! `EnvelopeCodec`: protobuf messages, each inside a `google.protobuf.Any`.
//!
//! The envelope is two fields, the name of the type and the message's bytes. It is written here, and
//! opened if it is exactly as written here; any other is left to protobuf.

use pyo3::exceptions::PyException;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyType};

use super::is_exactly;
use super::output::Output;
use crate::fallible::{self, name};
use crate::stack;

/// Field 1 and field 2, both of bytes.
const TYPE_URL: u8 = 0x0a;
const VALUE: u8 = 0x12;

/// Writes and reads one protobuf message class.
#[pyclass(frozen, module = "ferrogen._core")]
pub(crate) struct EnvelopeCodec {
    class: Py<PyType>,
    /// The first field, as it begins every envelope.
    head: Box<[u8]>,
    /// Reads the bytes of the message alone.
    read: Py<PyAny>,
    /// Write and read whatever else there is, and say what is wrong with it.
    write_any: Py<PyAny>,
    read_any: Py<PyAny>,
}

#[pymethods]
impl EnvelopeCodec {
    #[new]
    fn new(
        message_class: Bound<'_, PyType>,
        type_url: &str,
        read: Py<PyAny>,
        write_any: Py<PyAny>,
        read_any: Py<PyAny>,
    ) -> PyResult<Self> {
        let mut head = Output::new();
        push_field(&mut head, TYPE_URL, type_url.as_bytes());
        let head = head.into_kept(message_class.py())?;
        Ok(Self { class: message_class.unbind(), head, read, write_any, read_any })
    }

    pub(super) fn encode<'py>(&self, message: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = message.py();
        stack::check(py, stack::RESERVE)?;
        if is_exactly(message, &self.class)
            && let Some(value) = tried(message.call_method0(name!(py, "SerializeToString")?), py)?
            && let Ok(value) = value.cast::<PyBytes>()
        {
            let value = value.as_bytes();
            let mut out = Output::new();
            out.extend(&self.head);
            if !value.is_empty() {
                push_field(&mut out, VALUE, value);
            }
            return out.finish(py).map(Bound::into_any);
        }
        self.write_any.bind(py).call1((message,))
    }

    pub(super) fn decode<'py>(&self, payload: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = payload.py();
        stack::check(py, stack::RESERVE)?;
        if let Ok(payload) = payload.cast_exact::<PyBytes>()
            && let Some(value) = self.open(payload.as_bytes())
            && let Some(message) =
                tried(self.read.bind(py).call1((fallible::bytes(py, value)?,)), py)?
        {
            return Ok(message);
        }
        self.read_any.bind(py).call1((payload,))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.class)?;
        visit.call(&self.read)?;
        visit.call(&self.write_any)?;
        visit.call(&self.read_any)
    }
}

impl EnvelopeCodec {
    /// The bytes of the message, if this is an envelope of its type and holds nothing else.
    fn open<'a>(&self, payload: &'a [u8]) -> Option<&'a [u8]> {
        match payload.strip_prefix(&*self.head)? {
            [] => Some(&[]),
            [VALUE, rest @ ..] => {
                let (length, value) = split_length(rest)?;
                (value.len() == length).then_some(value)
            }
            _ => None,
        }
    }
}

/// Ignores an error, which will be met and explained again, unless it ends the program.
fn tried<'py>(
    done: PyResult<Bound<'py, PyAny>>,
    py: Python<'py>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    match done {
        Err(error) if error.is_instance_of::<PyException>(py) => Ok(None),
        done => done.map(Some),
    }
}

fn push_field(out: &mut Output, tag: u8, bytes: &[u8]) {
    out.push(tag);
    let mut length = bytes.len();
    while length >= 0x80 {
        out.push(0x80 | low_seven(length));
        length >>= 7;
    }
    out.push(low_seven(length));
    out.extend(bytes);
}

fn low_seven(length: usize) -> u8 {
    length.to_le_bytes()[0] & 0x7f
}

/// Reads how long a field is, seven bits a byte, and gives what follows.
fn split_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut length = 0;
    for (index, &byte) in bytes.iter().take(4).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            return Some((length, bytes.get(index + 1..)?));
        }
    }
    None
}
