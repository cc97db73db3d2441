"""Keyrings in the form of the keyring library, for its ``PYTHON_KEYRING_BACKEND`` and for tests.

Where they keep things is told by ``KEYRING_FILE``, so that two processes can share one.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from threading import Event

from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked


class FileKeyring(KeyringBackend):
    """One that works."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def get_password(self, service: str, username: str) -> str | None:
        value = self._entries().get(f"{service}/{username}")
        return None if value is None else str(value)

    def set_password(self, service: str, username: str, password: str) -> None:
        self._save({**self._entries(), f"{service}/{username}": password})

    def delete_password(self, service: str, username: str) -> None:
        entries = self._entries()
        del entries[f"{service}/{username}"]
        self._save(entries)

    def _entries(self) -> dict[str, str]:
        path = self._path()
        return dict(json.loads(path.read_text("utf-8"))) if path.exists() else {}

    def _save(self, entries: dict[str, str]) -> None:
        self._path().write_text(json.dumps(entries), "utf-8")

    def _path(self) -> Path:
        return Path(os.environ["KEYRING_FILE"])


class LockedKeyring(FileKeyring):
    """One whose owner did not unlock it."""

    def get_password(self, service: str, username: str) -> str | None:
        raise KeyringLocked("dismissed")

    def set_password(self, service: str, username: str, password: str) -> None:
        raise KeyringLocked(f"dismissed: {password}")

    def delete_password(self, service: str, username: str) -> None:
        raise KeyringLocked("dismissed")


class ForgetfulKeyring(FileKeyring):
    """One that keeps nothing, and says nothing of it."""

    def set_password(self, service: str, username: str, password: str) -> None:
        pass


class SlowKeyring(FileKeyring):
    """One that answers when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = Event()

    def get_password(self, service: str, username: str) -> str | None:
        self.go_on.wait(60)
        return super().get_password(service, username)


class UntouchableKeyring(FileKeyring):
    """One that must not be asked; it remembers when it is."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def _path(self) -> Path:
        self.asked += 1
        return super()._path()
