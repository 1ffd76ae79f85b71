"""Inserts of rows that may be there already."""

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert_into(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An insert that can say what happens where a row is there: `on_conflict_do_nothing()`, or an update."""
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)
