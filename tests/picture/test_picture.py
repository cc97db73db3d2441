import re
import xml.etree.ElementTree as ET

from sayd_cli.model.report import Heard, Interim, Phase, Progress, Report
from sayd_cli.model.transcript import Sentence
from tests.picture.make import PICTURE, draw, is_worth_a_picture

REPORTS: list[Report] = [
    *(Heard(Sentence(index, f"Sentence {index}.", 0.0, 1.0)) for index in range(5)),
    Interim("a sentence that is under way", 5.0, 6.0),
    Progress(Phase.LISTENING, 6.0, 6.0, -20.0),
]


def words(svg: str) -> str:
    texts = ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    return " ".join(" ".join(text.text or "" for text in texts).split())


def test_the_screen_is_drawn_and_asks_nobody_for_anything() -> None:
    assert is_worth_a_picture(REPORTS)
    assert not is_worth_a_picture(REPORTS[:-1])
    svg = draw(REPORTS)
    shown = words(svg)
    for text in ("$ sayd demo", "Sentence 4.", "a sentence that is under way", "listening 00:06"):
        assert text in shown
    assert "@font-face" not in svg
    assert set(re.findall(r"""["'(](https?://[^"')]*)""", svg)) == {"http://www.w3.org/2000/svg"}


def test_the_picture_that_is_kept_is_of_the_view_as_it_is() -> None:
    kept, drawn = words(PICTURE.read_text(encoding="utf-8")), words(draw(REPORTS))
    opening = drawn.partition("Sentence")[0]
    closing = drawn.rpartition("local")[2]
    assert kept.startswith(f"{opening}It was the best of times, it was the worst of times.")
    assert "● listening 00:" in kept
    assert kept.endswith(f"local{closing}")
