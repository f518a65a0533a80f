"""What is chosen beside another team or time: two at once, told as `vsm compare` tells them."""

from datetime import date

import pytest

from dashboard.beside import COLUMNS, NOTHING, TIME


def shown(app):
    """The table of both, None where there is none."""
    found = [one.value for one in app.dataframe if list(one.value.columns) == list(COLUMNS)]
    return found[0].set_index("Number") if found else None


@pytest.fixture
def retro(look):
    return look("retro", team="Basket")


def test_nothing_stands_beside_until_it_is_chosen_and_never_the_choice_itself(retro):
    offered = retro.selectbox(key="beside").options
    assert offered[:2] == [NOTHING, TIME]
    assert "team Payments" in offered
    assert "team Basket" not in offered
    assert shown(retro) is None


def test_a_team_stands_beside_another_with_a_verdict_or_why_there_is_none(retro):
    retro.selectbox(key="beside").set_value("team Payments").run()
    found = shown(retro)

    assert found.loc["Throughput", "Verdict on what is chosen above"] == "clearly more"
    assert found.loc["Deployment frequency", "Compared as"].endswith("of its rows are behind the other one, too")
    assert any("team Basket, 17 May 2026 to 15 Nov 2026" in str(one.value) for one in retro.caption)


def test_another_time_waits_for_its_last_day(retro):
    retro.selectbox(key="beside").set_value(TIME).run()
    assert shown(retro) is None

    retro.date_input(key="beside_last").set_value(date(2026, 5, 1)).run()
    assert any("31 Oct 2025 to 1 May 2026" in str(one.value) for one in retro.caption)
    assert len(shown(retro)) == 12
