"""A body that ends early is told apart from one that is wrong, wherever it was cut."""

from __future__ import annotations

import msgspec
import pytest

from app.services.transport.json_faults import ends_early

SAMPLE = b'{"code":"0","data":[[-12.5e+3,true,null,"a\\u00e9\\n"],{"x":[]},0.25]}'


class Envelope(msgspec.Struct):
    """Reads the code and skips everything else, as envelope checks do."""

    code: str


def error_of(body: bytes, shape: type = object) -> msgspec.DecodeError:
    with pytest.raises(msgspec.DecodeError) as caught:
        msgspec.json.decode(body, type=shape)
    return caught.value


@pytest.mark.parametrize("shape", [object, Envelope])
def test_a_sample_cut_at_any_byte_ends_early(shape: type) -> None:
    msgspec.json.decode(SAMPLE, type=shape)
    for length in range(len(SAMPLE)):
        body = SAMPLE[:length]
        assert ends_early(error_of(body, shape), body), body


@pytest.mark.parametrize(
    "body", [b"[1.]", b"[-]", b"<html>", b"{]", b'{"a":1}}', b"[1e,2]", b'["\\q"]', b"NaN"]
)
def test_a_wrong_body_does_not(body: bytes) -> None:
    assert not ends_early(error_of(body), body)
