//! `Output`: the bytes of a message while it is written.

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::fallible;

/// Most messages fit, so that their text need not grow.
const USUAL_LENGTH: usize = 256;

/// Bytes that grow. When no memory is left they are dropped, and what follows is ignored; `finish`
/// reports it.
pub(super) struct Output {
    bytes: Vec<u8>,
    is_out_of_memory: bool,
}

impl Output {
    pub(super) fn new() -> Self {
        let mut bytes = Vec::new();
        let is_out_of_memory = bytes.try_reserve(USUAL_LENGTH).is_err();
        Self { bytes, is_out_of_memory }
    }

    #[inline]
    pub(super) fn push(&mut self, byte: u8) {
        if self.has_room(1) {
            self.bytes.push(byte);
        }
    }

    #[inline]
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        if self.has_room(bytes.len()) {
            self.bytes.extend_from_slice(bytes);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Drops what was written after the first bytes.
    pub(super) fn truncate(&mut self, length: usize) {
        self.bytes.truncate(length);
    }

    /// The bytes as Python has them.
    ///
    /// # Errors
    ///
    /// `MemoryError` if there was no memory for them.
    pub(super) fn finish(self, py: Python<'_>) -> PyResult<Bound<'_, PyBytes>> {
        if self.is_out_of_memory {
            return Err(fallible::out_of_memory(py));
        }
        fallible::bytes(py, &self.bytes)
    }

    /// What is written once for many messages.
    pub(super) fn into_kept(self, py: Python<'_>) -> PyResult<Box<[u8]>> {
        if self.is_out_of_memory {
            return Err(fallible::out_of_memory(py));
        }
        Ok(self.bytes.into())
    }

    #[inline]
    fn has_room(&mut self, length: usize) -> bool {
        length <= self.bytes.capacity() - self.bytes.len() || self.grow(length)
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, length: usize) -> bool {
        if !self.is_out_of_memory && self.bytes.try_reserve(length).is_err() {
            self.is_out_of_memory = true;
            self.bytes = Vec::new();
        }
        !self.is_out_of_memory
    }
}
