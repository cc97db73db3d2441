"""Headless Chromium, driven over its DevTools protocol: a page, what it shows, a picture of it."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import shutil
import struct
import subprocess
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.waiting import wait_until

_LIMIT_S = 60
_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--headless=new",
    "--no-sandbox",  # Tests may run as root, where there is none; the page is ours.
    "--remote-debugging-port=0",
    "--no-first-run",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
    "--hide-scrollbars",
    "--mute-audio",
    "about:blank",
)


def chromium_program() -> str:
    """Where Chromium is; the test is skipped where it is not, but for CI."""
    found = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail("in CI nothing that needs a browser is skipped", pytrace=False)
        pytest.skip("there is no Chromium")
    return found


class Picture:
    """The pixels of a PNG: 8 bits a channel, RGB or RGBA, as browsers write them."""

    def __init__(self, png: bytes) -> None:
        assert png.startswith(b"\x89PNG\r\n\x1a\n")
        at, data = 8, b""
        while at < len(png):
            length, kind = struct.unpack_from(">I4s", png, at)
            content = png[at + 8 : at + 8 + length]
            if kind == b"IHDR":
                self.width, self.height, depth, colours = struct.unpack_from(">IIBB", content)
                assert depth == 8
                self._channels = {2: 3, 6: 4}[colours]
            elif kind == b"IDAT":
                data += content
            at += length + 12
        self._rows = list(self._unfiltered(zlib.decompress(data)))

    def _unfiltered(self, data: bytes) -> Iterator[bytes]:
        step, stride = self._channels, self.width * self._channels
        above = bytes(stride)
        for start in range(0, len(data), stride + 1):
            row = bytearray(data[start + 1 : start + 1 + stride])
            match data[start]:
                case 1:
                    for at in range(step, stride):
                        row[at] = (row[at] + row[at - step]) & 0xFF
                case 2:
                    row = bytearray((one + up) & 0xFF for one, up in zip(row, above, strict=True))
                case 3:
                    for at in range(stride):
                        left = row[at - step] if at >= step else 0
                        row[at] = (row[at] + (left + above[at]) // 2) & 0xFF
                case 4:
                    for at in range(stride):
                        left, corner = (row[at - step], above[at - step]) if at >= step else (0, 0)
                        row[at] = (row[at] + _paeth(left, above[at], corner)) & 0xFF
            above = bytes(row)
            yield above

    def pixel(self, x: int, y: int) -> tuple[int, int, int, int]:
        """Red, green, blue and opacity."""
        red, green, blue, *alpha = self._rows[y][x * self._channels : (x + 1) * self._channels]
        return red, green, blue, alpha[0] if alpha else 255

    def rows_with(self, colour: tuple[int, int, int, int]) -> set[int]:
        """The rows of pixels in which a colour occurs."""
        wanted = bytes(colour[: self._channels])
        return {y for y, row in enumerate(self._rows) if self._has(row, wanted)}

    def _has(self, row: bytes, wanted: bytes) -> bool:
        at = row.find(wanted)
        while at % self._channels and at >= 0:
            at = row.find(wanted, at + 1)
        return at >= 0


def _paeth(left: int, up: int, corner: int) -> int:
    """Whichever of the three is the nearest to the plane that they make."""
    to_left, to_up = abs(up - corner), abs(left - corner)
    to_corner = abs(left + up - 2 * corner)
    if to_left <= to_up and to_left <= to_corner:
        return left
    return up if to_up <= to_corner else corner


class Page:
    """One page. Its clock runs; nothing waits for it to have loaded."""

    def __init__(self, connection: ClientConnection, session_id: str) -> None:
        self._connection = connection
        self._session_id = session_id
        self._last_id = 1000
        self.logged: list[str] = []
        """What its console said: errors of scripts, and what the policy forbade."""

    async def open(self, url: str, *, width: int = 1280, height: int = 720) -> None:
        await self.resize(width, height)
        await self.call("Page.navigate", url=url)
        await self.until("document.readyState === 'complete'")

    async def resize(self, width: int, height: int) -> None:
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    async def evaluate(self, expression: str) -> Any:
        answer = await self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def until(self, expression: str) -> None:
        """Wait for an expression to be true."""
        try:
            async with asyncio.timeout(_LIMIT_S):
                while True:
                    if await self.evaluate(f"Boolean({expression})"):
                        return
                    await asyncio.sleep(0.02)
        except TimeoutError:
            shown = await self.evaluate("document.body.innerText")
            pytest.fail(f"never true: {expression}; the page shows {shown!r}")

    async def shown(self) -> str:
        """The words that stand in the caption."""
        text = await self.evaluate("document.getElementById('text').textContent")
        assert isinstance(text, str)
        return text

    async def style(self, selector: str, name: str) -> str:
        value = await self.evaluate(
            f"getComputedStyle(document.querySelector({selector!r})).getPropertyValue({name!r})"
        )
        assert isinstance(value, str)
        return value

    async def picture(self, *, transparent: bool = False) -> Picture:
        """What is seen; without the white that browsers put behind everything, if wanted."""
        return Picture(await self.png(transparent=transparent))

    async def png(self, *, transparent: bool = False) -> bytes:
        """The same as a file."""
        await self.call(
            "Emulation.setDefaultBackgroundColorOverride",
            **({"color": {"r": 0, "g": 0, "b": 0, "a": 0}} if transparent else {}),
        )
        answer = await self.call("Page.captureScreenshot", format="png")
        return base64.b64decode(answer["data"])

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        self._last_id += 1
        return await _call(
            self._connection, self._last_id, method, params, self._session_id, self._note
        )

    def _note(self, message: dict[str, Any]) -> None:
        params = message.get("params", {})
        if message.get("method") == "Log.entryAdded":
            self.logged.append(params["entry"]["text"])
        elif message.get("method") == "Runtime.exceptionThrown":
            self.logged.append(params["exceptionDetails"]["text"])


async def _call(
    connection: ClientConnection,
    number: int,
    method: str,
    params: dict[str, Any],
    session_id: str | None = None,
    note: Callable[[dict[str, Any]], None] = lambda message: None,
) -> dict[str, Any]:
    request: dict[str, Any] = {"id": number, "method": method, "params": params}
    if session_id is not None:
        request["sessionId"] = session_id
    async with asyncio.timeout(_LIMIT_S):
        await connection.send(json.dumps(request))
        while True:
            message = json.loads(await connection.recv())
            if message.get("id") == number:
                assert "error" not in message, message
                result = message["result"]
                assert isinstance(result, dict)
                return result
            note(message)


@contextmanager
def browser(profile: Path) -> Iterator[str]:
    """A browser with a profile of its own; gives where its DevTools are."""
    said = profile.with_suffix(".stderr")
    with said.open("wb") as stderr:
        process = subprocess.Popen(
            [chromium_program(), *_FLAGS, f"--user-data-dir={profile}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        )
    try:
        found: list[str] = []

        def listening() -> bool:
            assert process.poll() is None, said.read_text(errors="replace")
            found[:] = re.findall(r"^DevTools listening on (ws:\S+)$", said.read_text(), re.M)
            return bool(found)

        wait_until(listening, _LIMIT_S)
        yield found[0]
    finally:
        process.terminate()
        process.wait(_LIMIT_S)


@asynccontextmanager
async def new_page(devtools: str) -> AsyncIterator[Page]:
    """An empty page of a browser."""
    async with connect(devtools, max_size=None, open_timeout=_LIMIT_S, proxy=None) as connection:
        target = await _call(connection, 1, "Target.createTarget", {"url": "about:blank"})
        attached = await _call(connection, 2, "Target.attachToTarget", {**target, "flatten": True})
        page = Page(connection, attached["sessionId"])
        for domain in ("Page", "Runtime", "Log"):
            await page.call(f"{domain}.enable")
        yield page
        await _call(connection, 3, "Target.closeTarget", target)
