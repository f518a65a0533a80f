"""Fields: what people type is read or refused in one sentence, and what nobody touched keeps its exact value."""

import pytest

from dashboard import fields
from dashboard.fields import Typed


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (fields.hours, "2.5 d", 60), (fields.share, "85 %", 0.85), (fields.share, "0", 0), (fields.share, "99,5", 0.995),
        (fields.people, "0.5", 0.5), (fields.limit, "6", 6),
    ],
)  # fmt: skip
def test_what_is_read(read, text, value):
    assert fields.values({"x": Typed("X", text, read)}) == ({"x": pytest.approx(value)}, [])


@pytest.mark.parametrize(
    ("read", "text", "sentence"),
    [
        (fields.hours, "soon", "X: 'soon' is no duration: expected a number with min, h, d or w, such as 30 min, 4 h or 2.5 d."),
        (fields.share, "120", "X: '120' is no share: expected 0 to 100 %."),
        (fields.share, "nan", "X: 'nan' is no number: expected a percentage, such as 85."),
        (fields.people, "-1", "X: '-1' cannot be: expected 0 to 10,000 people."),
        (fields.people, "inf", "X: 'inf' is no number: expected a number of people, such as 2 or 0.5."),
        (fields.limit, "0", "X: '0' is no limit: expected a whole number from 1 on."),
        (fields.limit, "٣", "X: '٣' is no limit: expected a whole number from 1 on."),
    ],
)
def test_what_is_refused_in_one_sentence(read, text, sentence):
    assert fields.values({"x": Typed("X", text, read)})[1] == [sentence]


def test_an_untouched_field_keeps_its_exact_value_and_an_emptied_one_has_none():
    told, wrong = fields.values(
        {
            "kept": Typed("Kept", "3.2 d", fields.hours, shown="3.2 d", value=77.31),
            "emptied": Typed("Emptied", " ", fields.hours, shown="3.2 d", value=77.31),
            "needed": Typed("Needed", "", str, needed=True),
        }
    )
    assert (told["kept"], told["emptied"]) == (77.31, None)
    assert wrong == ["Needed: nothing is written there."]
