//! The scan of a vector search: products with vectors that are stored as bytes.

use std::ops::Range;

use pyo3::buffer::{Element, PyBuffer};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// With more numbers than this a sum of products could exceed 32 bits.
const MOST_DIMENSIONS: usize = 100_000;
/// How far ahead rows are requested from memory, in bytes: processors do not look beyond a page.
const AHEAD: usize = 4096;
const CACHE_LINE: usize = 64;

/// Write the products of a query with the rows of a table, each times the scale of the row.
///
/// The interpreter is detached meanwhile: the arrays must not be changed by others.
#[pyfunction]
pub(crate) fn scaled_products(
    py: Python<'_>,
    query: PyBuffer<i8>,
    rows: PyBuffer<i8>,
    scales: PyBuffer<f32>,
    out: PyBuffer<f32>,
) -> PyResult<()> {
    let dimensions = query.item_count();
    let count = scales.item_count();
    if dimensions == 0 || dimensions > MOST_DIMENSIONS {
        let message = format!("a query has 1 to {MOST_DIMENSIONS} numbers, not {dimensions}");
        return Err(PyValueError::new_err(message));
    }
    if Some(rows.item_count()) != dimensions.checked_mul(count) || out.item_count() != count {
        return Err(PyValueError::new_err("rows, scales and out have different lengths"));
    }
    let contiguous = query.is_c_contiguous() && rows.is_c_contiguous();
    if !contiguous || !scales.is_c_contiguous() || !out.is_c_contiguous() || out.readonly() {
        return Err(PyValueError::new_err("the arrays must be contiguous, and out writable"));
    }
    if count == 0 {
        return Ok(());
    }
    let target = addresses(&out);
    if [addresses(&query), addresses(&rows), addresses(&scales)]
        .iter()
        .any(|read| read.start < target.end && target.start < read.end)
    {
        return Err(PyValueError::new_err("out overlaps with another array"));
    }
    // SAFETY: the slices have the lengths and the types of buffers that are held until the end of
    // this function, are not empty, and do not overlap with `out`; callers do not change them
    // meanwhile.
    let (query, rows, scales, out) = unsafe {
        let out = std::slice::from_raw_parts_mut(out.buf_ptr().cast::<f32>(), count);
        (slice(&query), slice(&rows), slice(&scales), out)
    };
    let query: Vec<i16> = query.iter().map(|&one| i16::from(one)).collect();
    py.detach(|| multiply(&query, rows, scales, out));
    Ok(())
}

fn addresses<T: Element>(buffer: &PyBuffer<T>) -> Range<usize> {
    let start = buffer.buf_ptr() as usize;
    start..start + buffer.len_bytes()
}

/// The items of a buffer.
///
/// # Safety
///
/// The buffer is contiguous and not empty, outlives the slice, and is not changed meanwhile.
unsafe fn slice<'a, T: Element>(buffer: &PyBuffer<T>) -> &'a [T] {
    // SAFETY: as above.
    unsafe { std::slice::from_raw_parts(buffer.buf_ptr().cast::<T>(), buffer.item_count()) }
}

fn multiply(query: &[i16], rows: &[i8], scales: &[f32], out: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2.
        unsafe { multiply_avx2(query, rows, scales, out) };
        return;
    }
    multiply_rows(query, rows, scales, out);
}

/// The same, compiled for processors with AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn multiply_avx2(query: &[i16], rows: &[i8], scales: &[f32], out: &mut [f32]) {
    multiply_rows(query, rows, scales, out);
}

#[inline(always)]
fn multiply_rows(query: &[i16], rows: &[i8], scales: &[f32], out: &mut [f32]) {
    let rows = rows.chunks_exact(query.len());
    for ((row, &scale), product) in rows.zip(scales).zip(out) {
        prefetch(row);
        let sum: i32 =
            row.iter().zip(query).map(|(&one, &other)| i32::from(one) * i32::from(other)).sum();
        #[expect(clippy::cast_precision_loss, reason = "callers allow for the rounding")]
        let exact = sum as f32;
        *product = exact * scale;
    }
}

/// Request what follows a row from memory.
#[inline(always)]
fn prefetch(row: &[i8]) {
    #[cfg(target_arch = "x86_64")]
    for line in (0..row.len()).step_by(CACHE_LINE) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: any address can be prefetched; at the end of the table there is nothing there.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(row.as_ptr().wrapping_add(line + AHEAD)) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (row, AHEAD, CACHE_LINE);
}
