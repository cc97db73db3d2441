from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from random import Random
from urllib.parse import urlencode

import httpx
import pytest

from sayd_cli.server.binding import Address
from sayd_cli.server.captions import CaptionServer
from tests.server.chromium import Page, browser, new_page
from tests.server.test_captions import ENDED, STARTED, captions, heard, interim

WHITE = (255, 255, 255, 255)
BLACK = (0, 0, 0, 255)
NOTHING = (0, 0, 0, 0)
SENTENCES = (
    "Good evening, and welcome to the lecture hall.",
    "Tonight we will look at how live captions help everybody in the room.",
)


@pytest.fixture(scope="module")
def devtools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with browser(tmp_path_factory.mktemp("chromium") / "profile") as devtools:
        yield devtools


@pytest.fixture
async def page(devtools: str) -> AsyncIterator[Page]:
    async with new_page(devtools) as page:
        yield page


async def say(server: CaptionServer, page: Page, *sentences: str, then: str = "") -> None:
    """Say it, and wait until it is shown."""
    for sentence in sentences:
        server.take(heard(sentence))
    server.take(interim(then))
    last = then or sentences[-1]
    await page.until(f"document.getElementById('text').textContent.endsWith({last!r})")


async def open_page(page: Page, server: CaptionServer, **parameters: str) -> None:
    await page.open(f"{server.url}/?{urlencode(parameters)}", width=640, height=360)


async def test_captions_are_large_and_white_at_the_bottom_and_interim_text_is_dimmer(
    page: Page,
) -> None:
    async with captions() as server:
        await open_page(page, server)
        await say(server, page, *SENTENCES, then="and then")
        assert await page.shown() == f"{SENTENCES[0]} {SENTENCES[1]} and then"
        picture = await page.picture()
        assert picture.pixel(0, 0) == BLACK
        lit = picture.rows_with(WHITE)
        assert min(lit) > 360 * 0.5
        dim = picture.rows_with((153, 153, 153, 255))
        assert dim
        assert max(dim) > max(lit)
        assert float((await page.style("#captions", "font-size")).removesuffix("px")) >= 30
        # Three rows, whatever was said before.
        await say(server, page, *SENTENCES * 10)
        rows = await page.evaluate("document.getElementById('text').clientHeight")
        window = await page.evaluate("document.getElementById('captions').clientHeight")
        assert window == pytest.approx(3 * 1.4 * 32, abs=1)
        assert rows > 3 * window
        assert min((await page.picture()).rows_with(WHITE)) > 360 * 0.5
        assert page.logged == []


async def test_an_interim_text_becomes_final_where_it_stands(page: Page) -> None:
    async with captions() as server:
        await open_page(page, server)
        await say(server, page, SENTENCES[0], then=SENTENCES[1])
        place = (
            "JSON.stringify(document.querySelector('#text > :last-child').getBoundingClientRect())"
        )
        before = await page.evaluate(place)
        server.take(heard(SENTENCES[1]))
        await page.until("!document.querySelector('.interim')")
        assert await page.evaluate(place) == before


async def test_size_colours_lines_alignment_and_font_are_as_asked(page: Page) -> None:
    async with captions() as server:
        await open_page(
            page,
            server,
            size="48",
            color="ffcc00",
            background="rgb(0, 0, 128)",
            lines="2",
            align="center",
            font="DejaVu Serif, monospace",
        )
        await say(server, page, *SENTENCES)
        assert await page.style("#captions", "font-size") == "48px"
        height = float((await page.style("#captions", "height")).removesuffix("px"))
        assert height == pytest.approx(2 * 1.4 * 48, abs=1)
        assert await page.style("#text", "text-align") == "center"
        assert (await page.style("body", "font-family")).startswith('"DejaVu Serif", monospace')
        picture = await page.picture()
        assert picture.pixel(0, 0) == (0, 0, 128, 255)
        assert picture.rows_with((255, 204, 0, 255))


@pytest.mark.parametrize(
    ("asked", "size"),
    [("5vw", 32), ("24px", 24), ("12.5", 12.5), ("99vw", 320), ("1", 8), ("9999px", 1000)],
)
async def test_sizes_are_of_letters_that_can_be_seen(page: Page, asked: str, size: float) -> None:
    async with captions() as server:
        await open_page(page, server, size=asked)
        assert await page.style("#captions", "font-size") == f"{size:g}px"


async def test_a_transparent_page_has_letters_with_an_edge_and_nothing_behind(page: Page) -> None:
    async with captions() as server:
        await open_page(page, server, background="transparent")
        await say(server, page, *SENTENCES)
        picture = await page.picture(transparent=True)
        assert picture.pixel(0, 0) == NOTHING
        assert picture.pixel(639, 359) == NOTHING
        assert picture.rows_with(WHITE)
        assert await page.style("#text", "text-shadow") != "none"


async def test_what_is_not_valid_is_left_out(page: Page) -> None:
    evil = "red;background-image:url(http://127.0.0.1:1/)"
    async with captions() as server:
        await open_page(
            page,
            server,
            size="1e9px",
            color=evil,
            background="url(x)",
            lines="<b>",
            align="start;color:red",
            font='x";}*{color:red',
        )
        await say(server, page, "So.")
        assert await page.style("body", "color") == "rgb(255, 255, 255)"
        assert await page.style("html", "background-color") == "rgb(0, 0, 0)"
        assert await page.style("html", "background-image") == "none"
        assert await page.style("#captions", "font-size") == "32px"
        assert await page.style("#text", "text-align") == "start"
        assert "x" not in (await page.style("body", "font-family")).split(",")[0]
        assert page.logged == []


async def test_text_is_text_and_nothing_that_is_said_is_run(page: Page) -> None:
    said = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>"
    async with captions() as server:
        await open_page(page, server)
        await say(server, page, said, then="&amp;")
        assert await page.shown() == f"{said} &amp;"
        assert await page.evaluate("document.title") == "Captions"
        # Nor would what got into the page some other way be.
        await page.evaluate(
            "document.body.append(Object.assign(document.createElement('script'),"
            "{textContent: 'document.title = 1'}))"
        )
        assert await page.evaluate("document.title") == "Captions"


async def test_right_to_left_text_begins_at_the_right(page: Page) -> None:
    async with captions() as server:
        await open_page(page, server)
        await say(server, page, "\u05e9\u05dc\u05d5\u05dd.", then="\u05d8\u05d5\u05d1")
        right, left, interim_right = await page.evaluate(
            "(() => { const [one, two] = [...document.querySelectorAll('#text span span')]"
            ".map((span) => span.getBoundingClientRect());"
            "return [one.right, one.left, two.right]; })()"
        )
        assert right == pytest.approx(640 * 0.95, abs=1)
        assert interim_right < left


async def test_chinese_fills_its_rows_and_has_no_spaces_between_sentences(page: Page) -> None:
    async with captions() as server:
        await open_page(page, server)
        await say(server, page, "各位来宾\uff0c大家晚上好。", "欢迎来到今天的报告会。" * 6)
        assert " " not in await page.shown()
        boxes = await page.evaluate(
            "[...document.querySelector('#text > :last-child > span').getClientRects()]"
            ".slice(1, -1).map((box) => box.width)"
        )
        assert boxes
        assert min(boxes) > 640 * 0.9 - 3 * 32


async def test_hours_of_speech_leave_little_behind_and_move_no_row(page: Page) -> None:
    places = """((kept, said) => {
        const whole = text.cloneNode();
        whole.append(...said.map((sentence) => piece(" " + sentence, "final")));
        document.getElementById("captions").append(whole);
        const of = (one) => [...one.children].slice(-kept).map((sentence) =>
            [...sentence.lastChild.getClientRects()].map((box) => [box.left, box.right]));
        const found = [of(text), of(whole)];
        whole.remove();
        return found;
    })"""
    random = Random(5)
    said: list[str] = []
    length = trims = 0
    async with captions() as server:
        await open_page(page, server)
        while trims < 3:
            new = [*(_sentence(random) for _ in range(5)), f"And {len(said)}."]
            said += new
            await say(server, page, *new)
            before, length = length, len(await page.shown())
            assert length < 8000
            if length < before:
                trims += 1
                kept = await page.evaluate("text.children.length")
                here, unabridged = await page.evaluate(f"{places}({kept}, {json.dumps(said)})")
                assert here == unabridged


def _sentence(random: Random) -> str:
    words = (random.choice(("so", "live", "caption", "helps", "everybody")) for _ in range(9))
    return f"{' '.join(words)}."


async def test_silence_takes_the_caption_away_and_new_text_stands_alone(page: Page) -> None:
    async with captions(hold_s=0.3) as server:
        await open_page(page, server)
        await say(server, page, "Before.")
        await page.until("getComputedStyle(document.getElementById('text')).opacity === '0'")
        await say(server, page, "After.")
        await page.until("getComputedStyle(document.getElementById('text')).opacity === '1'")
        assert await page.shown() == "After."


async def test_a_server_that_comes_back_is_found_again(page: Page) -> None:
    async with captions() as server:
        port = httpx.URL(server.url).port
        assert port is not None
        await open_page(page, server)
        await say(server, page, "Before.")
    # It said that it was over: no word of a lost connection, and the caption stays for a while.
    assert await page.shown() == "Before."
    async with CaptionServer(Address("127.0.0.1", port)) as server:
        server.take(STARTED)
        await say(server, page, "After.", then="and")
        assert await page.shown() == "After. and"
        assert await page.evaluate("document.getElementById('status').textContent") == ""


async def test_a_connection_that_is_lost_is_said_and_found_again(page: Page) -> None:
    async with captions() as server:
        server.take(STARTED)
        await open_page(page, server)
        await say(server, page, "Before.")
        await page.call("Network.enable")
        await page.call(
            "Network.emulateNetworkConditions",
            offline=True,
            latency=0,
            downloadThroughput=0,
            uploadThroughput=0,
        )
        # What is offline is only new connections: the old one is cut as a router would.
        await page.evaluate("source.close(); source.onerror(); 0")
        await page.until("document.getElementById('status').textContent.startsWith('reconnecting')")
        assert await page.shown() == "Before."
        server.take(heard("Meanwhile."))
        await page.call(
            "Network.emulateNetworkConditions",
            offline=False,
            latency=0,
            downloadThroughput=-1,
            uploadThroughput=-1,
        )
        await page.until("document.getElementById('status').textContent === ''")
        await say(server, page, "After.")
        assert await page.shown() == "Before. Meanwhile. After."


async def test_when_listening_ends_the_caption_stays_then_goes(page: Page) -> None:
    async with captions() as server:
        server.take(STARTED)
        await open_page(page, server)
        await say(server, page, "The last words.")
        server.take(ENDED)
    assert await page.style("#text", "opacity") == "1"
    await page.until("getComputedStyle(document.getElementById('text')).opacity === '0'")
    assert await page.evaluate("document.getElementById('status').textContent") == ""
