"""``ferrogen memory``: the contents of memory files."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from ferrogen.memory import MemoryItem, SqliteMemory
    from ferrogen.memory.filters import Filter

ResultT = TypeVar("ResultT")

memory = typer.Typer(
    name="memory", help="Look into memories that are SQLite files.", no_args_is_help=True
)

File = Annotated[Path, typer.Argument(metavar="FILE", help="The file of a memory.")]
User = Annotated[str | None, typer.Option(help="Only the items of this user.")]
Agent = Annotated[str | None, typer.Option(help="Only the items of this agent.")]
Conversation = Annotated[str | None, typer.Option(help="Only the items of this conversation.")]
Where = Annotated[
    list[str] | None,
    typer.Option(metavar="KEY=VALUE", help="Only items with this in their metadata."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, with all details.")]
Limit = Annotated[int, typer.Option(min=1, max=10_000, help="The most items.")]


@memory.command("list")
def list_items(
    file: File,
    user: User = None,
    agent: Agent = None,
    conversation: Conversation = None,
    where: Where = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """List the items, the newest first."""
    with _reported():
        condition = _filter(where)
        scope = (user, agent, conversation)
        found = _run(file, scope, lambda opened: opened.items(condition, limit=limit))
        _print([(item, None) for item in found], as_json)


@memory.command()
def search(
    file: File,
    query: Annotated[str, typer.Argument(help="The words to search for.")],
    user: User = None,
    agent: Agent = None,
    conversation: Conversation = None,
    where: Where = None,
    limit: Limit = 10,
    as_json: AsJson = False,
) -> None:
    """Search the items by text, the best first."""
    with _reported():
        condition = _filter(where)
        found = _run(
            file,
            (user, agent, conversation),
            lambda opened: opened.search(query, where=condition, limit=limit, mode="text"),
        )
        _print([(result.item, result.score) for result in found], as_json)


@memory.command()
def stats(file: File, as_json: AsJson = False) -> None:
    """Show how much a memory contains, and how large it is."""
    with _reported():
        found = _run(file, (), lambda opened: opened.stats())
        figures: dict[str, Any] = {
            "items": found.items,
            "versions": found.versions,
            "expired": found.expired,
            "vectors": found.vectors,
            "namespaces": [{**scope.levels(), "items": count} for scope, count in found.scopes],
            "database_bytes": found.database_bytes,
            "wal_bytes": found.wal_bytes,
            "free_bytes": found.free_bytes,
            "is_erasure_unfinished": found.is_erasure_unfinished,
        }
        if as_json:
            typer.echo(json.dumps(figures, indent=2, ensure_ascii=False))
            return
        for name, value in figures.items():
            shown = f"{value:,}" if type(value) is int else value
            if name == "namespaces":
                typer.echo(f"namespaces: {len(value)}")
                for one in value[:20]:
                    count = one.pop("items")
                    levels = ", ".join(f"{level} {text!r}" for level, text in one.items())
                    typer.echo(f"  {levels or '(none)'}: {count:,}")
            else:
                typer.echo(f"{name.replace('_', ' ')}: {shown}")


@memory.command()
def rebuild(file: File) -> None:
    """Build the full-text index anew, and check the file."""
    with _reported():
        _run(file, (), lambda opened: opened.rebuild())
        typer.echo("the index was built anew, and the file is sound")


@memory.command()
def vacuum(file: File) -> None:
    """Release unused space, and remove every trace of erased items."""
    with _reported():
        _run(file, (), lambda opened: opened.vacuum())


@memory.command()
def forget(
    file: File,
    user: User = None,
    agent: Agent = None,
    conversation: Conversation = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Erase a user, an agent or a conversation, from the index and the log, too."""
    with _reported():
        named = {"user": user, "agent": agent, "conversation": conversation}
        if not yes and any(named.values()):
            typer.confirm(f"Erase {_described(named)} from {file}?", abort=True)
        count = _run(file, (), lambda opened: opened.forget(**named))
        typer.echo(f"erased {count:,} versions of items")


@memory.command("export")
def export_items(
    file: File,
    target: Annotated[Path, typer.Argument(help="The file of JSON lines to write.")],
    user: User = None,
    agent: Agent = None,
    conversation: Conversation = None,
    vectors: Annotated[bool, typer.Option("--vectors", help="Write vectors, too.")] = False,
) -> None:
    """Write all versions of the items as JSON lines."""
    with _reported():
        scope = (user, agent, conversation)
        count = _run(file, scope, lambda opened: opened.export(target, vectors=vectors))
        typer.echo(f"wrote {count:,} versions of items")


@memory.command("import")
def import_items(
    file: File,
    source: Annotated[Path, typer.Argument(help="The file of JSON lines to read.")],
) -> None:
    """Read what export has written: all of it, or nothing. FILE is made if there is none."""
    with _reported():
        if not source.is_file():
            raise FileNotFoundError(2, "no such file", str(source))
        count = _run(file, (), lambda opened: opened.import_items(source), create=True)
        typer.echo(f"read {count:,} versions of items")


@contextmanager
def _reported() -> Iterator[None]:
    from ferrogen.exceptions import FerrogenError

    try:
        yield
    except (FerrogenError, OSError) as error:
        typer.echo(f"ferrogen memory: {error}", err=True)
        raise typer.Exit(2) from None


def _run(
    file: Path,
    levels: tuple[str | None, ...],
    work: Callable[[SqliteMemory], Awaitable[ResultT]],
    *,
    create: bool = False,
) -> ResultT:
    from ferrogen.memory import Scope, SqliteMemory

    if not create and not file.is_file():
        raise FileNotFoundError(2, "no such file", str(file))
    named = dict(zip(("user", "agent", "conversation"), levels, strict=False))

    async def main() -> ResultT:
        async with SqliteMemory(file, scope=Scope(**named)) as opened:
            return await work(opened)

    return asyncio.run(main())


def _filter(conditions: list[str] | None) -> Filter | None:
    from ferrogen.exceptions import MemoryQueryError
    from ferrogen.memory import filters

    found: Filter | None = None
    for condition in conditions or []:
        key, equals, text = condition.partition("=")
        if not key or not equals:
            raise MemoryQueryError(f"--where is KEY=VALUE, not {condition!r}")
        field = filters.metadata(key)
        one = field.equals(text)
        value = _json_value(text)
        if not isinstance(value, (str, dict, list)):
            one |= field.equals(value)
        found = one if found is None else found & one
    return found


def _json_value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _print(found: list[tuple[MemoryItem, float | None]], as_json: bool) -> None:
    if as_json:
        details = [_details(item, score) for item, score in found]
        typer.echo(json.dumps(details, indent=2, ensure_ascii=False))
        return
    for item, score in found:
        begin = item.id if score is None else f"{score:.4g}  {item.id}"
        author = item.source or "-"
        when = item.created_at.strftime("%Y-%m-%d %H:%M")
        typer.echo(f"{begin}  {when}  {author}  {_shown(item)}")


def _shown(item: MemoryItem) -> str:
    from ferrogen.memory.recall import line_of

    # As one line, without what would control a terminal.
    text = " ".join(line_of(item.content).split())
    text = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)
    return text if len(text) <= 100 else f"{text[:99]}…"


def _details(item: MemoryItem, score: float | None) -> dict[str, Any]:
    details: dict[str, Any] = {} if score is None else {"score": score}
    details |= {"id": item.id, "version": item.version, **item.scope.levels()}
    details |= {"source": item.source, "message_id": item.message_id}
    details |= {"importance": item.importance, "created_at": item.created_at.isoformat()}
    expires = item.expires_at
    details["expires_at"] = None if expires is None else expires.isoformat()
    return details | item.content.model_dump(mode="json")


def _described(named: dict[str, str | None]) -> str:
    return ", ".join(f"{level} {text!r}" for level, text in named.items() if text)
