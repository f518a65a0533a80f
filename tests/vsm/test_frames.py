"""Columns of text as numbers, and looked up in one another."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vsm.frames import (
    among,
    begins,
    categories,
    classed,
    coded,
    in_names,
    kept,
    looked_up,
    named,
    places,
    recoded,
    shared,
    stacked,
    texts,
)  # fmt: skip

TEXT = st.lists(st.one_of(st.none(), st.sampled_from(["a", "b", "c", "A", ""])), max_size=12)
EVERY = settings(deadline=None, max_examples=60)


def column(values: list[str | None], kind: str = "str") -> pd.Series:
    told = pd.Series(values, dtype="str", index=pd.RangeIndex(3, 3 + len(values)))
    return told if kind == "str" else categories(told)


@EVERY
@given(TEXT, TEXT, st.sampled_from(["str", "category"]))
def test_a_key_has_the_place_of_the_first_that_is_the_same(keys: list[str | None], known: list[str | None], kind: str) -> None:
    expected = [known.index(key) if key is not None and key in known else -1 for key in keys]
    assert places(column(keys, kind), column(known)).tolist() == expected
    assert among(column(keys, kind), column(known)).tolist() == [place >= 0 for place in expected]
    found = looked_up(column(keys, kind), pd.Series(range(len(known)), index=column(known).array, dtype="Int64"))
    assert found.fillna(-1).tolist() == expected


@pytest.mark.parametrize("keys", ["ab", "abc", "aab", "ba", "acb", "a", "abd", "b"])
@pytest.mark.parametrize("known", ["abc", "abca", "aab", "bac", "acb", "ab"])
def test_it_has_that_place_also_where_a_list_begins_with_the_keys(keys: str, known: str) -> None:
    assert places(pd.Series([*keys], dtype="str"), pd.Series([*known], dtype="str")).tolist() == [known.find(key) for key in keys]


@pytest.mark.parametrize("values", [["a", "b", "c"], ["c", "a"], ["a", "a"], ["a", None], [None], []])
def test_categories_are_the_names_in_the_order_in_which_they_come(values: list[str | None]) -> None:
    made = categories(pd.Series(values, dtype="str", index=range(5, 5 + len(values))))
    assert made.cat.categories.tolist() == [*dict.fromkeys(value for value in values if value is not None)]
    assert made.astype("str").equals(pd.Series(values, dtype="str", index=made.index))


@EVERY
@given(
    st.sets(st.sampled_from(["", "A", "B", "a", "aa", "b", "ä", "\U0001f600"])),
    st.sets(st.sampled_from(["", "A", "aa", "ab", "ä", "z"])),
)
def test_texts_in_their_order_have_the_same_places(keys: set[str], known: set[str]) -> None:
    told, values = sorted(keys), sorted(known)
    assert places(column(list(told)), column(list(values))).tolist() == [values.index(key) if key in known else -1 for key in told]


@EVERY
@given(TEXT, st.sampled_from(["str", "category"]))
def test_numbers_and_names_are_the_column_again(values: list[str | None], kind: str) -> None:
    told = column(values, kind)
    pd.testing.assert_series_equal(named(*coded(told)), column(values).reset_index(drop=True))
    if None not in values:
        assert begins(told).tolist() == [place == 0 or values[place - 1] != value for place, value in enumerate(values)]


@pytest.mark.parametrize("kind", ["str", "category"])
def test_names_may_become_one_or_missing(kind: str) -> None:
    told = recoded(column(["ann", "bob", None, "cid"], kind), {"ann": "Ann", "bob": "Ann", "cid": None}.__getitem__)
    assert told.astype("str").fillna("-").tolist() == ["Ann", "Ann", "-", "-"]
    assert told.index.tolist() == [3, 4, 5, 6]


def test_columns_that_share_their_names_can_be_compared() -> None:
    was, is_ = shared([pd.Series(["A", None, "B"], dtype="str"), pd.Series(["A", "C", "C"], dtype="str")])
    assert (was.cat.categories.tolist(), was.dtype) == (["A", "B", "C"], is_.dtype)
    assert (was != is_).tolist() == [False, True, True]
    assert shared([was, is_])[0] is was


def test_frames_one_under_the_other_have_the_names_of_all() -> None:
    parts = [
        pd.DataFrame({"who": column(["a", None], "category"), "n": [1, 2]}),
        pd.DataFrame({"who": column(["b"], "category"), "n": 3}),
    ]
    told = stacked(parts)
    assert isinstance(told["who"].dtype, pd.CategoricalDtype)
    assert told.astype({"who": "str"}).fillna("-").to_numpy().tolist() == [["a", 1], ["-", 2], ["b", 3]]


@EVERY
@given(TEXT)
def test_numbers_as_categories_are_the_column_again_with_the_names_that_occur_in_their_order(values: list[str | None]) -> None:
    codes, names = coded(column(values))
    found = classed(codes, [*names, "never"])
    pd.testing.assert_series_equal(found.astype("str"), column(values).reset_index(drop=True))
    assert found.cat.categories.tolist() == sorted(names)
    assert in_names(found) is found
    frame = pd.DataFrame({"name": found, "n": 1})
    pd.testing.assert_frame_equal(texts(frame), frame.assign(name=column(values).array))


def test_what_is_kept_whole_is_not_copied() -> None:
    frame = pd.DataFrame({"n": [1, 2]})
    assert kept(frame, np.array([True, True])) is frame
    assert kept(frame, frame["n"] > 1)["n"].tolist() == [2]
