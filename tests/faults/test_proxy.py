import asyncio
import gc
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import pairwise
from urllib.parse import urlsplit

import httpx
import pytest
import websockets
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from sayd_cli.server.limits import Limits
from tests.faults.connection import NEIGHBOUR_S
from tests.faults.engine import CodedEngine
from tests.faults.far import LIMIT_S, client_end, ends, far_server
from tests.faults.plan import (
    TRANSIENT,
    Answer,
    Cut,
    Direction,
    Duplicate,
    Fault,
    Faults,
    HalfOpen,
    Latency,
    Refuse,
    Reorder,
    Reset,
    Stall,
    Throttle,
    Truncate,
)
from tests.faults.proxy import HOST, FaultProxy
from tests.faults.score import score
from tests.faults.speech import CodedSpeech
from tests.faults.test_frames import encoded
from tests.server.running import END, Heard, client, created, eventually, running, said

BOTH = (Direction.UP, Direction.DOWN)
AUDIO = encoded(2, bytes(3200), b"mask")


@asynccontextmanager
async def served(
    engine: CodedEngine | None = None, faults: Faults | None = None
) -> AsyncIterator[FaultProxy]:
    """The real server behind a proxy."""
    limits = Limits(streams_per_key=None)
    async with running(engine or CodedEngine(), limits=limits) as url:
        port = urlsplit(url).port
        assert port is not None
        async with FaultProxy(HOST, port, faults) as proxy:
            yield proxy


async def spoken(proxy: FaultProxy, speech: CodedSpeech) -> Heard:
    session = await created(proxy.url)
    return await said(session["websocket_url"], *(frame.pcm for frame in speech.frames()), END)


async def back(port: int) -> None:
    """Connections are taken again."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            try:
                async with client_end(port):
                    return
            except (OSError, asyncio.IncompleteReadError):
                await asyncio.sleep(0.01)


def message(kind: str, text: str = "") -> bytes:
    return encoded(1, json.dumps({"type": kind, "text": text}).encode())


class TestUndisturbed:
    async def test_all_is_heard(self) -> None:
        speech = CodedSpeech(60, seed=1)
        async with served() as proxy:
            session = await created(proxy.url)
            assert urlsplit(session["websocket_url"]).port == proxy.port
            heard = await said(
                session["websocket_url"], *(frame.pcm for frame in speech.frames()), END
            )
            assert tuple(heard.texts) == speech.expected_sentences
            assert heard.kinds[-1] == "complete"
            assert heard.close_code == 1000
            assert score(heard.texts, speech.expected_words).is_perfect
            assert proxy.injected == []

    async def test_every_length_of_message_and_the_close_code_pass(self) -> None:
        async def echo(connection: ServerConnection) -> None:
            async for data in connection:
                await connection.send(data)
            assert connection.close_code == 4001

        async with serve(echo, HOST, 0) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            async with (
                FaultProxy(HOST, port) as proxy,
                connect(f"ws://{HOST}:{proxy.port}") as connection,
            ):
                assert connection.response is not None
                assert "Sec-WebSocket-Extensions" not in connection.response.headers
                for size in (0, 1, 125, 126, 65_535, 65_536, 300_000):
                    for data in (bytes(size), "x" * size):
                        await connection.send(data)
                        assert await connection.recv() == data
                await asyncio.wait_for(await connection.ping(), LIMIT_S)
                await connection.close(4001)

    async def test_requests_share_a_connection(self) -> None:
        async with served() as proxy, client(proxy.url) as rest:
            for _ in range(3):
                assert (await rest.post("/api/listen", json={})).status_code == 200
            assert len((await rest.get("/api/listen")).json()) == 3
            assert len(proxy.connections) == 1
            assert proxy.streams == ()

    async def test_an_end_is_passed_on_each_way(self) -> None:
        async with ends() as far:
            far.client.writer.write_eof()
            assert await far.server.rest() == b""
            far.server.writer.write(b"still here")
            far.server.writer.write_eof()
            assert await far.client.rest() == b"still here"
            await eventually(lambda: not far.proxy.connections)

    async def test_without_a_server_a_connection_is_closed(self) -> None:
        async with far_server() as (port, _):
            pass
        async with FaultProxy(HOST, port) as proxy:
            with pytest.raises(asyncio.IncompleteReadError):
                async with client_end(proxy.port):
                    pass

    async def test_another_server_can_take_over(self) -> None:
        async with (
            far_server() as (one, _),
            far_server() as (other, streams),
            FaultProxy(HOST, one) as proxy,
        ):
            proxy.upstream = HOST, other
            async with client_end(proxy.port):
                await streams.get()


class TestConnectionFaults:
    async def test_cut_is_a_fin_on_both_sides(self) -> None:
        async with ends() as far:
            far.client.writer.write(AUDIO)
            await far.server.read(len(AUDIO))
            far.proxy.inject(Cut())
            assert await far.client.rest() == b""
            assert await far.server.rest() == b""
            assert far.proxy.streams == ()
            assert far.proxy.counts == {"Cut": 1}
            assert far.proxy.injected[0].connections == (0,)

    async def test_cut_is_no_reset_for_who_is_still_sending(self) -> None:
        async with ends() as far:
            for _ in range(20):
                far.client.writer.write(AUDIO)
            far.proxy.inject(Cut())
            assert await far.client.rest() == b""
            far.client.writer.write(AUDIO)
            await far.client.writer.drain()

    async def test_reset_is_an_rst_on_both_sides(self) -> None:
        async with ends() as far:
            far.proxy.inject(Reset())
            for end in (far.client, far.server):
                with pytest.raises(ConnectionResetError):
                    await end.rest()
            await eventually(lambda: not far.proxy.connections)
            assert far.proxy.counts == {"Reset": 1}

    async def test_half_open_tells_nobody_anything(self) -> None:
        async with ends() as far:
            far.proxy.inject(HalfOpen())
            far.client.writer.write(AUDIO)
            far.client.writer.write_eof()
            far.server.writer.write(message("partial"))
            assert await far.server.nothing_comes()
            assert await far.client.nothing_comes()
            assert far.proxy.streams == ()
            assert len(far.proxy.connections) == 1

            far.proxy.release()
            assert await far.server.rest() == AUDIO
            assert await far.client.read(len(message("partial"))) == message("partial")

    async def test_half_open_for_a_while(self) -> None:
        async with ends() as far:
            start_s = time.monotonic()
            far.proxy.inject(HalfOpen(0.3))
            assert far.proxy.streams
            far.client.writer.write(AUDIO)
            await far.server.read(len(AUDIO))
            assert time.monotonic() - start_s >= 0.29

    async def test_half_open_leaves_new_streams_alone(self) -> None:
        async with ends() as far:
            far.proxy.inject(HalfOpen())
            async with client_end(far.proxy.port):
                assert len(far.proxy.streams) == 1

    @pytest.mark.parametrize("direction", BOTH)
    async def test_stall_stops_one_direction_for_a_while(self, direction: Direction) -> None:
        async with ends() as far:
            near, other = (far.client, far.server)
            if direction is Direction.DOWN:
                near, other = other, near
            start_s = time.monotonic()
            far.proxy.inject(Stall(direction, 0.3))
            near.writer.write(AUDIO)
            await other.read(len(AUDIO))
            assert time.monotonic() - start_s >= 0.29

            far.proxy.inject(Stall(direction, 60))
            near.writer.write(AUDIO)
            other.writer.write(AUDIO)
            await near.read(len(AUDIO))
            assert await other.nothing_comes()
            far.proxy.release()
            await other.read(len(AUDIO))

    @pytest.mark.parametrize("direction", BOTH)
    @pytest.mark.parametrize("fraction", [0, 0.5, 1])
    async def test_truncate_ends_within_a_frame(
        self, direction: Direction, fraction: float
    ) -> None:
        async with ends() as far:
            near, other = (far.client, far.server)
            if direction is Direction.DOWN:
                near, other = other, near
            far.proxy.inject(Truncate(direction, fraction))
            ping = encoded(9, b"")
            near.writer.write(ping + AUDIO + AUDIO)
            got = await other.rest()
            part = min(max(1, int(fraction * len(AUDIO))), len(AUDIO) - 1)
            assert got == (ping + AUDIO)[: len(ping) + part]
            assert await near.rest() == b""
            assert far.proxy.counts == {"Truncate": 1}
            assert far.proxy.injected[0].detail == f"{part} of {len(AUDIO)} bytes"

    async def test_all_streams_are_hit(self) -> None:
        async with ends() as far, client_end(far.proxy.port) as another:
            far.proxy.inject(Cut())
            assert await far.client.rest() == b""
            assert await another.rest() == b""
            assert far.proxy.injected[0].connections == (0, 1)

    @pytest.mark.parametrize("fault", [Cut(), Reset()])
    async def test_a_client_sees_its_connection_lost(self, fault: Fault) -> None:
        async with served() as proxy:
            session = await created(proxy.url)
            async with connect(session["websocket_url"]) as connection:
                assert json.loads(await connection.recv())["type"] == "ready"
                proxy.inject(fault)
                with pytest.raises(websockets.ConnectionClosedError):
                    await asyncio.wait_for(connection.recv(), LIMIT_S)


class TestNetworkFaults:
    async def test_latency_delays_both_ways(self) -> None:
        async with ends() as far:
            far.proxy.inject(Latency(0.4))
            start_s = time.monotonic()
            far.client.writer.write(AUDIO)
            await far.server.read(len(AUDIO))
            far.server.writer.write(message("partial"))
            await far.client.read(len(message("partial")))
            assert time.monotonic() - start_s >= 0.79

            far.proxy.calm()
            start_s = time.monotonic()
            far.client.writer.write(AUDIO)
            await far.server.read(len(AUDIO))
            assert time.monotonic() - start_s < 0.39

    async def test_jitter_varies_and_keeps_the_order(self) -> None:
        async with ends() as far:
            far.proxy.inject(Latency(0, jitter_s=0.2))
            messages = [message("partial", str(n)) for n in range(100)]
            arrived_s: list[float] = []
            for one in messages[:10]:
                start_s = time.monotonic()
                far.server.writer.write(one)
                assert await far.client.read(len(one)) == one
                arrived_s.append(time.monotonic() - start_s)
            assert max(arrived_s) - min(arrived_s) > 0.02
            far.server.writer.writelines(messages)
            assert await far.client.read(len(b"".join(messages))) == b"".join(messages)

    async def test_delayed_frames_are_under_way_together(self) -> None:
        async with ends() as far:
            far.proxy.inject(Latency(0.2))
            start_s = time.monotonic()
            far.client.writer.write(AUDIO * 20)
            await far.server.read(len(AUDIO) * 20)
            assert time.monotonic() - start_s < 2

    async def test_latency_passes_by(self) -> None:
        async with ends() as far:
            far.proxy.inject(Latency(5, duration_s=0.05))
            now_s = asyncio.get_running_loop().time
            await eventually(lambda: far.proxy.network.delay_at(now_s()) == 0)
            far.client.writer.write(AUDIO)
            await asyncio.wait_for(far.server.read(len(AUDIO)), 4)

    @pytest.mark.parametrize("direction", BOTH)
    async def test_throttle_carries_so_many_bytes_a_second(self, direction: Direction) -> None:
        async with ends() as far:
            near, other = (far.client, far.server)
            if direction is Direction.DOWN:
                near, other = other, near
            far.proxy.inject(Throttle(40_000))
            start_s = time.monotonic()
            near.writer.write(encoded(2, bytes(20_000)))
            await other.read(20_000)
            assert 0.45 <= time.monotonic() - start_s < 5
            near.writer.write(encoded(2, bytes(400_000)))
            far.proxy.calm()
            await other.read(400_000)

    async def test_a_throttled_line_holds_the_sender_back(self) -> None:
        async with ends() as far:
            far.proxy.inject(Throttle(10_000))

            async def send() -> None:
                for _ in range(2000):
                    far.client.writer.write(AUDIO)
                    await far.client.writer.drain()

            sending = asyncio.create_task(send())
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(sending, 0.5)
            (stream,) = far.proxy.streams
            assert stream.bytes_up < 100_000


class TestRefusals:
    async def test_connections_are_closed_at_once(self) -> None:
        async with ends() as far:
            far.proxy.inject(Refuse(0.3))
            with pytest.raises((asyncio.IncompleteReadError, OSError)):
                async with client_end(far.proxy.port):
                    pass
            assert far.proxy.refused == 1
            far.client.writer.write(AUDIO)
            await far.server.read(len(AUDIO))
            await back(far.proxy.port)

    async def test_nobody_listens_at_the_port(self) -> None:
        async with ends() as far:
            port = far.proxy.port
            start_s = time.monotonic()
            far.proxy.inject(Refuse(0.3, port_closed=True))
            far.client.writer.write(AUDIO)
            await far.server.read(len(AUDIO))
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(HOST, port)

            await back(port)
            assert time.monotonic() - start_s >= 0.29
            assert far.proxy.port == port

    @pytest.mark.parametrize(("status", "retry_after_s"), [(503, 1), (429, 2), (401, None)])
    async def test_a_request_is_answered(self, status: int, retry_after_s: int | None) -> None:
        async with served() as proxy, client(proxy.url) as rest:
            assert (await rest.post("/api/listen", json={})).status_code == 200
            proxy.inject(Answer(status, retry_after_s))
            response = await rest.post("/api/listen", json={})
            assert response.status_code == status
            expected = None if retry_after_s is None else str(retry_after_s)
            assert response.headers.get("Retry-After") == expected
            assert "error" in response.json()
            assert len((await rest.get("/api/listen")).json()) == 1
            assert proxy.counts == {"Answer": 1}
            assert proxy.injected[0].detail == "POST /api/listen HTTP/1.1"

    async def test_a_handshake_is_answered(self) -> None:
        async with served() as proxy:
            proxy.inject(Answer(503, 3, handshake=True))
            session = await created(proxy.url)
            assert len(proxy.waiting) == 1
            with pytest.raises(websockets.InvalidStatus) as failure:
                await connect(session["websocket_url"])
            assert failure.value.response.status_code == 503
            assert failure.value.response.headers["Retry-After"] == "3"
            assert "api_key" not in proxy.story()
            assert proxy.counts == {"Answer": 1}
            assert (await said(session["websocket_url"], END)).kinds[-1] == "complete"

    async def test_a_request_at_a_closed_port_fails(self) -> None:
        async with served() as proxy:
            proxy.inject(Refuse(5, port_closed=True))
            with pytest.raises(httpx.ConnectError):
                await created(proxy.url)


class TestMessageFaults:
    async def test_a_message_comes_twice(self) -> None:
        async with ends() as far:
            far.proxy.inject(Duplicate())
            messages = [message("ready"), message("sentence", "a"), message("sentence", "b")]
            far.server.writer.writelines(messages)
            far.server.writer.write_eof()
            ready, a, b = messages
            assert await far.client.rest() == ready + a + a + b
            assert far.proxy.counts == {"Duplicate": 1}

    async def test_neighbours_change_places(self) -> None:
        async with ends() as far:
            far.proxy.inject(Reorder())
            ready, a, b, c = (
                message(*m)
                for m in (("ready",), ("partial", "a"), ("sentence", "b"), ("complete",))
            )
            ping = encoded(9, b"")
            far.server.writer.write(ready + a + ping + b + c)
            far.server.writer.write_eof()
            assert await far.client.rest() == ready + ping + b + a + c
            assert far.proxy.counts == {"Reorder": 1}

    @pytest.mark.parametrize("next_frame", [message("error"), encoded(8, b"\x03\xe8"), b""])
    async def test_without_a_neighbour_the_order_stays(self, next_frame: bytes) -> None:
        async with ends() as far:
            far.proxy.inject(Reorder())
            last = message("sentence", "a")
            far.server.writer.write(last + next_frame)
            far.server.writer.write_eof()
            assert await far.client.rest() == last + next_frame
            assert far.proxy.injected == []

    async def test_a_message_waits_for_its_neighbour_but_not_long(self) -> None:
        async with ends() as far:
            far.proxy.inject(Reorder())
            alone = message("partial", "a")
            start_s = time.monotonic()
            far.server.writer.write(alone)
            assert await far.client.read(len(alone)) == alone
            assert NEIGHBOUR_S * 0.9 <= time.monotonic() - start_s < 2
            assert far.proxy.waiting == (Reorder(),)

    async def test_the_messages_of_the_real_server(self) -> None:
        speech = CodedSpeech(20, seed=4)
        async with served() as proxy:
            for _ in range(3):
                proxy.inject(Duplicate())
            twice = await spoken(proxy, speech)
            proxy.inject(Reorder())
            swapped = await spoken(proxy, speech)
        assert sum(a == b for a, b in pairwise(twice.messages)) == 3
        changed = json.loads(f"[{proxy.injected[-1].detail}]")
        assert changed in [list(pair) for pair in pairwise(swapped.messages)]
        sentences = sorted(swapped.of("sentence"), key=lambda sentence: sentence["index"])
        assert tuple(one["text"] for one in sentences) == speech.expected_sentences
        assert proxy.counts == {"Duplicate": 3, "Reorder": 1}


class TestPlans:
    def test_a_seed_is_a_plan(self) -> None:
        assert Faults(7, 50).plan == Faults(7, 50).plan
        assert Faults(7, 50) == Faults(7, 50)
        assert Faults(7, 50).plan != Faults(8, 50).plan
        assert [len(Faults(seed, 13).plan) for seed in range(20)] == [13] * 20

    def test_all_kinds_are_drawn_and_none_is_a_reason_to_give_up(self) -> None:
        plan = Faults(1, 2000).plan
        assert {type(planned.fault) for planned in plan} == set(TRANSIENT)
        answers = [one.fault for one in plan if isinstance(one.fault, Answer)]
        assert {answer.status for answer in answers} == {429, 503}
        assert all((one.after_bytes is None) != (one.after_s is None) for one in plan)

    def test_kinds_can_be_chosen(self) -> None:
        plan = Faults(1, 40, kinds=(Stall, Duplicate)).plan
        assert {type(planned.fault) for planned in plan} == {Stall, Duplicate}

    def test_who_is_refused_has_been_cut_off(self) -> None:
        plan = Faults(3, 400).plan
        for planned, following in pairwise(plan):
            if isinstance(planned.fault, Refuse | Answer):
                assert isinstance(following.fault, Cut | Reset)
                assert following.after_s == 0

    async def test_bytes_decide(self) -> None:
        plan = Faults(5, 1, kinds=(Cut,), bytes_between=(10_000, 20_000))
        while plan.plan[0].after_bytes is None:
            plan = Faults(plan.seed + 1, 1, kinds=(Cut,), bytes_between=(10_000, 20_000))
        async with ends(plan) as far:
            for _ in range(20):
                far.client.writer.write(AUDIO)
            got = await far.server.rest()
            due = plan.plan[0].after_bytes
            assert due is not None
            assert due <= len(got) < due + len(AUDIO)
            assert far.proxy.is_done

    async def test_seconds_decide(self) -> None:
        plan = next(
            plan
            for plan in (Faults(seed, 1, kinds=(Cut,), pace_s=0.5) for seed in range(99))
            if (plan.plan[0].after_s or 0) > 0.2
        )
        start_s = time.monotonic()
        async with ends(plan) as far:
            assert await far.client.rest() == b""
            assert time.monotonic() - start_s > 0.2

    async def test_what_needs_a_stream_waits_for_one(self) -> None:
        plan = Faults(1, 3, kinds=(Cut,), pace_s=0.001, bytes_between=(1, 2))
        async with far_server() as (port, _), FaultProxy(HOST, port, plan) as proxy:
            await asyncio.sleep(0.05)
            assert proxy.injected == []
            for count in (1, 2, 3):
                async with client_end(proxy.port) as end:
                    end.writer.write(AUDIO)
                    assert await end.rest() == b""
                assert proxy.counts["Cut"] == count
            assert proxy.is_done

    @pytest.mark.parametrize("seed", range(8))
    async def test_a_client_that_comes_again_gets_through_any_plan(self, seed: int) -> None:
        speech = CodedSpeech(10, seed)
        faults = Faults(seed, 8, pace_s=0.1, bytes_between=(100, 100_000))

        async def insist(proxy: FaultProxy) -> Heard:
            while True:
                try:
                    async with asyncio.timeout(2):
                        heard = await spoken(proxy, speech)
                except (OSError, AssertionError, httpx.HTTPError, websockets.WebSocketException):
                    continue
                if "complete" in heard.kinds and proxy.is_done:
                    return heard

        async with served(faults=faults) as proxy, asyncio.timeout(60):
            await insist(proxy)
            proxy.calm()
            heard = await insist(proxy)
            assert tuple(heard.texts) == speech.expected_sentences, proxy.story()
            assert len(proxy.injected) + len(proxy.waiting) <= 8
            assert sum(proxy.counts.values()) == len(proxy.injected) > 0
            assert proxy.story().count("\n") == len(proxy.injected)


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """Sockets and tasks that are forgotten warn when they are collected."""
    yield
    gc.collect()


@pytest.mark.usefixtures("nothing_left")
class TestLeaving:
    @pytest.mark.parametrize(
        "faults",
        [
            (HalfOpen(),),
            (Stall(Direction.UP, 60), Stall(Direction.DOWN, 60)),
            (Throttle(10),),
            (Latency(60),),
            (Cut(),),
            (Reset(),),
            (Refuse(60),),
            (Refuse(60, port_closed=True),),
            (Refuse(60, port_closed=True), HalfOpen(), Refuse(90)),
            (Reorder(),),
        ],
        ids=str,
    )
    async def test_nothing_is_left(self, faults: tuple[Fault, ...]) -> None:
        before = asyncio.all_tasks()
        async with (
            far_server() as (port, streams),
            FaultProxy(HOST, port) as proxy,
            client_end(proxy.port) as end,
        ):
            server = await streams.get()
            for fault in faults:
                proxy.inject(fault)
            for _ in range(100):
                end.writer.write(AUDIO)
                server.writer.write(message("partial"))
            for _ in range(20):
                await asyncio.sleep(0)
            start_s = time.monotonic()
            await proxy.__aexit__()
            assert time.monotonic() - start_s < 5
            assert proxy.connections == ()
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(HOST, proxy.port)
        await eventually(lambda: asyncio.all_tasks() == before)

    async def test_a_fault_of_the_proxy_itself_is_not_hidden(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def disturb(port: int) -> None:
            async with FaultProxy(HOST, port) as proxy:
                monkeypatch.setattr(proxy, "passed", None)
                async with client_end(proxy.port) as end:
                    end.writer.write(AUDIO)
                    await eventually(lambda: not proxy.connections)

        async with far_server() as (port, _):
            with pytest.raises(ExceptionGroup):
                await disturb(port)
