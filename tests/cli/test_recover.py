"""``sayd recover``, after what kills, outages and bad disks leave behind: the real process."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import soundfile

from sayd_cli.engine.recordings import recording
from sayd_cli.history.store import SessionStore
from sayd_cli.model.audio import Frame
from sayd_cli.model.session import BackendName, SessionSettings
from sayd_cli.model.transcript import Sentence
from sayd_cli.spool.label import SpoolLabel
from sayd_cli.spool.shelf import Shelf
from tests.cli.coded import BEGUN, RATE_HZ, coded, interrupt, words_of
from tests.cli.process import LIMIT_S, sayd
from tests.cli.test_terminal import on_terminal
from tests.engine.wer import word_error_rate
from tests.faults.engine import CodedEngine
from tests.faults.kills import kill_many
from tests.faults.plan import Answer, Cut, HalfOpen, Refuse
from tests.faults.speech import CodedSpeech
from tests.render.emulator import Emulator
from tests.waiting import wait_until

KILLS = 10


@pytest.mark.timeout(300)
async def test_nothing_is_lost_by_kills_at_random_instants() -> None:
    # The long run asks for 0.2 s; a machine that does other things too may stand still for longer.
    cases = kill_many(range(KILLS), jobs=2, safe_after_s=1.0)
    outcomes = [outcome async for outcome in cases]
    assert all(outcome.is_perfect for outcome in outcomes), "\n".join(
        outcome.explain() for outcome in outcomes if not outcome.is_perfect
    )
    assert sum(outcome.kills for outcome in outcomes) >= KILLS / 2


async def test_recovers_what_was_not_confirmed_into_the_session(tmp_path: Path) -> None:
    speech = CodedSpeech(12)
    interrupt(tmp_path, speech, session_id="sess-1", heard=2, title="Standup")
    async with coded(tmp_path) as service:
        result = await service.sayd("recover")
        assert result.returncode == 0
        # What was printed before is not printed again.
        assert result.stdout.splitlines() == list(speech.expected_sentences[2:])
        assert "12 s of audio, Standup" in result.stderr
        assert service.texts() == list(speech.expected_sentences)
        (session,) = service.sessions()
        assert [sentence.index for sentence in session] == list(range(len(session)))
        for sentence in session:
            word = next(w for w in speech.words() if w.text == sentence.text.split()[0])
            assert sentence.start_s == pytest.approx(word.start_sample / RATE_HZ, abs=0.01)
        assert service.left_behind() == []
        again = await service.sayd("recover")
        assert (again.returncode, again.stdout) == (0, "")
        assert again.stderr == "sayd: nothing was interrupted\n"
        assert service.texts() == list(speech.expected_sentences)
    with SessionStore(tmp_path / "history.sqlite3") as store:
        (summary,) = store.list()
    assert (summary.session_id, summary.title, summary.duration_s) == ("sess-1", "Standup", 12)


def test_without_anything_there_is_nothing_to_do(tmp_path: Path) -> None:
    home = tmp_path / "new"
    env = {"SAYD_HOME": str(home)}
    for arguments in ((), ("--list",), ("--discard",), ("--quiet",)):
        result = sayd("recover", *arguments, env=env)
        assert (result.returncode, result.stdout) == (0, "")
    assert not home.exists()
    result = sayd("recover", "2025", env=env)
    assert result.returncode == 2
    assert result.stderr.splitlines()[0] == "sayd: no interrupted listening '2025'"


def test_list_shows_what_there_is_and_changes_nothing(tmp_path: Path) -> None:
    first = interrupt(tmp_path, CodedSpeech(3), title="Standup")
    second = interrupt(tmp_path, CodedSpeech(7), session_id="sess-2", minutes=5)
    result = sayd("recover", "--list", env={"SAYD_HOME": str(tmp_path)})
    assert result.returncode == 0
    assert result.stderr == ""
    one, two = result.stdout.splitlines()
    assert one.startswith(f"{first}  2025-03-01 ")
    assert one.endswith("3 s of audio, Standup")
    assert two.startswith(f"{second}  ")
    assert two.endswith("7 s of audio")
    named = sayd("recover", "--list", "sess", env={"SAYD_HOME": str(tmp_path)})
    assert named.stdout.splitlines() == [two]


async def test_recovers_what_is_named_and_no_more(tmp_path: Path) -> None:
    speech = CodedSpeech(4)
    first = interrupt(tmp_path, speech, session_id="sess")
    second = interrupt(tmp_path, speech, session_id="sess-2", minutes=5)
    async with coded(tmp_path) as service:
        for unclear in ("2025", "se"):
            result = await service.sayd("recover", unclear)
            assert result.returncode == 2
            assert "more than one" in result.stderr
        assert service.left_behind() == [first, second]
        assert (await service.sayd("recover", "sess")).returncode == 0
        assert service.left_behind() == [second]
        assert (await service.sayd("recover", second[:-4], "sess-2")).returncode == 0
        assert service.left_behind() == []
        assert service.texts() == 2 * list(speech.expected_sentences)


async def test_recovers_several_oldest_first(tmp_path: Path) -> None:
    speeches = [CodedSpeech(4, seed) for seed in range(3)]
    for minutes, speech in reversed(list(enumerate(speeches))):
        interrupt(tmp_path, speech, minutes=minutes)
    async with coded(tmp_path) as service:
        result = await service.sayd("recover", "-t")
        assert result.returncode == 0
        assert len(result.stdout.splitlines()) == sum(len(s.sentence_lengths) for s in speeches)
        assert len(service.sessions()) == 3
        assert service.texts() == [text for each in speeches for text in each.expected_sentences]
        assert service.left_behind() == []


def test_discards_only_what_is_agreed_to(tmp_path: Path) -> None:
    env = {"SAYD_HOME": str(tmp_path)}
    spool_ids = [interrupt(tmp_path, CodedSpeech(2), minutes=n) for n in range(3)]
    shelf = Shelf(tmp_path / "spool")
    unasked = sayd("recover", "--discard", stdin=b"y\n", env=env)
    assert (unasked.returncode, unasked.stdout) == (2, "")
    assert "--yes" in unasked.stderr
    assert len(shelf.interrupted()) == 3
    for answer, left in (("", 3), ("n", 3), ("y", 2)):
        with (
            Emulator() as terminal,
            on_terminal(terminal, "recover", "--discard", spool_ids[1], env=env) as process,
        ):
            wait_until(lambda: "[y/N]" in "".join(terminal.shown()))
            terminal.press(answer + "\r")
            assert process.wait(LIMIT_S) == 0
        assert len(shelf.interrupted()) == left
    assert spool_ids[1] not in [each.spool_id for each in shelf.interrupted()]
    agreed = sayd("recover", "--discard", "--yes", env=env)
    assert (agreed.returncode, agreed.stdout) == (0, "")
    assert shelf.interrupted() == []
    assert [path.name for path in shelf.directory.iterdir()] in ([], [".lock"])


async def test_two_at_once_do_no_harm(tmp_path: Path) -> None:
    speeches = [CodedSpeech(6, seed) for seed in range(3)]
    for minutes, speech in enumerate(speeches):
        interrupt(tmp_path, speech, minutes=minutes)
    async with coded(tmp_path, CodedEngine(speed=20)) as service:
        results = await asyncio.gather(*(service.sayd("recover") for _ in range(3)))
        assert [result.returncode for result in results] == [0, 0, 0]
        printed = [line for result in results for line in result.stdout.splitlines()]
        everything = [text for each in speeches for text in each.expected_sentences]
        assert sorted(printed) == sorted(everything)
        assert sorted(service.texts()) == sorted(everything)
        assert len(service.sessions()) == 3
        assert service.left_behind() == []


async def test_a_listening_under_way_is_left_alone(tmp_path: Path) -> None:
    speech = CodedSpeech(6)
    half = 3 * RATE_HZ
    async with (
        coded(tmp_path) as service,
        service.running("listen", "-", "--cloud", "-f", "jsonl", "--pace", "max") as listening,
    ):
        await listening.feed(speech.pcm(0, half))
        await listening.message("sentence")
        for arguments in ((), ("--list",), ("--discard", "--yes")):
            result = await service.sayd("recover", *arguments)
            assert (result.returncode, result.stdout) == (0, "")
        (spool_id,) = service.left_behind()
        assert (await service.sayd("recover", spool_id)).returncode == 2
        await listening.feed(speech.pcm(half, speech.length_samples))
        listening.end_input()
        status, _, _ = await listening.rest()
        assert status == 0
        assert service.texts() == list(speech.expected_sentences)
        assert service.left_behind() == []


async def test_a_damaged_label_costs_only_what_it_said(tmp_path: Path) -> None:
    speech = CodedSpeech(5)
    spool_id = interrupt(tmp_path, speech, title="Standup", session_id="sess-1")
    (tmp_path / "spool" / spool_id / "label.json").write_bytes(b'{"started_at": "2025-03')
    async with coded(tmp_path) as service:
        listed = await service.sayd("recover", "--list")
        assert listed.stdout.startswith(f"{spool_id}  2025-03-01 ")
        result = await service.sayd("recover", "--cloud")
        assert result.returncode == 0
        assert service.texts() == list(speech.expected_sentences)
        assert service.left_behind() == []


async def test_a_torn_write_costs_half_a_sample(tmp_path: Path) -> None:
    speech = CodedSpeech(12)
    spool_id = interrupt(tmp_path, speech)
    last = max((tmp_path / "spool" / spool_id).glob("*.pcm"))
    with last.open("ab") as file:
        file.truncate(last.stat().st_size - 1)
    async with coded(tmp_path) as service:
        assert (await service.sayd("recover")).returncode == 0
        assert service.texts() == list(speech.expected_sentences)


async def test_audio_that_is_gone_is_said_to_be_gone(tmp_path: Path) -> None:
    speech = CodedSpeech(35)
    spool_id = interrupt(tmp_path, speech)
    second = sorted((tmp_path / "spool" / spool_id).glob("*.pcm"))[1]
    second.unlink()
    async with coded(tmp_path) as service:
        assert (await service.sayd("recover")).returncode == 0
        heard = words_of(service.texts())
        whole = [
            word.text
            for word in speech.words()
            if word.end_sample <= 10 * RATE_HZ or word.start_sample >= 20 * RATE_HZ
        ]
        assert set(whole) <= set(heard)
        assert len(set(heard)) == len(heard)
        assert len(heard) <= len(whole) + 2


@pytest.mark.parametrize("deleted", [True, False])
async def test_killed_while_it_recovers_what_the_history_does_not_know(
    tmp_path: Path, deleted: bool
) -> None:
    speech = CodedSpeech(20)
    interrupt(tmp_path, speech, session_id="sess-1", heard=2)
    if deleted:
        with SessionStore(tmp_path / "history.sqlite3") as store:
            store.delete(["sess-1"])
    async with coded(tmp_path, CodedEngine(speed=10)) as service:
        async with service.running("recover") as recovering:
            printed = [await recovering.line() for _ in range(2)]
            recovering.process.kill()
            _, out, _ = await recovering.rest()
            printed += out.splitlines()
        (interrupted,) = service.shelf.interrupted()
        assert interrupted.label.session_id is not None
        result = await service.sayd("recover")
        assert result.returncode == 0
        (session,) = service.sessions()
        assert [sentence.text for sentence in session] == list(speech.expected_sentences)


async def test_without_a_key_nothing_is_lost(tmp_path: Path) -> None:
    speech = CodedSpeech(4)
    for minutes in range(2):
        interrupt(tmp_path, speech, minutes=minutes)
    async with coded(tmp_path) as service:
        result = await service.sayd("recover", SAYD_API_KEY="")
        assert (result.returncode, result.stdout) == (3, "")
        assert "sayd: no key for the service" in result.stderr
        refused = await service.sayd("recover", SAYD_API_KEY="sk-nobody-0123")
        assert (refused.returncode, refused.stdout) == (3, "")
        assert "--local" in result.stderr
        assert len(service.shelf.interrupted()) == 2
        assert (await service.sayd("recover")).returncode == 0
        assert service.texts() == 2 * list(speech.expected_sentences)


async def test_one_interrupted_listening_that_fails_is_said_once(tmp_path: Path) -> None:
    interrupt(tmp_path, CodedSpeech(4))
    async with coded(tmp_path) as service:
        result = await service.sayd("recover", SAYD_API_KEY="")
        assert result.stderr.count("no key for the service") == 1


@pytest.mark.parametrize("length_s", [0.3, 6.0])
async def test_without_the_service_nothing_is_lost(tmp_path: Path, length_s: float) -> None:
    speech = CodedSpeech(length_s)
    interrupt(tmp_path, speech)
    async with coded(tmp_path) as service:
        service.proxy.inject(Refuse(60.0, port_closed=True))
        result = await service.sayd("recover")
        assert (result.returncode, result.stdout) == (4, "")
        assert "sayd recover" in result.stderr
        assert len(service.shelf.interrupted()) == 1
    async with coded(tmp_path) as service:
        assert (await service.sayd("recover")).returncode == 0
        assert service.texts() == list(speech.expected_sentences)
        assert service.left_behind() == []


async def test_a_service_that_dies_meanwhile_costs_nothing(tmp_path: Path) -> None:
    speech = CodedSpeech(20)
    interrupt(tmp_path, speech)
    async with coded(tmp_path, CodedEngine(speed=10)) as service:
        async with service.running("recover") as recovering:
            first = await recovering.line()
            service.proxy.inject(Refuse(120.0))
            service.proxy.inject(Cut())
            status, out, err = await recovering.rest()
        assert status in (4, 7), err
        assert "`sayd recover`" in err
        printed = [first.strip(), *out.splitlines()]
        assert printed[: len(service.texts())] == service.texts()
    async with coded(tmp_path) as service:
        assert (await service.sayd("recover")).returncode == 0
        (session,) = service.sessions()
        assert [sentence.text for sentence in session] == list(speech.expected_sentences)
        assert not any(sentence.unconfirmed for sentence in session)


async def test_what_was_never_confirmed_is_replaced(tmp_path: Path) -> None:
    speech = CodedSpeech(12, 3)
    async with coded(tmp_path) as service:
        async with service.running(
            "listen", "-", "--cloud", "-f", "jsonl", "--interim", "--pace", "max"
        ) as listening:
            # All of it, but for the silence that would end the last sentence.
            end = speech.words()[-1].end_sample + 100
            await listening.feed(speech.pcm(0, end))
            while (await listening.message("partial"))["text"].split()[-1:] != [
                speech.expected_words[-2]
            ]:
                pass
            service.proxy.inject(HalfOpen())
            service.proxy.inject(Refuse(60.0))
            listening.end_input()
            status, out, err = await listening.rest()
        assert status == 7, err
        assert '"unconfirmed"' in out
        assert "`sayd recover`" in err
        (session,) = service.sessions()
        assert session[-1].unconfirmed
    async with coded(tmp_path) as service:
        assert (await service.sayd("recover")).returncode == 0
        (session,) = service.sessions()
        assert [sentence.text for sentence in session] == list(speech.expected_sentences)
        assert not any(sentence.unconfirmed for sentence in session)


async def test_a_guess_that_was_none_goes(tmp_path: Path) -> None:
    speech = CodedSpeech(12)
    count = len(speech.sentence_lengths)
    interrupt(tmp_path, speech, session_id="sess-1", heard=count, unconfirmed="hm")
    async with coded(tmp_path) as service:
        assert (await service.sayd("recover")).returncode == 0
        assert service.texts() == list(speech.expected_sentences)


async def test_who_closes_the_pipe_loses_nothing(tmp_path: Path) -> None:
    speech = CodedSpeech(20)
    interrupt(tmp_path, speech)
    async with coded(tmp_path, CodedEngine(speed=10)) as service:
        async with service.running("recover") as recovering:
            await recovering.line()
            transport = recovering.process._transport  # type: ignore[attr-defined]
            transport.get_pipe_transport(1).close()
            async with asyncio.timeout(20):
                assert await recovering.process.wait() == 0
        assert (await service.sayd("recover")).returncode == 0
        (session,) = service.sessions()
        assert [sentence.text for sentence in session] == list(speech.expected_sentences)
        assert service.left_behind() == []


async def test_a_refused_key_and_a_busy_service_in_turn(tmp_path: Path) -> None:
    speech = CodedSpeech(6)
    interrupt(tmp_path, speech)
    async with coded(tmp_path) as service:
        service.proxy.inject(Answer(401))
        refused = await service.sayd("recover")
        assert (refused.returncode, refused.stdout) == (3, "")
        service.proxy.inject(Answer(429, retry_after_s=1))
        service.proxy.inject(Answer(503, retry_after_s=1, handshake=True))
        assert (await service.sayd("recover")).returncode == 0
        assert service.texts() == list(speech.expected_sentences)


def test_the_local_engine_finishes_what_the_cloud_began(tmp_path: Path) -> None:
    path = recording("beckett.wav")
    pcm, rate_hz = soundfile.read(path, dtype="int16")
    undisturbed = sayd("listen", str(path), "--local")
    label = SpoolLabel(BEGUN, SessionSettings(), BackendName.CLOUD, "Beckett", "sess-1")
    home = tmp_path / "home"
    with SessionStore(home / "history.sqlite3") as store:
        store.create(
            "sess-1",
            settings=SessionSettings(),
            created_at=BEGUN,
            backend=BackendName.CLOUD,
        )
        store.add_sentence("sess-1", Sentence(0, "Heard before.", 0.0, 0.1))
    with Shelf(home / "spool").begin(label) as labelled:
        labelled.spool.append(Frame(pcm.tobytes(), 0, rate_hz))
    result = sayd("recover", "--local", env={"SAYD_HOME": str(home)})
    assert result.returncode == 0
    # It begins a tenth of a second later, which a real engine hears.
    assert word_error_rate(undisturbed.stdout, result.stdout) < 0.1
    shown = sayd("sessions", "show", "sess-1", env={"SAYD_HOME": str(home)})
    assert shown.stdout.splitlines()[0] == "Heard before."
    assert shown.stdout.splitlines()[1:] == result.stdout.splitlines()
