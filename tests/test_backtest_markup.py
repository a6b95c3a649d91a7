"""HTML out of plain text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.backtest_markup import table_html, tag, text
from app.backtest_tables import Table, only
from tests.page_reading import read_page


def test_text_and_attributes_are_escaped() -> None:
    assert tag("p", text("1 < 2"), class_="a") == '\n<p class="a">1 &lt; 2</p>'
    assert tag("a", text("&"), aria_label='"') == '<a aria-label="&quot;">&amp;</a>'


def test_a_number_and_its_percent_sign_stay_on_one_line() -> None:
    assert text("47.2 %") == "47.2\u00a0%"


def test_marks_that_turn_the_direction_of_reading_become_spaces() -> None:
    assert text("BTC\u202eCTB\x00") == "BTC CTB "


@given(st.text())
def test_no_text_whatever_leaves_its_element(said: str) -> None:
    page = read_page(tag("p", text(said), class_=said))
    assert page.tags == ["p"]
    assert len(page.attributes) == 1


TABLE = Table("Colours", ("name", "red", "blue"), (("sky", "1", "better"), ("rose", "9", "-")), ("A note.",))


def test_a_table_has_a_caption_a_head_and_named_rows() -> None:
    html = table_html(TABLE, "colours", strong_row=0)
    page = read_page(f"<main>{html}</main>")
    assert page.table("Colours") == {
        "sky": {"name": "sky", "red": "1", "blue": "better"},
        "rose": {"name": "rose", "red": "9", "blue": "-"},
    }
    assert page.values("scope") == ["col"] * 3 + ["row"] * 2
    assert 'class="strong"><th scope="row">sky' in html
    assert '<td class="good">better</td>' in html
    assert "A note." in page.said


def test_fewer_columns_keep_caption_and_notes() -> None:
    fewer = only(TABLE, ("name", "blue"))
    assert fewer == Table("Colours", ("name", "blue"), (("sky", "better"), ("rose", "-")), ("A note.",))
