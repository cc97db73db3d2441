"""The Moonshine speech model of moonshine-voice 0.1.0, through its C interface.

Owns finding, checking and loading the weights, and one-shot decodes. Its Python classes are not
used: importing the package takes 0.2 s, and they copy every sample through a list while holding
the interpreter's lock (14 ms for 6 s of audio). The four C functions here are those of its public
header, ``moonshine-c-api.h``; the release is pinned, and weights of another release are refused.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING

from sayd_cli.engine.recordings import package_folder
from sayd_cli.errors import EngineMissingError, SaydError

if TYPE_CHECKING:
    from sayd_cli.engine.level import Samples

SAMPLE_RATE_HZ = 16000
_HEADER_VERSION = 30000
_ARCHITECTURE_TINY = 0
_LIBRARIES = {
    "Linux": "libmoonshine.so",
    "Darwin": "libmoonshine.dylib",
    "Windows": "moonshine.dll",
}
_WEIGHTS_SHA256 = {
    "encoder_model.ort": "94e90a4654fc45cdfedb77c4c08e1739f48862998e58fada384b25118134f221",
    "decoder_model_merged.ort": "cf524c4862d36e9e5ab032eddc73637efd822d70e868ac575cf1a46e1e4708a0",
    "tokenizer.bin": "6884b35fd6377d4c4d32336a0bc152f36b64d1e45b6503683cdc238250a8472d",
}
_OPTIONS = {
    # The library's own VAD is one for the whole process; ours stands in front of it.
    "vad_threshold": "0",
    "vad_max_segment_duration": "60",
    # Otherwise each result carries its audio.
    "return_audio_data": "false",
}
_REINSTALL = "pip install --force-reinstall 'sayd-cli[local]'; or use the service: sayd auth login"


class _Option(ctypes.Structure):
    _fields_ = (("name", ctypes.c_char_p), ("value", ctypes.c_char_p))


class _Line(ctypes.Structure):
    _fields_ = (
        ("text", ctypes.c_char_p),
        ("audio_data", ctypes.c_void_p),
        ("audio_data_count", ctypes.c_size_t),
        ("start_time", ctypes.c_float),
        ("duration", ctypes.c_float),
        ("id", ctypes.c_uint64),
        ("is_complete", ctypes.c_int8),
        ("is_updated", ctypes.c_int8),
        ("is_new", ctypes.c_int8),
        ("has_text_changed", ctypes.c_int8),
        ("have_speakers_changed", ctypes.c_int8),
        ("speaker_spans", ctypes.c_void_p),
        ("speaker_span_count", ctypes.c_uint64),
        ("last_transcription_latency_ms", ctypes.c_uint32),
        ("words", ctypes.c_void_p),
        ("word_count", ctypes.c_uint64),
    )


class _Transcript(ctypes.Structure):
    _fields_ = (("lines", ctypes.POINTER(_Line)), ("line_count", ctypes.c_uint64))


def weights_folder() -> Path:
    """Where the installed package keeps the weights of the tiny English model.

    Raises:
        EngineMissingError: The package is not installed.
    """
    return package_folder() / "assets" / "tiny-en"


def check_weights(folder: Path) -> None:
    """Compare the weights with the hashes of the release that was measured; reads 44 MB.

    Raises:
        EngineMissingError: One is missing, or is not what it should be.
    """
    for name, expected in _WEIGHTS_SHA256.items():
        try:
            with (folder / name).open("rb") as file:
                actual = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as exc:
            raise EngineMissingError(
                f"the local engine's weights cannot be read: {name}", _REINSTALL
            ) from exc
        if actual != expected:
            raise EngineMissingError(
                f"the local engine's weights are not those of moonshine-voice 0.1.0: {name}",
                _REINSTALL,
            )


class MoonshineModel:
    """One loaded model. Decodes one clip at a time; several models decode side by side.

    ``close`` must not run during a decode: the library would crash.

    Args:
        folder: The weights, already checked.

    Raises:
        EngineMissingError: The library or the weights cannot be loaded.
    """

    def __init__(self, folder: Path) -> None:
        # Read by the library at load. Its own thread pool costs more than it gives on clips of
        # a few seconds: 0.37 against 0.15 s of processor time for a second of speech.
        os.environ["MOONSHINE_ORT_SINGLE_THREAD"] = "1"
        self._library = _library()
        options = (_Option * len(_OPTIONS))(
            *(_Option(name.encode(), value.encode()) for name, value in _OPTIONS.items())
        )
        handle = int(
            self._library.moonshine_load_transcriber_from_files(
                os.fsencode(folder), _ARCHITECTURE_TINY, options, len(options), _HEADER_VERSION
            )
        )
        if handle < 0:
            raise EngineMissingError(
                f"the local engine could not be loaded: {self._reason(handle)}", _REINSTALL
            )
        self._handle: int | None = handle

    def transcribe(self, samples: Samples) -> str:
        """The text of a clip, stripped; may be empty.

        Args:
            samples: float32 in -1 to 1, one dimension, contiguous, 16 kHz.

        Raises:
            SaydError: The decode failed.
        """
        if self._handle is None:
            raise SaydError("the local engine is closed")
        out = ctypes.POINTER(_Transcript)()
        code = int(
            self._library.moonshine_transcribe_without_streaming(
                self._handle,
                samples.ctypes.data_as(ctypes.POINTER(ctypes.c_float)),
                len(samples),
                SAMPLE_RATE_HZ,
                0,
                ctypes.byref(out),
            )
        )
        if code < 0:
            raise SaydError(f"the local engine failed on a clip: {self._reason(code)}")
        if not out:
            return ""
        transcript = out.contents
        lines = (transcript.lines[at].text or b"" for at in range(transcript.line_count))
        return " ".join(line.decode("utf-8", "replace").strip() for line in lines).strip()

    def close(self) -> None:
        """Free the model; safe to call twice."""
        handle, self._handle = self._handle, None
        if handle is not None:
            self._library.moonshine_free_transcriber(handle)

    def _reason(self, code: int) -> str:
        text: bytes | None = self._library.moonshine_error_to_string(code)
        return text.decode("utf-8", "replace") if text else f"error {code}"


def _library() -> ctypes.CDLL:
    path = package_folder() / _LIBRARIES.get(platform.system(), "libmoonshine.so")
    try:
        library = ctypes.CDLL(str(path))
    except OSError as exc:
        raise EngineMissingError(
            f"the local engine does not run on this system: {exc}",
            "or use the service: sayd auth login",
        ) from exc
    library.moonshine_error_to_string.restype = ctypes.c_char_p
    library.moonshine_error_to_string.argtypes = [ctypes.c_int32]
    library.moonshine_load_transcriber_from_files.restype = ctypes.c_int32
    library.moonshine_load_transcriber_from_files.argtypes = [
        ctypes.c_char_p,
        ctypes.c_uint32,
        ctypes.POINTER(_Option),
        ctypes.c_uint64,
        ctypes.c_int32,
    ]
    library.moonshine_free_transcriber.restype = None
    library.moonshine_free_transcriber.argtypes = [ctypes.c_int32]
    library.moonshine_transcribe_without_streaming.restype = ctypes.c_int32
    library.moonshine_transcribe_without_streaming.argtypes = [
        ctypes.c_int32,
        ctypes.POINTER(ctypes.c_float),
        ctypes.c_uint64,
        ctypes.c_int32,
        ctypes.c_uint32,
        ctypes.POINTER(ctypes.POINTER(_Transcript)),
    ]
    return library
