import json

from hypothesis import given
from hypothesis import strategies as st

from tests.faults.frames import Splitter, WireFrame


def encoded(opcode: int, payload: bytes, mask: bytes | None = None, fin: bool = True) -> bytes:
    head = bytes([(0x80 if fin else 0) | opcode])
    flag = 0x80 if mask else 0
    if len(payload) < 126:
        head += bytes([flag | len(payload)])
    elif len(payload) < 1 << 16:
        head += bytes([flag | 126]) + len(payload).to_bytes(2, "big")
    else:
        head += bytes([flag | 127]) + len(payload).to_bytes(8, "big")
    if mask is None:
        return head + payload
    repeated = (mask * (len(payload) // 4 + 1))[: len(payload)]
    masked = int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")
    return head + mask + masked.to_bytes(len(payload), "big")


lengths = st.one_of(st.integers(0, 130), st.sampled_from([65_535, 65_536, 70_000]))
frames = st.builds(
    lambda opcode, length, mask, fin: encoded(opcode, bytes(length), mask, fin),
    st.sampled_from([0, 1, 2, 8, 9, 10]),
    lengths,
    st.one_of(st.none(), st.binary(min_size=4, max_size=4)),
    st.booleans(),
)


@given(st.lists(frames, max_size=5), st.data())
def test_frames_are_found_however_the_bytes_come(raws: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(raws)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    splitter = Splitter()
    found: list[WireFrame] = []
    for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        found += splitter.take(whole[start:end])
    assert [frame.raw for frame in found] == raws
    assert splitter.rest == b""


def test_byte_by_byte_and_with_a_part_left() -> None:
    raws = [encoded(1, b"x" * 200, b"abcd"), encoded(9, b""), encoded(2, b"y" * 5)]
    splitter = Splitter()
    found = [frame for byte in b"".join(raws) for frame in splitter.take(bytes([byte]))]
    assert [frame.raw for frame in found] == raws
    assert splitter.take(raws[0][:50]) == []
    assert splitter.rest == raws[0][:50]


def test_the_kind_of_a_message() -> None:
    def kind(raw: bytes) -> str | None:
        (frame,) = Splitter().take(raw)
        return frame.kind

    text = json.dumps({"type": "sentence", "text": "好" * 300}).encode()
    assert kind(encoded(1, text)) == "sentence"
    assert kind(encoded(2, text)) is None
    assert kind(encoded(1, text, b"abcd")) is None
    assert kind(encoded(1, text, fin=False)) is None
    for other in (b"", b"{", b"[]", b'"type"', b"{}", b'{"type":1}', b"\xff"):
        assert kind(encoded(1, other)) is None


def test_control_frames() -> None:
    (close, ping, binary) = Splitter().take(encoded(8, b"") + encoded(9, b"x") + encoded(2, b""))
    assert (close.is_control, ping.is_control, binary.is_control) == (True, True, False)
