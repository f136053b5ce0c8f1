"""SQL: the rows of a query."""

from __future__ import annotations

import os
import re
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, final
from urllib.parse import quote as percent

import numpy as np
from pydantic import AfterValidator, model_validator

from declnet.core.registry import sources
from declnet.core.source import Column, Source
from declnet.core.spec import Array
from declnet.data.extras import needed
from declnet.data.files import opened, quote
from declnet.errors import ConfigError, DataError, Diagnostic, shows_password

if TYPE_CHECKING:
    from sqlalchemy import URL, CursorResult

ROWS = 1 << 14
"""Rows fetched at a time."""

NUMBERS = {int, float, bool, Decimal}
"""What drivers give for numbers."""

_READS = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/)*(?:select|with|values)\b", re.I | re.S)


def _without_password(url: str) -> str:
    if shows_password(url):
        raise ValueError(
            "a password does not belong in a file: leave it out, and name the environment variable that holds it, "
            "password_from: NAME"
        )
    return url


def _reading(query: str) -> str:
    if not _READS.match(query):
        raise ValueError("a query begins with SELECT, WITH or VALUES: data are read, and nothing else is done")
    return query


Url = Annotated[str, AfterValidator(_without_password)]
Query = Annotated[str, AfterValidator(_reading)]


@sources.register
@final
class SQL(Source):
    """The rows that a query gives: of an SQLite file, or of any database that SQLAlchemy has a driver for.

    Nothing is guessed: NULL, text, nan and infinity are mistakes. Rows come in the database's order, so a query
    without ORDER BY may give another split each time. Nothing is changed: SQLite files are opened to be read only,
    what a query changes elsewhere is never committed, and a database user who may only read is best.

    A password is in no config, message or run directory: the URL has none, and an environment variable holds it.

    Shape:
        each column: one number a row, read as the config says: floats, or class indices with `dtype: int64`; true
            and false are 1 and 0.

    Parameters:
        query: what gives the rows, SELECT a, b FROM t ORDER BY id; each column with a name of its own.
        path: an SQLite file; a relative path starts at the config's folder.
        url: the database instead, as SQLAlchemy writes it, postgresql+psycopg://user@host/name. In an SQLite URL
            a relative path starts at the current folder.
        password_from: the environment variable that holds the password for the URL's user.

    Raises:
        ConfigError: SQLAlchemy or the database's driver is not installed, or the variable is not set.
        DataError: the database refuses the connection or the query, there are no rows, or a value is no number.

    Reference: https://docs.sqlalchemy.org/en/20/core/engines.html
    """

    type: Literal["SQL"] = "SQL"
    query: Query
    path: Path | None = None
    url: Url | None = None
    password_from: str | None = None

    @model_validator(mode="after")
    def _one_database(self) -> Self:
        if (self.path is None) == (self.url is None):
            raise ValueError("SQL takes one database: path, an SQLite file, or url")
        if self.password_from is not None and self.url is None:
            raise ValueError("password_from is for a url; an SQLite file has no password")
        return self

    def columns(self) -> dict[str, Column]:
        """What the cursor calls the columns; no row is fetched."""
        with self._result() as result:
            return dict.fromkeys(result.keys(), Column())

    def read(self, columns: Sequence[str]) -> dict[str, Array]:
        """These columns, float64, fetched a block of rows at a time."""
        numbers = {name: array("d") for name in columns}
        count = 0
        with self._result() as result:
            places = {name: list(result.keys()).index(name) for name in columns}
            for rows in result.partitions(ROWS):
                for name, place in places.items():
                    numbers[name].frombytes(_numbers([row[place] for row in rows], name, count).tobytes())
                count += len(rows)
        if not count:
            raise _wrong("gives no rows")
        return {name: np.frombuffer(column) for name, column in numbers.items()}

    @contextmanager
    def _result(self) -> Iterator[CursorResult[Any]]:
        """The query's result, open; what the database says against it becomes a DataError."""
        with needed("SQL", "SQLAlchemy", "sql"):
            import sqlalchemy
            from sqlalchemy import exc
        url, key = self._database(), "path" if self.url is None else "url"
        try:
            engine = sqlalchemy.create_engine(url)
        except exc.NoSuchModuleError:
            known = f"SQLAlchemy knows no database {quote(url.drivername)}"
            raise ConfigError(Diagnostic(known, ("url",))) from None
        except ImportError as error:
            raise ConfigError(Diagnostic(f"the database's driver is not installed: {error}", ("url",))) from None
        try:
            with engine.connect() as connection:
                key = "query"
                # No parameters: a colon or a percent sign in the query is itself.
                options = {"stream_results": True, "postgresql_readonly": True}
                result = connection.execution_options(**options).exec_driver_sql(self.query)
                names = list(result.keys())
                if twice := [name for name in names if names.count(name) > 1]:
                    raise _wrong(f"gives two columns the name {quote(twice[0])}: write AS and another for one")
                yield result
        except (exc.SQLAlchemyError, engine.dialect.loaded_dbapi.Warning) as error:
            said = str(getattr(error, "orig", None) or error).strip().replace("\n", " ")
            if url.password:
                said = said.replace(str(url.password), "***")
            raise DataError(Diagnostic(f"the database refuses: {said}", (key,))) from None
        finally:
            engine.dispose()

    def _database(self) -> URL:
        """Where to connect: the URL with its password, an SQLite file to be read only."""
        from sqlalchemy import URL, exc, make_url

        try:
            url = URL.create("sqlite", database=str(self.path)) if self.url is None else make_url(self.url)
        except (exc.ArgumentError, ValueError):  # ValueError: a port that is no number
            example = "postgresql+psycopg://user@host/name"
            raise ConfigError(Diagnostic(f"not a database's URL, as in {example}", ("url",))) from None
        if url.get_backend_name() == "sqlite":
            key = "path" if self.url is None else "url"
            if not url.database:
                raise DataError(Diagnostic("names no file, as sqlite:///data.db does", (key,)))
            path = Path(url.database)
            with opened(path, (key,)):  # SQLite would make one that is missing
                file = f"file:{percent(str(path.absolute()))}"
            return URL.create("sqlite", database=file, query={"mode": "ro", "uri": "true"})
        if self.password_from is None:
            return url
        if not (password := os.environ.get(self.password_from)):
            missing = f"the environment variable {quote(self.password_from)} is not set"
            raise ConfigError(Diagnostic(missing, ("password_from",)))
        return url.set(password=password)


def _numbers(cells: list[object], name: str, before: int) -> Array:
    """A block of a column; `before` is how many rows came before it."""
    if set(map(type, cells)) <= NUMBERS:
        return np.fromiter(map(float, cells), np.float64, len(cells))  # type: ignore[arg-type] # all numbers
    row, cell = next((row, cell) for row, cell in enumerate(cells) if type(cell) not in NUMBERS)
    what = "missing value" if cell is None else f"{quote(str(cell))} is not a number; CAST it in the query"
    raise _wrong(f"column {quote(name)}: {what} (row {before + row + 1})")


def _wrong(message: str) -> DataError:
    return DataError(Diagnostic(message, ("query",)))
