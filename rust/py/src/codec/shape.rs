//! `Shape`: what a field of a pydantic model holds, and how it is written if it does.
//!
//! Writing runs no Python: what does not fit its shape exactly is left to pydantic-core, which has
//! its own rules and warnings for it.

use pyo3::exceptions::PyValueError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple, PyType};

use super::{compact, is_exactly};

/// How deep anything may be nested before it is left to pydantic-core.
const DEEPEST: usize = 100;

/// What a value has to be.
pub(super) enum Shape {
    Text,
    /// One of a few texts.
    Word(Vec<Py<PyString>>),
    Int,
    Float,
    Bool,
    None,
    /// Whatever JSON has, by its exact class.
    Anything,
    Items(Box<Shape>),
    /// A dict with text for keys.
    Named(Box<Shape>),
    /// The first of several that fits.
    Either(Vec<Shape>),
    Model(Model),
}

/// The fields of one model class, in their order.
pub(super) struct Model {
    class: Py<PyType>,
    fields: Vec<Field>,
}

struct Field {
    name: Py<PyString>,
    /// What is written before its value: a brace or a comma, and the name.
    lead: Box<[u8]>,
    shape: Shape,
}

impl Shape {
    /// Reads what `ferrogen._serialization.model_shape` says.
    pub(super) fn of(said: &Bound<'_, PyAny>) -> PyResult<Self> {
        let said = said.cast::<PyTuple>()?;
        let kind: Bound<'_, PyString> = said.get_item(0)?.cast_into()?;
        let inner = |index| Self::of(&said.get_item(index)?);
        Ok(match kind.to_str()? {
            "text" => Self::Text,
            "word" => Self::Word(said.get_item(1)?.extract()?),
            "int" => Self::Int,
            "float" => Self::Float,
            "bool" => Self::Bool,
            "none" => Self::None,
            "anything" => Self::Anything,
            "items" => Self::Items(Box::new(inner(1)?)),
            "named" => Self::Named(Box::new(inner(1)?)),
            "either" => {
                let choices = said.get_item(1)?;
                let choices = choices.try_iter()?.map(|choice| Self::of(&choice?));
                Self::Either(choices.collect::<PyResult<_>>()?)
            }
            "model" => Self::Model(Model::of(said)?),
            other => return Err(PyValueError::new_err(format!("no shape is named \"{other}\""))),
        })
    }

    /// Writes a value, or tells that it does not fit; then something of it may have been written.
    pub(super) fn push(&self, out: &mut Vec<u8>, value: &Bound<'_, PyAny>) -> bool {
        match self {
            Self::Text => compact::push_string(out, value),
            Self::Word(words) => {
                let fits = |word: &Py<PyString>| {
                    let word = word.bind(value.py());
                    word.is(value) || value.cast_exact::<PyString>().is_ok_and(|v| same(v, word))
                };
                words.iter().any(fits) && compact::push_string(out, value)
            }
            Self::Int => compact::push_int(out, value),
            Self::Float => compact::push_float(out, value),
            Self::Bool => compact::push_bool(out, value),
            Self::None => compact::push_none(out, value),
            Self::Anything => push_anything(out, value, 0),
            Self::Items(shape) => push_items(out, value, |out, item| shape.push(out, item)),
            Self::Named(shape) => push_named(out, value, |out, item| shape.push(out, item)),
            Self::Either(shapes) => {
                let start = out.len();
                shapes.iter().any(|shape| {
                    out.truncate(start);
                    shape.push(out, value)
                })
            }
            Self::Model(model) => model.push(out, value),
        }
    }

    pub(super) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Self::Items(shape) | Self::Named(shape) => shape.visit(visit),
            Self::Either(shapes) => shapes.iter().try_for_each(|shape| shape.visit(visit)),
            Self::Model(model) => {
                visit.call(&model.class)?;
                model.fields.iter().try_for_each(|field| field.shape.visit(visit))
            }
            _ => Ok(()),
        }
    }
}

impl Model {
    fn of(said: &Bound<'_, PyTuple>) -> PyResult<Self> {
        let mut fields = Vec::new();
        for field in said.get_item(2)?.try_iter()? {
            let (name, shape): (Bound<'_, PyString>, Bound<'_, PyAny>) = field?.extract()?;
            let mut lead: Vec<u8> = vec![if fields.is_empty() { b'{' } else { b',' }, b'"'];
            compact::push_text(&mut lead, name.to_str()?.as_bytes());
            lead.extend_from_slice(b"\":");
            let (name, lead, shape) = (name.unbind(), lead.into(), Shape::of(&shape)?);
            fields.push(Field { name, lead, shape });
        }
        Ok(Self { class: said.get_item(1)?.extract()?, fields })
    }

    fn push(&self, out: &mut Vec<u8>, model: &Bound<'_, PyAny>) -> bool {
        let py = model.py();
        if !is_exactly(model, &self.class) {
            return false;
        }
        let Ok(values) = model.getattr(intern!(py, "__dict__")) else { return false };
        let Ok(values) = values.cast_exact::<PyDict>() else { return false };
        if values.len() != self.fields.len() || values.is_empty() {
            return false;
        }
        // pydantic-core writes the values in the order of the dict.
        let fit = values.iter().zip(&self.fields).all(|((name, value), field)| {
            out.extend_from_slice(&field.lead);
            field.name.is(&name) && field.shape.push(out, &value)
        });
        out.push(b'}');
        fit
    }
}

fn push_anything(out: &mut Vec<u8>, value: &Bound<'_, PyAny>, depth: usize) -> bool {
    depth < DEEPEST
        && (compact::push_string(out, value)
            || compact::push_int(out, value)
            || compact::push_float(out, value)
            || compact::push_bool(out, value)
            || compact::push_none(out, value)
            || push_items(out, value, |out, item| push_anything(out, item, depth + 1))
            || push_named(out, value, |out, item| push_anything(out, item, depth + 1)))
}

fn push_items(
    out: &mut Vec<u8>,
    value: &Bound<'_, PyAny>,
    push: impl Fn(&mut Vec<u8>, &Bound<'_, PyAny>) -> bool,
) -> bool {
    let Ok(items) = value.cast_exact::<PyList>() else { return false };
    out.push(b'[');
    let fit = items.iter().enumerate().all(|(index, item)| {
        if index > 0 {
            out.push(b',');
        }
        push(out, &item)
    });
    out.push(b']');
    fit
}

fn push_named(
    out: &mut Vec<u8>,
    value: &Bound<'_, PyAny>,
    push: impl Fn(&mut Vec<u8>, &Bound<'_, PyAny>) -> bool,
) -> bool {
    let Ok(items) = value.cast_exact::<PyDict>() else { return false };
    out.push(b'{');
    let fit = items.iter().enumerate().all(|(index, (key, item))| {
        if index > 0 {
            out.push(b',');
        }
        let named = compact::push_string(out, &key);
        out.push(b':');
        named && push(out, &item)
    });
    out.push(b'}');
    fit
}

fn same(one: &Bound<'_, PyString>, other: &Bound<'_, PyString>) -> bool {
    matches!((one.to_str(), other.to_str()), (Ok(one), Ok(other)) if one == other)
}
