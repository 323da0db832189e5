"""A started sandbox: its folders, its isolation and its runs."""

import asyncio
import os
import weakref
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path

from ferrogen._core import CancellationToken
from ferrogen.code_executor.execution import CodeBlock
from ferrogen.code_executor.sandbox.bubblewrap import find_bubblewrap, folders_of
from ferrogen.code_executor.sandbox.environments import make_environment
from ferrogen.code_executor.sandbox.isolation import Isolation, Launch, Scratch
from ferrogen.code_executor.sandbox.languages import Languages
from ferrogen.code_executor.sandbox.limits import SandboxLimits
from ferrogen.code_executor.sandbox.options import SandboxCodeExecutorConfig
from ferrogen.code_executor.sandbox.run import RunEnd, run
from ferrogen.code_executor.sandbox.selection import choose_isolation
from ferrogen.code_executor.sandbox.session import (
    SESSION_VARIABLES,
    InteractiveSession,
    check_ipython,
)
from ferrogen.code_executor.sandbox.transcript import Transcript
from ferrogen.code_executor.sandbox.user import Identity, Reach, sandbox_identity
from ferrogen.code_executor.sandbox.view import SystemView, base_python, system_view
from ferrogen.code_executor.sandbox.work_folder import (
    clear,
    make_scratch,
    open_folder,
    remove_scratch,
)


class Sandbox:
    """The folders and the isolation of a started executor.

    Args:
        scratch: The folders; they are removed when the sandbox is closed or garbage-collected.
        identity: The user that runs the code.
        reach: Starts programs of that user.
        view: The visible part of the host.
        config: The options.
        limits: The limits of a run.
    """

    def __init__(
        self,
        scratch: Scratch,
        identity: Identity,
        reach: Reach,
        view: SystemView,
        config: SandboxCodeExecutorConfig,
        limits: SandboxLimits,
    ) -> None:
        self.scratch, self.identity, self._view = scratch, identity, view
        self._reach = reach
        self._limits = limits
        self._languages = Languages(view, config.interpreters)
        self._variables = {**view.variables(), **config.environment}
        self._isolation: Isolation | None = None
        self._session: InteractiveSession | None = None
        self._kills: dict[int, Callable[[], None]] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._numbers = count(1)
        self._remove = weakref.finalize(self, remove_scratch, scratch)

    @classmethod
    async def start(cls, config: SandboxCodeExecutorConfig, limits: SandboxLimits) -> "Sandbox":
        """Make the folders and choose an isolation.

        Raises:
            SandboxUnavailableError: No isolation works.
            SandboxOptionError: An interpreter or a folder cannot be used.
        """
        work_dir = None if config.work_dir is None else Path(config.work_dir)
        environment = None
        if config.packages:
            environment = await make_environment(config.requirements(), base_python())
        packages = config.session and environment is None
        if packages:
            await asyncio.to_thread(check_ipython)
        view = await asyncio.to_thread(
            system_view, tuple(config.read_only), environment, site_packages=packages
        )
        identity = await asyncio.to_thread(sandbox_identity)
        scratch = await asyncio.to_thread(make_scratch, identity, work_dir)
        needed = [*map(Path, view.folders), scratch.root, scratch.work]
        program = find_bubblewrap()
        if program is not None:
            needed += folders_of(program)
        try:
            reach = await asyncio.to_thread(Reach, identity, needed, program)
            sandbox = cls(scratch, identity, reach, view, config, limits)
        except BaseException:
            await asyncio.to_thread(remove_scratch, scratch)
            raise
        try:
            if config.functions_source:
                name = f"{config.functions_module}.py"
                await asyncio.to_thread(sandbox._write_code, name, config.functions_source)
            temporary = await asyncio.to_thread(sandbox._make_temporary, 0)
            trial = sandbox._launch([], temporary)
            sandbox._isolation = await choose_isolation(config.isolation, trial)
            if config.session:
                variables = {**view.variables(), **SESSION_VARIABLES, **config.environment}
                launch = replace(trial, variables=variables)
                sandbox._session = InteractiveSession(sandbox._isolation, launch, view.python)
        except BaseException:
            await asyncio.to_thread(sandbox._remove)
            raise
        return sandbox

    @property
    def isolation(self) -> Isolation:
        """The isolation that was chosen."""
        if self._isolation is None:
            raise RuntimeError("the isolation of a sandbox is chosen when it starts")
        return self._isolation

    async def run_block(
        self, block: CodeBlock, token: CancellationToken, transcript: Transcript
    ) -> RunEnd:
        """Run a block of code."""
        command = self._languages.command(block.language)
        if command is None:
            names = ", ".join(self._languages.names)
            known = f"unknown language {block.language!r}: this executor runs {names}\n"
            transcript.add("stderr", known.encode())
            return RunEnd(1, None)
        if self._session is not None and self._languages.is_python(block.language):
            return await self._session.run(block.code, token, transcript)
        number = next(self._numbers)
        name = f"block_{number}{self._languages.suffix(block.language)}"
        temporary = await asyncio.to_thread(self._prepare, number, name, block.code)
        try:
            path = self.isolation.paths(self.scratch, temporary).code
            launch = self._launch([*command, f"{path}/{name}"], temporary)
            return await run(self.isolation, launch, token, transcript.add, self._on_start)
        finally:
            await asyncio.shield(asyncio.to_thread(self._clean, name, temporary))

    async def close(self) -> None:
        """Kill what runs, and remove the folders."""
        for kill in [*self._kills.values()]:
            kill()
        if self._session is not None:
            await self._session.close()
        await self._idle.wait()
        self._reach.close()
        await asyncio.to_thread(self._remove)

    def _launch(self, command: list[str], temporary: Path) -> Launch:
        return Launch(
            command=command,
            variables=self._variables,
            scratch=self.scratch,
            view=self._view,
            identity=self.identity,
            reach=self._reach,
            limits=self._limits,
            temporary=temporary,
        )

    def _on_start(self, kill: Callable[[], None]) -> Callable[[], None]:
        key = id(kill)
        self._kills[key] = kill
        self._idle.clear()

        def forget() -> None:
            self._kills.pop(key, None)
            if not self._kills:
                self._idle.set()

        return forget

    def _prepare(self, number: int, name: str, code: str) -> Path:
        open_folder(self.scratch.work)
        self._write_code(name, code)
        return self._make_temporary(number)

    def _make_temporary(self, number: int) -> Path:
        """Make a folder for the temporary files of a run: other runs neither see nor prepare it."""
        folder = self.scratch.temporary / str(number)
        folder.mkdir(mode=0o700)
        if self.identity.dropped:
            os.chown(folder, self.identity.uid, self.identity.gid)
        return folder

    def _clean(self, name: str, temporary: Path) -> None:
        (self.scratch.code / name).unlink(missing_ok=True)
        with suppress(FileNotFoundError):  # the executor was stopped
            open_folder(self.scratch.work)
            clear(temporary)
            temporary.rmdir()

    def _write_code(self, name: str, code: str) -> Path:
        file = self.scratch.code / name
        # A model may write half of a surrogate pair.
        file.write_bytes(code.encode(errors="replace"))
        file.chmod(0o644)
        return file
