//! `SerializerTable`: which serializer serves a type name and a content type.
//!
//! A serializer of Ferrogen's is passed by, once its codec is known: the codec is asked directly.

use std::sync::OnceLock;

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::dataclass::DataclassCodec;
use super::envelope::EnvelopeCodec;
use super::model::ModelCodec;
use crate::fallible::{self, name};
use crate::interpreter::GilMutex;
use crate::{python, stack};

/// What writes and reads in place of a serializer.
enum Way {
    Dataclass(Py<DataclassCodec>),
    Model(Py<ModelCodec>),
    Envelope(Py<EnvelopeCodec>),
    /// The serializer itself.
    Serializer,
}

impl Way {
    fn of(codec: &Bound<'_, PyAny>) -> Self {
        if let Ok(codec) = codec.cast_exact::<DataclassCodec>() {
            Self::Dataclass(codec.clone().unbind())
        } else if let Ok(codec) = codec.cast_exact::<ModelCodec>() {
            Self::Model(codec.clone().unbind())
        } else if let Ok(codec) = codec.cast_exact::<EnvelopeCodec>() {
            Self::Envelope(codec.clone().unbind())
        } else {
            Self::Serializer
        }
    }

    fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Self::Dataclass(codec) => visit.call(codec),
            Self::Model(codec) => visit.call(codec),
            Self::Envelope(codec) => visit.call(codec),
            Self::Serializer => Ok(()),
        }
    }
}

/// Where two names lie in memory. They are those of a class and a constant, and so are the same
/// texts again and again; that they stay is up to the entry, which refers to them.
type Identity = (usize, usize);

/// One serializer of the table.
#[pyclass(frozen)]
pub(super) struct Entry {
    serializer: Py<PyAny>,
    type_name: Py<PyAny>,
    data_content_type: Py<PyAny>,
    /// Chooses the codec when it is first needed: that looks at the message class in full.
    choose_codec: Option<Py<PyAny>>,
    way: OnceLock<Way>,
}

impl Entry {
    fn identity(&self) -> Identity {
        (self.type_name.as_ptr() as usize, self.data_content_type.as_ptr() as usize)
    }

    fn way(&self, py: Python<'_>) -> PyResult<&Way> {
        if let Some(way) = self.way.get() {
            return Ok(way);
        }
        let way = match &self.choose_codec {
            Some(choose) => Way::of(&choose.bind(py).call0()?),
            None => Way::Serializer,
        };
        Ok(self.way.get_or_init(|| way))
    }
}

#[pymethods]
impl Entry {
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.serializer)?;
        visit.call(&self.type_name)?;
        visit.call(&self.data_content_type)?;
        visit.call(&self.choose_codec)?;
        self.way.get().map_or(Ok(()), |way| way.visit(&visit))
    }
}

/// Serializers by the type name and the content type of what they write.
#[pyclass(frozen, subclass, module = "ferrogen._core")]
pub(crate) struct SerializerTable {
    /// By the type name, dicts by the content type.
    entries: Py<PyDict>,
    /// The same, in the order of their keys.
    by_identity: GilMutex<Vec<(Identity, Py<Entry>)>>,
}

impl SerializerTable {
    fn entry<'py>(
        &self,
        type_name: &Bound<'py, PyAny>,
        data_content_type: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, Entry>>> {
        let py = type_name.py();
        let identity = (type_name.as_ptr() as usize, data_content_type.as_ptr() as usize);
        let known = self.by_identity.with(py, |known| {
            let place = known.binary_search_by_key(&identity, |(identity, _)| *identity).ok()?;
            Some(known.get(place)?.1.clone_ref(py))
        });
        if let Some(entry) = known {
            return Ok(Some(entry.into_bound(py)));
        }
        let Some(named) = self.entries.bind(py).get_item(type_name)? else {
            return Ok(None);
        };
        match named.cast::<PyDict>()?.get_item(data_content_type)? {
            Some(entry) => Ok(Some(entry.cast_into()?)),
            None => Ok(None),
        }
    }
}

#[pymethods]
impl SerializerTable {
    #[new]
    fn new(py: Python<'_>) -> PyResult<Self> {
        Ok(Self { entries: fallible::dict(py)?.unbind(), by_identity: GilMutex::default() })
    }

    #[pyo3(signature = (serializer, type_name, data_content_type, choose_codec=None))]
    fn place(
        &self,
        py: Python<'_>,
        serializer: Py<PyAny>,
        type_name: &Bound<'_, PyAny>,
        data_content_type: &Bound<'_, PyAny>,
        choose_codec: Option<Py<PyAny>>,
    ) -> PyResult<()> {
        let before = self.entry(type_name, data_content_type)?;
        let before = before.map(|before| before.get().identity());
        let entry = Entry {
            serializer,
            type_name: type_name.clone().unbind(),
            data_content_type: data_content_type.clone().unbind(),
            choose_codec,
            way: OnceLock::new(),
        };
        let entry = Bound::new(py, entry)?;
        let named = match self.entries.bind(py).get_item(type_name)? {
            Some(named) => named.cast_into::<PyDict>()?,
            None => fallible::dict(py)?,
        };
        named.set_item(data_content_type, &entry)?;
        self.entries.bind(py).set_item(type_name, named)?;
        let (identity, entry) = (entry.get().identity(), entry.unbind());
        let dropped = self.by_identity.with(py, |known| {
            let (dropped, mut kept): (Vec<_>, Vec<_>) = std::mem::take(known)
                .into_iter()
                .partition(|(known, _)| Some(*known) == before || *known == identity);
            kept.push((identity, entry));
            kept.sort_by_key(|(identity, _)| *identity);
            *known = kept;
            dropped
        });
        drop(dropped);
        Ok(())
    }

    fn find(
        &self,
        type_name: &Bound<'_, PyAny>,
        data_content_type: &Bound<'_, PyAny>,
    ) -> PyResult<Option<Py<PyAny>>> {
        let entry = self.entry(type_name, data_content_type)?;
        Ok(entry.map(|entry| entry.get().serializer.clone_ref(entry.py())))
    }

    fn is_registered(
        &self,
        type_name: &Bound<'_, PyAny>,
        data_content_type: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        Ok(self.entry(type_name, data_content_type)?.is_some())
    }

    #[pyo3(signature = (message, *, type_name, data_content_type))]
    fn serialize<'py>(
        &self,
        message: &Bound<'py, PyAny>,
        type_name: &Bound<'py, PyAny>,
        data_content_type: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = message.py();
        stack::check(py, stack::RESERVE)?;
        let Some(entry) = self.entry(type_name, data_content_type)? else {
            let words = format!("Unknown type {type_name} with content type {data_content_type}");
            return Err(fallible::error(python::serialization_error(py)?, &words));
        };
        let entry = entry.get();
        match entry.way(py)? {
            Way::Dataclass(codec) => codec.get().encode(message).map(Bound::into_any),
            Way::Model(codec) => codec.get().encode(message),
            Way::Envelope(codec) => codec.get().encode(message),
            Way::Serializer => {
                entry.serializer.bind(py).call_method1(name!(py, "serialize")?, (message,))
            }
        }
    }

    #[pyo3(signature = (payload, *, type_name, data_content_type))]
    fn deserialize<'py>(
        &self,
        payload: &Bound<'py, PyAny>,
        type_name: &Bound<'py, PyAny>,
        data_content_type: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = payload.py();
        stack::check(py, stack::RESERVE)?;
        let Some(entry) = self.entry(type_name, data_content_type)? else {
            let unknown = python::unknown_payload(py)?;
            return unknown.call1((type_name, data_content_type, payload));
        };
        let entry = entry.get();
        match entry.way(py)? {
            Way::Dataclass(codec) => codec.get().decode(payload),
            Way::Model(codec) => codec.get().decode(payload),
            Way::Envelope(codec) => codec.get().decode(payload),
            Way::Serializer => {
                entry.serializer.bind(py).call_method1(name!(py, "deserialize")?, (payload,))
            }
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.entries)?;
        self.by_identity.visit(|known| known.iter().try_for_each(|(_, entry)| visit.call(entry)))
    }
}
