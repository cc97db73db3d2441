import io
import json
import os
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayd_cli.model.report import Heard, Interim, Notice, Report
from sayd_cli.model.transcript import Sentence
from sayd_cli.render.plain import PlainWriter
from sayd_cli.render.sinks import Tee
from sayd_cli.transcript.formats import Format

HEARD = Heard(Sentence(0, "Naïve 你好 👋.", 1.0, 2.0))


def test_each_line_is_down_the_pipe_when_take_returns() -> None:
    reading, writing = os.pipe()
    with open(reading, "rb", buffering=0) as reader, open(writing, "w", encoding="utf-8") as stream:  # noqa: PTH123
        writer = PlainWriter(stream, Format.TEXT, timestamps=True)
        writer.take(Interim("naïve", 1.0, 1.5))
        writer.take(Notice("a notice"))
        writer.take(HEARD)
        assert reader.read(1000).decode() == "[00:00:01.0] Naïve 你好 👋.\n"


def test_a_reader_that_has_gone_is_told_to_the_caller() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    stream = io.TextIOWrapper(io.FileIO(writing, "w"), encoding="utf-8", write_through=True)
    with pytest.raises(BrokenPipeError):
        PlainWriter(stream, Format.TEXT).take(HEARD)
    stream.close()


def written(encoding: str, format_: Format, report: Report) -> bytes:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, newline="\n")
    PlainWriter(stream, format_, interim=True).take(report)
    return raw.getvalue()


@pytest.mark.parametrize(
    ("encoding", "line"),
    [
        ("utf-8", "Naïve 你好 👋.\n".encode()),
        ("ascii", b"Na\\u00efve \\u4f60\\u597d \\ud83d\\udc4b.\n"),
        ("cp1252", b"Na\xefve \\u4f60\\u597d \\ud83d\\udc4b.\n"),
    ],
)
def test_what_an_encoding_lacks_is_escaped(encoding: str, line: bytes) -> None:
    assert written(encoding, Format.TEXT, HEARD) == line


def test_a_title_reaches_the_format() -> None:
    stream = io.StringIO()
    PlainWriter(stream, Format.MD, title="Monday").take(HEARD)
    assert stream.getvalue() == "# Monday\n\nNaïve 你好 👋.\n"


@given(
    st.text(st.characters(exclude_categories=("Cs", "Cc"))),
    st.sampled_from(["ascii", "utf-8", "cp1252", "gb18030", "big5"]),
)
def test_json_stays_json_in_every_encoding(text: str, encoding: str) -> None:
    line = written(encoding, Format.JSONL, Interim(text or "x", 0.0, 1.0))
    assert json.loads(line.decode(encoding))["text"] == (text or "x")


@dataclass
class Kept:
    reports: list[Report] = field(default_factory=list)

    def take(self, report: Report) -> None:
        self.reports.append(report)


def test_a_tee_tells_every_sink_in_order() -> None:
    first, second = Kept(), Kept()
    tee = Tee(first, second)
    tee.take(Notice("one"))
    tee.take(HEARD)
    assert first.reports == second.reports == [Notice("one"), HEARD]


def test_what_one_sink_raises_goes_to_the_caller() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    stream = io.TextIOWrapper(io.FileIO(writing, "w"), encoding="utf-8", write_through=True)
    before, after = Kept(), Kept()
    with pytest.raises(BrokenPipeError):
        Tee(before, PlainWriter(stream, Format.TEXT), after).take(HEARD)
    stream.close()
    assert (before.reports, after.reports) == ([HEARD], [])
