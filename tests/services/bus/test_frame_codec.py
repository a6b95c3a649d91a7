"""Frames as bytes: the same comes out, and what is not a frame of this version is nothing."""

from __future__ import annotations

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.core.domain.flow import LiquidationEvent, PriceTick, StreamFrame, StreamGap, TradeEvent
from app.services.bus.frame_codec import decode_frame, encode_frame

TEXT = st.text(max_size=12)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
TIME = st.integers(0, 2**53)
FRAMES = st.builds(
    StreamFrame,
    source=TEXT,
    ts_init_ms=TIME,
    liquidations=st.lists(
        st.builds(
            LiquidationEvent,
            *(TEXT, TEXT, TEXT, st.sampled_from(["LONG", "SHORT"]), NUMBER, NUMBER, st.none() | NUMBER, TIME),
        ),
        max_size=3,
    ).map(tuple),
    trades=st.lists(
        st.builds(TradeEvent, TEXT, TEXT, TEXT, st.booleans(), NUMBER, NUMBER, TIME), max_size=3
    ).map(tuple),
    ticks=st.lists(st.builds(PriceTick, TEXT, TEXT, NUMBER, TIME), max_size=3).map(tuple),
    rejects=st.dictionaries(TEXT, st.integers(0, 2**40), max_size=3),
    gap=st.none() | st.builds(StreamGap, TEXT, TIME, TIME, TEXT),
)


@settings(max_examples=40)
@given(FRAMES)
def test_a_frame_comes_back_as_it_was(frame: StreamFrame) -> None:
    back = decode_frame(encode_frame(frame))
    assert back == frame
    assert isinstance(back, StreamFrame)
    assert {type(event) for event in back.liquidations} <= {LiquidationEvent}
    assert back.gap is None or isinstance(back.gap, StreamGap)


@given(st.binary(max_size=60))
@example(b"\x98\x00\xa1\x80")  # a text that is not UTF-8
def test_other_bytes_are_nothing(packed: bytes) -> None:
    assert decode_frame(packed) is None


def test_the_next_version_is_not_misread() -> None:
    wire = msgspec.msgpack.decode(encode_frame(StreamFrame("okx", 7)))
    assert wire[0] == 1
    assert decode_frame(msgspec.msgpack.encode([2, *wire[1:]])) is None
    assert decode_frame(msgspec.msgpack.encode(wire)) == StreamFrame("okx", 7)
