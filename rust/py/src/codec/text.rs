//! The pieces of JSON, letter for letter as Python's `json` writes them by default.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyFloat, PyInt, PyString};

use super::output::Output;
use crate::fallible::name;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// So many bytes are compared at once.
const BLOCK: usize = 16;

/// Writes text in quotes, everything but plain ASCII escaped.
#[inline(never)]
pub(super) fn push_string(out: &mut Output, text: &Bound<'_, PyString>) -> PyResult<()> {
    out.push(b'"');
    match text.to_str() {
        Ok(text) => push_text(out, text),
        Err(_) => return push_surrogates(out, text),
    }
    out.push(b'"');
    Ok(())
}

/// Writes text without its quotes: runs of plain letters at once, others one by one.
fn push_text(out: &mut Output, text: &str) {
    let mut rest = text;
    while !rest.is_empty() {
        // Every byte before is ASCII, so this is the end of a character.
        let (plain, special) = rest.split_at(plain_length(rest.as_bytes(), is_plain));
        out.extend(plain.as_bytes());
        let mut characters = special.chars();
        rest = characters.as_str();
        while let Some(character) = characters.next() {
            if u8::try_from(character).is_ok_and(is_plain) {
                break;
            }
            for &mut unit in character.encode_utf16(&mut [0; 2]) {
                push_unit(out, unit);
            }
            rest = characters.as_str();
        }
    }
}

/// Writes text and its last quote. Lone surrogates, which have no UTF-8, `json` writes as it writes
/// paired ones.
#[cold]
#[inline(never)]
fn push_surrogates(out: &mut Output, text: &Bound<'_, PyString>) -> PyResult<()> {
    let py = text.py();
    let arguments = (name!(py, "utf-16-le")?, name!(py, "surrogatepass")?);
    let units = text.call_method1(name!(py, "encode")?, arguments)?;
    for unit in units.cast::<PyBytes>()?.as_bytes().chunks_exact(2) {
        push_unit(out, u16::from_le_bytes([unit[0], unit[1]]));
    }
    out.push(b'"');
    Ok(())
}

/// Writes a unit of UTF-16, escaped if need be.
pub(super) fn push_unit(out: &mut Output, unit: u16) {
    let [high, low] = unit.to_be_bytes();
    let escaped = match (high, low) {
        (0, b'"' | b'\\') => low,
        (0, b'\n') => b'n',
        (0, b'\r') => b'r',
        (0, b'\t') => b't',
        (0, 0x08) => b'b',
        (0, 0x0c) => b'f',
        (0, low) if is_plain(low) => {
            out.push(low);
            return;
        }
        _ => {
            let [a, b, c, d] = [high >> 4, high & 15, low >> 4, low & 15].map(usize::from);
            out.extend(&[b'\\', b'u', HEX[a], HEX[b], HEX[c], HEX[d]]);
            return;
        }
    };
    out.extend(&[b'\\', escaped]);
}

/// Whether `json` writes a byte as it is.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

/// How many bytes in front need no escape. Where there was one there may be more: a few bytes are
/// looked at one by one, then whole blocks.
pub(super) fn plain_length(bytes: &[u8], is_plain: fn(u8) -> bool) -> usize {
    let (near, far) = bytes.split_at(bytes.len().min(BLOCK));
    if let Some(length) = near.iter().position(|&byte| !is_plain(byte)) {
        return length;
    }
    let blocks = far.chunks_exact(BLOCK);
    let plain = blocks.take_while(|block| block.iter().fold(true, |all, &b| all & is_plain(b)));
    let length = plain.count() * BLOCK;
    let rest = far.get(length..).unwrap_or_default();
    let last = rest.iter().position(|&byte| !is_plain(byte)).unwrap_or(rest.len());
    near.len() + length + last
}

/// Writes a whole number.
#[inline(never)]
pub(super) fn push_int(out: &mut Output, number: &Bound<'_, PyInt>) -> PyResult<()> {
    if let Ok(small) = number.extract::<i64>() {
        out.extend(itoa::Buffer::new().format(small).as_bytes());
        return Ok(());
    }
    push_shown(out, number.str())
}

#[cold]
#[inline(never)]
fn push_shown(out: &mut Output, shown: PyResult<Bound<'_, PyString>>) -> PyResult<()> {
    out.extend(shown?.to_str()?.as_bytes());
    Ok(())
}

/// Writes a float; infinities and NaN get the names that `json` gives them.
#[inline(never)]
pub(super) fn push_float(out: &mut Output, number: &Bound<'_, PyFloat>) -> PyResult<()> {
    let value = number.value();
    let size = value.abs();
    if value.is_finite() && (size >= 1e-4 || value == 0.0) {
        // Both write the fewest digits that distinguish this float from its neighbors; only
        // Python's form of small ones differs.
        out.extend(zmij::Buffer::new().format_finite(value).as_bytes());
    } else if value.is_finite() {
        return push_shown(out, number.repr());
    } else if value.is_nan() {
        out.extend(b"NaN");
    } else if value > 0.0 {
        out.extend(b"Infinity");
    } else {
        out.extend(b"-Infinity");
    }
    Ok(())
}

/// The word for a truth value.
pub(super) fn word(truth: bool) -> &'static [u8] {
    if truth { b"true" } else { b"false" }
}
