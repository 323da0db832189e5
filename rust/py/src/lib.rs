//! The acting half of Ferrogen: the extension module `ferrogen._core`.
//!
//! Everything that Python sees of the core is listed in the one module block below; the stub
//! `python/ferrogen/_core.pyi` documents it. This crate alone knows Python: it looks agent ids
//! up, keeps the instances and payloads that the core only counts, and turns the core's errors
//! into exceptions. No lock is held while Python runs (B1).

mod agent_id;
mod cancellation_token;
mod codec;
mod dispatcher;
#[expect(unsafe_code, reason = "the short cut works below what the binding offers")]
mod drive;
mod errors;
mod grammar;
mod lazy_field;
mod letting_go;
mod message_context;
mod outcome;
mod publish_envelope;
mod python;
mod routes;

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
    use crate::dispatcher::{Delivery, Dispatcher};
    #[pymodule_export]
    use crate::drive::{Drive, Handlers, Send};
    #[pymodule_export]
    use crate::grammar::is_valid_agent_type;
    #[pymodule_export]
    use crate::message_context::MessageContext;
    #[pymodule_export]
    use crate::outcome::Outcome;
    #[pymodule_export]
    use crate::publish_envelope::PublishEnvelope;
    #[pymodule_export]
    use crate::routes::Routes;

    #[pymodule_export]
    #[expect(non_upper_case_globals, reason = "the name that Python packages give their version")]
    const __version__: &str = env!("CARGO_PKG_VERSION");

    #[pymodule_init]
    fn prepare(module: &Bound<'_, PyModule>) -> PyResult<()> {
        crate::drive::prepare(module)?;
        module.add("DeliveryTask", crate::drive::delivery_task::class(module.py())?)
    }
}
