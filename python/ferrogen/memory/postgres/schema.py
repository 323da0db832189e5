"""Schema of a memory in PostgreSQL."""

from __future__ import annotations

from typing import Any

from ferrogen.exceptions import MemoryStoreError

SCHEMA_VERSION = 1
WORDS = "ferrogen_words"
"""The text search configuration: stems, and leaves no word out."""

# One row for each version of an item. Texts are compared by code points, as Python does.
# `text` is what embedders embed; `words` is what searches look at; `attributes` is the metadata.
_TABLES = f"""
CREATE TEXT SEARCH DICTIONARY ferrogen_stem (TEMPLATE = snowball, Language = english);
CREATE TEXT SEARCH CONFIGURATION {WORDS} (COPY = pg_catalog.simple);
ALTER TEXT SEARCH CONFIGURATION {WORDS}
    ALTER MAPPING FOR asciiword, word, numword WITH ferrogen_stem;
CREATE TABLE items (
    row          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id           TEXT COLLATE "C" NOT NULL,
    version      BIGINT NOT NULL,
    "user"       TEXT COLLATE "C" NOT NULL,
    agent        TEXT COLLATE "C" NOT NULL,
    conversation TEXT COLLATE "C" NOT NULL,
    source       TEXT COLLATE "C",
    message_id   TEXT COLLATE "C",
    importance   DOUBLE PRECISION NOT NULL,
    created_at   DOUBLE PRECISION NOT NULL,
    valid_from   DOUBLE PRECISION NOT NULL,
    valid_until  DOUBLE PRECISION,
    expires_at   DOUBLE PRECISION,
    changed      BIGINT NOT NULL,
    hash         BYTEA NOT NULL,
    embedder     TEXT COLLATE "C",
    kind         TEXT NOT NULL,
    mime_type    TEXT COLLATE "C" NOT NULL,
    metadata     TEXT,
    attributes   JSONB GENERATED ALWAYS AS (CAST(metadata AS JSONB)) STORED,
    text         TEXT NOT NULL,
    content      BYTEA NOT NULL,
    words        TSVECTOR NOT NULL,
    vector       VECTOR
);
CREATE UNIQUE INDEX items_current ON items ("user", agent, conversation, id)
    WHERE valid_until IS NULL;
CREATE INDEX items_id ON items (id, version);
CREATE INDEX items_hash ON items (hash);
CREATE INDEX items_created ON items (created_at);
CREATE INDEX items_embedder ON items (embedder)
    WHERE valid_until IS NULL AND embedder IS NOT NULL;
CREATE INDEX items_expires ON items (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX items_words ON items USING gin (words);
CREATE TABLE counters (name TEXT PRIMARY KEY, value BIGINT NOT NULL);
INSERT INTO counters VALUES ('changed', 0), ('schema', {SCHEMA_VERSION});
"""


def choose(connection: Any, schema: str) -> None:
    """Let names of a connection mean those of a schema, and of pgvector wherever it is."""
    from psycopg import sql

    found = connection.execute(
        "SELECT nspname FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace "
        "WHERE extname = 'vector'"
    ).fetchone()
    names = [schema, *([] if found is None else [found[0]]), "public"]
    path = sql.SQL(", ").join(map(sql.Identifier, names))
    connection.execute(sql.SQL("SET search_path TO {}").format(path))


def prepare(connection: Any, schema: str) -> None:
    """Create the extension, the schema and the tables, or check those that exist.

    Raises:
        MemoryStoreError: The schema belongs to another program or to a later version, or pgvector
            is not installed in the server.
    """
    from psycopg import errors, sql

    with connection.transaction():
        # Other processes may be about to do the same.
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('ferrogen.memory', 0))")
        try:
            with connection.transaction():
                connection.execute("CREATE EXTENSION IF NOT EXISTS vector WITH SCHEMA public")
        except (errors.UndefinedFile, errors.FeatureNotSupported) as error:
            raise MemoryStoreError(
                f"the server has no pgvector: install it there, such as by the package "
                f"postgresql-17-pgvector of Debian ({error})"
            ) from error
        tables = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = %s", (schema,)
        ).fetchall()
        if tables:
            _check(connection, schema, {name for (name,) in tables})
            return
        name = sql.Identifier(schema)
        connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(name))
        choose(connection, schema)
        connection.execute(_TABLES)


def _check(connection: Any, schema: str, tables: set[str]) -> None:
    from psycopg import sql

    version = None
    if tables >= {"items", "counters"}:
        counters = sql.Identifier(schema, "counters")
        statement = sql.SQL("SELECT value FROM {} WHERE name = 'schema'").format(counters)
        version = connection.execute(statement).fetchone()
    if version is None:
        raise MemoryStoreError(
            f"the schema {schema!r} has tables of another program: choose another schema"
        )
    if version[0] != SCHEMA_VERSION:
        raise MemoryStoreError(
            f"the schema {schema!r} has version {version[0]}, and this version of Ferrogen reads "
            f"{SCHEMA_VERSION}: export it with the Ferrogen that wrote it, and import it"
        )
