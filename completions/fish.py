"""The completion script for fish 3.1 or later."""

from __future__ import annotations

from dialects import NOTE, quoted
from tree import Command, Kind, Values

_OFFERS = {
    Kind.FILE: "-F",
    Kind.PROGRAM: "-f -a '(__fish_complete_command)'",
    Kind.DEVICE: "-f -k -a '(__sayd_devices)'",
    Kind.SESSION: "-f -k -a '(__sayd_sessions)'",
    Kind.INTERRUPTED: "-f -k -a '(__sayd_interrupted)'",
    Kind.FREE: "-f",
}


def fish(root: Command) -> str:
    """The script."""
    places = " ".join(quoted(command.where) for command in root.walk() if command is not root)
    lines = []
    for command in root.walk():
        start = f"complete -c sayd -n {quoted(f'__sayd_at {command.where}')}"
        for below in command.commands:
            lines.append(f"{start} -a {below.name} -d {quoted(below.summary)}")
        for argument in command.arguments[:1]:
            lines.append(f"{start} {_values(argument.values)}")
        for option in command.options:
            names = [_name(name) for name in option.names]
            values = [] if option.values is None else ["-r", _values(option.values)]
            lines.append(" ".join((start, *names, *values, "-d", quoted(option.summary))))
        lines.append("")
    return _SCRIPT.format(note=NOTE, places=places, lines="\n".join(lines).rstrip())


def _name(name: str) -> str:
    return f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}"


def _values(values: Values) -> str:
    return _OFFERS[values] if isinstance(values, Kind) else f"-f -a {quoted(' '.join(values))}"


_SCRIPT = """\
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

# Only the three below start sayd: the one on PATH, not any that a command line names by its path.
function __sayd_sessions --description 'The sessions heard on this machine'
    printf 'last\\tThe newest\\n'
    for line in (command sayd sessions list --local --limit 50 2>/dev/null </dev/null)
        set -l fields (string split \\t -- $line)
        printf '%s\\t%s %s\\n' "$fields[1]" "$fields[2]" "$fields[5]"
    end
end

function __sayd_devices --description 'The microphones'
    for line in (command sayd devices 2>/dev/null </dev/null)
        set -l fields (string split \\t -- $line)
        printf '%s\\tHears %s\\n' "$fields[3]" "$fields[4]"
    end
end

function __sayd_interrupted --description 'What sayd recover can finish'
    command sayd recover --list 2>/dev/null </dev/null | string replace '  ' \\t
end

complete -c sayd -f
{lines}
"""
