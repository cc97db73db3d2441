from __future__ import annotations

import os
import stat
import string
import sys
from collections.abc import Iterator
from pathlib import Path

import keyring.core
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayd_cli.errors import KeyMissingError, KeyRefusedError, StorageError
from sayd_cli.model.secret import Secret
from sayd_cli.settings.credentials import (
    FoundKey,
    KeptKey,
    KeySource,
    find_key,
    key_source,
    remove_key,
    store_key,
)
from sayd_cli.settings.environment import Environment, read_variables
from sayd_cli.settings.paths import credentials_path
from tests.settings.keyrings import FileKeyring, LockedKeyring, UntouchableKeyring

KEY = Secret("sk-one-that-is-kept")
POSIX = pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Environment]:
    """A home of its own, where no keyring is asked."""
    ring = UntouchableKeyring()
    monkeypatch.setattr(keyring.core, "_keyring_backend", ring)
    yield read_variables({"SAYD_HOME": str(tmp_path / "sayd")})
    assert ring.asked == 0


@pytest.fixture
def desktop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """The platform's folders, below a temporary home, and a keyring that works."""
    monkeypatch.setenv("KEYRING_FILE", str(tmp_path / "keyring.json"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr(keyring.core, "_keyring_backend", FileKeyring())
    return read_variables({})


def lock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring.core, "_keyring_backend", LockedKeyring())


def test_the_variable_comes_first(home: Environment) -> None:
    store_key(home, KEY)
    given = read_variables({"SAYD_HOME": home.home or "", "SAYD_API_KEY": "sk-given"})
    assert find_key(given) == FoundKey(Secret("sk-given"), KeySource.VARIABLE)
    assert find_key(home) == FoundKey(KEY, KeySource.FILE)


@pytest.mark.parametrize("value", ["sk 1", "sk\n1", "k\u00e9y", "sk\x00"])
def test_what_cannot_be_a_key_is_refused_without_being_quoted(value: str) -> None:
    environment = read_variables({"SAYD_API_KEY": value})
    assert key_source(environment) is KeySource.VARIABLE
    with pytest.raises(KeyRefusedError) as caught:
        find_key(environment)
    assert value not in caught.value.message + caught.value.remedy


def test_no_key_anywhere(home: Environment) -> None:
    assert key_source(home) is None
    assert find_key(home) is None
    assert remove_key(home) == ()
    assert not Path(home.home or "").exists()


@POSIX
def test_the_file_is_its_owners_alone(home: Environment) -> None:
    before = os.umask(0)
    try:
        assert store_key(home, KEY) == KeptKey(KeySource.FILE)
    finally:
        os.umask(before)
    path = credentials_path(home)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [path.name for path in path.parent.iterdir()] == ["credentials"]


@POSIX
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_file_that_others_can_read_is_not_used(home: Environment, mode: int) -> None:
    store_key(home, KEY)
    path = credentials_path(home)
    path.chmod(mode)
    with pytest.raises(KeyMissingError, match="others can read") as caught:
        find_key(home)
    assert f"chmod 600 {path}" in caught.value.remedy
    with pytest.raises(KeyMissingError):
        key_source(home)
    # Keeping one anew mends it, and removing it needs no repair.
    store_key(home, KEY)
    assert find_key(home) is not None
    path.chmod(mode)
    assert remove_key(home) == (KeySource.FILE,)
    assert key_source(home) is None


@given(st.text(string.ascii_letters + string.digits + string.punctuation, min_size=1))
def test_every_key_comes_back(tmp_path_factory: pytest.TempPathFactory, value: str) -> None:
    environment = read_variables({"SAYD_HOME": str(tmp_path_factory.mktemp("home"))})
    store_key(environment, Secret(value))
    assert find_key(environment) == FoundKey(Secret(value), KeySource.FILE)


@pytest.mark.parametrize("content", [b"", b"sk-bare", b'key = "half', b"key = 5", b"\xff\xfe"])
def test_a_file_of_another_kind(home: Environment, content: bytes) -> None:
    store_key(home, KEY)
    path = credentials_path(home)
    path.write_bytes(content)
    with pytest.raises(KeyMissingError, match="no key to be read") as caught:
        find_key(home)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert "sk-bare" not in str(caught.value)
    assert remove_key(home) == (KeySource.FILE,)


def test_a_folder_in_its_place(home: Environment) -> None:
    credentials_path(home).mkdir(parents=True)
    with pytest.raises(KeyMissingError, match="cannot be read"):
        find_key(home)
    with pytest.raises(StorageError, match="cannot be kept"):
        store_key(home, KEY)
    with pytest.raises(StorageError, match="cannot be removed"):
        remove_key(home)
    assert [path.name for path in credentials_path(home).parent.iterdir()] == ["credentials"]


def test_the_keyring_has_it_and_the_file_says_so(desktop: Environment) -> None:
    assert store_key(desktop, KEY) == KeptKey(KeySource.KEYRING)
    assert KEY.reveal() not in credentials_path(desktop).read_text()
    assert key_source(desktop) is KeySource.KEYRING
    assert find_key(desktop) == FoundKey(KEY, KeySource.KEYRING)
    assert remove_key(desktop) == (KeySource.KEYRING,)
    assert find_key(desktop) is None
    assert remove_key(desktop) == ()


def test_a_keyring_that_was_given_nothing_is_not_asked(
    desktop: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = UntouchableKeyring()
    monkeypatch.setattr(keyring.core, "_keyring_backend", ring)
    assert find_key(desktop) is None
    assert ring.asked == 0


def test_a_locked_keyring_leaves_it_to_the_file(
    desktop: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_key(desktop, Secret("sk-older"))
    lock(monkeypatch)
    kept = store_key(desktop, KEY)
    assert kept.source is KeySource.FILE
    assert "locked" in kept.reason
    # The newer one is used, also when the keyring with the older one is open again.
    monkeypatch.setattr(keyring.core, "_keyring_backend", FileKeyring())
    assert find_key(desktop) == FoundKey(KEY, KeySource.FILE)
    assert remove_key(desktop) == (KeySource.KEYRING, KeySource.FILE)


def test_a_keyring_that_is_locked_later_is_told(
    desktop: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_key(desktop, KEY)
    lock(monkeypatch)
    with pytest.raises(KeyMissingError, match="it is locked") as caught:
        find_key(desktop)
    assert "unlock it" in caught.value.remedy
    with pytest.raises(StorageError, match="it is locked"):
        remove_key(desktop)
    assert key_source(desktop) is KeySource.KEYRING


def test_a_key_that_somebody_took_out_of_the_keyring(desktop: Environment) -> None:
    store_key(desktop, KEY)
    FileKeyring().delete_password("sayd", "api-key")
    with pytest.raises(KeyMissingError, match="has gone"):
        find_key(desktop)


def test_a_locked_keyring_is_no_matter_to_who_keeps_it_in_the_file(
    desktop: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock(monkeypatch)
    store_key(desktop, KEY)
    assert remove_key(desktop) == (KeySource.FILE,)


@pytest.mark.skipif(sys.platform != "linux", reason="needs a full disk, which Linux has")
def test_a_disk_that_is_full(home: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    store_key(home, Secret("sk-older"))
    full = os.open("/dev/full", os.O_WRONLY)
    monkeypatch.setattr("tempfile.mkstemp", lambda **given: (full, str(given["dir"] / "half")))
    with pytest.raises(StorageError, match="No space left"):
        store_key(home, KEY)
    assert find_key(home) == FoundKey(Secret("sk-older"), KeySource.FILE)
