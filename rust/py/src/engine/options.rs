//! Options of a message: what its sender sets besides the address.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use ferrogen_core::{Priority, SchedulingClass, Time};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyInt};

use super::chain::Chain;

/// The options of a message; the default takes no memory.
#[derive(Default)]
pub(crate) struct MessageOptions(Option<Box<Values>>);

#[derive(Default)]
struct Values {
    class: SchedulingClass,
    /// How long after it was sent the message expires.
    timeout: Option<Duration>,
    /// How long after it was sent the message is queued.
    delay: Option<Duration>,
    /// How many messages its chain has at most, from this one on.
    max_hops: Option<u32>,
    /// What is called with it in place of the handlers of its agents: it calls them with retries.
    retry: Option<Py<PyAny>>,
    /// What it inherits, once it was sent.
    chain: Option<Py<Chain>>,
}

/// The arguments that Python gives.
pub(super) type Given<'a, 'py> = Option<&'a Bound<'py, PyAny>>;

/// What a handler needs of the options of its message.
pub(super) struct HandlerOptions {
    /// What is called in place of the handlers of the agent.
    pub(super) retry: Option<Py<PyAny>>,
    /// What the messages that it sends inherit.
    pub(super) chain: Option<Py<Chain>>,
}

impl MessageOptions {
    /// Reads the arguments.
    pub(super) fn read(
        host: &Bound<'_, PyAny>,
        priority: Given<'_, '_>,
        fairness_key: Given<'_, '_>,
        timeout: Given<'_, '_>,
        delay: Given<'_, '_>,
        retry: Given<'_, '_>,
        max_hops: Given<'_, '_>,
    ) -> PyResult<Self> {
        let class = SchedulingClass {
            priority: priority.map_or(Ok(Priority::Normal), read_priority)?,
            fairness_key: fairness_key.map(read_fairness_key).transpose()?,
        };
        let timeout = timeout.map(|given| read_seconds("timeout", given, true)).transpose()?;
        let delay = delay.map(|given| read_seconds("delay", given, false)).transpose()?;
        let delay = delay.filter(|delay| !delay.is_zero());
        if let (Some(timeout), Some(delay)) = (timeout, delay)
            && delay >= timeout
        {
            return Err(PyValueError::new_err(format!(
                "delay must be shorter than timeout ({} s), or the message would expire before it \
                 is queued; got {} s",
                timeout.as_secs_f64(),
                delay.as_secs_f64()
            )));
        }
        let retrying = |policy| host.call_method1(intern!(host.py(), "retrying"), (policy,));
        let retry = retry.map(retrying).transpose()?.map(Bound::unbind);
        let max_hops = max_hops.map(read_max_hops).transpose()?;
        let is_default = class == SchedulingClass::NORMAL
            && timeout.is_none()
            && delay.is_none()
            && retry.is_none()
            && max_hops.is_none();
        let values = Values { class, timeout, delay, max_hops, retry, chain: None };
        Ok(Self((!is_default).then(|| Box::new(values))))
    }

    pub(crate) fn clone_ref(&self, py: Python<'_>) -> Self {
        self.sent(py, self.chain())
    }

    /// The options of a message that was sent, with its chain.
    #[inline(always)]
    pub(super) fn sent(&self, py: Python<'_>, chain: Option<&Py<Chain>>) -> Self {
        if self.0.is_none() && chain.is_none() { Self(None) } else { self.with_chain(py, chain) }
    }

    #[cold]
    fn with_chain(&self, py: Python<'_>, chain: Option<&Py<Chain>>) -> Self {
        let chain = chain.map(|chain| chain.clone_ref(py));
        let Some(values) = &self.0 else {
            return Self(Some(Box::new(Values { chain, ..Values::default() })));
        };
        let retry = values.retry.as_ref().map(|retry| retry.clone_ref(py));
        let Values { class, timeout, delay, max_hops, .. } = **values;
        Self(Some(Box::new(Values { class, timeout, delay, max_hops, retry, chain })))
    }

    /// Whether any is set or inherited.
    #[inline]
    pub(super) fn is_some(&self) -> bool {
        self.0.is_some()
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

    /// How long after it was sent the message is queued.
    #[inline]
    pub(crate) fn delay(&self) -> Option<Duration> {
        self.0.as_ref()?.delay
    }

    pub(super) fn max_hops(&self) -> Option<u32> {
        self.0.as_ref()?.max_hops
    }

    /// Whether messages that are sent by its handlers inherit something.
    #[inline]
    pub(super) fn begins_chain(&self) -> bool {
        self.0.as_ref().is_some_and(|values| values.timeout.is_some() || values.max_hops.is_some())
    }

    pub(super) fn chain(&self) -> Option<&Py<Chain>> {
        self.0.as_ref()?.chain.as_ref()
    }

    /// When the message expires.
    #[inline]
    pub(crate) fn deadline(&self) -> Option<Time> {
        self.chain()?.get().deadline
    }

    /// What its handlers need of them, with the chain of the message.
    #[inline]
    pub(super) fn of_handler(
        &self,
        py: Python<'_>,
        chain: Option<&Py<Chain>>,
    ) -> Option<HandlerOptions> {
        let retry = self.0.as_ref().and_then(|values| values.retry.as_ref());
        if retry.is_none() && chain.is_none() {
            return None;
        }
        let retry = retry.map(|retry| retry.clone_ref(py));
        Some(HandlerOptions { retry, chain: chain.map(|chain| chain.clone_ref(py)) })
    }

    pub(crate) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(values) = &self.0 else { return Ok(()) };
        visit.call(&values.retry)?;
        visit.call(&values.chain)
    }
}

fn read_priority(given: &Bound<'_, PyAny>) -> PyResult<Priority> {
    let number = given.cast::<PyInt>().ok().filter(|_| !given.is_instance_of::<PyBool>());
    let index = number.and_then(|number| number.extract::<i64>().ok()).map(|number| number + 2);
    let priority = index.and_then(|index| usize::try_from(index).ok());
    priority.and_then(|index| Priority::ALL.get(index)).copied().ok_or_else(|| {
        PyValueError::new_err(format!(
            "priority must be a whole number from -2 (lowest) to 2 (highest); got {}",
            shown(given)
        ))
    })
}

fn shown(given: &Bound<'_, PyAny>) -> String {
    given.repr().map_or_else(|_| "it".to_owned(), |text| text.to_string())
}

fn read_seconds(name: &str, given: &Bound<'_, PyAny>, is_positive: bool) -> PyResult<Duration> {
    let allowed = if is_positive { "greater than 0" } else { "of at least 0, not infinite" };
    let refused =
        || format!("{name} must be a number of seconds {allowed}, or None; got {}", shown(given));
    let seconds = if given.is_instance_of::<PyBool>() { None } else { given.extract().ok() };
    let seconds: f64 = seconds.ok_or_else(|| PyTypeError::new_err(refused()))?;
    let is_allowed =
        if is_positive { seconds > 0.0 } else { seconds.is_finite() && seconds >= 0.0 };
    if !is_allowed {
        return Err(PyValueError::new_err(refused()));
    }
    Ok(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}

/// Messages with equal keys count as one: the core compares hashes.
fn read_fairness_key(given: &Bound<'_, PyAny>) -> PyResult<u64> {
    let Ok(key) = given.extract::<&str>() else {
        let text = format!("fairness_key must be text, or None; got {}", shown(given));
        return Err(PyTypeError::new_err(text));
    };
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    Ok(hasher.finish())
}

fn read_max_hops(given: &Bound<'_, PyAny>) -> PyResult<u32> {
    let number = given.cast::<PyInt>().ok().filter(|_| !given.is_instance_of::<PyBool>());
    let number = number.and_then(|number| number.extract::<u32>().ok());
    number.filter(|number| *number >= 1).ok_or_else(|| {
        PyValueError::new_err(format!(
            "max_hops must be a whole number of at least 1, or None; got {}",
            shown(given)
        ))
    })
}
