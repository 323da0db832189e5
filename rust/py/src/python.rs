//! The Python classes that the extension needs, each imported when first needed.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

use crate::fallible;

/// A class that is imported when first asked for.
struct Class {
    module: &'static str,
    name: &'static str,
    found: PyOnceLock<Py<PyType>>,
}

impl Class {
    const fn new(module: &'static str, name: &'static str) -> Self {
        Self { module, name, found: PyOnceLock::new() }
    }

    fn get<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyType>> {
        let found = self.found.get_or_try_init(py, || -> PyResult<Py<PyType>> {
            let module = py.import(fallible::text(py, self.module)?)?;
            let class = module.getattr(fallible::text(py, self.name)?)?;
            Ok(class.cast_into::<PyType>()?.unbind())
        })?;
        Ok(found.bind(py))
    }
}

macro_rules! classes {
    ($($name:ident: $module:literal, $class:literal;)*) => {
        $(
            pub(crate) fn $name(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
                static CLASS: Class = Class::new($module, $class);
                CLASS.get(py)
            }
        )*
    };
}

classes! {
    agent_stopped_error: "ferrogen.exceptions", "AgentStoppedError";
    agent_type: "ferrogen.agents.agent_type", "AgentType";
    deadline_exceeded_error: "ferrogen.exceptions", "DeadlineExceededError";
    message_cancelled_error: "ferrogen.exceptions", "MessageCancelledError";
    serialization_error: "ferrogen.exceptions", "SerializationError";
    unknown_payload: "ferrogen.serialization.serializer", "UnknownPayload";
    default_intervention_handler: "ferrogen.messaging.intervention", "DefaultInterventionHandler";
    delay: "ferrogen.messaging.intervention", "Delay";
    redirect: "ferrogen.messaging.intervention", "Redirect";
    reject: "ferrogen.messaging.intervention", "Reject";
    drop_message: "ferrogen.messaging.intervention", "DropMessage";
    topic_id: "ferrogen.messaging.topic", "TopicId";
    default_topic_id: "ferrogen.messaging.topic", "DefaultTopicId";
    type_subscription: "ferrogen.messaging.subscriptions", "TypeSubscription";
    default_subscription: "ferrogen.messaging.subscriptions", "DefaultSubscription";
    type_prefix_subscription:
        "ferrogen.messaging.subscriptions", "TypePrefixSubscription";
    wildcard_subscription:
        "ferrogen.messaging.subscriptions", "WildcardSubscription";
}

/// A context variable of `ferrogen.messaging.handler_context`.
fn context_variable<'py>(
    py: Python<'py>,
    variable: &'static PyOnceLock<Py<PyAny>>,
    name: &str,
) -> PyResult<&'py Bound<'py, PyAny>> {
    let variable = variable.get_or_try_init(py, || {
        let module = py.import("ferrogen.messaging.handler_context")?;
        PyResult::Ok(module.getattr(name)?.unbind())
    })?;
    Ok(variable.bind(py))
}

/// The context variable that holds the id of the agent whose handler runs.
pub(crate) fn message_handler_context(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static VARIABLE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    context_variable(py, &VARIABLE, "MESSAGE_HANDLER_CONTEXT")
}

/// The context variable that holds the chain of the message whose handler runs.
pub(crate) fn chain_context(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static VARIABLE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    context_variable(py, &VARIABLE, "CHAIN_CONTEXT")
}
