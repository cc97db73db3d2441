"""The man page, in the macros of man(7).

Owns what the command line does not say of itself: the environment, the files, the examples.
Commands, options and exit statuses are those of the code.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator

from tree import Argument, Command, Option

from sayd_cli import __version__
from sayd_cli.errors import SaydError

_DESCRIPTION = (
    "sayd listens to a microphone, an audio file or a pipe, and prints what is said while it is "
    "being said. It is a client of the Sayd Listen API; without a key and without a network it "
    "does the same with a speech engine of its own, on this machine.",
    "Results go to standard output, everything else to standard error. On a terminal, final "
    "sentences scroll up and stay, with interim text and a status line below them; in a pipe there "
    "are final sentences only, a line each, written as they come.",
    "Ctrl-C, SIGTERM, SIGHUP, the end of the input and every option that stops do the same: what "
    "was captured is sent, and the last words are waited for and printed. A second Ctrl-C leaves "
    "at once; what was not heard by then, `sayd recover` finishes.",
)

_ENVIRONMENT = {
    "SAYD_API_KEY": "The key to the service, before the one that `sayd auth login` keeps. There is "
    "no option for it: options show in ps(1), and in the history of the shell.",
    "SAYD_BASE_URL": "Another service than https://api.sayd.dev.",
    "SAYD_BACKEND": "auto, cloud or local: who listens, where no option says it.",
    "SAYD_HOME": "One folder for everything that sayd keeps, in place of those below.",
    "SAYD_LOG": "debug, or a file to log to. No log ever holds keys, or what was said.",
    "NO_COLOR, FORCE_COLOR, TERM, COLUMNS": "As everywhere.",
}
_FOR_COMMANDS = {
    "SAYD_TEXT": "The sentence.",
    "SAYD_INDEX": "Its number, from 0.",
    "SAYD_START, SAYD_END": "Its times, in seconds from the first captured sample.",
    "SAYD_SESSION_ID": "The session it was heard in.",
    "SAYD_LANGUAGE": "Its language, where that is known.",
    "SAYD_UNCONFIRMED": "1 where the service never confirmed it; else absent.",
}

_FILES = {
    "~/.config/sayd/config.toml": "Settings: in [listen], the name of any option of `sayd listen` "
    "without its dashes; in [service], base-url and backend. `sayd config show` tells where each "
    "value comes from: from an option, the environment, this file, or the default, in that order.",
    "~/.config/sayd/credentials": "The key, where the system has no keyring.",
    "~/.local/share/sayd/history.sqlite3": "What was heard on this machine.",
    "~/.local/share/sayd/server.sqlite3": "What `sayd serve` was sent.",
    "~/.local/state/sayd/spool/": "Captured audio until it is confirmed; `sayd recover` reads it.",
}
_FILES_ELSEWHERE = (
    "XDG_CONFIG_HOME, XDG_DATA_HOME and XDG_STATE_HOME move these. On macOS, all of them are in "
    "~/Library/Application Support/sayd."
)

_EXAMPLES = {
    "sayd demo": "See what it does: no microphone, no key.",
    "sayd listen": "Listen to the microphone, until Ctrl-C.",
    "sayd listen -o talk.srt -o talk.md talk.mp3": "Subtitles and notes from a recording.",
    "sayd listen -f jsonl | jq -r .text": "Each sentence as JSON, for another program.",
    'case "$(sayd listen --once)" in *light*) echo "switching the light" ;; esac': "A voice "
    "command.",
    "sayd listen --exec 'notify-send \"$SAYD_TEXT\"'": "Run a command for each sentence.",
    "sayd sessions show last -t": "What was heard before, with times.",
}

_STATUS_0 = "Done. It is no failure that whoever reads standard output has closed it."
_STATUS_1 = "A bug in sayd."


def manual(root: Command) -> str:
    """The page."""
    lines = [
        '.\\" Made by completions/generate.py: change the command line, and run it again.',
        f'.TH SAYD 1 "" "sayd {__version__}" "User Commands"',
        ".SH NAME",
        f"sayd \\- {_text(_as_a_phrase(root.summary))}",
        ".SH SYNOPSIS",
        *_synopsis(root),
        ".SH DESCRIPTION",
        *_paragraphs(_DESCRIPTION),
        ".SH OPTIONS",
        *_paragraphs(["These stand before the command; --help after any command as well."]),
        *_options(root.options),
        ".SH COMMANDS",
    ]
    for command in root.walk():
        if command is not root:
            lines += _command(command)
    lines += [
        ".SH ENVIRONMENT",
        *_items(_ENVIRONMENT),
        ".PP",
        _text("A command that --exec runs has these as well, and never the key:"),
        *_items(_FOR_COMMANDS),
        ".SH FILES",
        *_items(_FILES),
        *_paragraphs([_FILES_ELSEWHERE]),
        ".SH EXIT STATUS",
        *_items({str(status): text for status, text in exit_statuses().items()}),
        *_paragraphs(
            [
                "Errors are one or two lines on standard error: what happened, then what to do. "
                "`sayd --debug` adds the traceback."
            ]
        ),
        ".SH EXAMPLES",
    ]
    for line, meaning in _EXAMPLES.items():
        lines += [".PP", _text(meaning), ".PP", ".RS 4", ".nf", _bold(line), ".fi", ".RE"]
    return "\n".join(lines) + "\n"


def exit_statuses() -> dict[int, str]:
    """What each exit status means: the first lines of the errors that have it."""
    meanings = {0: [_STATUS_0], 1: [_STATUS_1]}
    for error in _below(SaydError):
        meaning = (inspect.getdoc(error) or "").partition("\n")[0]
        meanings.setdefault(error.exit_status, []).append(meaning)
    return {status: " ".join(meanings[status]) for status in sorted(meanings)}


def _below(error: type[SaydError]) -> Iterator[type[SaydError]]:
    for each in error.__subclasses__():
        yield each
        yield from _below(each)


def _synopsis(root: Command) -> Iterator[str]:
    for command in root.walk():
        # A group that does something by itself has options of its own, beside --help.
        if command is root or (command.commands and len(command.options) == 1):
            continue
        yield _usage(command)
        yield ".br"
    yield f"{_bold('sayd')} {_bold('--help')} | {_bold('--version')}"


def _usage(command: Command) -> str:
    options = [f"[{_italic('option')} ...]"] if len(command.options) > 1 else []
    return " ".join((_bold(command.where), *options, *map(_shown, command.arguments)))


def _shown(argument: Argument) -> str:
    shown = _italic(argument.label.rstrip("…")) + (" ..." if argument.repeatable else "")
    return shown if argument.required else f"[{shown}]"


def _command(command: Command) -> Iterator[str]:
    yield f'.SS "{" ".join((_escaped(command.where), *map(_shown, command.arguments)))}"'
    yield _text(command.summary)
    yield from _paragraphs(command.details)
    for argument in command.arguments:
        yield from (".TP", _shown(argument), _text(argument.summary))
    yield from _options(option for option in command.options if "--help" not in option.names)


def _options(options: Iterable[Option]) -> Iterator[str]:
    for option in options:
        if option.inverse:
            continue
        value = "" if option.values is None else f" {_italic(option.label)}"
        # The short one first, the long one with the value, as manuals have it.
        names = (*reversed(option.names), *option.others)
        yield from (".TP", ", ".join(map(_bold, names)) + value)
        yield _text(" ".join((option.summary, *_more(option))))


def _more(option: Option) -> Iterator[str]:
    if option.closed and isinstance(option.values, tuple):
        yield f"One of {', '.join(option.values)}."
    if option.default:
        yield f"Default: {option.default}."


def _items(items: dict[str, str]) -> Iterator[str]:
    for name, text in items.items():
        yield from (".TP", _bold(name), _text(text))


def _paragraphs(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        yield from (".PP", _text(text))


def _as_a_phrase(sentence: str) -> str:
    """As the line below NAME has it, which makes the page found by apropos(1)."""
    return sentence[0].lower() + sentence[1:].rstrip(".")


def _text(text: str) -> str:
    """Running text; what stands between backticks is bold."""
    plain, *rest = re.split("`([^`]*)`", text)
    parts = [_escaped(plain)]
    for code, after in zip(rest[::2], rest[1::2], strict=True):
        parts += [_bold(code), _escaped(after)]
    line = "".join(parts)
    return f"\\&{line}" if line[:1] in (".", "'") else line


def _bold(text: str) -> str:
    return f"\\fB{_escaped(text)}\\fR"


def _italic(text: str) -> str:
    return f"\\fI{_escaped(text)}\\fR"


_SPECIAL = {
    "\\": "\\e",
    "-": "\\-",
    "'": "\\(aq",
    '"': "\\(dq",
    "`": "\\(ga",
    "^": "\\(ha",
    "~": "\\(ti",
}


def _escaped(text: str) -> str:
    """As it is meant, in ASCII: groff reads a file as Latin-1, unless man(1) tells it not to."""
    return "".join(
        _SPECIAL.get(each, each if each.isascii() else f"\\[u{ord(each):04X}]") for each in text
    )
