"""Full and read-only disks, clocks, sleep, several at once, busy and refusing services: what
becomes of ``sayd listen`` in a process of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sayd_cli.engine.recordings import recording
from sayd_cli.history.store import SessionStore
from sayd_cli.server.limits import Limits
from tests.cli.coded import BEGUN, RATE_HZ, Coded, coded, interrupt, words_of
from tests.cli.process import command, environment, sayd
from tests.engine.wer import word_error_rate
from tests.faults.engine import CodedEngine
from tests.faults.plan import Answer, Cut
from tests.faults.speech import CodedSpeech
from tests.waiting import until

LISTEN = ("listen", "-", "--cloud", "--pace", "max")
STOPPED_S = 8.0


@contextlib.contextmanager
def small_disk(folder: Path, size_kib: int = 1024) -> Iterator[Path]:
    """A file system of its own at a folder; only root can make one."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size_kib}k,mode=700", "sayd-test", str(folder)]
    if os.name != "posix" or os.geteuid() != 0 or subprocess.run(mount, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def remount(disk: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], check=True)


def fill(disk: Path) -> Path:
    """Leave no room."""
    filler = disk / "filler"
    with filler.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        for size in (1 << 16, 1 << 10, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(size))
    return filler


def all_of(speech: CodedSpeech) -> bytes:
    return speech.pcm(0, speech.length_samples)


async def test_a_disk_that_is_full_before_it_begins(tmp_path: Path) -> None:
    speech = CodedSpeech(12)
    with small_disk(tmp_path / "disk") as disk:
        fill(disk)
        async with coded(disk / "home") as service:
            result = await service.sayd(*LISTEN, stdin=all_of(speech))
    assert result.returncode == 0
    assert result.stdout.splitlines() == list(speech.expected_sentences)
    assert "audio is kept in memory only" in result.stderr
    assert "not kept in the history" in result.stderr
    assert "Traceback" not in result.stderr


async def test_a_disk_that_fills_meanwhile(tmp_path: Path) -> None:
    speech = CodedSpeech(40)
    half = 20 * RATE_HZ
    with small_disk(tmp_path / "disk", 4096) as disk:
        async with coded(disk / "home") as service:
            async with service.running(*LISTEN) as listening:
                await listening.feed(speech.pcm(0, half))
                printed = [(await listening.line()).strip()]
                filler = fill(disk)
                await listening.feed(speech.pcm(half, speech.length_samples))
                listening.end_input()
                status, out, err = await listening.rest()
            printed += out.splitlines()
            assert status == 0, err
            assert printed == list(speech.expected_sentences)
            assert "captured audio cannot be written to the disk" in err
            assert "not kept in the history" in err
            assert "Traceback" not in err
            filler.unlink()
            # What was heard before is there; of what the history lacks, all that the disk took of
            # its audio is to be heard again.
            texts = service.texts()
            assert texts == list(speech.expected_sentences[: len(texts)])
            assert "sentences are not in the history" in err
            assert "`sayd recover` finishes them" in err
            recovered = await service.sayd("recover")
            assert recovered.returncode == 0, recovered.stderr
            assert service.texts()[: len(texts)] == texts
            assert service.left_behind() == []


async def test_a_disk_that_was_full_for_a_while_costs_the_history_nothing(tmp_path: Path) -> None:
    speech = CodedSpeech(40)
    half = 20 * RATE_HZ
    with small_disk(tmp_path / "disk", 4096) as disk:
        async with coded(disk / "home") as service:
            async with service.running(*LISTEN) as listening:
                await listening.feed(speech.pcm(0, half))
                printed = [(await listening.line()).strip()]
                filler = fill(disk)
                await listening.feed(speech.pcm(half, speech.length_samples))
                while len(printed) < len(speech.expected_sentences) - 1:
                    printed.append((await listening.line()).strip())
                filler.unlink()
                listening.end_input()
                status, out, err = await listening.rest()
            assert status == 0, err
            assert printed + out.splitlines() == list(speech.expected_sentences)
            assert "sentences are not in the history" not in err
            assert service.texts() == list(speech.expected_sentences)
            assert service.left_behind() == []


async def test_a_full_disk_does_not_cost_what_is_recovered(tmp_path: Path) -> None:
    speech = CodedSpeech(12)
    with small_disk(tmp_path / "disk", 4096) as disk:
        interrupt(disk, speech, session_id="sess-1", heard=1)
        filler = fill(disk)
        async with coded(disk) as service:
            failed = await service.sayd("recover")
            assert failed.returncode == 1
            assert "disk" in failed.stderr
            assert "bug" not in failed.stderr
            filler.unlink()
            assert len(service.shelf.interrupted()) == 1
            assert (await service.sayd("recover")).returncode == 0
            assert service.texts() == list(speech.expected_sentences)


async def test_a_kill_while_another_program_holds_the_history_costs_no_word(tmp_path: Path) -> None:
    speech = CodedSpeech(40)
    async with coded(tmp_path) as service, service.running(*LISTEN) as listening:
        half, piece = 6 * RATE_HZ, RATE_HZ // 5
        await listening.feed(speech.pcm(0, half))
        await listening.line()
        other = sqlite3.connect(tmp_path / "history.sqlite3", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        fed = half
        for _ in range(20):
            await listening.feed(speech.pcm(fed, fed + piece))
            fed += piece
            await asyncio.sleep(0.1)
        # Otherwise a sentence waits five seconds for the history, and the audio with it.
        await until(
            lambda: sum(p.stat().st_size for p in tmp_path.glob("spool/*/*.pcm")) >= 2 * fed,
            limit_s=2.5,
        )
        listening.process.kill()
        await listening.process.wait()
        other.execute("ROLLBACK")
        other.close()
        assert (await service.sayd("recover")).returncode == 0
        assert words_of(service.texts()) == [word.text for word in speech.words(fed / RATE_HZ)]


async def test_a_home_that_cannot_be_written(tmp_path: Path) -> None:
    speech = CodedSpeech(12)
    (tmp_path / "spool").write_bytes(b"")
    (tmp_path / "history.sqlite3").mkdir()
    async with coded(tmp_path) as service:
        result = await service.sayd(*LISTEN, stdin=all_of(speech))
        assert result.returncode == 0
        assert result.stdout.splitlines() == list(speech.expected_sentences)
        assert "audio is kept in memory only" in result.stderr
        assert "not kept in the history" in result.stderr
        recovered = await service.sayd("recover")
        assert (recovered.returncode, recovered.stdout) == (1, "")
        assert len(recovered.stderr.splitlines()) == 2
        assert "bug" not in recovered.stderr


async def test_a_home_that_is_read_only(tmp_path: Path) -> None:
    speech = CodedSpeech(12)
    with small_disk(tmp_path / "disk") as disk:
        interrupt(disk, speech, session_id="sess-1", heard=1)
        remount(disk, "ro")
        async with coded(disk) as service:
            result = await service.sayd(*LISTEN, stdin=all_of(speech))
            assert result.returncode == 0
            assert result.stdout.splitlines() == list(speech.expected_sentences)
            assert "audio is kept in memory only" in result.stderr
            assert "not kept in the history" in result.stderr
            recovered = await service.sayd("recover")
            assert (recovered.returncode, recovered.stdout) == (1, "")
            assert len(recovered.stderr.splitlines()) <= 3
            assert "bug" not in recovered.stderr
            remount(disk, "rw")
            assert (await service.sayd("recover")).returncode == 0
            assert service.texts() == list(speech.expected_sentences)


async def test_a_clock_that_is_set_back(tmp_path: Path) -> None:
    earlier, later = CodedSpeech(5, 1), CodedSpeech(5, 2)
    ahead = datetime.now(UTC) + timedelta(days=400) - BEGUN
    minutes = ahead // timedelta(minutes=1)
    spool_id = interrupt(tmp_path, earlier, session_id="from-the-future", minutes=minutes)
    async with coded(tmp_path) as service:
        assert (await service.sayd(*LISTEN, stdin=all_of(later))).returncode == 0
        shown = await service.sayd("sessions", "show", "last", "--local")
        assert shown.stdout.splitlines() == list(later.expected_sentences)
        assert service.left_behind() == [spool_id]
        assert (await service.sayd("recover")).returncode == 0
        assert [s.text for s in service.sessions()[0]] == list(earlier.expected_sentences)
        shown = await service.sayd("sessions", "show", "last", "--local")
        assert shown.stdout.splitlines() == list(later.expected_sentences)


async def test_sleep_costs_no_word(tmp_path: Path) -> None:
    speech = CodedSpeech(30)
    limits = Limits(streams_per_key=None, idle_s=2.0, resume_s=3.0)
    async with (
        coded(tmp_path, limits=limits) as service,
        service.running("listen", "-", "--cloud", "-f", "jsonl", "--pace", "max") as listening,
    ):
        half = 15 * RATE_HZ
        await listening.feed(speech.pcm(0, half))
        await listening.message("sentence")
        listening.process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(STOPPED_S)
        listening.process.send_signal(signal.SIGCONT)
        await listening.feed(speech.pcm(half, speech.length_samples))
        listening.end_input()
        status, out, err = await listening.rest()
        assert status == 0, err
        assert '"reconnected"' in out
        # The service ends a sentence where it gives its client up.
        assert words_of(service.texts()) == list(speech.expected_words)
        (session,) = service.sessions()
        for sentence in session:
            word = next(w for w in speech.words() if w.text == sentence.text.split()[0])
            assert sentence.start_s == pytest.approx(word.start_sample / RATE_HZ, abs=0.2)
        assert service.left_behind() == []


async def test_sleep_costs_no_word_of_the_local_engine() -> None:
    path = recording("beckett.wav")
    undisturbed = sayd("listen", str(path), "--local", "--duration", "10")
    process = await asyncio.create_subprocess_exec(
        *command("listen", str(path), "--local", "--pace", "realtime", "--duration", "10"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            first = await process.stdout.readline()
            process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(STOPPED_S)
            process.send_signal(signal.SIGCONT)
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, err.decode()
    assert word_error_rate(undisturbed.stdout, (first + out).decode()) < 0.1


async def test_two_at_once_in_one_home(tmp_path: Path) -> None:
    speeches = [CodedSpeech(20, seed) for seed in range(2)]
    async with coded(tmp_path, CodedEngine(speed=10)) as service:
        results = await asyncio.gather(
            *(
                service.sayd(*LISTEN, "--name", f"of {seed}", stdin=all_of(speech))
                for seed, speech in enumerate(speeches)
            )
        )
        for result, speech in zip(results, speeches, strict=True):
            assert result.returncode == 0
            assert result.stderr == ""
            assert result.stdout.splitlines() == list(speech.expected_sentences)
        with SessionStore(tmp_path / "history.sqlite3") as store:
            kept = {
                each.title: [sentence.text for sentence in store.sentences(each.session_id)]
                for each in store.list()
            }
        assert kept == {
            f"of {seed}": list(speech.expected_sentences) for seed, speech in enumerate(speeches)
        }
        assert service.left_behind() == []


@pytest.mark.parametrize("number", [None, signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_clean_end_leaves_no_audio(tmp_path: Path, number: signal.Signals | None) -> None:
    speech = CodedSpeech(8)
    async with coded(tmp_path) as service:
        async with service.running(*LISTEN) as listening:
            await listening.feed(all_of(speech))
            printed = [(await listening.line()).strip()]
            assert len(service.left_behind()) == 1
            wanted = len(speech.sentence_lengths) - 1
            while len(printed) < wanted:
                printed.append((await listening.line()).strip())
            if number is None:
                listening.end_input()
            else:
                listening.process.send_signal(number)
            status, out, err = await listening.rest()
        assert status == 0, err
        assert [*printed, *out.splitlines()] == list(speech.expected_sentences)
        assert service.texts() == list(speech.expected_sentences)
        assert service.left_behind() == []


class Watch:
    """Looks for audio in a folder, and among what a process has open, as often as it can."""

    def __init__(self, folder: Path, pid: int) -> None:
        self.found: set[str] = set()
        self.looks = 0
        self._folder = folder
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.is_set():
            self.found |= {str(path) for path in self._folder.rglob("*") if path.is_file()}
            with contextlib.suppress(OSError):
                for link in Path(f"/proc/{self._pid}/fd").iterdir():
                    with contextlib.suppress(OSError):
                        target = str(link.readlink())
                        if target.startswith(str(self._folder)):
                            self.found.add(target)
            self.looks += 1
            time.sleep(0.001)


async def test_without_history_no_audio_is_ever_on_disk(tmp_path: Path) -> None:
    speech = CodedSpeech(30)
    home, temporary = tmp_path / "home", tmp_path / "tmp"
    home.mkdir()
    temporary.mkdir()
    async with (
        coded(home, CodedEngine(speed=20)) as service,
        service.running(*LISTEN, "--no-history", TMPDIR=str(temporary)) as listening,
    ):
        with Watch(tmp_path, listening.process.pid) as watch:
            half = 15 * RATE_HZ
            await listening.feed(speech.pcm(0, half))
            printed = [(await listening.line()).strip()]
            service.proxy.inject(Cut())
            await listening.feed(speech.pcm(half, speech.length_samples))
            listening.end_input()
            status, out, err = await listening.rest()
        assert status == 0, err
        assert [*printed, *out.splitlines()] == list(speech.expected_sentences)
        assert watch.looks > 50
        assert watch.found == set()


async def listened(service: Coded, speech: CodedSpeech) -> tuple[int, str, str]:
    result = await service.sayd(*LISTEN, "-f", "jsonl", stdin=all_of(speech))
    return result.returncode, result.stdout, result.stderr


@pytest.mark.parametrize("status", [429, 503])
async def test_a_busy_service_is_waited_for_at_the_start(tmp_path: Path, status: int) -> None:
    speech = CodedSpeech(6)
    async with coded(tmp_path) as service:
        service.proxy.inject(Answer(status, retry_after_s=2))
        service.proxy.inject(Answer(status, retry_after_s=1))
        service.proxy.inject(Answer(status, retry_after_s=1, handshake=True))
        began_s = time.monotonic()
        left, _, err = await listened(service, speech)
        assert left == 0, err
        assert time.monotonic() - began_s > 3
        assert service.texts() == list(speech.expected_sentences)


@pytest.mark.parametrize("status", [429, 503])
async def test_a_busy_service_is_waited_for_later(tmp_path: Path, status: int) -> None:
    speech = CodedSpeech(20)
    half = 10 * RATE_HZ
    wait_s = 2
    async with coded(tmp_path) as service:
        async with service.running(*LISTEN, "-f", "jsonl") as listening:
            await listening.feed(speech.pcm(0, half))
            await listening.message("sentence")
            for _ in range(2):
                service.proxy.inject(Answer(status, retry_after_s=wait_s, handshake=True))
            service.proxy.inject(Cut())
            await listening.feed(speech.pcm(half, speech.length_samples))
            reconnected = await listening.message("reconnected")
            listening.end_input()
            left, _, err = await listening.rest()
        assert left == 0, err
        # Also after the first: it is the old stream that is asked for, and the service is busy.
        first, second = (
            each.at_s for each in service.proxy.injected if isinstance(each.fault, Answer)
        )
        assert second - first >= wait_s
        assert reconnected["outage_seconds"] >= 2 * wait_s
        assert service.texts() == list(speech.expected_sentences)
        assert service.left_behind() == []


@pytest.mark.parametrize("status", [401, 403])
async def test_a_key_that_is_refused_later_costs_no_word(tmp_path: Path, status: int) -> None:
    speech = CodedSpeech(20)
    half = 10 * RATE_HZ
    async with coded(tmp_path) as service:
        async with service.running(*LISTEN) as listening:
            await listening.feed(speech.pcm(0, half))
            printed = [(await listening.line()).strip()]
            for _ in range(2):
                service.proxy.inject(Answer(status, handshake=True))
                service.proxy.inject(Answer(status))
            service.proxy.inject(Cut())
            left, out, err = await listening.rest()
        assert left == 3
        assert "sayd recover" in err
        assert "Traceback" not in err
        printed += [line.removesuffix(" [unconfirmed]") for line in out.splitlines()]
        assert service.texts() == printed
        service.proxy.calm()
        result = await service.sayd("recover")
        assert result.returncode == 0
        (session,) = service.sessions()
        heard = " ".join(sentence.text for sentence in session).split()
        # The rest of the pipe was never read.
        assert heard == list(speech.expected_words[: len(heard)])
        assert len(heard) >= len(speech.words(9.5))
        assert service.left_behind() == []
