"""Exceptions of Ferrogen.

The tree::

    FerrogenError
    ├── CantHandleException              an agent or a subscription refuses what it was given
    ├── UndeliverableException           a message cannot be delivered
    │   ├── RecipientNotFoundError       (LookupError)  the agent type is not registered
    │   ├── MailboxFullError             the recipient's bounded mailbox is full
    │   ├── DeadlineExceededError        (TimeoutError) the message was not handled in time
    │   ├── MessageCancelledError        runtime.cancel came before the handler
    │   ├── HopLimitError                (RuntimeError) too many messages led to this one
    │   ├── DeadlockError                (RuntimeError) the recipient waits for this very message
    │   ├── NoSubscriberError            the topic has no subscriber
    │   ├── UnhandledMessageError        the recipient has no handler for the message type
    │   ├── AgentStoppedError            the recipient has failed, and was stopped
    │   ├── CircuitOpenError             the circuit breaker of the recipient's type is open
    │   └── RuntimeStoppedError          the runtime stopped before the message was handled
    ├── MessageDroppedException          an intervention handler dropped it
    ├── ResponseTypeError                (TypeError)    a response has another type than expected
    ├── StreamError                      (RuntimeError) a handler and its sender do not both stream
    ├── SignalsNotSupportedError         (NotImplementedError)  signals cannot be handled here
    ├── AttemptTimeoutError              (TimeoutError) an attempt of a handler took too long
    ├── ReplayError                      (RuntimeError) a dead letter cannot be sent again
    ├── NotAccessibleError               the object cannot be reached from this process
    ├── AgentNotFoundError               (LookupError)  nothing is registered under this agent type
    ├── StateError                       (ValueError)   a saved state cannot be loaded
    ├── StateStoreError                  (RuntimeError) the state of an agent cannot be loaded from
    │                                    its store, or saved there
    ├── SerializationError               (ValueError)   bytes and message do not fit each other
    │   └── MessageVersionError          the message is of an unknown version
    ├── SchemaConversionError            a JSON Schema cannot be made a pydantic model
    │   ├── FormatNotSupportedError      a property has an unknown format (upstream only)
    │   ├── ReferenceNotFoundError       a $ref cannot be resolved
    │   └── UnsupportedKeywordError      a part has an unknown type, or contradicts another
    ├── ImageError                       (ValueError)   an image cannot be read
    ├── ModelInfoError                   (ValueError)   the description of a model lacks something
    ├── ModelError                       (RuntimeError) a model gave no usable response
    │   ├── ModelConnectionError         (ConnectionError)  its service cannot be reached
    │   ├── ModelTimeoutError            (TimeoutError)     its service took too long
    │   ├── ModelStatusError             its service responded with an error status
    │   │   └── ModelRateLimitError      its service limits requests: status 429
    │   ├── ModelResponseError           its response cannot be read
    │   ├── AllClientsFailedError        every client of a fallback failed
    │   ├── BudgetExceededError          the next call would cost more than is left
    │   └── ReplayMismatchError          a request is not the one that was recorded
    ├── CacheStoreError                  (RuntimeError) a file cannot be used as a cache
    ├── ClientSetupError                 (ValueError)   a client is set up wrongly
    │   └── UnknownArgumentError         (ModelRequestError, TypeError)  a client, or a request to
    │                                    one, has no argument of this name
    ├── ModelRequestError                (ValueError)   a request is invalid
    ├── CassetteError                    (ValueError)   a file holds no recorded requests
    ├── ContextLimitError                (ValueError)   the limit of a model context is invalid
    ├── MemoryStoreError                 (RuntimeError) the file of a memory cannot be used
    │   └── MemoryBusyError              (TimeoutError) another process has locked it for too long
    ├── MemoryContentError               (ValueError)   something cannot be stored in a memory
    ├── MemoryQueryError                 (ValueError)   a search or a filter is invalid
    ├── MemoryScopeError                 (ValueError)   a memory is limited to another namespace
    ├── MemoryQuotaError                 (RuntimeError) a memory has no room for another item
    ├── EmbedderError                    (RuntimeError) an embedder gave no usable vectors
    │   └── EmbedderMismatchError        the stored vectors are those of another embedder
    ├── MissingDependencyError           (ImportError)  an optional package is not installed
    ├── ToolSchemaError                  (ValueError, KeyError, NameError)  a tool cannot be
    │                                    described
    ├── ToolCancelledError               (RuntimeError) the call of a tool was cancelled, and its
    │                                    caller was not
    ├── ToolTimeoutError                 (TimeoutError) the call of a tool took too long
    ├── ToolNameError                    (ValueError)   two tools would have one name
    ├── ToolProcessError                 (RuntimeError) a killable tool cannot run, or its
    │                                    process died
    ├── ToolStreamError                  (AssertionError, TypeError)  a tool's stream ends without
    │                                    a result, or with one of another type
    ├── FunctionSourceError              (ValueError)   source text does not make one function
    ├── SandboxError                     (RuntimeError) a sandbox could not run a program
    │   └── SandboxUnavailableError      nothing can isolate code on this machine
    ├── SandboxOptionError               (ValueError)   an option of a code executor is invalid
    ├── PackageInstallError              (RuntimeError) packages of a code executor cannot be
    │                                    installed
    ├── ArtifactError                    (OSError)      a file cannot be taken out of a sandbox, or
    │                                    put into it
    ├── ComponentError                   a component cannot be dumped or loaded
    │   ├── ProviderError                (ValueError)  a provider string is wrong
    │   │   └── UntrustedProviderError   it names something outside the trusted namespaces
    │   ├── ComponentTypeError           (TypeError)   not a component, or of another class
    │   ├── ComponentDefinitionError     (AttributeError)  its class lacks a class variable
    │   ├── ComponentVersionError        (NotImplementedError)  the config is of a past version
    │   ├── ComponentFileError           (ValueError)  a file cannot be read as a component
    │   ├── SecretError                  (ValueError)  a secret is missing, or cannot be written
    │   ├── FunctionDumpError            (TypeError, OSError)  a function has no usable source text
    │   ├── SourceTextRefusedError       (PermissionError)  running source text is not enabled
    │   └── SourceImportError            (ModuleNotFoundError, RuntimeError)  source text needs a
    │                                    module that cannot be imported
    ├── WrongLoopError                   (RuntimeError) used from another event loop than its own
    ├── AlreadyImportedError             (RuntimeError) the real autogen_core is imported already
    └── NotProvidedError                 (ModuleNotFoundError)  a name of autogen_core that
                                         Ferrogen does not have

Where upstream raised a built-in exception, ours is a kind of that exception too, so that an
existing ``except`` clause keeps catching it. Those of a tool agent
are in `ferrogen.tool_agent`.
"""

from __future__ import annotations

from .base import (
    FerrogenError,
)
from .components import (
    ComponentDefinitionError,
    ComponentError,
    ComponentFileError,
    ComponentTypeError,
    ComponentVersionError,
    FunctionDumpError,
    ProviderError,
    SecretError,
    SourceImportError,
    SourceTextRefusedError,
    UntrustedProviderError,
)
from .memory import (
    EmbedderError,
    EmbedderMismatchError,
    MemoryBusyError,
    MemoryContentError,
    MemoryQueryError,
    MemoryQuotaError,
    MemoryScopeError,
    MemoryStoreError,
)
from .messaging import (
    AgentNotFoundError,
    AgentStoppedError,
    AttemptTimeoutError,
    CantHandleException,
    CircuitOpenError,
    DeadlineExceededError,
    DeadlockError,
    HopLimitError,
    MailboxFullError,
    MessageCancelledError,
    MessageDroppedException,
    NoSubscriberError,
    NotAccessibleError,
    RecipientNotFoundError,
    ReplayError,
    ResponseTypeError,
    RuntimeStoppedError,
    SignalsNotSupportedError,
    StateError,
    StateStoreError,
    StreamError,
    UndeliverableException,
    UnhandledMessageError,
)
from .models import (
    AllClientsFailedError,
    BudgetExceededError,
    CacheStoreError,
    CassetteError,
    ClientSetupError,
    ContextLimitError,
    ModelConnectionError,
    ModelError,
    ModelInfoError,
    ModelRateLimitError,
    ModelRequestError,
    ModelResponseError,
    ModelStatusError,
    ModelTimeoutError,
    ReplayMismatchError,
    UnknownArgumentError,
)
from .other import (
    AlreadyImportedError,
    FormatNotSupportedError,
    ImageError,
    MessageVersionError,
    MissingDependencyError,
    NotProvidedError,
    ReferenceNotFoundError,
    SchemaConversionError,
    SerializationError,
    UnsupportedKeywordError,
    WrongLoopError,
)
from .tools import (
    ArtifactError,
    FunctionSourceError,
    PackageInstallError,
    SandboxError,
    SandboxOptionError,
    SandboxUnavailableError,
    ToolCancelledError,
    ToolNameError,
    ToolProcessError,
    ToolSchemaError,
    ToolStreamError,
    ToolTimeoutError,
)

__all__ = [
    "AgentNotFoundError",
    "AgentStoppedError",
    "AllClientsFailedError",
    "AlreadyImportedError",
    "ArtifactError",
    "AttemptTimeoutError",
    "BudgetExceededError",
    "CacheStoreError",
    "CantHandleException",
    "CassetteError",
    "CircuitOpenError",
    "ClientSetupError",
    "ComponentDefinitionError",
    "ComponentError",
    "ComponentFileError",
    "ComponentTypeError",
    "ComponentVersionError",
    "ContextLimitError",
    "DeadlineExceededError",
    "DeadlockError",
    "EmbedderError",
    "EmbedderMismatchError",
    "FerrogenError",
    "FormatNotSupportedError",
    "FunctionDumpError",
    "FunctionSourceError",
    "HopLimitError",
    "ImageError",
    "MailboxFullError",
    "MemoryBusyError",
    "MemoryContentError",
    "MemoryQueryError",
    "MemoryQuotaError",
    "MemoryScopeError",
    "MemoryStoreError",
    "MessageCancelledError",
    "MessageDroppedException",
    "MessageVersionError",
    "MissingDependencyError",
    "ModelConnectionError",
    "ModelError",
    "ModelInfoError",
    "ModelRateLimitError",
    "ModelRequestError",
    "ModelResponseError",
    "ModelStatusError",
    "ModelTimeoutError",
    "NoSubscriberError",
    "NotAccessibleError",
    "NotProvidedError",
    "PackageInstallError",
    "ProviderError",
    "RecipientNotFoundError",
    "ReferenceNotFoundError",
    "ReplayError",
    "ReplayMismatchError",
    "ResponseTypeError",
    "RuntimeStoppedError",
    "SandboxError",
    "SandboxOptionError",
    "SandboxUnavailableError",
    "SchemaConversionError",
    "SecretError",
    "SerializationError",
    "SignalsNotSupportedError",
    "SourceImportError",
    "SourceTextRefusedError",
    "StateError",
    "StateStoreError",
    "StreamError",
    "ToolCancelledError",
    "ToolNameError",
    "ToolProcessError",
    "ToolSchemaError",
    "ToolStreamError",
    "ToolTimeoutError",
    "UndeliverableException",
    "UnhandledMessageError",
    "UnknownArgumentError",
    "UnsupportedKeywordError",
    "UntrustedProviderError",
    "WrongLoopError",
]
