"""SQL: the rows of a query."""

from __future__ import annotations

import math
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
from declnet.core.source import Asked, Column, Source, missing_value, not_a_number
from declnet.core.spec import Array
from declnet.core.transform import MISSING, Rows
from declnet.data.extras import needed
from declnet.data.files import opened, quote
from declnet.data.texts import CODES, Dictionary
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

    Nothing is guessed: NULL is a mistake where no transform fills it in, text where none takes texts, and nan and
    infinity always are. Rows come in the database's order, so a query
    without ORDER BY may give another split each time. Nothing is changed: SQLite files are opened to be read only,
    what a query changes elsewhere is never committed, and a database user who may only read is best.

    A password is in no config, message or run directory: the URL has none, and an environment variable holds it.

    Shape:
        each column: one number a row, read as the config says: floats, or class indices with `dtype: int64`; true
            and false are 1 and 0. Or one text a row, for transforms that take texts; what is empty is missing.

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
            return dict.fromkeys(result.keys(), Column(text="may"))

    def read(self, columns: Sequence[str]) -> dict[str, Array]:
        """These columns as numbers, float64."""
        read = self.read_as([Asked(name) for name in columns])
        return {name: rows for name, rows in zip(columns, read, strict=True) if isinstance(rows, np.ndarray)}

    def read_as(self, asked: Sequence[Asked]) -> list[Rows]:
        """These columns, fetched a block of rows at a time."""
        columns = {item: array("i" if item.text else "d") for item in asked}
        texts = {item: Dictionary() for item in columns if item.text}
        count = 0
        with self._result() as result:
            places = {item: list(result.keys()).index(item.column) for item in columns}
            for rows in result.partitions(ROWS):
                for item, place in places.items():
                    cells = [row[place] for row in rows]
                    own = texts.get(item)
                    part = _numbers(cells, item, count) if own is None else _texts(cells, item, own, count)
                    columns[item].frombytes(part.tobytes())
                count += len(rows)
        if not count:
            raise _wrong("gives no rows")
        return [
            texts[item].rows(np.frombuffer(columns[item], CODES)) if item.text else np.frombuffer(columns[item])
            for item in asked
        ]

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


def _numbers(cells: list[object], asked: Asked, before: int) -> Array:
    """A block of a column; `before` is how many rows came before it."""
    if asked.gaps:
        cells = [math.nan if cell is None else cell for cell in cells]
    if set(map(type, cells)) <= NUMBERS:
        return np.fromiter(map(float, cells), np.float64, len(cells))  # type: ignore[arg-type] # all numbers
    row, cell = next((row, cell) for row, cell in enumerate(cells) if type(cell) not in NUMBERS)
    what = missing_value() if cell is None else f"{not_a_number(quote(str(cell)))}, and CAST in the query makes one"
    raise _wrong(f"column {quote(asked.column)}: {what} (row {before + row + 1})")


def _texts(cells: list[object], asked: Asked, texts: Dictionary, before: int) -> Array:
    """A block of a column of texts; numbers are written out."""
    for row, cell in enumerate(cells):
        if isinstance(cell, bytes):
            what = f"{quote(str(cell))} is no text; CAST it in the query"
            raise _wrong(f"column {quote(asked.column)}: {what} (row {before + row + 1})")
    codes = texts.encode(["" if cell is None else str(cell) for cell in cells])
    if not asked.gaps and (codes == MISSING).any():
        row = before + int(np.argmax(codes == MISSING)) + 1
        raise _wrong(f"column {quote(asked.column)}: {missing_value()} (row {row})")
    return codes


def _wrong(message: str) -> DataError:
    return DataError(Diagnostic(message, ("query",)))
