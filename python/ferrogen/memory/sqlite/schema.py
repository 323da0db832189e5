"""Schema of the file of a memory."""

from __future__ import annotations

import sqlite3

from ferrogen.exceptions import MemoryStoreError
from ferrogen.memory.sql.backend import Connection

APPLICATION_ID = 0x46724D31  # "FrM1"
SCHEMA_VERSION = 1
_KEPT_REMOVALS = 10_000

# One row for each version of an item. `text` is what searches look at, where it differs from the
# content. The vector comes last: SQLite reads the columns before it without its pages.
_TABLES = """
CREATE TABLE items (
    row          INTEGER PRIMARY KEY AUTOINCREMENT,
    id           TEXT NOT NULL,
    version      INTEGER NOT NULL,
    user         TEXT NOT NULL,
    agent        TEXT NOT NULL,
    conversation TEXT NOT NULL,
    source       TEXT,
    message_id   TEXT,
    importance   REAL NOT NULL,
    created_at   REAL NOT NULL,
    valid_from   REAL NOT NULL,
    valid_until  REAL,
    expires_at   REAL,
    changed      INTEGER NOT NULL,
    hash         BLOB NOT NULL,
    embedder     TEXT,
    kind         TEXT NOT NULL,
    mime_type    TEXT NOT NULL,
    metadata     TEXT,
    text         TEXT,
    content      NOT NULL,
    vector       BLOB
);
CREATE UNIQUE INDEX items_current ON items (user, agent, conversation, id)
    WHERE valid_until IS NULL;
CREATE INDEX items_id ON items (id, version);
CREATE INDEX items_hash ON items (hash);
CREATE INDEX items_changed ON items (changed);
CREATE INDEX items_created ON items (created_at);
CREATE INDEX items_embedder ON items (embedder)
    WHERE valid_until IS NULL AND embedder IS NOT NULL;
CREATE INDEX items_expires ON items (expires_at) WHERE expires_at IS NOT NULL;

CREATE VIEW items_searchable AS SELECT row, coalesce(text, content) AS text FROM items;
CREATE VIRTUAL TABLE items_text USING fts5 (
    text, content = 'items_searchable', content_rowid = 'row',
    tokenize = 'porter unicode61 remove_diacritics 2'
);
CREATE TRIGGER items_inserted AFTER INSERT ON items BEGIN
    INSERT INTO items_text (rowid, text) VALUES (new.row, coalesce(new.text, new.content));
END;
CREATE TRIGGER items_updated AFTER UPDATE OF text, content ON items BEGIN
    INSERT INTO items_text (items_text, rowid, text)
        VALUES ('delete', old.row, coalesce(old.text, old.content));
    INSERT INTO items_text (rowid, text) VALUES (new.row, coalesce(new.text, new.content));
END;
CREATE TRIGGER items_deleted AFTER DELETE ON items BEGIN
    INSERT INTO items_text (items_text, rowid, text)
        VALUES ('delete', old.row, coalesce(old.text, old.content));
    INSERT INTO removals (row, changed)
        VALUES (old.row, (SELECT value FROM counters WHERE name = 'changed'));
END;

-- Rows that were removed, so that other processes drop their vectors; only numbers, no content.
CREATE TABLE removals (row INTEGER NOT NULL, changed INTEGER NOT NULL);
CREATE INDEX removals_changed ON removals (changed);
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO counters VALUES ('changed', 0);
"""


def prepare(connection: sqlite3.Connection, path: str) -> None:
    """Create the tables in a new file, or check those of an existing one.

    Raises:
        MemoryStoreError: The file belongs to another program, or to a later version.
    """
    connection.execute("BEGIN")  # so that another process does not create the tables in between
    try:
        if _is_prepared(connection, path):
            return
    finally:
        connection.execute("COMMIT")
    connection.execute("BEGIN IMMEDIATE")
    try:
        if not _is_prepared(connection, path):  # another process may have been faster
            for statement in _statements(_TABLES):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _is_prepared(connection: sqlite3.Connection, path: str) -> bool:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if application == APPLICATION_ID:
        if version != SCHEMA_VERSION:
            raise MemoryStoreError(
                f"{path} has version {version} of the schema, and this version of Ferrogen reads "
                f"{SCHEMA_VERSION}: export it with the Ferrogen that wrote it, and import it"
            )
        return True
    if application or version or connection.execute("SELECT 1 FROM sqlite_schema").fetchone():
        raise MemoryStoreError(f"{path} is the database of another program: choose another path")
    return False


def _statements(script: str) -> list[str]:
    """Split a script, whose triggers contain semicolons, into statements."""
    statements, lines = [], []
    for line in script.splitlines():
        lines.append(line)
        statement = "\n".join(lines)
        if sqlite3.complete_statement(statement):
            statements.append(statement)
            lines = []
    return statements


def trim_removals(connection: Connection) -> None:
    """Forget the oldest removals; a process that has missed them reads all vectors again."""
    kept = connection.execute(
        "SELECT (SELECT max(rowid) FROM removals) - (SELECT min(rowid) FROM removals)"
    ).fetchone()[0]
    if kept is None or kept < _KEPT_REMOVALS:
        return
    last = connection.execute(
        "SELECT changed FROM removals ORDER BY rowid DESC LIMIT 1 OFFSET ?", (_KEPT_REMOVALS,)
    ).fetchone()
    if last is not None:
        connection.execute("DELETE FROM removals WHERE changed <= ?", last)
        connection.execute("INSERT OR REPLACE INTO counters VALUES ('removals_trimmed', ?)", last)
