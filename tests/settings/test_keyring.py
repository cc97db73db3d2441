from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import keyring.core
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import fail, null

from sayd_cli.errors import StorageError
from sayd_cli.model.secret import Secret
from sayd_cli.settings.keyring import SystemKeyring
from tests.settings.keyrings import FileKeyring, ForgetfulKeyring, LockedKeyring, SlowKeyring

KEY = Secret("sk-kept-in-a-keyring")

Install = Callable[[KeyringBackend], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    monkeypatch.setenv("KEYRING_FILE", str(tmp_path / "keyring.json"))

    def put(ring: KeyringBackend) -> None:
        monkeypatch.setattr(keyring.core, "_keyring_backend", ring)

    return put


def test_what_is_kept_is_found_and_forgotten(install: Install) -> None:
    install(FileKeyring())
    ring = SystemKeyring()
    assert ring.read() is None
    assert not ring.delete()
    ring.write(Secret("sk-another"))
    ring.write(KEY)
    assert ring.read() == KEY
    assert ring.delete()
    assert ring.read() is None


@pytest.mark.parametrize("ring", [fail.Keyring, null.Keyring])
def test_one_that_keeps_nothing_is_none(install: Install, ring: type[KeyringBackend]) -> None:
    install(ring())
    for ask in (SystemKeyring().read, SystemKeyring().delete, lambda: SystemKeyring().write(KEY)):
        with pytest.raises(StorageError, match="no keyring"):
            ask()


def test_a_file_without_encryption_is_none(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FileKeyring, "__module__", "keyrings.alt.file")
    install(FileKeyring())
    with pytest.raises(StorageError, match="no keyring"):
        SystemKeyring().write(KEY)


def test_a_locked_one_says_so_and_quotes_nothing(install: Install) -> None:
    install(LockedKeyring())
    with pytest.raises(StorageError, match="it is locked") as caught:
        SystemKeyring().write(KEY)
    assert caught.value.__cause__ is None
    assert KEY.reveal() not in str(caught.value)


def test_one_that_does_not_keep_what_it_is_given(install: Install) -> None:
    install(ForgetfulKeyring())
    with pytest.raises(StorageError, match="cannot be used"):
        SystemKeyring().write(KEY)


def test_a_slow_one_is_waited_for_only_so_long(install: Install) -> None:
    slow = SlowKeyring()
    install(slow)
    waited: list[str] = []
    with pytest.raises(StorageError, match="no answer"):
        SystemKeyring(lambda: waited.append("once"), limit_s=0.05).read()
    assert waited == ["once"]
    slow.go_on.set()


def test_a_slow_one_that_answers_is_heard(install: Install) -> None:
    slow = SlowKeyring()
    install(slow)
    # It answers because the wait was told.
    assert SystemKeyring(slow.go_on.set).read() is None


def test_a_keyring_that_hangs_does_not_keep_the_program_from_ending() -> None:
    code = """if True:
        import keyring
        from sayd_cli.errors import StorageError
        from sayd_cli.settings.keyring import SystemKeyring
        from tests.settings.keyrings import SlowKeyring

        keyring.set_keyring(SlowKeyring())
        try:
            SystemKeyring(limit_s=0.05).read()
        except StorageError as exc:
            print(exc)
    """
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=True
    )
    assert ended.stdout == "the system's keyring cannot be used: no answer within 0 s\n"
    assert ended.stderr == ""
