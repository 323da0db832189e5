//! Nesting of messages, compared with the stack that other libraries need to read and write them.
//!
//! msgspec, `json` and pydantic-core recurse natively, and limit the levels but not the bytes of stack.
//! Where the stack left would not suffice for as many levels as they allow, the levels of the message
//! are looked at first. A usual stack suffices, so that nothing is looked at.

use pyo3::prelude::*;
use pyo3::types::{
    PyByteArray, PyBytes, PyDict, PyFrozenSet, PyIterator, PyList, PySet, PyString, PyTuple,
};

use crate::fallible::name;
use crate::stack;

/// What a library needs of the stack. Measured on x86-64, and about doubled.
pub(super) struct Needs {
    /// The most levels that it enters.
    levels: usize,
    /// The bytes of stack for a level of each kind.
    array: usize,
    object: usize,
}

/// msgspec and `json`.
pub(super) fn msgspec() -> Needs {
    Needs { levels: stack::interpreter_levels(), array: 512, object: 512 }
}

/// pydantic-core, for which an object may be a model with unions around it.
pub(super) const PYDANTIC: Needs = Needs { levels: 256, array: 2 * 1024, object: 10 * 1024 };

impl Needs {
    /// Raises `RecursionError` if the stack does not suffice to read a payload of JSON.
    pub(super) fn check_payload(&self, payload: &Bound<'_, PyAny>) -> PyResult<()> {
        let room = stack::stack_left().saturating_sub(stack::RESERVE);
        if self.most(self.levels) <= room {
            return Ok(());
        }
        let fits = if let Ok(bytes) = payload.cast::<PyBytes>() {
            self.fits(bytes.as_bytes(), room)
        } else if let Ok(text) = payload.cast::<PyString>() {
            text.to_str().is_ok_and(|text| self.fits(text.as_bytes(), room))
        } else {
            let bytes = payload.py().get_type::<PyByteArray>().call1((payload,))?;
            self.fits(&bytes.cast::<PyByteArray>()?.to_vec(), room)
        };
        if fits { Ok(()) } else { Err(stack::exhausted(payload.py())) }
    }

    /// Raises `RecursionError` if the stack does not suffice to write a value.
    pub(super) fn check_value(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let room = stack::stack_left().saturating_sub(stack::RESERVE);
        if self.most(self.levels) <= room {
            return Ok(());
        }
        self.check_within(value, room)
    }

    fn most(&self, levels: usize) -> usize {
        levels.saturating_mul(self.object.max(self.array))
    }

    fn fits(&self, payload: &[u8], room: usize) -> bool {
        if self.most(payload.len()) <= room {
            return true;
        }
        let mut bytes = payload.iter();
        let mut used = 0_usize;
        while let Some(byte) = bytes.next() {
            match byte {
                b'[' => used += self.array,
                b'{' => used += self.object,
                b']' => used = used.saturating_sub(self.array),
                b'}' => used = used.saturating_sub(self.object),
                b'"' => {
                    while let Some(&byte) = bytes.next() {
                        match byte {
                            b'"' => break,
                            b'\\' => _ = bytes.next(),
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
            if used > room {
                return false;
            }
        }
        true
    }

    fn check_within(&self, value: &Bound<'_, PyAny>, room: usize) -> PyResult<()> {
        let py = value.py();
        let enter = |need: usize| room.checked_sub(need).ok_or_else(|| stack::exhausted(py));
        if value.is_none() || value.is_exact_instance_of::<PyString>() {
            return Ok(());
        }
        // Looking needs some of the stack too.
        stack::check(py, stack::RESERVE)?;
        if let Ok(dict) = value.cast::<PyDict>() {
            let values = dict.call_method0(name!(py, "values")?)?;
            return self.check_all(&values.try_iter()?, enter(self.object)?);
        }
        let is_array = value.is_instance_of::<PyList>()
            || value.is_instance_of::<PyTuple>()
            || value.is_instance_of::<PySet>()
            || value.is_instance_of::<PyFrozenSet>();
        if is_array {
            return self.check_all(&value.try_iter()?, enter(self.array)?);
        }
        let class = value.get_type();
        if class.hasattr(name!(py, "__pydantic_fields__")?)? {
            return match value.getattr(name!(py, "__dict__")?) {
                Ok(values) => self.check_within(&values, room),
                Err(_) => Ok(()),
            };
        }
        let fields = match class.getattr(name!(py, "__struct_fields__")?) {
            Ok(names) => Ok(names),
            Err(_) => class.getattr(name!(py, "__dataclass_fields__")?),
        };
        let Ok(fields) = fields else { return Ok(()) };
        let room = enter(self.object)?;
        for field in fields.try_iter()? {
            let field = field?.cast_into::<PyString>()?;
            // The library will find out what is wrong with a field that cannot be read.
            if let Ok(value) = value.getattr(field) {
                self.check_within(&value, room)?;
            }
        }
        Ok(())
    }

    fn check_all(&self, values: &Bound<'_, PyIterator>, room: usize) -> PyResult<()> {
        for value in values {
            self.check_within(&value?, room)?;
        }
        Ok(())
    }
}
