"""Text from elsewhere, made safe to show: what a terminal would obey is taken out of it.

Owns what counts as unsafe. Refuses to know where text comes from or goes to, or what it means.
"""

from __future__ import annotations

import re

_BREAKS = re.compile("[\t\n\v\f\r\x85\u2028\u2029]+")

# Characters that show nothing and only steer: control characters other than those that begin or
# end an escape sequence (these are wanted whole, below), bidi embeddings, overrides and isolates,
# zero-width spaces and operators, annotation marks, the byte order mark, noncharacters, lone
# surrogates. What writing needs stays: combining marks, the joiners (U+200C, U+200D), variation
# selectors, and the direction marks U+200E, U+200F and U+061C, which reorder no letters.
_INVISIBLE = re.compile(
    "[\x00-\x06\x08-\x1a\x1c-\x1f\x7f"
    "\u200b\u202a-\u202e\u2060-\u206f\ufdd0-\ufdef\ufeff\ufff9-\ufffb\ud800-\udfff"
    + "".join(
        f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000)
    )
    + "]"
)

# ECMA-48, section 5.4 and 8.3. A control string (OSC, DCS, SOS, PM, APC) goes with its content,
# up to its terminator; one that is never terminated loses its introducer and its number only, so
# that one stray byte cannot swallow a sentence. The parameters of CSI are taken as terminals take
# them, wrong order included.
_ESCAPES = re.compile(
    "(?:\x1b[\\]PX^_]|[\x90\x98\x9d\x9e\x9f])"
    "(?:[^\x07\x1b\x80-\x9f]*(?:\x07|\x1b\\\\|\x9c)|[0-9]*;?)"
    "|(?:\x1b\\[|\x9b)[ -?]*[@-~]?"
    "|\x1b[ -/]*[0-~]?"
)

# Tag characters show nothing and can carry a whole hidden text. The flags of England, Scotland,
# Wales and the like are written with them, and only in this form (Unicode Technical Standard 51,
# ED-14a).
_TAGS = re.compile(
    "(\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{1,6}\U000e007f)"
    "|[\U000e0000-\U000e007f]"
)

_LEFT_OVER = re.compile("[\x07\x1b\x80-\x9f]")


def sanitize(text: str) -> str:
    """The text without anything that a terminal would act on instead of showing.

    Line breaks and tabs become single spaces; control characters, escape sequences with their
    parameters, bidi overrides and isolates, hidden text in tag characters, noncharacters and lone
    surrogates are gone. Applying it again changes nothing.
    """
    if text.isascii() and text.isprintable():
        return text
    text = _BREAKS.sub(" ", text)
    text = _INVISIBLE.sub("", text)
    text = _ESCAPES.sub("", text)
    text = _LEFT_OVER.sub("", text)
    return _TAGS.sub(lambda found: found[1] or "", text)
