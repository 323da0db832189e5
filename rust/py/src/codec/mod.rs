//! Messages as bytes: the serializers' part that runs for every message.
//!
//! Python chooses what serves a class (`ferrogen._serialization`), once, and hands it over; these
//! files write and read. Nothing is locked or lent while Python runs (B1): attributes of messages
//! may be properties that come back here. One file a native type, and what they stand on:
//!
//! - `table`: `SerializerTable`, which serializer serves a type name and a content type.
//! - `dataclass`: `DataclassCodec`, dataclasses as JSON.
//! - `writer`: `JsonWriter`, values as Python's `json` writes them.
//! - `plan`: which fields a dataclass has; `text`: the pieces of JSON.

mod dataclass;
mod plan;
mod table;
mod text;
mod writer;

pub(crate) use dataclass::DataclassCodec;
pub(crate) use table::SerializerTable;
pub(crate) use writer::JsonWriter;
