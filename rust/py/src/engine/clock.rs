//! The clock of the statistics: the processor's counter, or an event loop whose time is simulated.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};

use ferrogen_core::Ticks;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use super::agents::now;
use super::engine::Engine;

/// Where the time comes from.
mod source {
    /// Nothing is timed.
    pub(super) const NONE: u8 = 0;
    /// No event loop is known yet.
    pub(super) const UNKNOWN: u8 = 1;
    /// The monotonic clock, which the event loops of asyncio and uvloop have.
    pub(super) const NATIVE: u8 = 2;
    /// The `time` method of the event loop.
    pub(super) const EVENT_LOOP: u8 = 3;
}

/// A clock in ticks of [`quanta`]. It does not jump when the engine moves to another event loop.
pub(super) struct Clock {
    /// `None` if nothing is timed.
    native: Option<quanta::Clock>,
    source: AtomicU8,
    /// The address of the event loop that was followed last.
    event_loop: AtomicUsize,
    /// What is added to readings of the source, modulo 2^64.
    offset: AtomicU64,
    /// The last time that was read from an event loop.
    last: AtomicU64,
    /// Whether the time that the core has is that of now: a handler of a batch has just ended.
    pub(super) is_set: AtomicBool,
}

impl Clock {
    pub(super) fn new(is_timed: bool) -> Self {
        let source = if is_timed { source::UNKNOWN } else { source::NONE };
        Self {
            native: is_timed.then(quanta::Clock::new),
            source: AtomicU8::new(source),
            event_loop: AtomicUsize::new(0),
            offset: AtomicU64::new(0),
            last: AtomicU64::new(0),
            is_set: AtomicBool::new(false),
        }
    }

    /// How many seconds a tick takes.
    #[expect(clippy::cast_precision_loss, reason = "a ratio")]
    pub(super) fn seconds_per_tick(&self) -> f64 {
        const MANY: u64 = 1 << 40;
        let nanoseconds = self.native.as_ref().map_or(0, |native| native.delta_as_nanos(0, MANY));
        nanoseconds as f64 / MANY as f64 / 1e9
    }

    #[inline]
    fn native(&self) -> Ticks {
        self.native.as_ref().map_or(0, quanta::Clock::raw)
    }

    fn is(&self, source: u8) -> bool {
        self.source.load(Ordering::Relaxed) == source
    }

    /// Reads the time from an event loop from now on.
    pub(super) fn follow(&self, event_loop: &Bound<'_, PyAny>) -> PyResult<()> {
        if self.is(source::NONE) {
            return Ok(());
        }
        let is_native = is_monotonic(event_loop)?;
        let address = event_loop.as_ptr() as usize;
        let has_moved = self.event_loop.swap(address, Ordering::Relaxed) != address;
        let before = if self.is(source::UNKNOWN) {
            None
        } else if self.is(source::EVENT_LOOP) {
            if !has_moved && !is_native {
                return Ok(());
            }
            Some(self.last.load(Ordering::Relaxed))
        } else if is_native {
            return Ok(());
        } else {
            Some(self.native().wrapping_add(self.offset.load(Ordering::Relaxed)))
        };
        let reading = if is_native { self.native() } else { self.ticks_of(event_loop)? };
        let offset = before.map_or(0, |before| before.wrapping_sub(reading));
        self.offset.store(offset, Ordering::Relaxed);
        self.last.store(reading.wrapping_add(offset), Ordering::Relaxed);
        let source = if is_native { source::NATIVE } else { source::EVENT_LOOP };
        self.source.store(source, Ordering::Relaxed);
        Ok(())
    }

    /// The time of an event loop, in ticks.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
    fn ticks_of(&self, event_loop: &Bound<'_, PyAny>) -> PyResult<Ticks> {
        Ok((now(event_loop)?.as_secs_f64() / self.seconds_per_tick()).round() as Ticks)
    }
}

/// Whether the time of an event loop is the monotonic clock.
fn is_monotonic(event_loop: &Bound<'_, PyAny>) -> PyResult<bool> {
    static TIME: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = event_loop.py();
    let standard = TIME.get_or_try_init(py, || {
        let class = py.import("asyncio")?.getattr("BaseEventLoop")?;
        PyResult::Ok(class.getattr("time")?.unbind())
    })?;
    let time = event_loop.getattr(intern!(py, "time"))?;
    let function = time.getattr_opt(intern!(py, "__func__"))?;
    if function.is_some_and(|one| one.is(standard)) {
        return Ok(true);
    }
    // The class of uvloop is compiled, and its methods have no functions.
    let class = event_loop.get_type();
    let owner = time.getattr_opt(intern!(py, "__self__"))?;
    Ok(class.module()? == "uvloop" && owner.is_some_and(|one| one.is(event_loop)))
}

impl Engine {
    /// The time of the statistics. It may run Python, and so no lock is held.
    #[inline(always)]
    pub(super) fn time(&self, py: Python<'_>) -> Ticks {
        match self.clock.source.load(Ordering::Relaxed) {
            source::NATIVE => {
                self.clock.native().wrapping_add(self.clock.offset.load(Ordering::Relaxed))
            }
            source::NONE => 0,
            _ => self.other_time(py),
        }
    }

    #[cold]
    fn other_time(&self, py: Python<'_>) -> Ticks {
        let clock = &self.clock;
        // An error must not keep a message from being settled (L1): the time stands still.
        if let Err(error) = self.read_event_loop(py) {
            error.write_unraisable(py, None);
        }
        clock.last.load(Ordering::Relaxed)
    }

    fn read_event_loop(&self, py: Python<'_>) -> PyResult<()> {
        let event_loop = match self.bound_loop(py) {
            Some(event_loop) => event_loop,
            None => {
                py.import(intern!(py, "asyncio"))?.call_method0(intern!(py, "get_running_loop"))?
            }
        };
        let clock = &self.clock;
        if clock.is(source::UNKNOWN) {
            return clock.follow(&event_loop);
        }
        let reading = clock.ticks_of(&event_loop)?;
        let offset = clock.offset.load(Ordering::Relaxed);
        clock.last.store(reading.wrapping_add(offset), Ordering::Relaxed);
        Ok(())
    }

    /// Sets the time of the calls of the core that follow.
    #[inline]
    pub(super) fn set_time(&self, py: Python<'_>) {
        let now = self.time(py);
        self.books.with(py, |books| books.machine.set_time(now));
    }
}
