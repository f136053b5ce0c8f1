"""Each transform by itself: against scikit-learn and NumPy, in any blocks, back again, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from declnet.core.registry import transforms
from declnet.core.transform import MISSING, Cells, Misfit, Rows, State, Texts, Transform
from declnet.data.texts import Dictionary
from declnet.errors import ShapeError

Array = np.ndarray[Any, Any]

GAPS = np.array([[1.0, np.nan, 5.0], [np.nan, 2.0, 5.0], [4.0, 8.0, np.nan], [4.0, -2.0, 5.0], [0.5, 8.0, 7.0]])
WORDS = ["b", "a", "c", "a", "b", "a"]


def make(name: str, **arguments: Any) -> Transform:
    return transforms[name](type=name, **arguments)


def texts(*words: str) -> Texts:
    dictionary = Dictionary()
    return dictionary.rows(dictionary.encode(words))


def texts_beside(*columns: list[str]) -> Texts:
    flat = texts(*(word for row in zip(*columns, strict=True) for word in row))
    return Texts(flat.codes.reshape(-1, len(columns)), flat.values)


def fit(transform: Transform, rows: Rows, cells: Cells, step: int = 2) -> State:
    def passes() -> Iterator[Rows]:
        return (rows[start : start + step] for start in range(0, len(rows), step))

    return transform.fit(passes, cells)


def through(transform: Transform, rows: Rows, cells: Cells, other: Rows | None = None) -> Array:
    state = fit(transform, rows, cells)
    assert all(learned.fits(state[name]) for name, learned in transform.learned(cells).items())
    assert state.keys() == transform.learned(cells).keys()
    found = transform.apply(rows if other is None else other, state, cells)
    assert isinstance(found, np.ndarray)
    assert found.shape[1:] == transform.infer(cells).shape
    return found


# Against scikit-learn.


def oracle(name: str) -> Any:
    return getattr(pytest.importorskip("sklearn.preprocessing", reason="the oracle for transforms"), name)


NUMBERS = {
    "plain": np.array([[1.0, 2.0], [3.0, -4.0], [5.5, 0.25], [0.0, 1e-3], [9.0, 7.0]]),
    "large and near": 1e8 + np.array([[0.0], [1.0], [2.0], [3.0], [5.0]]),
    "constant": np.array([[0.1, 1.0], [0.1, 2.0], [0.1, 4.0]]),
    "constant and large": np.full((7, 1), 1e15 / 3),
    "one row": np.array([[3.0, -1.0]]),
}


@pytest.mark.parametrize("values", NUMBERS.values(), ids=NUMBERS)
@pytest.mark.parametrize("step", [1, 2, 100])
def test_standardize_is_standard_scaler(values: Array, step: int) -> None:
    scaler = oracle("StandardScaler")().fit(values)
    transform, cells = make("Standardize"), Cells(values.shape[1:], columns=values.shape[1])
    state = fit(transform, values, cells, step)
    np.testing.assert_allclose(state["mean"], scaler.mean_, rtol=1e-9)
    np.testing.assert_allclose(state["scale"], scaler.scale_, rtol=1e-9)
    np.testing.assert_allclose(
        transform.apply(values, state, cells), scaler.transform(values), rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize("values", NUMBERS.values(), ids=NUMBERS)
@pytest.mark.parametrize("span", [(0.0, 1.0), (-1.0, 3.0)])
def test_minmax_is_min_max_scaler(values: Array, span: tuple[float, float]) -> None:
    found = through(make("MinMax", feature_range=span), values, Cells(values.shape[1:]))
    expected = oracle("MinMaxScaler")(feature_range=span).fit_transform(values)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-7 if values.max() > 1e7 else 1e-9)


@pytest.mark.parametrize("held", [1, 11, 1 << 23])
@pytest.mark.parametrize("strategy", ["mean", "median", "most_frequent", "constant"])
def test_impute_is_simple_imputer(strategy: str, held: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("declnet.transforms.impute.HELD", held)
    impute = pytest.importorskip("sklearn.impute", reason="the oracle for transforms").SimpleImputer
    value = {"value": -7.0} if strategy == "constant" else {}
    found = through(make("Impute", strategy=strategy, **value), GAPS, Cells((3,), gaps=True, columns=3))
    other = {"fill_value": -7.0} if value else {}
    np.testing.assert_allclose(found, impute(strategy=strategy, **other).fit_transform(GAPS), rtol=1e-9)


def test_impute_of_texts_is_simple_imputer() -> None:
    impute = pytest.importorskip("sklearn.impute", reason="the oracle for transforms").SimpleImputer
    rows = texts_beside(["x", "", "y", "y", "x", "z"], ["q", "r", "", "r", "", "q"])
    cells = Cells((2,), "text", gaps=True, columns=2)
    transform = make("Impute", strategy="most_frequent")
    filled = transform.apply(rows, fit(transform, rows, cells), cells)
    assert isinstance(filled, Texts)
    known = np.append(rows.values, "")[rows.codes].astype(object)
    expected = impute(strategy="most_frequent", missing_values="").fit_transform(known)
    assert filled.values[filled.codes].tolist() == expected.tolist()


def test_one_hot_is_one_hot_encoder() -> None:
    rows = texts_beside(WORDS, ["x", "y", "x", "z", "z", "y"])
    other = texts_beside(["a", "never seen", "c"], ["z", "x", "never seen"])
    encoder = oracle("OneHotEncoder")(handle_unknown="ignore", sparse_output=False)
    encoder.fit(rows.values[rows.codes])
    cells = Cells((2,), "text", columns=2)
    assert (through(make("OneHot", categories=3), rows, cells) == encoder.transform(rows.values[rows.codes])).all()
    found = through(make("OneHot", categories=3), rows, cells, other)
    assert (found == encoder.transform(other.values[other.codes])).all()


@pytest.mark.parametrize("integers", [False, True])
def test_category_is_ordinal_encoder(integers: bool) -> None:
    numbers = np.array([[10, 2], [2, 2], [9, -1], [10, 5]])
    rows = numbers if integers else texts_beside(*numbers.T.astype(str).tolist())
    encoder = oracle("OrdinalEncoder")(handle_unknown="use_encoded_value", unknown_value=-1).fit(numbers)
    cells = Cells((2,), "int" if integers else "text", columns=2)
    assert (through(make("Category"), rows, cells) == encoder.transform(numbers) + 1).all()
    unknown = np.array([[3, 2], [2, 10]])
    other = unknown if integers else texts_beside(*unknown.T.astype(str).tolist())
    assert (through(make("Category"), rows, cells, other) == encoder.transform(unknown) + 1).all()


def test_class_labels_is_label_encoder() -> None:
    found = through(make("ClassLabels"), texts(*WORDS), Cells(kind="text"))
    assert (found == oracle("LabelEncoder")().fit_transform(WORDS)).all()
    assert make("ClassLabels").names(fit(make("ClassLabels"), texts(*WORDS), Cells(kind="text"))) == ("a", "b", "c")


def test_the_rest_by_numpy() -> None:
    values = np.array([[0.5, 3.0], [-0.5, 7.0]])
    cells = Cells((2,))
    assert (through(make("Log1p"), values, cells) == np.log1p(values)).all()
    assert (through(make("Scale", factor=2.0, offset=-1.0), values, cells) == values * 2 - 1).all()
    assert through(make("Flatten"), values.reshape(2, 2, 1), Cells((2, 1))).shape == (2, 2)
    assert through(make("Reshape", shape=(1, -1)), values, cells).shape == (2, 1, 2)
    cast = through(make("Cast", dtype="int64"), np.floor(values), cells)
    assert (cast.dtype, cast.tolist()) == (np.int64, [[0, 3], [-1, 7]])
    assert through(make("Cast", dtype="float"), cast, Cells((2,), "int")).dtype == np.float64


# Laws.

ANY = settings(deadline=None, derandomize=True, database=None)
FINITE = st.floats(-1e6, 1e6)
TABLES = st.integers(1, 12).flatmap(lambda n: arrays(np.float64, (n, 3), elements=FINITE))
INVERTIBLE = [
    ("Standardize", {}),
    ("MinMax", {"feature_range": (-2.0, 5.0)}),
    ("Scale", {"factor": -3.0, "offset": 0.5}),
    ("Log1p", {}),
    ("Cast", {"dtype": "float"}),
]


@pytest.mark.parametrize(("name", "arguments"), INVERTIBLE)
@ANY
@given(values=TABLES)
def test_invert_undoes_apply(name: str, arguments: dict[str, Any], values: Array) -> None:
    transform, cells = make(name, **arguments), Cells((3,))
    values = np.abs(values) if name == "Log1p" else values
    state = fit(transform, values, cells)
    back = transform.invert(np.asarray(transform.apply(values, state, cells)), state, cells)
    size = np.abs(values).max(axis=0) + 1
    assert (np.abs(back - values) <= 1e-9 * size).all()


def test_these_are_all_that_can_be_inverted() -> None:
    found = {name for name, cls in transforms.own().items() if cls.invertible}
    assert found == {name for name, _ in INVERTIBLE} | {"Impute"}


@ANY
@given(values=TABLES, step=st.integers(1, 5))
def test_any_blocks_give_the_same(values: Array, step: int) -> None:
    cells = Cells((3,))
    for name, arguments in INVERTIBLE[:3]:
        transform = make(name, **arguments)
        state = fit(transform, values, cells, step)
        whole = np.asarray(transform.apply(values, state, cells))
        parts = [transform.apply(values[i : i + step], state, cells) for i in range(0, len(values), step)]
        assert np.concatenate(parts).tobytes() == whole.tobytes()


@ANY
@given(words=st.lists(st.sampled_from(["", "a", "b", "10", "9"]), min_size=1, max_size=9), step=st.integers(1, 4))
def test_any_blocks_of_texts_give_the_same(words: list[str], step: int) -> None:
    rows, cells = texts(*words), Cells(kind="text", gaps=True)
    state = fit(make("Category"), rows, cells, step)
    known = sorted({word for word in words if word})
    known = sorted(known, key=int) if all(map(str.isdigit, known)) else known
    assert state["categories"].tolist() == known
    expected = [known.index(word) + 1 if word else 0 for word in words]
    parts = [make("Category").apply(rows[i : i + step], state, cells) for i in range(0, len(rows), step)]
    assert np.concatenate(parts).tolist() == expected


def test_a_channel_of_a_picture_has_its_own_figures() -> None:
    pictures = np.random.default_rng(0).normal(size=(6, 2, 3, 4)) * [[[1.0]], [[9.0]]]
    found = through(make("Standardize"), pictures, Cells((2, 3, 4)))
    assert np.allclose(found.mean(axis=(0, 2, 3)), 0)
    assert np.allclose(found.std(axis=(0, 2, 3)), 1)


def test_single_numbers() -> None:
    values = np.array([1.0, np.nan, 4.0])
    assert through(make("Impute"), values, Cells(gaps=True)).tolist() == [1, 2.5, 4]
    assert through(make("MinMax"), np.array([1.0, 3.0]), Cells()).tolist() == [0, 1]


# Texts.


def test_lists_in_the_config() -> None:
    rows, cells = texts("x", "y", "", "7"), Cells(kind="text", gaps=True)
    assert through(make("Category", categories=("y", "x")), rows, cells).tolist() == [2, 1, 0, 0]
    one_hot = through(make("OneHot", categories=("x", "7")), texts("x", "y", "7"), Cells(kind="text"))
    assert one_hot.tolist() == [[1, 0], [0, 0], [0, 1]]
    labels = through(make("ClassLabels", classes=("y", "x")), texts("x", "y"), Cells(kind="text"))
    assert labels.tolist() == [1, 0]


def test_a_constant_fills_in_texts() -> None:
    rows, cells = texts("x", "", "y"), Cells(kind="text", gaps=True)
    transform = make("Impute", strategy="constant", value="none")
    filled = transform.apply(rows, fit(transform, rows, cells), cells)
    assert isinstance(filled, Texts)
    assert filled.values[filled.codes].tolist() == ["x", "none", "y"]


def test_an_array_of_integers_of_one_column_has_one_vocabulary() -> None:
    rows = np.array([[5, 7, 5], [7, 9, 9]])
    assert through(make("Category"), rows, Cells((3,), "int")).tolist() == [[1, 2, 1], [2, 3, 3]]


def test_missing_is_no_index() -> None:
    assert MISSING < 0


# What is refused.


@pytest.mark.parametrize(
    ("transform", "rows", "message", "place"),
    [
        (
            make("Log1p"),
            np.array([[0.0, 1.0], [2.0, -1.0]]),
            "Log1p takes numbers above -1, and this is -1",
            (1, 1),
        ),
        (
            make("Cast", dtype="int64"),
            np.array([[1.0, 2.5]]),
            "Cast to int64 takes integers, and this is 2.5",
            (0, 1),
        ),
    ],
)
def test_cells_that_do_not_fit(transform: Transform, rows: Array, message: str, place: tuple[int, ...]) -> None:
    with pytest.raises(Misfit) as caught:
        transform.apply(rows, {}, Cells((2,)))
    assert (caught.value.message, caught.value.place) == (message, place)


def test_a_class_that_was_not_there() -> None:
    transform, cells = make("ClassLabels"), Cells(kind="text")
    state = fit(transform, texts("a", "b"), cells)
    with pytest.raises(Misfit) as caught:
        transform.apply(texts("a", "c"), state, cells)
    assert caught.value.message == (
        "'c' is none of the classes of the training rows, a and b; ClassLabels takes a list of all, classes: [...]"
    )
    assert caught.value.place == (1,)


@pytest.mark.parametrize(
    ("transform", "cells", "message", "field"),
    [
        (make("Standardize"), Cells(kind="text"), "Standardize takes numbers, and before it are texts", None),
        (make("Category"), Cells(), "Category takes texts or integers, and before it are floating-point", None),
        (make("Impute"), Cells(kind="text", gaps=True), "texts have no mean", "strategy"),
        (make("Impute", strategy="constant", value="x"), Cells(gaps=True), "numbers are filled in with", "value"),
        (make("OneHot", categories=2), Cells((2, 3), "int"), "OneHot takes one value a row", None),
        (make("Reshape", shape=(4,)), Cells((3,)), "Reshape cannot make (4,) of a row (3,), 3 numbers", "shape"),
        (make("RandomCrop", size=3), Cells((4,)), "RandomCrop takes pictures (C, H, W), and a row is (4,)", None),
        (make("RandomCrop", size=9, padding=1), Cells((1, 6, 8)), "RandomCrop cannot cut 9 x 9", "size"),
        (make("RandomFlip", dimension=1), Cells((3,)), "RandomFlip has no dimension 1 to mirror", "dimension"),
    ],
)
def test_cells_of_the_wrong_kind(transform: Transform, cells: Cells, message: str, field: str | None) -> None:
    with pytest.raises(ShapeError) as caught:
        transform.infer(cells)
    assert caught.value.message.startswith(message)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("Impute", {"strategy": "constant"}, "value is what the strategy constant fills in"),
        ("Impute", {"value": 1.0}, "value is for the strategy constant; mean finds its own"),
        ("MinMax", {"feature_range": (1.0, 1.0)}, "feature_range goes from low to high"),
        ("Scale", {"factor": 0.0}, "factor 0 makes all numbers equal"),
        ("OneHot", {"categories": ("a", "a")}, "categories lists 'a' 2 times"),
        ("OneHot", {"categories": ()}, "at least 1 item"),
        ("OneHot", {}, "Field required"),
        ("Reshape", {"shape": (-1, -1)}, "only one size may be -1"),
    ],
)
def test_arguments_that_are_wrong(name: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(name, **arguments)


@pytest.mark.parametrize(
    ("transform", "rows", "cells", "message"),
    [
        (make("OneHot", categories=2), texts("a", "b", "c"), Cells(kind="text"), "room for 2 categories"),
        (make("Category", categories=1), texts("a", "b"), Cells(kind="text"), "room for 1 categories"),
        (make("Impute"), np.full((3, 1), np.nan), Cells((1,), gaps=True), "no training row has a value"),
        (
            make("Impute", strategy="most_frequent"),
            texts("", ""),
            Cells(kind="text", gaps=True),
            "no training row has a value",
        ),
    ],
)
def test_training_rows_that_do_not_fit(transform: Transform, rows: Rows, cells: Cells, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        fit(transform, rows, cells)


# Augmentation.


def test_random_crop_cuts_at_every_place() -> None:
    picture = np.arange(12.0).reshape(1, 1, 3, 4)
    transform = make("RandomCrop", size=(2, 3))
    drawn = transform.augment(np.repeat(picture, 200, axis=0), np.random.default_rng(0))
    places = {(0, 0), (0, 1), (1, 0), (1, 1)}
    assert {tuple(map(int, divmod(one[0, 0, 0], 4))) for one in drawn} == places
    for one in drawn:
        top, left = map(int, divmod(one[0, 0, 0], 4))
        assert (one[0] == picture[0, 0, top : top + 2, left : left + 3]).all()


def test_random_crop_pads_and_is_the_middle_in_evaluation() -> None:
    pictures = np.arange(1.0, 10.0).reshape(1, 1, 3, 3)
    transform, cells = make("RandomCrop", size=3, padding=1), Cells((1, 3, 3))
    assert (np.asarray(transform.apply(pictures, {}, cells)) == pictures).all()
    drawn = transform.augment(np.repeat(pictures, 60, axis=0), np.random.default_rng(1))
    assert {int((one == 0).sum()) for one in drawn} == {0, 3, 5}


def test_random_flip() -> None:
    rows = np.arange(600.0).reshape(100, 2, 3)
    for dimension, axis in ((-1, 2), (-2, 1), (1, 2), (0, 1)):
        drawn = make("RandomFlip", p=0.25, dimension=dimension).augment(rows, np.random.default_rng(2))
        flipped = (drawn == np.flip(rows, axis)).all(axis=(1, 2))
        assert (flipped | (drawn == rows).all(axis=(1, 2))).all()
        assert 15 < flipped.sum() < 35
    assert (make("RandomFlip", p=0.0).augment(rows, np.random.default_rng(2)) == rows).all()
    assert rows.tolist() == np.arange(600.0).reshape(100, 2, 3).tolist()
