"""What the start of the web process says to open."""

from __future__ import annotations

import pytest

from app.main import _what_to_open
from app.settings import load_settings


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_it_names_the_dashboard_where_it_opens(host: str) -> None:
    said = _what_to_open(load_settings({"HOST": host, "PORT": "9000"}), has_dashboard=True)
    assert "dashboard: http://localhost:9000/dashboard/\n" in said


def test_it_says_how_to_build_one_that_is_not_there() -> None:
    said = _what_to_open(load_settings({}), has_dashboard=False)
    assert "dashboard: not built: `make web` builds it (Node 20.19 or newer and npm)\n" in said
    assert "/dashboard/" not in said
