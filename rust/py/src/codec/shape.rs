//! `Shape`: what a field of a pydantic model holds, and how it is written if it does.
//!
//! Writing runs no Python: what does not fit its shape exactly is left to pydantic-core, which has
//! its own rules and warnings for it.

use pyo3::exceptions::PyValueError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple, PyType};

use super::output::Output;
use super::{compact, is_exactly};
use crate::fallible::{self, name};
use crate::stack;

/// How deep anything may be nested before it is left to pydantic-core.
const DEEPEST: usize = 100;

/// The shape of a model and of all parts of it, in a list: boxed inside one another they would be
/// visited and dropped by recursion, where a collection of garbage finds little stack.
pub(super) struct Shapes {
    all: Vec<Shape>,
}

/// The place of a shape in the list. The parts of a shape come before it; the last is the whole.
type Place = usize;

/// What a value has to be.
enum Shape {
    Text,
    /// One of a few texts.
    Word(Vec<Py<PyString>>),
    Int,
    Float,
    Bool,
    None,
    /// Whatever JSON has, by its exact class.
    Anything,
    Items(Place),
    /// A dict with text for keys.
    Named(Place),
    /// The first of several that fits.
    Either(Vec<Place>),
    Model(Model),
}

/// The fields of one model class, in their order.
struct Model {
    class: Py<PyType>,
    fields: Vec<Field>,
}

struct Field {
    name: Py<PyString>,
    /// What is written before its value: a brace or a comma, and the name.
    lead: Box<[u8]>,
    shape: Place,
}

impl Shapes {
    /// Reads what `ferrogen.serialization.model_codec` says.
    pub(super) fn of(said: &Bound<'_, PyAny>) -> PyResult<Self> {
        let mut shapes = Self { all: Vec::new() };
        shapes.add(said)?;
        Ok(shapes)
    }

    /// Writes a model, or reports that it does not fit; then something of it may have been written.
    pub(super) fn push(&self, out: &mut Output, model: &Bound<'_, PyAny>) -> bool {
        self.push_at(self.all.len().wrapping_sub(1), out, model)
    }

    pub(super) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.all.iter().try_for_each(|shape| match shape {
            Shape::Model(model) => visit.call(&model.class),
            _ => Ok(()),
        })
    }

    fn add(&mut self, said: &Bound<'_, PyAny>) -> PyResult<Place> {
        let py = said.py();
        stack::check(py, stack::RESERVE)?;
        let said = said.cast::<PyTuple>()?;
        let kind: Bound<'_, PyString> = said.get_item(0)?.cast_into()?;
        let shape = match kind.to_str()? {
            "text" => Shape::Text,
            "word" => Shape::Word(said.get_item(1)?.extract()?),
            "int" => Shape::Int,
            "float" => Shape::Float,
            "bool" => Shape::Bool,
            "none" => Shape::None,
            "anything" => Shape::Anything,
            "items" => Shape::Items(self.add(&said.get_item(1)?)?),
            "named" => Shape::Named(self.add(&said.get_item(1)?)?),
            "either" => {
                let choices = said.get_item(1)?;
                let choices = choices.try_iter()?.map(|choice| self.add(&choice?));
                Shape::Either(choices.collect::<PyResult<_>>()?)
            }
            "model" => Shape::Model(self.model(said)?),
            other => {
                let class = py.get_type::<PyValueError>();
                return Err(fallible::error(&class, &format!("unknown shape \"{other}\"")));
            }
        };
        self.all.push(shape);
        Ok(self.all.len() - 1)
    }

    fn model(&mut self, said: &Bound<'_, PyTuple>) -> PyResult<Model> {
        let mut fields = Vec::new();
        for field in said.get_item(2)?.try_iter()? {
            let (name, shape): (Bound<'_, PyString>, Bound<'_, PyAny>) = field?.extract()?;
            let mut lead = Output::new();
            lead.extend(if fields.is_empty() { b"{\"" } else { b",\"" });
            compact::push_text(&mut lead, name.to_str()?.as_bytes());
            lead.extend(b"\":");
            let (lead, shape) = (lead.into_kept(said.py())?, self.add(&shape)?);
            fields.push(Field { name: name.unbind(), lead, shape });
        }
        Ok(Model { class: said.get_item(1)?.extract()?, fields })
    }

    fn push_at(&self, place: Place, out: &mut Output, value: &Bound<'_, PyAny>) -> bool {
        let Some(shape) = self.all.get(place) else { return false };
        match shape {
            Shape::Text => compact::push_string(out, value),
            Shape::Word(words) => {
                let fits = |word: &Py<PyString>| {
                    let word = word.bind(value.py());
                    word.is(value) || value.cast_exact::<PyString>().is_ok_and(|v| same(v, word))
                };
                words.iter().any(fits) && compact::push_string(out, value)
            }
            Shape::Int => compact::push_int(out, value),
            Shape::Float => compact::push_float(out, value),
            Shape::Bool => compact::push_bool(out, value),
            Shape::None => compact::push_none(out, value),
            Shape::Anything => push_anything(out, value, 0),
            Shape::Items(item) => {
                push_items(out, value, |out, value| self.push_at(*item, out, value))
            }
            Shape::Named(item) => {
                push_named(out, value, |out, value| self.push_at(*item, out, value))
            }
            Shape::Either(shapes) => {
                let start = out.len();
                shapes.iter().any(|shape| {
                    out.truncate(start);
                    self.push_at(*shape, out, value)
                })
            }
            Shape::Model(model) => self.push_model(model, out, value),
        }
    }

    fn push_model(&self, model: &Model, out: &mut Output, value: &Bound<'_, PyAny>) -> bool {
        let py = value.py();
        if !is_exactly(value, &model.class) || !stack::is_left(stack::RESERVE) {
            return false;
        }
        let Ok(values) = name!(py, "__dict__").and_then(|name| value.getattr(name)) else {
            return false;
        };
        let Ok(values) = values.cast_exact::<PyDict>() else { return false };
        if values.len() != model.fields.len() || values.is_empty() {
            return false;
        }
        // pydantic-core writes the values in the order of the dict.
        let fit = values.iter().zip(&model.fields).all(|((name, value), field)| {
            out.extend(&field.lead);
            field.name.is(&name) && self.push_at(field.shape, out, &value)
        });
        out.push(b'}');
        fit
    }
}

fn push_anything(out: &mut Output, value: &Bound<'_, PyAny>, depth: usize) -> bool {
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
    out: &mut Output,
    value: &Bound<'_, PyAny>,
    push: impl Fn(&mut Output, &Bound<'_, PyAny>) -> bool,
) -> bool {
    let Ok(items) = value.cast_exact::<PyList>() else { return false };
    if !stack::is_left(stack::RESERVE) {
        return false;
    }
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
    out: &mut Output,
    value: &Bound<'_, PyAny>,
    push: impl Fn(&mut Output, &Bound<'_, PyAny>) -> bool,
) -> bool {
    let Ok(items) = value.cast_exact::<PyDict>() else { return false };
    if !stack::is_left(stack::RESERVE) {
        return false;
    }
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
