"""The fixed price grid: every price lies in its bucket, from 1e-8 to 1e7."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.heatmap.buckets import bucket_low, bucket_mid, bucket_of

PRICES = st.floats(min_value=1e-8, max_value=1e7)


@pytest.mark.parametrize(("price", "bucket"), [(100_000.0, 4610), (1.0, 0), (0.5, -278)])
def test_worked_numbers(price: float, bucket: int) -> None:
    assert bucket_of(price) == bucket


@given(PRICES)
def test_every_price_lies_between_the_edges_of_its_bucket(price: float) -> None:
    bucket = bucket_of(price)
    # An edge is a rounded power: a price closer to it than 1e-12 may fall on either side.
    assert bucket_low(bucket) <= price * (1 + 1e-12)
    assert price <= bucket_low(bucket + 1) * (1 + 1e-12)


@given(st.integers(bucket_of(1e-8), bucket_of(1e7)))
def test_the_middle_of_a_bucket_is_in_it_and_buckets_are_a_quarter_percent_high(bucket: int) -> None:
    assert bucket_of(bucket_mid(bucket)) == bucket
    assert bucket_low(bucket) < bucket_mid(bucket) < bucket_low(bucket + 1)
    assert bucket_low(bucket + 1) / bucket_low(bucket) == pytest.approx(1.0025, rel=1e-12)


@given(PRICES, PRICES)
def test_a_higher_price_is_never_in_a_lower_bucket(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert bucket_of(low) <= bucket_of(high)
