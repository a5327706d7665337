"""The tables in Postgres, as the steps that bring them from one version to the next."""

from __future__ import annotations

from typing import Final

MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (
    (
        "CREATE EXTENSION IF NOT EXISTS vector",
        "CREATE SEQUENCE {schema}.writes",
        """
        CREATE TABLE {schema}.items (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            namespace text[] COLLATE "C" NOT NULL,
            key text COLLATE "C" NOT NULL,
            value json NOT NULL,
            fields jsonb NOT NULL GENERATED ALWAYS AS (value::jsonb) STORED,
            created_at timestamptz NOT NULL,
            updated_at timestamptz NOT NULL,
            revision text NOT NULL,
            expires_at timestamptz,
            ttl bigint,
            digests text[] NOT NULL,
            touches timestamptz[] NOT NULL,
            words tsvector NOT NULL,
            write bigint NOT NULL DEFAULT nextval('{schema}.writes'),
            CONSTRAINT address UNIQUE (namespace, key) INCLUDE (write)
        ) WITH (fillfactor = 85)
        """,  # room on each page, so that a touch changes no index
        "COMMENT ON COLUMN {schema}.items.fields IS 'the value for filters; jsonb forgets the order of keys'",
        "COMMENT ON COLUMN {schema}.items.ttl IS 'microseconds'",
        "COMMENT ON COLUMN {schema}.items.write IS 'a new number at every write: what a stamp is made of'",
        "CREATE INDEX items_expires_at ON {schema}.items (expires_at) WHERE expires_at IS NOT NULL",
        "CREATE INDEX items_words ON {schema}.items USING gin (words)",
        """
        CREATE TABLE {schema}.vectors (
            item bigint NOT NULL REFERENCES {schema}.items ON DELETE CASCADE,
            position int NOT NULL,
            embedding vector NOT NULL,
            PRIMARY KEY (item, position)
        )
        """,
    ),
    (
        "ALTER TABLE {schema}.items ADD COLUMN changed xid8 NOT NULL DEFAULT pg_current_xact_id()",
        "COMMENT ON COLUMN {schema}.items.changed IS 'the transaction of the last write, touches apart'",
        "CREATE INDEX items_changed ON {schema}.items ((namespace[1:3]), changed)",
        """
        CREATE TABLE {schema}.gone (
            item bigint NOT NULL,
            scope bigint NOT NULL,
            changed xid8 NOT NULL DEFAULT pg_current_xact_id(),
            at timestamptz NOT NULL DEFAULT now()
        )
        """,
        "COMMENT ON TABLE {schema}.gone IS 'numbers of items that were removed, so that other processes forget them'",
        "CREATE INDEX gone_changed ON {schema}.gone (scope, changed)",
        "CREATE INDEX gone_at ON {schema}.gone (at)",
        """
        CREATE FUNCTION {schema}.scope_of(namespace text[]) RETURNS bigint LANGUAGE sql IMMUTABLE
            RETURN hashtextextended(array_to_string(namespace[1:3], chr(1)), 0)
        """,
        """
        CREATE FUNCTION {schema}.note_gone() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO {schema}.gone (item, scope) SELECT id, {schema}.scope_of(namespace) FROM removed;
            RETURN NULL;
        END $$
        """,
        """
        CREATE TRIGGER note_gone AFTER DELETE ON {schema}.items
            REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION {schema}.note_gone()
        """,
    ),
    (
        """
        CREATE UNLOGGED TABLE {schema}.kept (
            scopes bigint[] NOT NULL,
            name text COLLATE "C" NOT NULL,
            part int NOT NULL,
            snapshot text NOT NULL,
            place text NOT NULL,
            at timestamptz NOT NULL DEFAULT now(),
            content bytea NOT NULL,
            PRIMARY KEY (scopes, name, part)
        )
        """,
        "COMMENT ON TABLE {schema}.kept IS 'indexes of owners, so that a process that starts need not make them anew'",
        "COMMENT ON COLUMN {schema}.kept.snapshot IS 'up to where it follows the items'",
        "COMMENT ON COLUMN {schema}.kept.place IS 'the server and the table that the snapshot speaks of'",
        "ALTER TABLE {schema}.kept ALTER COLUMN content SET STORAGE EXTERNAL",  # vectors hardly compress
        "CREATE INDEX kept_scopes ON {schema}.kept USING gin (scopes)",
        """
        CREATE FUNCTION {schema}.kept_lock() RETURNS bigint LANGUAGE sql IMMUTABLE
            RETURN hashtextextended('{schema}.kept', 0)
        """,
        # a role of the application removes items, and may have no right to read other owners' indexes
        """
        CREATE FUNCTION {schema}.forget_kept() RETURNS trigger LANGUAGE plpgsql
        SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
        BEGIN
            IF EXISTS (SELECT FROM removed) THEN
                PERFORM pg_advisory_xact_lock_shared({schema}.kept_lock());
                DELETE FROM {schema}.kept
                WHERE scopes && (SELECT array_agg(DISTINCT {schema}.scope_of(namespace)) FROM removed);
            END IF;
            RETURN NULL;
        END $$
        """,
        """
        CREATE TRIGGER forget_kept AFTER DELETE ON {schema}.items
            REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION {schema}.forget_kept()
        """,
    ),
    (
        "DROP TRIGGER forget_kept ON {schema}.items",
        "DROP FUNCTION {schema}.forget_kept()",
        "ALTER TABLE {schema}.kept ADD COLUMN lost timestamptz",
        "COMMENT ON COLUMN {schema}.kept.lost IS 'when something was first removed that these bytes still hold'",
        # a role of the application removes items, and may have no right to change other owners' indexes
        """
        CREATE FUNCTION {schema}.note_lost() RETURNS trigger LANGUAGE plpgsql
        SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
        BEGIN
            IF EXISTS (SELECT FROM removed) THEN
                PERFORM pg_advisory_xact_lock_shared({schema}.kept_lock());
                UPDATE {schema}.kept SET lost = clock_timestamp() WHERE lost IS NULL
                AND scopes && (SELECT array_agg(DISTINCT {schema}.scope_of(namespace)) FROM removed);
            END IF;
            RETURN NULL;
        END $$
        """,
        """
        CREATE TRIGGER note_lost AFTER DELETE ON {schema}.items
            REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION {schema}.note_lost()
        """,
        # what is kept is derived, so whoever removes somebody's data may drop everything that holds removed data
        """
        CREATE FUNCTION {schema}.forget_lost() RETURNS void LANGUAGE sql VOLATILE
        SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
            DELETE FROM {schema}.kept WHERE lost IS NOT NULL
        $$
        """,
    ),
    (
        "ALTER TABLE {schema}.vectors ALTER COLUMN embedding DROP NOT NULL, ADD COLUMN fresh vector",
        "COMMENT ON COLUMN {schema}.vectors.fresh IS 'the embedding, until the vector index takes it in'",
        "CREATE INDEX vectors_fresh ON {schema}.vectors (item) WHERE embedding IS NULL",
        """
        CREATE FUNCTION {schema}.expect(there boolean, key text) RETURNS boolean LANGUAGE plpgsql AS $$
        BEGIN
            IF NOT there THEN
                RAISE EXCEPTION 'something has changed since it was read' USING ERRCODE = 'LM001', DETAIL = key;
            END IF;
            RETURN TRUE;
        END $$
        """,
    ),
    (
        """
        CREATE TABLE {schema}.used (
            scope bigint NOT NULL,
            keep int NOT NULL,
            uses json NOT NULL,
            changed xid8 NOT NULL DEFAULT pg_current_xact_id(),
            at timestamptz NOT NULL DEFAULT now()
        )
        """,
        "COMMENT ON TABLE {schema}.used IS 'when items were used, by their numbers, so that other processes count it'",
        "COMMENT ON COLUMN {schema}.used.keep IS 'how many uses of an item are kept'",
        "CREATE INDEX used_changed ON {schema}.used (scope, changed)",
        "CREATE INDEX used_at ON {schema}.used (at)",
    ),
    ("CREATE INDEX items_group ON {schema}.items ((fields ->> 'group')) WHERE fields ->> 'group' IS NOT NULL",),
)

VERSION: Final = len(MIGRATIONS)
"""Of the schema: how many migrations have been applied."""
