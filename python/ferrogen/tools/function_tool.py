"""The function tool: a Python function as a tool, its arguments read off its signature."""

import asyncio
import inspect
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel
from typing_extensions import Self

from ferrogen._core import CancellationToken
from ferrogen.code_executor.requirements import FunctionWithRequirements, Import
from ferrogen.compat.handoffs import is_handoff
from ferrogen.components.cache_store import CacheStore
from ferrogen.components.component import Component
from ferrogen.components.faults import Fault
from ferrogen.components.model import ComponentModel
from ferrogen.exceptions import ToolCancelledError, ToolProcessError, ToolSchemaError
from ferrogen.tools.arguments import CANCELLATION, Arguments
from ferrogen.tools.base import BaseTool
from ferrogen.tools.call_policy import CallPolicy, Isolation
from ferrogen.tools.cancellation import value_of
from ferrogen.tools.context import ToolContext
from ferrogen.tools.descriptions import read_docstring
from ferrogen.tools.function_signature import (
    documentation_of,
    get_typed_signature,
    name_of,
    waits,
)
from ferrogen.tools.jsonable import jsonable
from ferrogen.tools.process_call import run_in_process, sendable
from ferrogen.tools.source_text import faults_of_source, function_from_source, source_of, text_of
from ferrogen.tools.thread_call import run_in_thread

if TYPE_CHECKING:
    from ferrogen.tools.guarding.passing import GuardedCall


class FunctionToolConfig(BaseModel):
    """The config of a `FunctionTool`: its function as source text."""

    source_code: str
    name: str
    description: str
    global_imports: Sequence[Import]
    has_cancellation_support: bool
    # Upstream's configs have none of these fields. They are left out unless they are set.
    strict: bool | None = None
    timeout: float | None = None
    retries: int | None = None
    retry_delay: float | None = None
    concurrency: int | None = None
    cache: ComponentModel | None = None
    isolation: Isolation | None = None


class FunctionTool(BaseTool[BaseModel, BaseModel], Component[FunctionToolConfig]):
    """A function as a tool.

    Every parameter needs an annotation, which gives its type. In ``Annotated[int, "The year."]``
    the text is the description; pydantic's ``Field`` gives limits, defaults and aliases. Keyword
    arguments (``**options: int``) are additional properties. A parameter with the name
    ``cancellation_token`` gets the caller's token, and one with the annotation `ToolContext` the
    context of the call. The model does not see them.

    A coroutine function runs in the event loop, any other one in a thread. A cancelled token frees
    the caller of both, unless the function takes the token itself. A function in a thread runs on,
    and can check `tool_call_cancelled`; see also `KillableFunctionTool`. An awaitable result is
    awaited.

    Args:
        func: The function: also a partial, a method, or an object that can be called.
        description: The description for the model; by default the docstring's (in Google's,
            numpy's or Sphinx's style), which then describes the parameters, too.
        name: The name of the tool; by default the function's.
        global_imports: The imports that the function needs, for its config.
        strict: Whether the model service is asked to keep to the schema. There may be no
            defaults then.
        timeout: The most seconds that one attempt may take.
        retries: How often a call is repeated after an error of the function.
        retry_delay: The seconds before the first repetition; each further one waits twice as long.
        concurrency: The most calls that run at the same time, in one event loop.
        cache: Where results are kept by the arguments. Errors are not kept.
        isolation: Where the function runs: ``"thread"``, or ``"process"`` for a process of its own
            that is killed when the call is cancelled or times out, see `KillableFunctionTool`.

    Raises:
        ToolProcessError: The function cannot run in a process of its own, and was to.
        ToolSchemaError: A parameter cannot be described to a model, or there is no description.
        ValueError: A limit is not positive, or a number of repetitions or seconds is negative.

    Example:
        ```python
        import asyncio
        from typing import Annotated

        from ferrogen import CancellationToken
        from ferrogen.tools import FunctionTool


        async def weather(city: Annotated[str, "In English."], days: int = 1) -> str:
            return f"{city} will be sunny for {days} days."


        tool = FunctionTool(weather, "Look up the weather.")
        parameters = tool.schema["parameters"]
        assert parameters["properties"]["city"]["description"] == "In English."
        assert parameters["required"] == ["city"]
        words = asyncio.run(tool.run_json({"city": "Turin"}, CancellationToken()))
        assert words == "Turin will be sunny for 1 days."
        ```
    """

    __module__ = "ferrogen.tools"

    component_provider_override = "autogen_core.tools.FunctionTool"
    component_config_schema = FunctionToolConfig

    def __init__(
        self,
        func: Callable[..., Any],
        description: str | None = None,
        name: str | None = None,
        global_imports: Sequence[Import] = [],
        strict: bool = False,
        *,
        timeout: float | None = None,
        retries: int = 0,
        retry_delay: float = 0.0,
        concurrency: int | None = None,
        cache: CacheStore[Any] | None = None,
        isolation: Isolation = "thread",
    ) -> None:
        self._func = func
        self._policy = CallPolicy(timeout, retries, retry_delay, concurrency, cache)
        self._global_imports = global_imports
        self._signature = get_typed_signature(func)
        self._has_cancellation_support = CANCELLATION in self._signature.parameters
        own_name = name or name_of(func)
        text, described = read_docstring(documentation_of(func) or "")
        if not (description or text) and description is None:
            raise ToolSchemaError(
                f"the function of the tool {own_name!r} has no docstring that describes it;"
                " write one, or give a description"
            )
        if description not in (None, text):  # with that text it comes from its config
            described = {}
        self._arguments = Arguments(own_name + "args", self._signature, described)
        if isolation not in get_args(Isolation):
            raise ValueError(f"isolation is {isolation!r}; it is one of {get_args(Isolation)}")
        self._isolation = isolation
        if isolation == "process":
            self._check_for_process(own_name)
        self._in_process = text_of(func) or func
        if isolation == "process":
            self._in_process = sendable(self._in_process)
        super().__init__(
            self._arguments.model,
            self._signature.return_annotation,
            own_name,
            text if description is None else description,
            strict,
        )

    async def run(
        self, args: BaseModel, cancellation_token: CancellationToken, call_id: str | None = None
    ) -> Any:
        """Call the function.

        Args:
            args: The arguments, checked.
            cancellation_token: Cancels the call, unless the function has a parameter for it: then
                the function gets it, and the caller waits for what the function makes of it.
            call_id: The id that the model gave to the call, for the `ToolContext`.

        Returns:
            The return value of the function.

        Raises:
            asyncio.CancelledError: The token or the caller was cancelled.
            ToolCancelledError: The function was cancelled by itself, not by the token.
            ToolTimeoutError: The last attempt took longer than the timeout.
        """
        if self._policy.limits_nothing:
            return await self._attempt(args, cancellation_token, call_id)
        given = json.dumps(json.loads(args.model_dump_json(by_alias=True)), sort_keys=True)
        return await self._policy.apply(
            partial(self._attempt, args, cancellation_token, call_id),
            f"{self._name} {given}",
            cancellation_token,
        )

    def _guarded(
        self, args: Mapping[str, Any], token: CancellationToken, call_id: str | None
    ) -> "GuardedCall | None":
        # A handoff of AgentChat only returns a text, and its agent waits forever if that fails.
        return None if is_handoff(self._func) else super()._guarded(args, token, call_id)

    def _shown(self, args: BaseModel) -> dict[str, Any]:
        return jsonable(args, self._arguments.unset(args))

    async def _invoke(self, args: BaseModel, token: CancellationToken, call_id: str | None) -> Any:
        if type(self).run is FunctionTool.run:
            return await self.run(args, token, call_id)
        return await super()._invoke(args, token, call_id)

    async def _attempt(self, args: BaseModel, token: CancellationToken, call_id: str | None) -> Any:
        if not self._arguments.takes_context:
            return await self._call(self._arguments.of(args, token, None), token)
        context = ToolContext.of_call(self._name, call_id, token, self._policy.timeout)
        try:
            return await self._call(self._arguments.of(args, token, context), token)
        except (asyncio.CancelledError, ToolCancelledError):
            context.give_up()  # the thread of the function can run on
            raise

    async def _call(
        self, arguments: tuple[list[Any], dict[str, Any]], token: CancellationToken
    ) -> Any:
        by_position, by_name = arguments
        if self._isolation == "process":
            return await run_in_process(partial(self._in_process, *by_position, **by_name), token)
        call = partial(self._func, *by_position, **by_name)
        if waits(self._func):
            if self._has_cancellation_support:
                return await call()
            return await value_of(asyncio.ensure_future(call()), token)
        if is_handoff(self._func):
            return call()
        value = await run_in_thread(call, token, takes_token=self._has_cancellation_support)
        return await value if inspect.isawaitable(value) else value

    def _check_for_process(self, name: str) -> None:
        if waits(self._func):
            reason = "is a coroutine function, which is cancelled without that"
        elif self._has_cancellation_support or self._arguments.takes_context:
            reason = "takes a cancellation token or a ToolContext, which no process can get"
        else:
            return
        raise ToolProcessError(
            f"the tool {name!r} cannot run in a process of its own: its function {reason}"
        )

    def _to_config(self) -> FunctionToolConfig:
        imports = [*self._global_imports]
        if isinstance(self._func, FunctionWithRequirements):
            imports += [needed for needed in self._func.global_imports if needed not in imports]
        return FunctionToolConfig(
            source_code=source_of(self._func, imports),
            name=self.name,
            description=self.description,
            global_imports=imports,
            has_cancellation_support=self._has_cancellation_support,
            strict=self._strict or None,
            timeout=self._policy.timeout,
            retries=self._policy.retries or None,
            retry_delay=self._policy.retry_delay or None,
            concurrency=self._policy.concurrency,
            cache=None if self._policy.cache is None else self._policy.cache.dump_component(),
            isolation=self._isolation_for_config(),
        )

    def _isolation_for_config(self) -> Isolation | None:
        return None if self._isolation == "thread" else self._isolation

    @classmethod
    def _faults_of_config(cls, config: dict[str, Any]) -> Iterable[Fault]:
        source = config.get("source_code")
        return faults_of_source(source) if isinstance(source, str) else ()

    @classmethod
    def _from_config(cls, config: FunctionToolConfig) -> Self:
        isolation: Any = {} if config.isolation is None else {"isolation": config.isolation}
        return cls(
            function_from_source(config.source_code, config.global_imports),
            name=config.name,
            description=config.description,
            global_imports=config.global_imports,
            strict=bool(config.strict),
            timeout=config.timeout,
            retries=config.retries or 0,
            retry_delay=config.retry_delay or 0.0,
            concurrency=config.concurrency,
            cache=None if config.cache is None else CacheStore.load_component(config.cache),
            **isolation,
        )
