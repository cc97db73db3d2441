"""Writes the completion scripts beside this file from the command line itself.

Owns the three dialects, and nothing of sayd: names, summaries and values come from the Typer app.
What it writes is static, so that a press of Tab starts no Python.

    python completions/generate.py           write the scripts
    python completions/generate.py --check   leave them; exit status 1 if one is not current
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from sayd_cli.cli.app import build
from sayd_cli.model.audio import SAMPLE_RATES_HZ

_FOLDER = Path(__file__).parent
_NOTE = "# Made by generate.py from the command line: change that, and run it again."


class Free(Enum):
    """Values that cannot be listed."""

    FILE = "file"
    OTHER = "other"


Values = tuple[str, ...] | Free

_BY_METAVAR: dict[str, Values] = {
    "SOURCE": Free.FILE,
    "FILE": Free.FILE,
    "HZ": tuple(map(str, SAMPLE_RATES_HZ)),
    "LANGUAGE": ("auto", "en", "zh", "multi"),
}
"""Values that the type of a parameter does not tell."""


@dataclass(frozen=True, slots=True)
class Option:
    """An option: its names, the long one first, and its values; None for a flag."""

    names: tuple[str, ...]
    summary: str
    label: str
    values: Values | None
    repeatable: bool
    others: tuple[str, ...]
    """Names of the flag that says the opposite."""


@dataclass(frozen=True, slots=True)
class Argument:
    """A positional argument."""

    label: str
    values: Values
    repeatable: bool


@dataclass(frozen=True, slots=True)
class Command:
    """A command with everything below it; ``path`` begins with the program."""

    path: tuple[str, ...]
    summary: str
    options: tuple[Option, ...]
    arguments: tuple[Argument, ...]
    commands: tuple[Command, ...]

    @property
    def name(self) -> str:
        """The last word of its path."""
        return self.path[-1]

    @property
    def where(self) -> str:
        """Its path in one string: ``sayd sessions list``."""
        return " ".join(self.path)

    def walk(self) -> Iterator[Command]:
        """Itself, then all below it."""
        yield self
        for command in self.commands:
            yield from command.walk()


def command_tree() -> Command:
    """The whole command line, as the app has it."""
    return _command(typer.main.get_command(build()), ("sayd",), None)


def _command(command: Any, path: tuple[str, ...], parent: Any) -> Command:
    # Any, because Typer carries its own copy of Click in new releases and uses Click in old ones.
    context = command.make_context(path[-1], [], parent=parent, resilient_parsing=True)
    shown = [item for item in command.get_params(context) if not item.hidden]
    options = [item for item in shown if item.param_type_name == "option"]
    arguments = [item for item in shown if item.param_type_name == "argument"]
    below = command.commands if isinstance(command, TyperGroup) else {}
    return Command(
        path,
        (command.help or "").partition("\n")[0],
        tuple(option for item in options for option in _options(item, context)),
        tuple(
            Argument(_label(item), _values(item, context), item.nargs != 1) for item in arguments
        ),
        tuple(
            _command(item, (*path, name), context)
            for name, item in below.items()
            if not item.hidden
        ),
    )


def _options(item: Any, context: Any) -> Iterator[Option]:
    values = None if item.is_flag or item.count else _values(item, context)
    yes, no = (
        tuple(sorted(names, key=len, reverse=True)) for names in (item.opts, item.secondary_opts)
    )
    for names, others in ((yes, no), (no, yes)):
        if names:
            yield Option(names, item.help or "", _label(item), values, item.multiple, others)


def _label(item: Any) -> str:
    label: str = item.metavar or item.name.strip("_")
    return label


def _values(item: Any, context: Any) -> Values:
    choices = tuple(choice.value for choice in item.shell_complete(context, "") if choice.value)
    return choices or _BY_METAVAR.get(item.metavar, Free.OTHER)


def bash(root: Command) -> str:
    """The script for bash 4 or later."""
    below = "|".join(_quoted(command.where) for command in root.walk() if command is not root)
    valued, offers = [], []
    for command in root.walk():
        for option in command.options:
            if option.values is not None:
                after = "|".join(_quoted(f"{command.where} {name}") for name in option.names)
                valued.append(f"        {after}) {_bash_offer(option.values)} ;;")
        names = tuple(name for option in command.options for name in option.names)
        offers.append(f"                {_quoted(f'{command.where} -')}) {_bash_offer(names)} ;;")
        words = tuple(item.name for item in command.commands)
        for values in [words] if words else [item.values for item in command.arguments[:1]]:
            offers.append(f"                {_quoted(command.where)}) {_bash_offer(values)} ;;")
    return _BASH.format(note=_NOTE, below=below, valued="\n".join(valued), offers="\n".join(offers))


def _bash_offer(values: Values) -> str:
    if values is Free.FILE:
        return "compopt -o default"
    return f"words={_quoted(' '.join(values))}" if isinstance(values, tuple) else ":"


_BASH = """\
{note}

_sayd() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD - 1]}}
    local path=sayd words= at
    COMPREPLY=()

    # bash takes `--format=srt` for three words.
    if [[ $current == = ]]; then
        current=
    elif [[ $previous == = ]]; then
        previous=${{COMP_WORDS[COMP_CWORD - 2]}}
    fi

    for ((at = 1; at < COMP_CWORD; at++)); do
        case "$path ${{COMP_WORDS[at]}}" in
            {below})
                path+=" ${{COMP_WORDS[at]}}" ;;
        esac
    done

    case "$path $previous" in
{valued}
        *)
            [[ $current == -* ]] && path+=" -"
            case $path in
{offers}
            esac ;;
    esac
    [[ -n $words ]] && COMPREPLY=($(compgen -W "$words" -- "$current"))
    return 0
}}

complete -F _sayd sayd
"""


def zsh(root: Command) -> str:
    """The script for zsh: a function for each command, in the form that ``_arguments`` reads."""
    return _ZSH.format(note=_NOTE, functions="\n".join(map(_zsh_function, root.walk())))


def _zsh_function(command: Command) -> str:
    specs = [_quoted(spec) for option in command.options for spec in _zsh_option(option)]
    if command.commands:
        specs += ["'1: :->command'", "'*:: :->below'"]
    for place, argument in enumerate(command.arguments, 1):
        at = "*" if argument.repeatable else str(place)
        specs.append(_quoted(f"{at}:{_zsh_label(argument.label)}:{_zsh_action(argument.values)}"))
    lines = [
        f"{_zsh_name(command)}() {{",
        "    local context state state_descr line",
        "    typeset -A opt_args",
        "    _arguments -s -S -C \\",
        *(f"        {spec} \\" for spec in specs[:-1]),
        f"        {specs[-1]}",
    ]
    if command.commands:
        described = [_quoted(f"{below.name}:{below.summary}") for below in command.commands]
        lines += [
            "    case $state in",
            "        command)",
            "            local -a commands",
            "            commands=(",
            *(f"                {text}" for text in described),
            "            )",
            "            _describe -t commands command commands ;;",
            "        below)",
            "            case $words[1] in",
            *(f"                {b.name}) {_zsh_name(b)} ;;" for b in command.commands),
            "            esac ;;",
            "    esac",
        ]
    return "\n".join((*lines, "}", ""))


def _zsh_name(command: Command) -> str:
    return "_" + "_".join(command.path)


def _zsh_option(option: Option) -> Iterator[str]:
    every = " ".join((*option.names, *option.others))
    first = "*" if option.repeatable else f"({every})"
    summary = "".join(f"\\{letter}" if letter in "[]\\:" else letter for letter in option.summary)
    for name in option.names:
        if option.values is None:
            yield f"{first}{name}[{summary}]"
        else:
            joined = "=" if name.startswith("--") else "+"
            label, action = _zsh_label(option.label), _zsh_action(option.values)
            yield f"{first}{name}{joined}[{summary}]:{label}:{action}"


def _zsh_label(label: str) -> str:
    return label.replace("\\", "\\\\").replace(":", "\\:")


def _zsh_action(values: Values) -> str:
    if values is Free.FILE:
        return "_files"
    return f"({' '.join(values)})" if isinstance(values, tuple) else " "


_ZSH = """\
#compdef sayd
{note}

{functions}
# Run when compinit loads this as a function; name it when it is read as a script.
if [[ $funcstack[1] == _sayd ]]; then
    _sayd "$@"
else
    compdef _sayd sayd
fi
"""


def fish(root: Command) -> str:
    """The script for fish 3.0 or later."""
    places = " ".join(_quoted(command.where) for command in root.walk() if command is not root)
    lines = []
    for command in root.walk():
        start = f"complete -c sayd -n {_quoted(f'__sayd_at {command.where}')}"
        for below in command.commands:
            lines.append(f"{start} -a {below.name} -d {_quoted(below.summary)}")
        for argument in command.arguments[:1]:
            lines.append(f"{start} {_fish_values(argument.values)}")
        for option in command.options:
            names = [_fish_name(name) for name in option.names]
            values = [] if option.values is None else ["-r", _fish_values(option.values)]
            lines.append(" ".join((start, *names, *values, "-d", _quoted(option.summary))))
        lines.append("")
    return _FISH.format(note=_NOTE, places=places, lines="\n".join(lines).rstrip())


def _fish_name(name: str) -> str:
    return f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}"


def _fish_values(values: Values) -> str:
    if values is Free.FILE:
        return "-F"
    return f"-f -a {_quoted(' '.join(values))}" if isinstance(values, tuple) else "-f"


_FISH = """\
{note}

function __sayd_at --description 'Whether the words so far lead to this command'
    set -l path sayd
    for word in (commandline -opc)[2..-1]
        if contains -- "$path $word" {places}
            set path "$path $word"
        end
    end
    test "$path" = "$argv"
end

complete -c sayd -f
{lines}
"""


def _quoted(text: str) -> str:
    """In single quotes, as all three shells read them."""
    return "'" + text.replace("'", "'\\''") + "'"


def main(arguments: list[str]) -> int:
    """Write the scripts, or check them; gives the exit status."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write("usage: generate.py [--check]\n")
        return 2
    root = command_tree()
    stale = False
    for name, text in {
        "sayd.bash": bash(root),
        "_sayd": zsh(root),
        "sayd.fish": fish(root),
    }.items():
        script = _FOLDER / name
        if script.is_file() and script.read_text(encoding="utf-8") == text:
            continue
        if arguments:
            sys.stderr.write(f"completions/{name} is not current; run completions/generate.py\n")
            stale = True
        else:
            script.write_text(text, encoding="utf-8", newline="\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
