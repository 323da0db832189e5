//! The grammar of agent types: one or more word characters, hyphens and dots.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// The pattern as it is shown to people, and as Python's `re` reads it.
pub(crate) const AGENT_TYPE_PATTERN: &str = r"^[\w\-\.]+\Z";

static PATTERN: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// Whether `value` can be an agent type.
///
/// ASCII is judged here. What counts as a word character beyond it is Python's to say, so the
/// rest is left to `re`: Rust's notion of a letter differs in a few scripts.
#[pyfunction]
pub(crate) fn is_valid_agent_type(py: Python<'_>, value: &str) -> PyResult<bool> {
    if value.is_ascii() {
        return Ok(is_plain_agent_type(value));
    }
    let pattern = PATTERN.get_or_try_init(py, || {
        let compiled = py.import("re")?.call_method1("compile", (AGENT_TYPE_PATTERN,))?;
        PyResult::Ok(compiled.unbind())
    })?;
    Ok(!pattern.call_method1(py, "match", (value,))?.is_none(py))
}

/// Whether `value` can be an agent type, and is ASCII.
pub(crate) fn is_plain_agent_type(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(is_ascii_part)
}

fn is_ascii_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}
