//! Messages as bytes: the serializers' part that runs for every message.
//!
//! Python chooses what serves a class (`ferrogen.serialization`), once, and hands it over; these
//! files write and read. Nothing is locked or lent while Python runs (B1): attributes of messages
//! may be properties that come back here. One file a native type, and what they stand on:
//!
//! - `table`: `SerializerTable`, which serializer serves a type name and a content type.
//! - `dataclass`: `DataclassCodec`, dataclasses as JSON.
//! - `writer`: `JsonWriter`, values as Python's `json` writes them; `plan`: which fields a dataclass
//!   has; `text`: the pieces of that JSON.
//! - `model`: `ModelCodec`, pydantic models as JSON; `shape`: what their fields hold; `compact`: the
//!   pieces of that JSON.
//! - `output`: the bytes while they are written; `nesting`: whether the stack suffices for a library
//!   that reads or writes a message.
//! - `envelope`: `EnvelopeCodec`, protobuf messages.

mod compact;
mod dataclass;
mod envelope;
mod model;
mod nesting;
mod output;
mod plan;
mod shape;
mod table;
mod text;
mod writer;

use pyo3::prelude::*;
use pyo3::types::PyType;

pub(crate) use dataclass::DataclassCodec;
pub(crate) use envelope::EnvelopeCodec;
pub(crate) use model::ModelCodec;
pub(crate) use table::SerializerTable;
pub(crate) use writer::JsonWriter;

/// Makes the class that the module does not show while there is memory: pyo3 panics if it cannot.
pub(crate) fn prepare(py: Python<'_>) {
    py.get_type::<table::Entry>();
}

/// Whether a value is of a class itself, and not of one that extends it.
fn is_exactly(value: &Bound<'_, PyAny>, class: &Py<PyType>) -> bool {
    std::ptr::eq(value.get_type_ptr().cast(), class.as_ptr())
}
