"""The captions of one run as a web page: for a projector, or as a browser source in OBS.

The entrance, and cheap to import; Starlette and uvicorn are loaded when it is entered.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack
from types import TracebackType

from sayd_cli.errors import EngineMissingError
from sayd_cli.model.report import Report
from sayd_cli.render.caption import HOLD_S
from sayd_cli.server.binding import Address, bind
from sayd_cli.server.captionboard import CaptionBoard

_SEND_BUFFER_BYTES = 1 << 16
"""What waits in a socket is a caption of the past; by itself it grows to megabytes."""


class CaptionServer:
    """A sink that shows the captions to every browser that asks.

    An async context manager in the event loop in which ``take`` is called. Once entered, the page
    is at ``url``; ``/events`` tells its viewers each state (Server-Sent Events), and
    ``/captions.json`` gives the state now. Viewers who are slow miss states between, never the
    last. Leaving tells them that the run is over.

    There is no key. On a loopback address only programs of this machine can read the captions,
    and pages of other sites in its browsers cannot; on any other address everybody on the network
    can (``open_to_network``), so say so.

    Args:
        address: Where; see ``parse_address``.
        hold_s: Seconds without new text after which the caption is emptied.

    Raises:
        UsageError: On entering: the address cannot be listened on.
        EngineMissingError: On entering: the server's libraries are not installed.
    """

    def __init__(self, address: Address, *, hold_s: float = HOLD_S) -> None:
        self._address = address
        self._hold_s = hold_s
        self._board: CaptionBoard | None = None
        self._url = ""
        self._open_to_network = False
        self._stack = AsyncExitStack()

    @property
    def url(self) -> str:
        """The page, ``http://HOST:PORT``, with the port that was found for port 0; empty before
        it is entered. Where it listens on every address, it is one of this machine's."""
        return self._url

    @property
    def open_to_network(self) -> bool:
        """Others than this machine can read the captions; False before it is entered."""
        return self._open_to_network

    def take(self, report: Report) -> None:
        """Take one report; returns at once."""
        if self._board is not None:
            self._board.take(report)

    async def __aenter__(self) -> CaptionServer:
        try:
            from sayd_cli.server.captionpage import Viewers, build_caption_app, quiet_leaving
            from sayd_cli.server.listener import listening
        except ImportError as exc:
            raise EngineMissingError(
                f"the captions page needs the local server: no module {exc.name}",
                'install it with: pip install "sayd-cli[local]"',
            ) from exc
        binding = await asyncio.to_thread(bind, self._address)
        async with AsyncExitStack() as stack:
            bound = stack.enter_context(binding.socket)
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
            board = CaptionBoard(self._hold_s)
            viewers = Viewers(board)
            app = build_caption_app(
                board, viewers, self._address.host if binding.loopback else None
            )
            stack.enter_context(quiet_leaving())
            await stack.enter_async_context(listening(app, bound, viewers.drain))
            stack.callback(board.close)
            self._stack = stack.pop_all()
        self._board = board
        self._url = binding.url
        self._open_to_network = not binding.loopback
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)
