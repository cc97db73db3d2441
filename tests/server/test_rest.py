from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from sayd_cli.history.store import SessionStore
from sayd_cli.server.keys import KeyRing
from sayd_cli.server.limits import Limits
from tests.server.running import (
    END,
    KEY,
    OTHER_KEY,
    audio,
    client,
    created,
    record,
    running,
    said,
    stream,
    until,
)
from tests.server.scripted_engine import ScriptedEngine


@pytest.fixture
async def base_url() -> AsyncIterator[str]:
    async with running(ScriptedEngine()) as url:
        yield url


def refused(response: httpx.Response, status: int) -> str:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert set(body) == {"error"}
    assert isinstance(body["error"], str)
    assert body["error"]
    return str(body["error"])


async def test_create_answers_as_the_api_does(base_url: str) -> None:
    session = await created(base_url, language="en", sample_rate=8000, codec="pcm16")
    assert set(session) == {"session_id", "websocket_url", "language", "stt_service"}
    assert session["language"] == "en"
    assert session["stt_service"] == "scripted"
    url = urlsplit(session["websocket_url"])
    assert url.scheme == "ws"
    assert url.netloc == urlsplit(base_url).netloc
    assert url.path == f"/v1/listen/stream/{session['session_id']}"
    assert parse_qs(url.query) == {"api_key": [KEY]}


async def test_the_url_is_as_the_client_sees_the_server(base_url: str) -> None:
    async with client(base_url) as rest:
        answer = await rest.post(
            "/api/listen",
            json={},
            headers={"Host": "speech.example:8443", "X-Forwarded-Proto": "https"},
        )
    assert answer.json()["websocket_url"].startswith("wss://speech.example:8443/v1/listen/stream/")


async def test_a_host_that_is_none_is_refused(base_url: str) -> None:
    async with client(base_url) as rest:
        answer = await rest.post("/api/listen", json={}, headers={"Host": "[half"})
    assert answer.status_code in (200, 400)


async def test_defaults_are_the_apis(base_url: str) -> None:
    assert (await created(base_url))["language"] == "multi"


@pytest.mark.parametrize("language", ["auto", "multi", "en", "en-GB"])
async def test_languages_of_the_engine(base_url: str, language: str) -> None:
    assert (await created(base_url, language=language))["language"] == language


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (b"", "JSON"),
        (b"{", "JSON"),
        (b"\xff\xfe", "JSON"),
        (b"[" * 60_000, "JSON"),
        (b"[]", "object"),
        (b'"en"', "object"),
        (b'{"language": "klingon"}', "klingon"),
        (b'{"language": 7}', "language"),
        (b'{"language": "zh"}', "zh; it knows en, auto, multi"),
        (b'{"language": "zh-CN"}', "zh-CN; it knows en"),
        (b'{"sample_rate": 44100}', "44100"),
        (b'{"sample_rate": "16000"}', "sample_rate"),
        (b'{"codec": "mp3"}', "codec"),
        (b'{"codec": ["opus"]}', "codec"),
    ],
)
async def test_a_wrong_body_is_refused(base_url: str, body: bytes, names: str) -> None:
    async with client(base_url) as rest:
        assert names in refused(await rest.post("/api/listen", content=body), 400)
        assert (await rest.get("/api/listen")).json() == []


async def test_a_huge_body_is_refused(base_url: str) -> None:
    async with client(base_url) as rest:
        refused(await rest.post("/api/listen", content=b" " * 100_000), 413)


@pytest.mark.parametrize("key", [None, "", "wrong", KEY + "x", KEY[:-1], "clé"])
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/api/listen"), ("GET", "/api/listen"), ("GET", "/api/listen/anything")],
)
async def test_a_wrong_key_is_refused(
    base_url: str, key: str | None, method: str, path: str
) -> None:
    headers = {} if key is None else {b"Authorization": key.encode("latin-1")}
    async with httpx.AsyncClient(base_url=base_url) as rest:
        refused(await rest.request(method, path, headers=headers, json={}), 401)


@pytest.mark.parametrize("header", [KEY, f"Bearer {KEY}", f"bearer  {KEY}"])
async def test_the_key_is_read_liberally(base_url: str, header: str) -> None:
    async with httpx.AsyncClient(base_url=base_url) as rest:
        answer = await rest.post("/api/listen", json={}, headers={"Authorization": header})
    assert answer.status_code == 200
    assert parse_qs(urlsplit(answer.json()["websocket_url"]).query) == {"api_key": [KEY]}


async def test_without_keys_any_is_taken_but_one_must_be_given() -> None:
    strange = "any key & all = of? it%20"
    engine = ScriptedEngine()
    async with running(engine, keys=KeyRing()) as base_url:
        session = await created(base_url, strange)
        heard = await said(session["websocket_url"], *audio(1), END)
        assert heard.close_code == 1000
        async with client(base_url, None) as rest:
            refused(await rest.post("/api/listen", json={}), 401)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/api", 404),
        ("GET", "/api/listen/", 404),
        ("GET", "/api/talk", 404),
        ("GET", "/v1/listen/stream/anything", 404),
        ("GET", "/api/listen/none", 404),
        ("DELETE", "/api/listen", 405),
        ("PUT", "/api/listen/none", 405),
        ("OPTIONS", "/api/listen", 405),
    ],
)
async def test_what_is_not_there(base_url: str, method: str, path: str, status: int) -> None:
    async with client(base_url) as rest:
        refused(await rest.request(method, path), status)


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=1001", "limit=-1", "limit=x", "limit=", "limit=1.5", "offset=-1",
     "offset=x", "limit=" + "9" * 5000, "offset=" + "9" * 30, "limit=%D9%A3"],
)  # fmt: skip
async def test_a_wrong_page_is_refused(base_url: str, query: str) -> None:
    async with client(base_url) as rest:
        assert query.partition("=")[0] in refused(await rest.get(f"/api/listen?{query}"), 400)


async def test_pages_of_the_list_newest_first(base_url: str) -> None:
    ids = [(await created(base_url))["session_id"] for _ in range(4)]
    async with client(base_url) as rest:
        rows = (await rest.get("/api/listen")).json()
        page = (await rest.get("/api/listen", params={"limit": 2, "offset": 1})).json()
        beyond = (await rest.get("/api/listen", params={"offset": 2**53})).json()
    assert [row["session_id"] for row in rows] == ids[::-1]
    assert [row["session_id"] for row in page] == ids[::-1][1:3]
    assert beyond == []
    assert rows[0]["created_at"].endswith("+00:00")
    assert rows[0]["language"] == "multi"


async def test_sessions_of_another_key_are_not_there(base_url: str) -> None:
    session = await created(base_url)
    async with client(base_url, OTHER_KEY) as rest:
        assert (await rest.get("/api/listen")).json() == []
        refused(await rest.get(f"/api/listen/{session['session_id']}"), 404)
    theirs = session["websocket_url"].replace(KEY, OTHER_KEY)
    heard = await said(theirs, *audio(1), END)
    assert heard.kinds == ["error"]
    assert heard.close_code == 1008


def on_disk(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


async def test_sessions_survive_a_restart_and_no_key_is_on_the_disk(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    path = tmp_path / "history.sqlite3"
    with SessionStore(path) as store:
        async with running(engine, store) as base_url:
            session = await created(base_url, language="en")
            await said(session["websocket_url"], *audio(3), END)
            waiting = await created(base_url)
    assert KEY.encode() not in on_disk(tmp_path)

    with SessionStore(path) as store:
        async with running(ScriptedEngine(), store) as base_url:
            found = await record(base_url, session["session_id"])
            assert [row["text"] for row in found["transcripts"]] == engine.texts(3)
            assert found["duration_ms"] == 3000
            moved = urlsplit(waiting["websocket_url"])._replace(netloc=urlsplit(base_url).netloc)
            heard = await said(moved.geturl(), *audio(3), END)
            assert heard.texts == engine.texts(3)


async def test_a_key_may_have_so_many_streams() -> None:
    async with running(ScriptedEngine(), limits=Limits(streams_per_key=2)) as base_url:
        sessions = [(await created(base_url))["websocket_url"] for _ in range(3)]
        async with stream(sessions[0]) as first, stream(sessions[1]) as second:
            await until(first, "ready")
            await until(second, "ready")
            async with client(base_url) as rest:
                answer = await rest.post("/api/listen", json={})
                assert "2 streams" in refused(answer, 429)
                assert int(answer.headers["retry-after"]) >= 1
            heard = await said(sessions[2])
            assert heard.kinds == ["error"]
            assert heard.close_code == 1013
            other = await created(base_url, OTHER_KEY)
            assert (await said(other["websocket_url"], END)).close_code == 1000
            await second.send(END)
            await until(second, "complete")
            await second.wait_closed()
            assert (await said(sessions[2], END)).close_code == 1000
