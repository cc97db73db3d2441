"""Makes the README's picture: a moment of a real run of ``sayd demo``, as an SVG.

``python -m tests.picture.make`` runs the demo's recording through the engine on this machine at
the pace it was spoken, and draws, with the live view's own rows, the moment at which enough has
been heard to fill the picture. Nothing in it is written by hand but the command.
"""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from sayd_cli.model.report import Heard, Interim, Phase, Progress, Report
from sayd_cli.model.session import BackendName, SessionSettings
from sayd_cli.render.view import View, sentence_rows

PICTURE = Path(__file__).with_name("sayd-demo.svg")

_COLUMNS, _ROWS = 76, 24
_SENTENCES = 5
_INTERIM_WORDS = 6
_ENOUGH_DBFS = -36.0

_THEME = TerminalTheme(
    (22, 27, 34),
    (214, 221, 230),
    [
        (48, 54, 61),
        (255, 107, 104),
        (99, 211, 132),
        (240, 196, 92),
        (108, 182, 255),
        (210, 153, 255),
        (86, 204, 214),
        (214, 221, 230),
    ],
    [
        (76, 86, 98),
        (255, 140, 136),
        (126, 231, 155),
        (250, 214, 120),
        (140, 200, 255),
        (225, 180, 255),
        (120, 225, 233),
        (255, 255, 255),
    ],
)


class Recorder:
    """A sink that keeps what it is told, and says when that is enough."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self.enough = asyncio.Event()

    def take(self, report: Report) -> None:
        self.reports.append(report)
        if is_worth_a_picture(self.reports):
            self.enough.set()


def is_worth_a_picture(reports: Sequence[Report]) -> bool:
    """Sentences above, a sentence under way, and a level to see."""
    last = reports[-1]
    if not isinstance(last, Progress) or last.phase is not Phase.LISTENING:
        return False
    texts = [report for report in reports if isinstance(report, Heard | Interim)]
    sentences = sum(isinstance(report, Heard) for report in texts)
    return (
        sentences >= _SENTENCES
        and isinstance(texts[-1], Interim)
        and len(texts[-1].text.split()) >= _INTERIM_WORDS
        and (last.level_dbfs or 0.0) >= _ENOUGH_DBFS
    )


async def record() -> list[Report]:
    """Run the demo's recording until it is worth a picture."""
    from sayd_cli.capture.file import FileSource
    from sayd_cli.cli.backend import service_of
    from sayd_cli.engine.recordings import demo_recording
    from sayd_cli.listening.loop import Listening
    from sayd_cli.listening.rules import Pace, Rules
    from sayd_cli.listening.stop import StopSignal
    from sayd_cli.model.report import EndReason
    from sayd_cli.settings.environment import read_environment
    from sayd_cli.spool.memory import MemorySpool

    settings = SessionSettings(language="en")
    recorder, stop = Recorder(), StopSignal()
    listening = Listening(
        FileSource(demo_recording(), settings.sample_rate_hz),
        service_of(BackendName.LOCAL, read_environment({})),
        MemorySpool(settings.sample_rate_hz),
        settings=settings,
        rules=Rules(pace=Pace.REALTIME),
        sink=recorder,
        stop=stop,
    )
    async with asyncio.TaskGroup() as tasks:
        run = tasks.create_task(listening.run())
        await recorder.enough.wait()
        moment = len(recorder.reports)
        stop.request(EndReason.INTERRUPT)
        await run
    return recorder.reports[:moment]


def draw(reports: Sequence[Report]) -> str:
    """The screen as it is after the last report, as an SVG that needs nothing from elsewhere."""
    console = Console(
        file=io.StringIO(),
        record=True,
        width=_COLUMNS,
        height=_ROWS,
        force_terminal=True,
        color_system="truecolor",
        highlight=False,
        markup=False,
        legacy_windows=False,
    )
    view = View(BackendName.LOCAL)
    rows = [Text.assemble(("$ ", "green"), ("sayd demo", "bold"))]
    for report in reports:
        view.take(report)
        if isinstance(report, Heard):
            rows += sentence_rows(report.sentence, columns=_COLUMNS, timestamps=False)
    rows += [Text(""), *view.rows(columns=_COLUMNS, height=_ROWS)]
    for row in rows:
        console.print(row)
    svg = console.export_svg(title="sayd", theme=_THEME, unique_id="sayd")
    # Fonts from a far server are neither loaded in a README nor wanted.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    return svg.replace("Fira Code,", "ui-monospace, SFMono-Regular, Menlo, Consolas,")


def main() -> None:
    PICTURE.write_text(draw(asyncio.run(record())), encoding="utf-8")


if __name__ == "__main__":
    main()
