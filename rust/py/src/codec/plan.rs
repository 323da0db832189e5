//! `Plan`: which fields a dataclass has, found out once.

use std::sync::OnceLock;

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyType};

use super::text;

/// Classes beyond these are looked at anew. A message seldom holds more kinds of things.
const MOST: usize = 64;

/// One field of a dataclass.
pub(super) struct Field {
    pub(super) name: Py<PyString>,
    /// What is written before its value: a brace or a comma, and the name.
    pub(super) lead: Box<[u8]>,
}

/// The fields of a dataclass in their order.
pub(super) struct Plan {
    pub(super) fields: Vec<Field>,
}

impl Plan {
    /// Looks at a class; there is no plan for one that is no dataclass.
    fn of(class: &Bound<'_, PyType>) -> PyResult<Option<Self>> {
        let py = class.py();
        if !class.hasattr(intern!(py, "__dataclass_fields__"))? {
            return Ok(None);
        }
        let described = py.import(intern!(py, "dataclasses"))?.getattr(intern!(py, "fields"))?;
        let mut fields = Vec::new();
        for field in described.call1((class,))?.try_iter()? {
            let name: Bound<'_, PyString> = field?.getattr(intern!(py, "name"))?.cast_into()?;
            let mut lead: Vec<u8> = if fields.is_empty() { b"{".into() } else { b", ".into() };
            text::push_string(&mut lead, &name)?;
            lead.extend_from_slice(b": ");
            fields.push(Field { name: name.unbind(), lead: lead.into() });
        }
        Ok(Some(Self { fields }))
    }
}

/// The plans of the classes that one writer has met: a list that only grows, so that whoever reads
/// it needs no lock. A lock and a counted reference would take a fifth of the time of a message.
#[derive(Default)]
pub(super) struct Plans {
    first: OnceLock<Box<Known>>,
}

struct Known {
    class: Py<PyType>,
    plan: Option<Plan>,
    next: OnceLock<Box<Known>>,
}

impl Plans {
    /// Gives the plan of a value's class to whoever uses it; `None` if it is no dataclass.
    pub(super) fn with<R>(
        &self,
        value: &Bound<'_, PyAny>,
        use_it: impl FnOnce(Option<&Plan>) -> PyResult<R>,
    ) -> PyResult<R> {
        let class = value.get_type_ptr() as usize;
        let mut slot = &self.first;
        let mut met = 0;
        while let Some(known) = slot.get() {
            if known.class.as_ptr() as usize == class {
                return use_it(known.plan.as_ref());
            }
            slot = &known.next;
            met += 1;
        }
        let class = value.get_type();
        let plan = Plan::of(&class)?;
        if met >= MOST {
            return use_it(plan.as_ref());
        }
        let new = Known { class: class.unbind(), plan, next: OnceLock::new() };
        // If the place is taken: looking at the class ran Python, which came by here.
        let Err(new) = slot.set(Box::new(new)) else { return self.with(value, use_it) };
        use_it(new.plan.as_ref())
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
