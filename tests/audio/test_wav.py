import io
import itertools
import struct
import wave
from collections.abc import Iterable

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from sayd_cli.audio.wav import Encoding, WavFormat, WavParser, decode
from sayd_cli.errors import InputError
from tests.audio.damage import damaged

FORMAT = struct.pack("<HHIIHH", 1, 1, 16000, 32000, 2, 16)
AUDIO = bytes(range(200))


def chunk(name: bytes, body: bytes, size_bytes: int | None = None) -> bytes:
    size_bytes = len(body) if size_bytes is None else size_bytes
    return name + struct.pack("<I", size_bytes) + body + bytes(len(body) % 2)


def riff(*chunks: bytes) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def parsed(pieces: Iterable[bytes]) -> tuple[WavFormat | None, bytes]:
    parser = WavParser()
    audio = b"".join([parser.feed(piece) for piece in pieces])
    parser.finish()
    return parser.format, audio


def one_by_one(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


PLAIN = riff(chunk(b"fmt ", FORMAT), chunk(b"data", AUDIO))
STREAMS = {
    "plain": PLAIN,
    "unknown chunks": riff(
        chunk(b"JUNK", bytes(27)),
        chunk(b"fmt ", FORMAT),
        chunk(b"LIST", b"odd"),
        chunk(b"data", AUDIO),
    ),
    "long format": riff(chunk(b"fmt ", FORMAT + bytes(2)), chunk(b"data", AUDIO)),
    "size 0": riff(chunk(b"fmt ", FORMAT), chunk(b"data", AUDIO, 0)),
    "size of sox": riff(chunk(b"fmt ", FORMAT), chunk(b"data", AUDIO, 0x7FFFF000)),
    "size of arecord": riff(chunk(b"fmt ", FORMAT), chunk(b"data", AUDIO, 0x80000000)),
    "size of ffmpeg": riff(chunk(b"fmt ", FORMAT), chunk(b"data", AUDIO, 0xFFFFFFFF)),
    "truncated": riff(chunk(b"fmt ", FORMAT), chunk(b"data", AUDIO, 5000)),
    "truncated in a sample": riff(chunk(b"fmt ", FORMAT), chunk(b"data", AUDIO, 5000)) + b"x",
    "trailing chunk": PLAIN + chunk(b"LIST", b"made with care"),
    "trailing rubbish": PLAIN + b"\xff" * 33,
}


@pytest.mark.parametrize("data", STREAMS.values(), ids=STREAMS.keys())
def test_whole_and_byte_by_byte(data: bytes) -> None:
    wanted = (WavFormat(Encoding.SIGNED_16, 1, 16000, 2), AUDIO)
    assert parsed([data]) == wanted
    assert parsed(one_by_one(data)) == wanted


@given(st.sampled_from(sorted(STREAMS)), st.lists(st.integers(0, 300)))
def test_cut_anywhere(name: str, cuts: list[int]) -> None:
    data = STREAMS[name]
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    assert parsed([data[a:b] for a, b in itertools.pairwise(edges)])[1] == AUDIO


def test_the_end_of_the_audio_is_told() -> None:
    parser = WavParser()
    told = []
    for piece in (PLAIN[:-1], PLAIN[-1:], bytes(9)):
        audio = parser.feed(piece)
        told.append((parser.ended, len(audio)))
    assert told == [(False, 198), (True, 2), (True, 0)]


@pytest.mark.parametrize("container", ["WAV", "WAVEX"])
@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
@pytest.mark.parametrize("channels", [1, 2, 5])
def test_what_others_write_is_read_back(container: str, subtype: str, channels: int) -> None:
    samples = np.random.default_rng(3).uniform(-1, 1, (500, channels)).astype(np.float32)
    file = io.BytesIO()
    soundfile.write(file, samples, 44100, format=container, subtype=subtype)
    wav_format, audio = parsed(one_by_one(file.getvalue()))
    assert wav_format is not None
    assert (wav_format.channels, wav_format.sample_rate_hz) == (channels, 44100)
    file.seek(0)
    read, _ = soundfile.read(file, dtype="float32", always_2d=True)
    assert np.array_equal(decode(audio, wav_format).astype(np.float32), read)


def test_the_standard_library_is_read() -> None:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((2, 3, 8000, 0, "NONE", ""))
        writer.writeframes(b"\xff\xff\x7f\x00\x00\x80" * 4)
    wav_format, audio = parsed([file.getvalue()])
    assert wav_format == WavFormat(Encoding.SIGNED_24, 2, 8000, 6)
    assert decode(audio, wav_format).tolist() == [[1 - 2**-23, -1.0]] * 4


BAD = {
    "other RIFF": b"RIFF\x00\x00\x00\x00AVI " + bytes(50),
    "no RIFF": b"fLaC" + bytes(50),
    "no format": riff(chunk(b"data", AUDIO)),
    "short format": riff(chunk(b"fmt ", FORMAT[:14]), chunk(b"data", AUDIO)),
    "huge format": riff(chunk(b"fmt ", FORMAT, 1 << 20)),
    "a-law": riff(chunk(b"fmt ", struct.pack("<HHIIHH", 6, 1, 8000, 8000, 1, 8))),
    "12 bits": riff(chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, 8000, 12000, 1, 12))),
    "no channels": riff(chunk(b"fmt ", struct.pack("<HHIIHH", 1, 0, 8000, 16000, 0, 16))),
    "no rate": riff(chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, 0, 0, 2, 16))),
    "wrong frame size": riff(chunk(b"fmt ", struct.pack("<HHIIHH", 1, 2, 8000, 16000, 2, 16))),
    "strange extension": riff(
        chunk(b"fmt ", struct.pack("<HHIIHH", 0xFFFE, 1, 8000, 16000, 2, 16) + bytes(24))
    ),
    "empty": b"",
    "magic only": b"RIFF",
    "no audio": riff(chunk(b"fmt ", FORMAT)),
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD.keys())
def test_a_bad_header_is_an_error(data: bytes) -> None:
    for pieces in ([data], one_by_one(data)):
        with pytest.raises(InputError) as caught:
            parsed(pieces)
        assert caught.value.remedy


def header(channels: int, sample_rate_hz: int) -> bytes:
    return riff(
        chunk(b"fmt ", struct.pack("<HHIIHH", 1, channels, sample_rate_hz, 0, 2 * channels, 16)),
        chunk(b"data", bytes(640)),
    )


@pytest.mark.parametrize(
    ("rate_hz", "said"),
    [(0, "0 Hz"), (1, "1 Hz"), (999, "999 Hz"), (768_001, "768,001"), (0x7FFFFFFF, "2,147,4")],
)
def test_a_rate_that_no_recording_has_is_refused(rate_hz: int, said: str) -> None:
    with pytest.raises(InputError, match=f"sample rate of {said}") as caught:
        parsed([header(1, rate_hz)])
    assert "1,000 to 768,000 Hz" in caught.value.remedy


@pytest.mark.parametrize("channels", [0, 65, 0x7FFF])
def test_channels_that_no_recording_has_are_refused(channels: int) -> None:
    with pytest.raises(InputError, match=f"{channels:,} channels") as caught:
        parsed([header(channels, 16000)])
    assert "1 to 64" in caught.value.remedy


@pytest.mark.parametrize(("channels", "rate_hz"), [(1, 1000), (1, 768_000), (64, 48_000)])
def test_the_rarest_recordings_are_taken(channels: int, rate_hz: int) -> None:
    wav_format, audio = parsed([header(channels, rate_hz)])
    assert wav_format == WavFormat(Encoding.SIGNED_16, channels, rate_hz, 2 * channels)
    assert len(audio) == 640


@settings(deadline=20_000, max_examples=500)
@given(damaged(), st.integers(1, 400))
def test_a_damaged_wav_is_audio_or_an_error(data: bytes, piece_bytes: int) -> None:
    parser = WavParser()
    audio = b""
    try:
        for at in range(0, len(data), piece_bytes):
            audio += parser.feed(data[at : at + piece_bytes])
        parser.finish()
    except InputError:
        pass
    assert len(audio) <= len(data)
    if audio:
        assert parser.format is not None
        assert len(decode(audio, parser.format)) * parser.format.frame_bytes == len(audio)


@given(st.binary())
def test_rubbish_never_breaks_the_parser(data: bytes) -> None:
    parser = WavParser()
    try:
        parser.feed(b"RIFF\x00\x00\x00\x00WAVE" + data)
        parser.finish()
    except InputError:
        pass
