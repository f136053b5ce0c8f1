"""SQL on SQLite: rows of queries, what is refused, that nothing is changed, and that no password is shown."""

from __future__ import annotations

import shlex
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydantic import ValidationError

from declnet.core.source import Asked, Column
from declnet.core.transform import MISSING, Texts
from declnet.data.sources import sql as module
from declnet.data.sources.sql import SQL
from declnet.errors import ConfigError, Diagnostic, Mark

sqlalchemy = pytest.importorskip("sqlalchemy", reason="needs SQLAlchemy")

if TYPE_CHECKING:
    from conftest import Command

Refusal = Callable[[Callable[[], object]], str]
COUNT = 10


@pytest.fixture(autouse=True)
def _database(folder: Path) -> None:
    rows = [(row, row / 7, row % 2, None if row == 7 else row, f"n{row}") for row in range(COUNT)]
    with closing(sqlite3.connect("t.db")) as connection, connection:
        connection.execute("CREATE TABLE t (id INTEGER, x REAL, y INTEGER, gap INTEGER, name TEXT)")
        connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?)", rows)


def source(query: str = "SELECT * FROM t ORDER BY id", **where: Any) -> SQL:
    return SQL(query=query, **(where or {"path": Path("t.db")}))


@pytest.mark.parametrize("block", [3, module.ROWS])
@pytest.mark.parametrize(
    "where", [{"path": "t.db"}, {"url": "sqlite:///t.db"}, {"url": "sqlite:///{here}/t.db"}], ids=str
)
def test_reads(where: dict[str, str], block: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROWS", block)
    given = {key: Path(value) if key == "path" else value.format(here=folder) for key, value in where.items()}
    made = source(**given)
    assert made.columns() == dict.fromkeys(("id", "x", "y", "gap", "name"), Column(text="may"))
    read = made.read(["y", "x"])
    assert [*read] == ["y", "x"]
    np.testing.assert_array_equal(read["x"], np.arange(COUNT) / 7)
    np.testing.assert_array_equal(read["y"], np.arange(COUNT) % 2)


def test_queries() -> None:
    query = "-- all\n/* of ';' it */ WITH u AS (SELECT id, name FROM t) SELECT id * 2 AS d, 1 AS 'a:b%c' FROM u"
    read = source(query + " WHERE id < 2 AND name LIKE 'n%' ORDER BY 1 DESC").read(["d", "a:b%c"])
    assert {name: values.tolist() for name, values in read.items()} == {"d": [2, 0], "a:b%c": [1, 1]}
    assert source("values (1, 2)").read(["column2"])["column2"].tolist() == [2]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT * FROM absent", "the database refuses: no such table: absent"),
        ("SELECT gap FROM t ORDER BY id", "column 'gap': missing value; the transform Impute fills it in (row 8)"),
        (
            "SELECT name AS gap FROM t",
            "column 'gap': 'n0' is not a number; the transforms Category, OneHot and ClassLabels take texts, "
            "and CAST in the query makes one (row 1)",
        ),
        (
            "SELECT x'00ff' AS gap",
            "column 'gap': \"b'\\\\x00\\\\xff'\" is not a number; the transforms Category, OneHot and "
            "ClassLabels take texts, and CAST in the query makes one (row 1)",
        ),
        ("SELECT gap FROM t WHERE id > 99", "gives no rows"),
        ("SELECT id, gap, id FROM t", "gives two columns the name 'id': write AS and another for one"),
        ("SELECT 1 AS gap; DROP TABLE t", "the database refuses: You can only execute one statement at a time."),
    ],
)
@pytest.mark.parametrize("block", [2, module.ROWS])
def test_refusals(query: str, message: str, block: int, refusal: Refusal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROWS", block)
    assert refusal(lambda: source(query).read(["gap"])) == f"query: {message}"


def test_nothing_is_changed(refusal: Refusal) -> None:
    before = Path("t.db").read_bytes()
    for query in ("DELETE FROM t", "  drop table t", "PRAGMA journal_mode", "ATTACH 'x.db' AS x", "-- SELECT\n"):
        with pytest.raises(ValidationError, match="a query begins with SELECT, WITH or VALUES"):
            source(query)
    assert "readonly" in refusal(source("WITH a AS (SELECT 1) DELETE FROM t RETURNING id").columns)
    assert Path("t.db").read_bytes() == before
    assert [path.name for path in Path().iterdir()] == ["t.db"]


def test_files_that_are_none(refusal: Refusal) -> None:
    assert refusal(source(path=Path("no.db")).columns) == "path: no.db: no such file"
    assert refusal(source(url="sqlite:///no.db").columns) == "url: no.db: no such file"
    assert refusal(source(url="sqlite://").columns) == "url: names no file, as sqlite:///data.db does"
    Path("text.db").write_text("words" * 999, encoding="utf-8")
    assert refusal(source(path=Path("text.db")).columns) == "query: the database refuses: file is not a database"
    assert not Path("no.db").exists()


def config_mistake(made: SQL) -> str:
    with pytest.raises(ConfigError) as caught:
        made.columns()
    (diagnostic,) = caught.value.diagnostics
    assert caught.value.exit_code == 2
    return diagnostic.text


def test_urls_that_lead_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (
        config_mistake(source(url="t.db")) == "url: not a database's URL, as in postgresql+psycopg://user@host/name"
    )
    assert config_mistake(source(url="postgresql://h:x/d")).startswith("url: not a database's URL")
    assert config_mistake(source(url="foo://h/d")) == "url: SQLAlchemy knows no database 'foo'"
    message = config_mistake(source(url="postgresql+psycopg2://h/d"))
    assert message == "url: the database's driver is not installed: No module named 'psycopg2'"
    monkeypatch.delenv("NO_SUCH_PASSWORD", raising=False)
    made = source(url="postgresql+psycopg2://u@h/d", password_from="NO_SUCH_PASSWORD")  # noqa: S106 - a variable's name
    assert config_mistake(made) == "password_from: the environment variable 'NO_SUCH_PASSWORD' is not set"


def test_the_password_is_put_in_and_taken_out_again(monkeypatch: pytest.MonkeyPatch, refusal: Refusal) -> None:
    monkeypatch.setenv("PASSWORD_OF_U", "s3cret:/@ word")
    made = source(url="postgresql+psycopg2://u@h/d", password_from="PASSWORD_OF_U")  # noqa: S106 - a variable's name
    seen = []

    class Engine:
        dialect = sqlalchemy.create_engine("sqlite://").dialect

        def connect(self) -> None:
            raise sqlalchemy.exc.OperationalError(
                "", None, Exception(f"no entry for u, {seen[0].password}\nat all")
            )

        def dispose(self) -> None:
            pass

    def create(url: Any) -> Engine:
        seen.append(url)
        return Engine()

    monkeypatch.setattr(sqlalchemy, "create_engine", create)
    assert refusal(made.columns) == "url: the database refuses: no entry for u, *** at all"
    assert (seen[0].username, seen[0].password, seen[0].host) == ("u", "s3cret:/@ word", "h")
    assert "s3cret" not in repr(made) + str(made.model_dump())


CONFIG = """\
data:
  source: {type: SQL, %s, query: "SELECT x, x + 1 AS z, y FROM t ORDER BY id"}
  inputs: [x, z]
  targets: {y: {columns: y, dtype: int64}}
  split: {train: 0.8, val: 0.2, test: 0}
model: [{type: Linear, out_features: 2}]
loss: CrossEntropyLoss
optimizer: SGD
loop: {epochs: 1}
"""


def test_a_run(command: Command) -> None:
    Path("sub").mkdir()
    Path("t.db").rename("sub/t.db")
    Path("sub/c.yaml").write_text(CONFIG % "path: t.db", encoding="utf-8")
    assert command("train", "sub/c.yaml", "--run-dir", "r").rc == 0
    assert command("validate", "r/config.yaml").rc == 0
    with closing(sqlite3.connect("sub/t.db")) as connection, connection:
        connection.execute("UPDATE t SET y = NULL WHERE id = 3")
    refused = command("train", "sub/c.yaml")
    assert (refused.rc, refused.stdout) == (3, "")
    assert refused.stderr.startswith(
        "sub/c.yaml:2:42: error: data.source.query: column 'y': missing value; the transform Impute fills it "
        "in (row 4)\n"
    )


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:hunter2@host/d",
        "postgresql://me:hun@ter2@host/d",
        "postgresql://:hunter2@host/d",
        "postgresql://host/d?user=me&password=hunter2",
    ],
)
def test_a_password_in_the_config_is_refused_and_never_shown(command: Command, url: str) -> None:
    Path("c.yaml").write_text(CONFIG % f'url: "{url}"', encoding="utf-8")
    arguments = (
        ("train", "c.yaml"),
        ("validate", "c.yaml"),
        ("validate", "c.yaml", "--format", "json"),
        ("validate", "c.yaml", "--format", "github"),
        ("train", "c.yaml", "data.source.nothing=1"),
        ("train", "c.yaml", f"data.source.url={url}", "data.source.query=1"),
        ("train", "c.yaml", f"data.source={{type: CSV, path: '{url}'}}"),
        ("train", "c.yaml", f"data.source={{type: CSV, path: 1, delimiter: '{url}'}}"),
        ("train", "c.yaml", f"loop.epochs={url}"),
    )
    results = command.each(*map(shlex.join, arguments))
    for result, given in zip(results, arguments, strict=True):
        assert result.rc in {2, 3}
        assert "ter2" not in result.stdout + result.stderr, given
    assert results[0].rc == 2
    assert "data.source.url: a password does not belong in a file: leave it out" in results[0].stderr
    assert not Path("runs").exists()


def test_one_database() -> None:
    for where in ({}, {"path": Path("t.db"), "url": "sqlite:///t.db"}):
        with pytest.raises(ValidationError, match="SQL takes one database"):
            SQL(query="SELECT 1", **where)
    with pytest.raises(ValidationError, match="password_from is for a url"):
        SQL(query="SELECT 1", path=Path("t.db"), password_from="X")  # noqa: S106 - a variable's name


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a://u:pw@h/d", "a://u:**@h/d"),
        ("got 'a://user:secr...", "got 'a://user:*******"),
        ("a://h/d?password=pw&x=1", "a://h/d?password=**&x=1"),
        ("a:///?odbc_connect=UID%3Dme%3BPWD%3Dpw", "a:///?odbc_connect=UID%3Dme%3BPWD%3D**"),
        ("a://u@h:5432/d", "a://u@h:5432/d"),
        ("sqlite:////tmp/t.db", "sqlite:////tmp/t.db"),
        ("see https://example.org/x", "see https://example.org/x"),
        ("a: /b: c@d", "a: /b: c@d"),
    ],
)
def test_masks(text: str, shown: str) -> None:
    assert Diagnostic(text).message == Mark("f", 1, 1, text).source == shown


def test_without_sqlalchemy(command: Command) -> None:
    Path("c.yaml").write_text(CONFIG % "path: t.db", encoding="utf-8")
    hide = "import sys; sys.modules['sqlalchemy'] = None; from declnet.app import main"
    refused = command.run(
        [sys.executable, "-c", f"{hide}; sys.argv[1:] = ['validate', 'c.yaml']; sys.exit(main())"]
    )
    assert (refused.rc, refused.stdout) == (2, "")
    assert refused.stderr.startswith(
        "c.yaml:2:18: error: data.source.type: SQL needs SQLAlchemy: pip install 'declnet[sql]'\n"
    )


def test_texts_and_gaps() -> None:
    query = "VALUES ('u', 1), (NULL, NULL), (' v', 3)"
    texts, whole, gap = source(query).read_as(
        [
            Asked("column1", text=True, gaps=True),
            Asked("column2", text=True, gaps=True),
            Asked("column2", gaps=True),
        ]
    )
    for rows, words in ((texts, ["u", None, "v"]), (whole, ["1", None, "3"])):
        assert isinstance(rows, Texts)
        assert [None if code == MISSING else rows.values[code] for code in rows.codes.tolist()] == words
    assert isinstance(gap, np.ndarray)
    assert gap.tolist()[::2] == [1, 3]
    assert np.isnan(gap[1])
