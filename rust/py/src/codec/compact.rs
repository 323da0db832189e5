//! The pieces of JSON as pydantic-core writes them: compact, and in UTF-8.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyFloat, PyInt, PyString};

use super::output::Output;
use super::text;

/// Writes a text, unless it has no UTF-8. Tells whether it did, as the others here do.
pub(super) fn push_string(out: &mut Output, value: &Bound<'_, PyAny>) -> bool {
    let Ok(value) = value.cast_exact::<PyString>() else { return false };
    let Ok(value) = value.to_str() else { return false };
    out.push(b'"');
    push_text(out, value.as_bytes());
    out.push(b'"');
    true
}

/// Writes the inner part of a text.
pub(super) fn push_text(out: &mut Output, text: &[u8]) {
    let mut rest = text;
    loop {
        let (plain, special) = rest.split_at(text::plain_length(rest, is_plain));
        out.extend(plain);
        let Some((&byte, after)) = special.split_first() else { return };
        text::push_unit(out, u16::from(byte));
        rest = after;
    }
}

fn is_plain(byte: u8) -> bool {
    byte >= b' ' && byte != b'"' && byte != b'\\'
}

/// Writes a whole number of 64 bits.
pub(super) fn push_int(out: &mut Output, value: &Bound<'_, PyAny>) -> bool {
    let Ok(number) = value.cast_exact::<PyInt>() else { return false };
    let Ok(number) = number.extract::<i64>() else { return false };
    out.extend(itoa::Buffer::new().format(number).as_bytes());
    true
}

/// Writes a float that every version of pydantic-core writes alike: of usual size, and finite.
pub(super) fn push_float(out: &mut Output, value: &Bound<'_, PyAny>) -> bool {
    let Ok(number) = value.cast_exact::<PyFloat>() else { return false };
    let number = number.value();
    if number != 0.0 && !(1e-4..1e16).contains(&number.abs()) {
        return false;
    }
    out.extend(zmij::Buffer::new().format_finite(number).as_bytes());
    true
}

/// Writes a truth value.
pub(super) fn push_bool(out: &mut Output, value: &Bound<'_, PyAny>) -> bool {
    let Ok(truth) = value.cast_exact::<PyBool>() else { return false };
    out.extend(text::word(truth.is_true()));
    true
}

/// Writes `None`.
pub(super) fn push_none(out: &mut Output, value: &Bound<'_, PyAny>) -> bool {
    if value.is_none() {
        out.extend(b"null");
    }
    value.is_none()
}
