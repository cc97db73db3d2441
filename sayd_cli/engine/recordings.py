"""The recordings of real speech that the engine's package carries; only their places.

The package is found without being imported: importing it takes 0.2 s.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from sayd_cli.errors import EngineMissingError

PACKAGE = "moonshine_voice"
_DEMO = "two_cities.wav"


def package_folder() -> Path:
    """Where the engine's package is.

    Raises:
        EngineMissingError: It is not installed.
    """
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise EngineMissingError(
            "the local engine is not installed",
            "pip install 'sayd-cli[local]'; or use the service: sayd auth login",
        )
    return Path(spec.origin).parent


def recording(name: str) -> Path:
    """Where the recording of that file name is.

    Raises:
        EngineMissingError: The package, or the recording in it, is not there.
    """
    path = package_folder() / "assets" / name
    if not path.is_file():
        raise EngineMissingError(
            f"the local engine's package holds no {name}",
            "pip install --force-reinstall 'sayd-cli[local]'",
        )
    return path


def demo_recording() -> Path:
    """The opening of A Tale of Two Cities, read aloud: 44 s of English at 48 kHz.

    Raises:
        EngineMissingError: The engine's package is not installed.
    """
    return recording(_DEMO)
