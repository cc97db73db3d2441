"""One run of a device, called back by hand, on a clock that is turned by hand."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from sayd_cli.capture.devices import InputDevice
from sayd_cli.capture.naming import InputKind
from sayd_cli.capture.native import NativeFormat
from sayd_cli.capture.stream import DeviceStream, Hole, Losses

RATE_HZ = 16000
BLOCK = 1600
IN_ORDER = SimpleNamespace(input_overflow=False)
DEVICE = InputDevice(0, "mic", "ALSA", True, RATE_HZ, 1, next(iter(InputKind)), "mic")


class Device:
    """Gives blocks that hold their own number."""

    def __init__(self, rate_hz: int = RATE_HZ) -> None:
        self.now_s = 1000.0
        self.losses = Losses()
        self.count = 0
        self.stream = DeviceStream(
            DEVICE,
            NativeFormat(rate_hz, 1),
            RATE_HZ,
            room_s=10_000,
            losses=self.losses,
            on_end=lambda: None,
            clock=lambda: self.now_s,
        )

    def give(self, blocks: int = 1, *, every_s: float = 0.1) -> None:
        for _ in range(blocks):
            self.now_s += every_s
            self.count += 1
            block = self.count.to_bytes(2, "little") * BLOCK
            self.stream._callback(block, BLOCK, None, IN_ORDER)

    async def taken(self) -> list[int | float]:
        """The numbers of the blocks, and the lengths of the holes, in order."""
        self.stream.end()
        taken: list[int | float] = []
        async for piece in self.stream.pcm():
            if isinstance(piece, Hole):
                taken.append(piece.length_s)
            else:
                assert len(piece) == 2 * BLOCK
                taken.append(int.from_bytes(piece[:2], "little"))
        return taken


async def test_the_machine_slept_and_the_device_goes_on() -> None:
    device = Device()
    device.give(20)
    device.now_s += 3600
    device.give(20)
    taken = await device.taken()
    assert taken == [*range(1, 21), pytest.approx(3600), *range(21, 41)]
    # It is a gap; nothing is missing besides.
    assert device.losses.dropped_s == 0


async def test_it_is_not_overdue_for_what_it_did_not_give_while_the_machine_slept() -> None:
    device = Device()
    device.give(20)
    device.now_s += 3600
    assert device.stream.due_in_s > 0


async def test_what_the_device_had_kept_is_not_missing() -> None:
    device = Device()
    device.give(20)
    # For six seconds nobody took what it had, and it kept all of it.
    device.now_s += 6
    device.give(60, every_s=0)
    device.give(20)
    assert await device.taken() == list(range(1, 101))


async def test_what_the_device_had_kept_a_part_of_is_placed_by_what_comes_after_it() -> None:
    device = Device()
    device.give(20)
    device.now_s += 6
    device.give(4, every_s=0)
    device.give(20)
    taken = await device.taken()
    assert taken == [*range(1, 21), pytest.approx(5.6), *range(21, 45)]


async def test_the_clock_of_a_device_that_runs_slow_is_no_hole() -> None:
    device = Device()
    # An hour, with a crystal that is off by a ten-thousandth.
    device.give(36_000, every_s=0.10001)
    device.now_s += 0.9
    device.give(10, every_s=0)
    device.give(20, every_s=0.10001)
    assert await device.taken() == list(range(1, 36_031))


@pytest.mark.parametrize("late_s", [0.3, 0.55])
async def test_a_block_that_is_late_is_looked_at_only_if_something_can_be_missing(
    late_s: float,
) -> None:
    device = Device()
    device.give(20)
    device.now_s += late_s - 0.1
    device.give(20)
    assert len(device.stream._reckonings) == 1
    assert await device.taken() == list(range(1, 41))


async def test_a_block_that_came_late_before_makes_a_hole_no_shorter() -> None:
    device = Device()
    device.give(19)
    device.give(1, every_s=0.5)
    device.now_s += 60 - 0.4
    device.give(20)
    assert await device.taken() == [*range(1, 21), pytest.approx(60), *range(21, 41)]


async def test_several_times() -> None:
    device = Device()
    holes = [1.0, 10.0, 30_000.0, 0.8]
    for hole_s in holes:
        device.give(15)
        device.now_s += hole_s
    device.give(15)
    taken = await device.taken()
    assert [one for one in taken if isinstance(one, float)] == pytest.approx(holes)
    assert len(taken) == 5 * 15 + 4
    assert taken[15] == pytest.approx(1.0)


async def test_opening_may_take_as_long_as_it_likes() -> None:
    device = Device()
    device.now_s += 5
    device.give(20)
    assert device.stream.began_s == pytest.approx(1005)
    assert await device.taken() == list(range(1, 21))


async def test_a_device_that_ends_just_after_it_went_on() -> None:
    device = Device()
    device.give(20)
    device.now_s += 60
    device.give(1)
    assert await device.taken() == [*range(1, 21), pytest.approx(60), 21]


async def test_the_audio_after_a_hole_comes_through_a_converter_too() -> None:
    device = Device(48000)
    device.give(40, every_s=BLOCK / 48000)
    device.now_s += 60
    device.give(40, every_s=BLOCK / 48000)
    device.stream.end()
    samples, holes = 0, list[tuple[int, float]]()
    async for piece in device.stream.pcm():
        if isinstance(piece, Hole):
            holes.append((samples, piece.length_s))
        else:
            samples += len(piece) // 2
    ((at, length_s),) = holes
    assert length_s == pytest.approx(60)
    assert at == pytest.approx(40 * BLOCK // 3, abs=400)
    assert samples == pytest.approx(80 * BLOCK // 3, abs=2)


def test_the_callback_waits_for_nothing_when_the_device_goes_on() -> None:
    device = Device()
    device.give(5)
    device.now_s += 60
    thread = threading.Thread(target=device.give)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    assert len(device.stream._reckonings) == 2
