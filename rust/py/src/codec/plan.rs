//! `Plan`: which fields a dataclass has, found out once.

use std::sync::OnceLock;

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyString, PyType};

use super::output::Output;
use super::text;
use crate::fallible::name;

/// Classes beyond these are looked at anew. A message seldom holds more kinds of things.
const MOST: usize = 64;

/// One field of a dataclass.
pub(super) struct Field {
    pub(super) name: Py<PyString>,
    /// The text before its value: a brace or a comma, and the name.
    pub(super) lead: Box<[u8]>,
}

/// The fields of a dataclass in their order.
pub(super) struct Plan {
    pub(super) fields: Vec<Field>,
}

impl Plan {
    /// Looks at a class; only dataclasses have a plan.
    fn of(class: &Bound<'_, PyType>) -> PyResult<Option<Self>> {
        let py = class.py();
        if !class.hasattr(name!(py, "__dataclass_fields__")?)? {
            return Ok(None);
        }
        let described = py.import(name!(py, "dataclasses")?)?.getattr(name!(py, "fields")?)?;
        let mut fields = Vec::new();
        for field in described.call1((class,))?.try_iter()? {
            let name: Bound<'_, PyString> = field?.getattr(name!(py, "name")?)?.cast_into()?;
            let mut lead = Output::new();
            lead.extend(if fields.is_empty() { b"{" } else { b", " });
            text::push_string(&mut lead, &name)?;
            lead.extend(b": ");
            fields.push(Field { name: name.unbind(), lead: lead.into_kept(py)? });
        }
        Ok(Some(Self { fields }))
    }
}

/// The plans of the classes that one writer has met: a list that only grows, so that reading it
/// needs no lock. A lock and a counted reference would take a fifth of the time of a message.
#[derive(Default)]
pub(super) struct Plans {
    first: OnceLock<Box<Known>>,
}

/// A class that was met.
pub(super) struct Known {
    class: Py<PyType>,
    /// `None` if the class is not a dataclass.
    pub(super) plan: Option<Plan>,
    next: OnceLock<Box<Known>>,
}

impl Plans {
    /// Calls a function with the plan of a value's class; `None` if it is not a dataclass.
    pub(super) fn with<R>(
        &self,
        value: &Bound<'_, PyAny>,
        use_it: impl FnOnce(Option<&Plan>) -> PyResult<R>,
    ) -> PyResult<R> {
        if let Some(known) = self.find(value) {
            return use_it(known.plan.as_ref());
        }
        let class = value.get_type();
        let plan = Plan::of(&class)?;
        match self.add(Box::new(Known { class: class.unbind(), plan, next: OnceLock::new() })) {
            // Looking at the class may have run Python, which came by here.
            None => use_it(self.find(value).and_then(|known| known.plan.as_ref())),
            Some(unkept) => use_it(unkept.plan.as_ref()),
        }
    }

    /// The known facts about a value's class, if the class was met before.
    pub(super) fn find(&self, value: &Bound<'_, PyAny>) -> Option<&Known> {
        let class = value.get_type_ptr() as usize;
        let mut slot = &self.first;
        while let Some(known) = slot.get() {
            if known.class.as_ptr() as usize == class {
                return Some(known);
            }
            slot = &known.next;
        }
        None
    }

    /// Adds a plan to the end of the list, or gives it back if the list is full.
    fn add(&self, new: Box<Known>) -> Option<Box<Known>> {
        let mut slot = &self.first;
        for _ in 0..MOST {
            let Some(known) = slot.get() else {
                // Nothing ran since the place was seen to be free.
                return slot.set(new).err();
            };
            slot = &known.next;
        }
        Some(new)
    }

    pub(super) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        let mut slot = &self.first;
        while let Some(known) = slot.get() {
            visit.call(&known.class)?;
            slot = &known.next;
        }
        Ok(())
    }
}

impl Drop for Plans {
    /// One by one: dropping the first would drop the others inside one another.
    fn drop(&mut self) {
        let mut next = self.first.take();
        while let Some(mut known) = next {
            next = known.next.take();
        }
    }
}
