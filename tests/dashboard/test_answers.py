"""What a first-time user asked of a page (docs/user-tasks.md) is answered on it in words."""

import html
import re


def said(app) -> list[str]:
    """All that a page says in sentences, as it is read."""
    return [html.unescape(one.value) for one in (*app.header, *app.markdown, *app.caption, *app.info)]


def test_which_step_holds_checkout_back_since_when_and_would_another_reviewer_help(look):
    told = " ".join(said(look("bottlenecks", stream="checkout")))

    assert "checkout: QA holds work back" in told
    assert "QA has been named since the thirteen weeks from 26 Apr 2026 to 26 Jul 2026" in told
    assert re.search(r"As much more would cut it by .* in Review\.", told)
    assert not re.search(r"\d%", told)


def test_a_throughput_that_is_not_compared_says_why(look):
    """The first items of checkout were finished two weeks after the period before begins."""
    [why] = [line for line in said(look("flow", stream="checkout")) if line.startswith("Not compared: ")]

    assert re.fullmatch(
        r"Not compared: the records begin in the period before: the first finished item known is of \d+ \w+ 2025\.", why
    )


def test_days_in_an_explanation_are_written_as_everywhere_else(look):
    app = look("overview")
    next(one for one in app.button if one.label == "Where this number comes from").click().run()

    [counted] = [line for line in said(app) if line.startswith("Counted: ")]
    assert "from 17 May 2026 to 15 Nov 2026" in counted


def test_a_day_is_promised_once_with_the_surest_promise_that_names_it(look):
    days = [line for line in said(look("forecast")) if line.startswith("By ")]

    assert days == ["By 13 Dec 2026 (95\N{NO-BREAK SPACE}% sure)."]


def test_one_number_has_one_name_on_two_pages(look):
    labels = [{metric.label for metric in look(page, stream="checkout").metric} for page in ("value_stream", "bottlenecks")]

    assert "Finished items that were sent back" in labels[0] & labels[1]
