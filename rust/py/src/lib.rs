//! The extension module `ferrogen._core`: the engine and the serializers.
//!
//! The module block below lists everything that Python sees; the stub `python/ferrogen/_core.pyi` documents
//! it. No lock is held while Python runs (B1).

mod agent_id;
#[expect(unsafe_code, reason = "the class is called without the binding's parsing of arguments")]
mod agent_id_call;
mod cancellation_token;
mod codec;
mod engine;
mod errors;
#[expect(unsafe_code, reason = "objects are allocated without the binding, which would panic")]
mod fallible;
mod grammar;
#[expect(unsafe_code, reason = "coroutines, tasks and contexts are used below the binding's API")]
mod interpreter;
mod lazy_field;
mod message_context;
mod publish_envelope;
mod python;
mod routes;
#[expect(unsafe_code, reason = "the bounds of the stack are asked of the operating system")]
mod stack;
#[expect(unsafe_code, reason = "arrays are read while the interpreter is detached")]
mod vectors;

use pyo3::pymodule;

/// The compiled half of Ferrogen.
#[pymodule(name = "_core")]
mod core {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::agent_id::AgentId;
    #[pymodule_export]
    use crate::cancellation_token::CancellationToken;
    #[pymodule_export]
    use crate::codec::{DataclassCodec, EnvelopeCodec, JsonWriter, ModelCodec, SerializerTable};
    #[pymodule_export]
    use crate::engine::{Chain, Engine, Handlers, Send, TimeHistogram};
    #[pymodule_export]
    use crate::grammar::is_valid_agent_type;
    #[pymodule_export]
    use crate::message_context::MessageContext;
    #[pymodule_export]
    use crate::publish_envelope::PublishEnvelope;
    #[pymodule_export]
    use crate::routes::Routes;
    #[pymodule_export]
    use crate::vectors::scaled_products;

    #[pymodule_export]
    #[expect(non_upper_case_globals, reason = "the name that Python packages give their version")]
    const __version__: &str = env!("CARGO_PKG_VERSION");

    #[pymodule_init]
    fn prepare(module: &Bound<'_, PyModule>) -> PyResult<()> {
        crate::codec::prepare(module.py());
        crate::interpreter::prepare(module.py())?;
        crate::engine::prepare(module.py())
    }
}
