//! Options of a message: what its sender sets besides the address.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use ferrogen_core::{Priority, SchedulingClass, Time};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyInt};

/// The options of a message; the default takes no memory.
#[derive(Clone, Default)]
pub(crate) struct MessageOptions(Option<Box<Values>>);

#[derive(Clone, Copy)]
struct Values {
    class: SchedulingClass,
    /// How long after it was sent the message expires.
    timeout: Option<Duration>,
    /// When it expires, once it was sent.
    deadline: Option<Time>,
}

impl MessageOptions {
    /// Reads the arguments.
    pub(crate) fn read(
        priority: Option<&Bound<'_, PyAny>>,
        fairness_key: Option<&str>,
        timeout: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let class = SchedulingClass {
            priority: priority.map_or(Ok(Priority::Normal), read_priority)?,
            fairness_key: fairness_key.map(|key| {
                let mut hasher = DefaultHasher::new();
                key.hash(&mut hasher);
                hasher.finish()
            }),
        };
        let timeout = timeout.map(read_timeout).transpose()?;
        let is_default = class == SchedulingClass::NORMAL && timeout.is_none();
        Ok(Self((!is_default).then(|| Box::new(Values { class, timeout, deadline: None }))))
    }

    /// How the core orders the message among others.
    #[inline]
    pub(crate) fn class(&self) -> SchedulingClass {
        self.0.as_ref().map_or(SchedulingClass::NORMAL, |values| values.class)
    }

    /// How long after it was sent the message expires.
    #[inline]
    pub(crate) fn timeout(&self) -> Option<Duration> {
        self.0.as_ref()?.timeout
    }

    /// When the message expires.
    #[inline]
    pub(crate) fn deadline(&self) -> Option<Time> {
        self.0.as_ref()?.deadline
    }

    /// The options of a message that was sent, with its deadline.
    pub(crate) fn sent(&self, deadline: Option<Time>) -> Self {
        if deadline.is_none() {
            return self.clone();
        }
        let (class, timeout) = (self.class(), self.timeout());
        Self(Some(Box::new(Values { class, timeout, deadline })))
    }
}

fn read_priority(given: &Bound<'_, PyAny>) -> PyResult<Priority> {
    let number = given.cast::<PyInt>().ok().filter(|_| !given.is_instance_of::<PyBool>());
    let index = number.and_then(|number| number.extract::<i64>().ok()).map(|number| number + 2);
    let priority = index.and_then(|index| usize::try_from(index).ok());
    priority.and_then(|index| Priority::ALL.get(index)).copied().ok_or_else(|| {
        let given = given.repr().map_or_else(|_| "it".to_owned(), |text| text.to_string());
        PyValueError::new_err(format!(
            "priority must be a whole number from -2 (lowest) to 2 (highest); got {given}"
        ))
    })
}

fn read_timeout(given: &Bound<'_, PyAny>) -> PyResult<Duration> {
    let refused = |given: String| {
        format!("timeout must be a number of seconds greater than 0, or None; got {given}")
    };
    let shown = || given.repr().map_or_else(|_| "it".to_owned(), |text| text.to_string());
    let seconds: f64 = given.extract().map_err(|_| PyTypeError::new_err(refused(shown())))?;
    if seconds.is_nan() || seconds <= 0.0 {
        return Err(PyValueError::new_err(refused(shown())));
    }
    Ok(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}
