"""Opening audio files so that reading them by blocks gives all that is in them, undamaged.

Owns soundfile and the two traps of it that MP3 springs; knows nothing of rates or frames.
"""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path
from typing import Any

from sayd_cli.errors import InputError

LENGTH_UNKNOWN_FRAMES = (1 << 63) - 1
"""What libsndfile gives as the length of what it cannot measure."""


def open_decoder(path: Path) -> Any:
    """The file as a ``soundfile.SoundFile`` that is read from its beginning to its end.

    Raises:
        InputError: It is not audio, or libsndfile is missing.
    """
    try:
        import soundfile
    except OSError as exc:
        raise InputError(
            "the library that reads audio files, libsndfile, is not installed",
            "pip install --force-reinstall soundfile",
        ) from exc

    class Sequential(soundfile.SoundFile):  # type: ignore[misc]
        """Never seeks. soundfile seeks after each read where it can, which resets the MP3
        decoder: about 50 ms of wrong samples at the start of every block.
        """

        def seekable(self) -> bool:
            return False

    try:
        file = Sequential(path)
    except soundfile.SoundFileError as exc:
        raise InputError(
            f"{path} is not audio in a known format",
            "use WAV, FLAC, OGG or MP3; to convert: ffmpeg -i FILE out.wav",
        ) from exc
    if file.format != "MP3" or os.name == "nt":  # there libsndfile takes no descriptor of Python's
        return file
    unmeasured = _open_unmeasured(path, Sequential)
    if unmeasured is None:
        return file
    file.close()
    return unmeasured


def _open_unmeasured(path: Path, sound_file: Any) -> Any:
    """An MP3 that does not say how long it is, opened down a pipe; None when it does say.

    Without a Xing or VBRI header libsndfile guesses the length from the first frame, and reads no
    further: of a recording of varying bit rate, 26 s out of 44. Down a pipe it cannot guess, and
    reads to the end.
    """
    import soundfile

    read_fd, write_fd = os.pipe()
    threading.Thread(target=_feed, args=(path, write_fd), name="mp3-feed", daemon=True).start()
    try:
        file = sound_file(read_fd, closefd=True)
    except soundfile.SoundFileError:
        return None  # libsndfile has closed the descriptor
    if file.frames == LENGTH_UNKNOWN_FRAMES:
        return file
    file.close()
    return None


def _feed(path: Path, write_fd: int) -> None:
    """Copy the file into the pipe, until its end or until nobody reads."""
    try:
        with os.fdopen(write_fd, "wb", buffering=0) as pipe, path.open("rb") as source:
            shutil.copyfileobj(source, pipe)
    except OSError:
        return
