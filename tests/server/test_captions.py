from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
import pytest

from sayd_cli.errors import UsageError
from sayd_cli.model.audio import Codec
from sayd_cli.model.report import Ended, EndReason, Heard, Interim, Started
from sayd_cli.model.session import BackendName
from sayd_cli.model.transcript import Sentence
from sayd_cli.server import captionpage
from sayd_cli.server.binding import Address
from sayd_cli.server.captions import CaptionServer
from tests.waiting import until

LIMIT_S = 20
STARTED = Started(
    session_id="s-1",
    backend=BackendName.LOCAL,
    language="en",
    sample_rate_hz=16000,
    codec=Codec.PCM16,
    started_at=datetime(2026, 1, 2, tzinfo=UTC),
)
ENDED = Ended(EndReason.EOF, 1.0, 1, 1)


def heard(text: str) -> Heard:
    return Heard(Sentence(0, text, 0.0, 1.0))


def interim(text: str) -> Interim:
    return Interim(text, 0.0, 1.0)


@asynccontextmanager
async def captions(
    host: str = "127.0.0.1", *, hold_s: float = 60.0
) -> AsyncIterator[CaptionServer]:
    async with CaptionServer(Address(host, 0), hold_s=hold_s) as server:
        yield server


def client(server: CaptionServer) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=server.url, timeout=LIMIT_S, trust_env=False)


class Viewer:
    """A client of the events, as the standard has them."""

    def __init__(self, lines: AsyncIterator[str]) -> None:
        self._lines = lines
        self.beats = 0

    async def state(self) -> dict[str, Any] | None:
        """The next state; None once the server has ended the events."""
        kind, data = "message", ""
        async with asyncio.timeout(LIMIT_S):
            async for line in self._lines:
                field, _, value = line.partition(":")
                if field == "data":
                    data += value.removeprefix(" ")
                elif field == "event":
                    kind = value.removeprefix(" ")
                elif not line and kind == "beat":
                    self.beats += 1
                    kind, data = "message", ""
                elif not line and data:
                    state = json.loads(data)
                    assert isinstance(state, dict)
                    return state
        return None

    async def until(self, interim: str) -> dict[str, Any]:
        while (state := await self.state()) is not None:
            if state["interim"] == interim:
                return state
        raise AssertionError(f"the events ended before {interim!r}")


@asynccontextmanager
async def viewing(server: CaptionServer) -> AsyncIterator[Viewer]:
    async with client(server) as http, http.stream("GET", "/events") as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        yield Viewer(response.aiter_lines())


async def test_a_viewer_gets_the_state_at_once_and_each_change() -> None:
    async with captions() as server, viewing(server) as viewer:
        state = await viewer.state()
        assert state is not None
        run = state.pop("run")
        assert state == {"state": "starting", "sentences": [], "interim": ""}
        server.take(STARTED)
        assert (await viewer.state() or {})["state"] == "listening"
        server.take(interim("Good"))
        assert (await viewer.state() or {})["interim"] == "Good"
        server.take(heard("Good day."))
        server.take(interim("to"))
        assert await viewer.state() == {
            "run": run,
            "state": "listening",
            "sentences": [{"index": 0, "text": "Good day."}],
            "interim": " to",
        }


async def test_a_late_viewer_gets_all_of_the_state() -> None:
    async with captions() as server:
        server.take(STARTED)
        server.take(heard("你好。"))
        server.take(heard("再见。"))
        async with viewing(server) as viewer, client(server) as http:
            state = await viewer.state()
            assert state == (await http.get("/captions.json")).json()
    assert state is not None
    assert [sentence["text"] for sentence in state["sentences"]] == ["你好。", "再见。"]


async def test_silence_empties_the_caption() -> None:
    async with captions(hold_s=0.2) as server, viewing(server) as viewer:
        server.take(heard("So."))
        state = await viewer.state()
        while state is not None and not state["sentences"]:
            state = await viewer.state()
        state = await viewer.state()
        assert state is not None
        assert (state["sentences"], state["interim"]) == ([], "")


async def test_the_end_of_the_run_is_the_end_of_the_events() -> None:
    async with captions() as server, viewing(server) as viewer:
        server.take(STARTED)
        server.take(heard("The last words."))
        server.take(ENDED)
        leaving = asyncio.create_task(server.__aexit__(None, None, None))
        states = []
        while (state := await viewer.state()) is not None:
            states.append(state)
        await leaving
    assert states[-1]["state"] == "ended"
    assert states[-1]["sentences"] == [{"index": 0, "text": "The last words."}]


async def test_a_run_that_fails_ends_too() -> None:
    states: list[dict[str, Any]] = []

    async def watch(server: CaptionServer) -> None:
        async with viewing(server) as viewer:
            while (state := await viewer.state()) is not None:
                states.append(state)

    async def fail() -> asyncio.Task[None]:
        with contextlib.suppress(RuntimeError):
            async with captions() as server:
                watching = asyncio.create_task(watch(server))
                server.take(STARTED)
                server.take(interim("so"))
                await until(lambda: states)
                raise RuntimeError("the run failed")
        return watching

    await (await fail())
    assert (states[-1]["state"], states[-1]["interim"]) == ("ended", "so")


async def test_many_viewers_all_see_the_last_state() -> None:
    async with captions() as server:

        async def see() -> dict[str, Any]:
            async with viewing(server) as viewer:
                return await viewer.until("49")

        viewers = [asyncio.create_task(see()) for _ in range(30)]
        for number in range(50):
            server.take(interim(str(number)))
            await asyncio.sleep(0.01)
        assert {state["interim"] for state in await asyncio.gather(*viewers)} == {"49"}


def _asking(server: CaptionServer, buffer_bytes: int | None = None) -> socket.socket:
    asking = socket.socket()
    if buffer_bytes is not None:
        asking.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
    url = httpx.URL(server.url)
    assert url.port is not None
    asking.connect((url.host, url.port))
    asking.sendall(f"GET /events HTTP/1.1\r\nHost: {url.host}\r\n\r\n".encode())
    return asking


async def test_a_viewer_that_takes_nothing_holds_up_nobody_and_misses_only_what_is_past(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(captionpage, "_EVERY_S", 0.0)
    async with captions() as server, viewing(server) as quick:
        with _asking(server, 4096) as slow:
            filler = "word " * 250
            for number in range(2000):
                server.take(interim(f"{filler}{number}"))
                if number % 10 == 0:
                    await quick.until(f"{filler}{number}")
                await asyncio.sleep(0)
            await quick.until(f"{filler}1999")
            slow.setblocking(False)
            taken = b""
            loop = asyncio.get_running_loop()
            async with asyncio.timeout(LIMIT_S):
                while f"{filler}1999".encode() not in taken:
                    part = await loop.sock_recv(slow, 1 << 16)
                    assert part
                    taken += part
    assert taken.count(b"data: {") < 1000, "everything was kept for it"


async def test_leaving_waits_for_no_viewer_that_takes_nothing(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(captionpage, "_EVERY_S", 0.0)
    caplog.set_level(logging.WARNING)
    before = _open_files()
    async with CaptionServer(Address("127.0.0.1", 0)) as server, viewing(server) as quick:
        slow = _asking(server, 4096)
        for number in range(1000):
            server.take(interim("word " * 250 + str(number)))
            if number % 10 == 0:
                await quick.until("word " * 250 + str(number))
        began_s = monotonic()
        await server.__aexit__(None, None, None)
    assert monotonic() - began_s < 5
    assert caplog.records == []
    slow.close()
    await until(lambda: _open_files() <= before)


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_viewer_that_takes_nothing_for_long_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(captionpage, "_EVERY_S", 0.0)
    monkeypatch.setattr(captionpage, "_STUCK_S", 0.2)
    monkeypatch.setattr(captionpage, "VIEWERS_MAX", 1)
    async with captions() as server, client(server) as http:
        with _asking(server, 4096):
            # The one place is free again once it is left.
            async with asyncio.timeout(LIMIT_S):
                number = 0
                was_full = False
                while True:
                    number += 1
                    server.take(interim("word " * 250 + str(number)))
                    full = (await http.head("/events")).status_code == 503
                    if was_full and not full:
                        break
                    was_full = was_full or full


async def test_viewers_beyond_the_last_place_are_sent_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(captionpage, "VIEWERS_MAX", 2)
    async with captions() as server, client(server) as http:
        async with viewing(server) as one, viewing(server) as two:
            await one.state()
            await two.state()
            response = await http.get("/events")
            assert response.status_code == 503
            assert int(response.headers["retry-after"]) > 0
        async with asyncio.timeout(LIMIT_S):
            while True:
                if (await http.head("/events")).status_code == 200:
                    break


async def test_there_are_signs_of_life_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(captionpage, "_BEAT_S", 0.05)
    async with captions() as server, viewing(server) as viewer:
        await viewer.state()
        waiting = asyncio.create_task(viewer.state())
        await until(lambda: viewer.beats >= 3)
        assert not waiting.done()
        server.take(interim("so"))
        assert (await waiting or {})["interim"] == "so"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("127.0.0.1:1", 200),
        ("localhost:8080", 200),
        ("LOCALHOST.", 200),
        ("[::1]:8080", 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("localhost.evil.example:8080", 403),
        ("192.168.1.2", 403),
        ("[::1", 403),
        ("", 403),
    ],
)
async def test_a_loopback_page_is_not_for_names_that_others_give_it(host: str, status: int) -> None:
    async with captions() as server, client(server) as http:
        for path in ("/", "/captions.json"):
            response = await http.get(path, headers={"Host": host})
            assert response.status_code == status
        response = await http.head("/events", headers={"Host": host})
        assert response.status_code == status


async def test_on_the_network_any_name_is_good_and_it_says_that_it_is_open() -> None:
    async with captions("0.0.0.0") as server, client(server) as http:
        assert server.open_to_network
        response = await http.get("/captions.json", headers={"Host": "lectern.example.org:8080"})
        assert response.status_code == 200
    async with captions() as server:
        assert not server.open_to_network


async def test_no_answer_may_do_more_than_show_itself() -> None:
    async with captions() as server, client(server) as http:
        page = await http.get("/")
        again = await http.get("/")
        others = [await http.get("/captions.json"), await http.get("/missing")]
        others.append(await http.post("/"))
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; ")
    nonce = re.search(r"script-src 'nonce-([\w-]+)'", policy)
    assert nonce is not None
    assert page.text.count(f'nonce="{nonce[1]}"') == 2
    assert again.headers["content-security-policy"] != policy
    assert "unsafe" not in policy
    assert not re.search(r"(?:src|href|url)\s*[=(]|https?://|innerHTML", page.text)
    for response in (page, *others):
        assert response.headers["content-security-policy"].startswith("default-src 'none'")
        assert response.headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in response.headers
    assert [response.status_code for response in others] == [200, 404, 405]


async def test_a_port_that_is_in_use_is_a_usage_error() -> None:
    async with captions() as server:
        port = httpx.URL(server.url).port
        assert port is not None
        with pytest.raises(UsageError, match="in use") as caught:
            async with CaptionServer(Address("127.0.0.1", port)):
                pass
    assert caught.value.exit_status == 2


def test_without_the_server_libraries_it_says_what_to_install() -> None:
    program = """
import asyncio, sys
sys.modules["uvicorn"] = None
from sayd_cli.errors import EngineMissingError
from sayd_cli.server.binding import Address
from sayd_cli.server.captions import CaptionServer
from tests.waiting import until
async def main():
    async with CaptionServer(Address("127.0.0.1", 0)):
        pass
try:
    asyncio.run(main())
except EngineMissingError as exc:
    print(exc.message, exc.remedy)
"""
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    ).stdout
    assert "captions" in said
    assert "uvicorn" in said
    assert 'pip install "sayd-cli[local]"' in said


def test_importing_it_loads_no_server() -> None:
    program = (
        "import sys, sayd_cli.server.captions;"
        "print([name for name in ('starlette', 'uvicorn') if name in sys.modules])"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    ).stdout
    assert said.strip() == "[]"
