"""Where else a run goes, beside the screen and the history: files, captions, a command."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sayd_cli.errors import StorageError
from sayd_cli.hook.command import CommandHook, HookLimits
from sayd_cli.listening.stop import StopSignal
from sayd_cli.model.report import Notice
from sayd_cli.model.secret import Secret
from sayd_cli.render.outputs import OutputFile
from sayd_cli.render.sinks import Sink
from sayd_cli.server.binding import Address

_SENTENCES_OF_A_FILE = 10_000
"""How many may wait for the command: a file is heard faster than any command is run, and whoever
has one heard can wait. 100 hours of speech."""

_FROM_HISTORY = "from the history it can be written anew: sayd sessions show last --output FILE"


@dataclass(frozen=True, slots=True)
class Outlets:
    """What the user asked for.

    Attributes:
        files: Each in the format of its suffix.
        caption_file: Holds the latest caption.
        captions: Where the page with the captions is served.
        command: Is run for each sentence.
    """

    files: tuple[Path, ...] = ()
    caption_file: Path | None = None
    captions: Address | None = None
    command: str | None = None


@dataclass(frozen=True, slots=True)
class OpenOutlets:
    """The same, open.

    Attributes:
        sinks: Take the reports.
        kept: The run is in the history too.
    """

    sinks: tuple[Sink, ...] = ()
    kept: bool = True
    _files: tuple[OutputFile, ...] = ()
    _hooks: tuple[CommandHook, ...] = ()

    async def finish(self, stop: StopSignal) -> None:
        """Wait until the command has been run for every sentence; with a limit once somebody wants
        the run to stop, or has wanted that before.
        """
        for hook in self._hooks:
            running = asyncio.ensure_future(asyncio.to_thread(hook.finish))
            stopping = asyncio.ensure_future(stop.wait())
            await asyncio.wait((running, stopping), return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            hook.hurry()
            await running

    def abandon(self) -> None:
        """Leave at once: wait for no command."""
        for hook in self._hooks:
            hook.abandon()

    @property
    def failure(self) -> StorageError | None:
        """Why files are not complete; None when all are. Known once they are closed."""
        failures = [file.failure for file in self._files if file.failure is not None]
        if not failures:
            return None
        remedy = _FROM_HISTORY if self.kept else failures[0].remedy
        return StorageError("; ".join(each.message for each in failures), remedy)


@contextmanager
def open_outlets(
    outlets: Outlets,
    told: Sink,
    *,
    timestamps: bool,
    interim: bool,
    title: str,
    variables: Mapping[str, str],
    key: Secret | None,
    live: bool,
    kept: bool,
    quiet: bool,
) -> Iterator[OpenOutlets]:
    """Open them, all but the page, which needs an event loop; leaving closes them.

    Args:
        outlets: What to open.
        told: Who is told of what goes wrong.
        timestamps: Show times, in formats that can do without.
        interim: Write interim text too, in formats that can tell it from final text.
        title: What the user calls the run.
        variables: The environment of this process, for the command.
        key: The key to the service, which the command does not get.
        live: Speech goes on whether or not the command keeps up.
        kept: The run is in the history too.
        quiet: Tell failures only.

    Raises:
        UsageError: One of them cannot be.
    """
    with ExitStack() as stack:
        sinks: list[Sink] = []
        files = []
        for path in outlets.files:
            file = OutputFile(path, told, timestamps=timestamps, interim=interim, title=title)
            files.append(stack.enter_context(file))
        sinks += files
        if outlets.caption_file is not None:
            from sayd_cli.render.captionfile import CaptionFile

            sinks.append(stack.enter_context(CaptionFile(outlets.caption_file, told=told)))
        hooks = []
        if outlets.command is not None:
            hook = CommandHook(
                outlets.command,
                told=told,
                environment=variables,
                key=key,
                limits=HookLimits() if live else HookLimits(sentences=_SENTENCES_OF_A_FILE),
                quiet=quiet,
            )
            hooks.append(stack.enter_context(hook))
        sinks += hooks
        yield OpenOutlets(tuple(sinks), kept, tuple(files), tuple(hooks))


@asynccontextmanager
async def caption_page(
    address: Address | None, told: Sink, *, quiet: bool
) -> AsyncIterator[list[Sink]]:
    """Serve the page with the captions, if it is wanted.

    Args:
        address: Where; None for nowhere.
        told: Who is told where it is.
        quiet: Tell only what the user cannot know.

    Raises:
        UsageError: The address cannot be listened on.
        EngineMissingError: The server's libraries are not installed.
    """
    if address is None:
        yield []
        return
    from sayd_cli.server.captions import CaptionServer

    async with CaptionServer(address) as server:
        if address.port == 0 or not quiet:
            told.take(Notice(f"captions at {server.url}"))
        if server.open_to_network:
            told.take(Notice("anybody on this network can read the captions"))
        yield [server]
