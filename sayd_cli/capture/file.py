"""An audio file: anything libsndfile reads, of any plausible rate and number of channels.

Owns the file and its decoding; never holds more of it than a second or so.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from sayd_cli.audio.conversion import to_mono
from sayd_cli.audio.plausibility import refuse_implausible
from sayd_cli.audio.resampling import Resampler
from sayd_cli.capture.daemon import in_daemon_thread
from sayd_cli.capture.decoder import LENGTH_UNKNOWN_FRAMES, open_decoder
from sayd_cli.capture.readahead import ReadAheadSource
from sayd_cli.errors import InputError

_BLOCK_S = 0.5
# Over all channels; 1 MB as floats. A read takes up a whole block, however short the file.
_BLOCK_SAMPLES_MAX = 1 << 18
# Read ahead while the last block is used; a file waits, so more would gain nothing.
_AHEAD_S = 1
# Encoders pad, and count what they padded: a little less than announced says nothing.
_SHORT_S = 0.5


class FileSource(ReadAheadSource):
    """A source that is read as fast as wanted.

    Args:
        path: The file.
        sample_rate_hz: The rate of the frames; the file is converted to it.

    Raises:
        InputError: On entering, it cannot be read or is no audio; on iterating, it is damaged
            further on.
    """

    can_wait = True

    def __init__(self, path: str | Path, sample_rate_hz: int) -> None:
        super().__init__(sample_rate_hz, _AHEAD_S)
        self._path = Path(path)
        self._notices: list[str] = []

    async def __aenter__(self) -> Self:
        file = await in_daemon_thread(
            lambda: _open(self._path), name="file-open", limit_s=None, discard=lambda f: f.close()
        )
        self._read_ahead(self._blocks(file), "file-read")
        return self

    def stop(self) -> None:
        """Give no more: what was read ahead had not sounded yet, and is still in the file."""
        self._handover.discard()

    def notices(self) -> list[str]:
        """That the file broke off, where the decoder did not call it an error."""
        return list(self._notices)

    def _blocks(self, file: Any) -> Iterator[bytes]:
        """The file as PCM16 at the wanted rate; closes it."""
        import soundfile

        resampler = Resampler(file.samplerate, self._sample_rate_hz)
        block_frames = min(int(file.samplerate * _BLOCK_S), _BLOCK_SAMPLES_MAX // file.channels)
        read_frames = 0
        with file:
            while True:
                try:
                    samples = file.read(block_frames, dtype="float32", always_2d=True)
                except soundfile.SoundFileError as exc:
                    yield resampler.flush()
                    raise InputError(
                        f"{self._path} is damaged after {read_frames / file.samplerate:.1f} s",
                        "what comes before was used; mend or convert the file for the rest",
                    ) from exc
                if not len(samples):
                    break
                read_frames += len(samples)
                yield resampler.push(to_mono(samples))
        if not read_frames:
            raise InputError(f"{self._path} holds no audio", "record something, then try again")
        yield resampler.flush()
        missing_frames = file.frames - read_frames
        if file.frames != LENGTH_UNKNOWN_FRAMES and missing_frames > file.samplerate * _SHORT_S:
            self._notices.append(
                f"{self._path} breaks off: {read_frames / file.samplerate:.1f} s of the"
                f" {file.frames / file.samplerate:.1f} s that it announces could be read"
            )


def _open(path: Path) -> Any:
    _check(path)
    file = open_decoder(path)
    try:
        refuse_implausible(str(path), file.samplerate, file.channels)
    except InputError:
        file.close()
        raise
    return file


def _check(path: Path) -> None:
    """Say plainly what libsndfile would call a system error."""
    try:
        if path.is_dir():
            raise InputError(f"{path} is a directory", "name an audio file in it")
        if path.exists() and not path.is_file():
            raise InputError(f"{path} is not a regular file", "for a pipe: sayd listen - < PIPE")
        with path.open("rb") as file:
            empty = not file.read(1)
    except FileNotFoundError as exc:
        raise InputError(f"{path} does not exist", "check its name") from exc
    except PermissionError as exc:
        raise InputError(f"{path} may not be read", "check its permissions") from exc
    except (OSError, ValueError) as exc:
        raise InputError(f"{path} cannot be read: {exc}", "check its name") from exc
    if empty:
        raise InputError(f"{path} is empty", "check how it was made")
    if path.suffix.lower() == ".raw":
        raise InputError(
            f"{path} has no header that says what it is",
            "if it is PCM16 mono: sayd listen - --rate RATE < FILE",
        )
