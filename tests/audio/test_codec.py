from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sayd_cli.audio.codec import MESSAGE_MS, Packer, Packet, check_codec
from sayd_cli.audio.opus import OpusDecoder, OpusEncoder
from sayd_cli.engine.recordings import recording
from sayd_cli.errors import UsageError
from sayd_cli.model.audio import Codec, Frame
from sayd_cli.model.session import SessionSettings

OPUS = (Codec.OPUS, Codec.OPUS_FS320)
RATES_HZ = (8000, 16000)

each_opus = pytest.mark.parametrize("codec", OPUS)
each_rate = pytest.mark.parametrize("rate_hz", RATES_HZ)
sizes = st.integers(1, 3000)


def speech(rate_hz: int) -> NDArray[np.int16]:
    samples, recorded_hz = soundfile.read(recording("beckett.wav"), dtype="float32")
    resampled = soxr.resample(samples, recorded_hz, rate_hz)
    pcm: NDArray[np.int16] = (np.clip(resampled, -1, 1) * 32767).astype("<i2")
    return pcm


def noise(samples: int) -> bytes:
    return np.random.default_rng(samples).integers(-9000, 9000, samples).astype("<i2").tobytes()


def tone(rate_hz: int, seconds: float) -> NDArray[np.int16]:
    moments = np.arange(round(seconds * rate_hz)) / rate_hz
    return (8000 * np.sin(2 * math.pi * 500 * moments)).astype("<i2")


def packed(
    pcm: bytes, codec: Codec, rate_hz: int, cuts: Sequence[int] = (), start_sample: int = 0
) -> list[Packet]:
    packer = Packer(SessionSettings("en", rate_hz, codec))
    edges = [0, *sorted(2 * cut for cut in cuts if 0 < 2 * cut < len(pcm)), len(pcm)]
    packets = [
        packet
        for begin, end in itertools.pairwise(edges)
        for packet in packer.push(Frame(pcm[begin:end], start_sample + begin // 2, rate_hz))
    ]
    return [*packets, *packer.flush()]


def decoded(payloads: Sequence[bytes], codec: Codec, rate_hz: int) -> NDArray[np.int16]:
    decoder = OpusDecoder(rate_hz, MESSAGE_MS[codec])
    return np.frombuffer(b"".join(map(decoder.decode, payloads)), "<i2")


def payloads(packets: list[Packet]) -> list[bytes]:
    return [packet.payload for packet in packets]


def pre_skip(rate_hz: int) -> int:
    return rate_hz * 13 // 2000


def level_db(samples: NDArray[np.int16]) -> float:
    return 10 * math.log10(np.mean(samples.astype(float) ** 2))


@each_opus
@each_rate
def test_speech_comes_out_as_and_where_it_went_in(codec: Codec, rate_hz: int) -> None:
    source = speech(rate_hz)
    out = decoded(payloads(packed(source.tobytes(), codec, rate_hz)), codec, rate_hz)

    def correlation(late_samples: int) -> float:
        heard = out[late_samples : late_samples + len(source)]
        return float(np.corrcoef(heard, source[: len(heard)])[0, 1])

    assert len(out) >= len(source)
    assert max(range(rate_hz // 50), key=correlation) == 0
    assert correlation(0) > 0.9
    assert level_db(out) == pytest.approx(level_db(source), abs=1)


@each_opus
@each_rate
@pytest.mark.parametrize("samples_over", [0, 1, 50, 100, 159])
def test_the_last_samples_come_out(codec: Codec, rate_hz: int, samples_over: int) -> None:
    source = tone(rate_hz, 0.5)
    source = np.concatenate([source, tone(rate_hz, 0.5)[:samples_over]])
    out = decoded(payloads(packed(source.tobytes(), codec, rate_hz)), codec, rate_hz)
    last = out[: len(source)][-rate_hz // 100 :]
    assert len(last) == rate_hz // 100
    assert level_db(last) == pytest.approx(level_db(source), abs=3)


@pytest.mark.parametrize("codec", list(Codec))
@each_rate
@settings(max_examples=40)
@given(samples=st.integers(1, 4000), cuts=st.lists(sizes, max_size=12), start=st.integers(0, 10**9))
def test_any_cutting_gives_the_same_packets(
    codec: Codec, rate_hz: int, samples: int, cuts: list[int], start: int
) -> None:
    pcm = noise(samples)
    packets = packed(pcm, codec, rate_hz, cuts, start)
    assert packets == packed(pcm, codec, rate_hz, (), start)
    # Every captured sample is in one packet, in order.
    assert packets[0].start_sample == start
    assert packets[-1].end_sample == start + samples
    assert all(a.end_sample == b.start_sample for a, b in itertools.pairwise(packets))
    for packet in packets:
        length = packet.end_sample - packet.start_sample + packet.padding_samples
        if codec is Codec.PCM16:
            assert (2 * length, packet.padding_samples) == (len(packet.payload), 0)
        else:
            assert length == rate_hz * MESSAGE_MS[codec] // 1000
    assert all(packet.padding_samples == 0 for packet in packets[:-2])


@each_rate
def test_pcm16_is_sent_as_it_is(rate_hz: int) -> None:
    pcm = noise(rate_hz // 4 + 3)
    packets = packed(pcm, Codec.PCM16, rate_hz)
    assert b"".join(payloads(packets)) == pcm
    assert [packet.end_sample - packet.start_sample for packet in packets] == [
        rate_hz // 10,
        rate_hz // 10,
        rate_hz // 20 + 3,
    ]


@each_opus
@each_rate
def test_every_packet_has_one_size_and_a_second_has_under_3200_bytes(
    codec: Codec, rate_hz: int
) -> None:
    for pcm in (speech(rate_hz).tobytes(), noise(2 * rate_hz), bytes(2 * rate_hz)):
        sizes_bytes = set(map(len, payloads(packed(pcm, codec, rate_hz))))
        assert len(sizes_bytes) == 1
        packets_a_second = 1000 // MESSAGE_MS[codec]
        assert sizes_bytes.pop() * packets_a_second == 3000


@pytest.mark.parametrize("codec", list(Codec))
def test_after_a_flush_audio_may_go_on_later(codec: Codec) -> None:
    packer = Packer(SessionSettings("en", 16000, codec))
    first, second = speech(16000)[16000:24321], speech(16000)[32000:40123]
    packets = packer.push(Frame(first.tobytes(), 100, 16000))
    packets += packer.flush()
    assert packer.flush() == []
    assert (packets[0].start_sample, packets[-1].end_sample) == (100, 8421)
    with_gap = packer.push(Frame(second.tobytes(), 50_000, 16000))
    with_gap += packer.flush()
    assert (with_gap[0].start_sample, with_gap[-1].end_sample) == (50_000, 58_123)
    if codec is Codec.PCM16:
        return
    # One decoder hears both, the second as far after the first as the packets say.
    out = decoded(payloads([*packets, *with_gap]), codec, 16000)
    begin = len(first) + sum(packet.padding_samples for packet in packets)
    heard = out[begin : begin + len(second)]
    assert np.corrcoef(heard, second[: len(heard)])[0, 1] > 0.85


@pytest.mark.parametrize("codec", list(Codec))
def test_without_audio_there_is_nothing_to_flush(codec: Codec) -> None:
    assert Packer(SessionSettings("en", 16000, codec)).flush() == []


@pytest.mark.parametrize("codec", list(Codec))
def test_what_does_not_follow_on_is_refused(codec: Codec) -> None:
    packer = Packer(SessionSettings("en", 16000, codec))
    packer.push(Frame(bytes(2), 0, 16000))
    with pytest.raises(ValueError, match="at sample 7"):
        packer.push(Frame(bytes(2), 7, 16000))
    with pytest.raises(ValueError, match="8000 Hz"):
        packer.push(Frame(bytes(2), 1, 8000))


def test_an_encoder_takes_whole_packets_only() -> None:
    encoder = OpusEncoder(16000, 10)
    for wrong in (b"", bytes(318), bytes(322)):
        with pytest.raises(ValueError, match="160 samples"):
            encoder.encode(wrong)


@each_opus
@each_rate
@settings(max_examples=100)
@given(packets=st.lists(st.binary(max_size=200), min_size=1, max_size=5))
@example(packets=[b""])
@example(packets=[bytes(100_000)])
@example(packets=[b"\xff" * 1500, b"\x03\x3f" * 700])
def test_whatever_is_received_gives_the_samples_of_a_packet(
    codec: Codec, rate_hz: int, packets: list[bytes]
) -> None:
    decoder = OpusDecoder(rate_hz, MESSAGE_MS[codec])
    lengths = [len(decoder.decode(packet)) // 2 for packet in packets]
    length = rate_hz * MESSAGE_MS[codec] // 1000
    assert lengths == [length - pre_skip(rate_hz)] + [length] * (len(packets) - 1)
    assert 0 <= decoder.concealed_packets <= len(packets)


def damages(good: bytes) -> dict[str, bytes]:
    return {
        "empty": b"",
        "not Opus": b"\xff" * 7,
        "huge": good + bytes(5000),
        # Of 60 ms: the first five bits of an Opus packet say how long it is (RFC 6716, 3.1).
        "of another length": bytes([0b01011_000]) + good[1:],
    }


@each_opus
@each_rate
@pytest.mark.parametrize("damage", damages(b""))
def test_a_damaged_packet_costs_that_packet_only(codec: Codec, rate_hz: int, damage: str) -> None:
    sent = payloads(packed(speech(rate_hz)[: 4 * rate_hz].tobytes(), codec, rate_hz))
    whole = decoded(sent, codec, rate_hz).astype(float)
    at = len(sent) // 2
    damaged = [*sent[:at], damages(sent[at])[damage], *sent[at + 1 :]]
    decoder = OpusDecoder(rate_hz, MESSAGE_MS[codec])
    heard = np.frombuffer(b"".join(map(decoder.decode, damaged)), "<i2").astype(float)
    assert decoder.concealed_packets == 1
    assert len(heard) == len(whole)
    begin = at * rate_hz * MESSAGE_MS[codec] // 1000 - pre_skip(rate_hz)
    assert np.array_equal(heard[:begin], whole[:begin])
    # What is predicted from the packet before is right again after a moment.
    after = slice(begin + rate_hz // 5, None)
    assert np.corrcoef(heard[after], whole[after])[0, 1] > 0.99
    # What fills the hole is no louder than what is around it.
    assert np.abs(heard).max() <= 1.5 * np.abs(whole).max()


@each_rate
def test_a_packet_of_the_other_codec_is_concealed(rate_hz: int) -> None:
    for codec, other in (OPUS, OPUS[::-1]):
        decoder = OpusDecoder(rate_hz, MESSAGE_MS[codec])
        packets = packed(noise(rate_hz), other, rate_hz)
        out = b"".join(decoder.decode(packet.payload) for packet in packets)
        assert decoder.concealed_packets == len(packets)
        length = len(packets) * rate_hz * MESSAGE_MS[codec] // 1000
        assert len(out) == 2 * (length - pre_skip(rate_hz))


class Unloadable(MetaPathFinder):
    def __init__(self, failure: Exception) -> None:
        self._failure = failure

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == "opuslib_next":
            raise self._failure
        return None


@pytest.mark.parametrize(
    "failure",
    [
        ModuleNotFoundError("No module named 'opuslib_next'"),
        OSError("libopus.so: wrong ELF class"),
        RuntimeError("Bundled Opus library not found"),
    ],
)
def test_without_the_library_it_is_said_and_pcm16_goes_on(
    failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "opuslib_next", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Unloadable(failure), *sys.meta_path])
    for use in (
        lambda: check_codec(Codec.OPUS),
        lambda: Packer(SessionSettings("en", 16000, Codec.OPUS_FS320)),
        lambda: OpusDecoder(16000, 20),
    ):
        with pytest.raises(UsageError, match="not available here") as caught:
            use()
        assert caught.value.remedy == "use --codec pcm16"
    check_codec(Codec.PCM16)
    assert Packer(SessionSettings()).push(Frame(bytes(3200), 0, 16000))
