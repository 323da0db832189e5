"""The base of tools that remember something, and can save it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from ferrogen.components.component import ComponentBase
from ferrogen.tools.base import ArgsT, BaseTool, ReturnT

StateT = TypeVar("StateT", bound=BaseModel)


class BaseToolWithState(
    BaseTool[ArgsT, ReturnT], ABC, Generic[ArgsT, ReturnT, StateT], ComponentBase[BaseModel]
):
    """The base of tools that remember something between calls, as a pydantic model.

    Args:
        args_type: The model of the arguments.
        return_type: The type of the results.
        state_type: The model of the state.
        name: The name for the model.
        description: The description for the model.

    Example:
        ```python
        import asyncio

        from pydantic import BaseModel

        from ferrogen import CancellationToken
        from ferrogen.tools import BaseToolWithState


        class Step(BaseModel):
            by: int


        class Position(BaseModel):
            at: int = 0


        class Walker(BaseToolWithState[Step, int, Position]):
            def __init__(self) -> None:
                super().__init__(Step, int, Position, "walk", "Walks some steps.")
                self.position = Position()

            async def run(self, args: Step, cancellation_token: CancellationToken) -> int:
                self.position.at += args.by
                return self.position.at

            def save_state(self) -> Position:
                return self.position

            def load_state(self, state: Position) -> None:
                self.position = state


        async def main() -> None:
            walker = Walker()
            await walker.run_json({"by": 2}, CancellationToken())
            assert await walker.save_state_json() == {"at": 2}


        asyncio.run(main())
        ```
    """

    __module__ = "ferrogen.tools"

    component_type = "tool"

    def __init__(
        self,
        args_type: type[ArgsT],
        return_type: type[ReturnT],
        state_type: type[StateT],
        name: str,
        description: str,
    ) -> None:
        super().__init__(args_type, return_type, name, description)
        self._state_type = state_type

    def state_type(self) -> type[BaseModel] | None:
        """Return the model of its state."""
        return self._state_type

    @abstractmethod
    def save_state(self) -> StateT:
        """Return the state."""

    @abstractmethod
    def load_state(self, state: StateT) -> None:
        """Replace the state."""

    async def save_state_json(self) -> Mapping[str, Any]:
        """Return the state in a form that JSON can hold."""
        return self.save_state().model_dump()

    async def load_state_json(self, state: Mapping[str, Any]) -> None:
        """Check a state that was saved, and take it on.

        Raises:
            pydantic.ValidationError: It is not a state of this tool.
        """
        self.load_state(self._state_type.model_validate(state))
