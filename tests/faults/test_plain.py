from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from websockets.exceptions import InvalidStatus

from tests.faults.engine import CodedEngine
from tests.faults.plain import Plain
from tests.faults.proxy import HOST, FaultProxy
from tests.faults.speech import CodedSpeech
from tests.server.running import END, created, rest_of, running, stream, until


async def test_a_plain_server_says_no_more_than_the_listen_api_promises() -> None:
    speech = CodedSpeech(2.0)
    async with (
        running(CodedEngine()) as url,
        FaultProxy(HOST, urlsplit(url).port or 0, plain=Plain.ONCE) as proxy,
    ):
        session = await created(proxy.url)
        async with stream(session["websocket_url"]) as connection:
            ready = await until(connection, "ready")
            for frame in speech.frames():
                await connection.send(frame.pcm)
            await connection.send(END)
            heard = await rest_of(connection)
    assert ready == {"type": "ready"}
    assert " ".join(heard.texts) == speech.expected_text
    for sentence in heard.of("sentence"):
        assert sentence.keys() == {"type", "text", "is_final", "start", "end", "language"}
    assert heard.of("complete")[0].keys() == {"type", "duration_ms"}


async def test_its_url_is_good_once_or_begins_anew() -> None:
    async with running(CodedEngine()) as url:
        port = urlsplit(url).port or 0
        for how in Plain:
            async with FaultProxy(HOST, port, plain=how) as proxy:
                session = await created(proxy.url)
                async with stream(session["websocket_url"]) as connection:
                    await until(connection, "ready")
                    await connection.send(bytes(3200))
                if how is Plain.ONCE:
                    with pytest.raises(InvalidStatus):
                        async with stream(session["websocket_url"]):
                            pass
                    continue
                async with stream(session["websocket_url"]) as connection:
                    await until(connection, "ready")
                    await connection.send(END)
                    heard = await rest_of(connection)
                assert heard.of("complete")[0]["duration_ms"] == 0
