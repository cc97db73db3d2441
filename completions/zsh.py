"""The completion script for zsh: a function for each command, as ``_arguments`` reads it."""

from __future__ import annotations

from collections.abc import Iterator

from dialects import NOTE, quoted
from tree import Command, Kind, Option, Values

_ACTIONS = {
    Kind.FILE: "_files",
    Kind.PROGRAM: "_command_names -e",
    Kind.DEVICE: "__sayd_input_devices",
    Kind.SESSION: "__sayd_session_ids",
    Kind.INTERRUPTED: "__sayd_interrupted",
    Kind.FREE: " ",
}


def zsh(root: Command) -> str:
    """The script."""
    return _SCRIPT.format(note=NOTE, functions="\n".join(map(_function, root.walk())))


def _function(command: Command) -> str:
    specs = [quoted(spec) for option in command.options for spec in _option(option)]
    if command.commands:
        specs += ["'1: :->command'", "'*:: :->below'"]
    for place, argument in enumerate(command.arguments, 1):
        at = "*" if argument.repeatable else str(place)
        specs.append(quoted(f"{at}:{_label(argument.label)}:{_action(argument.values)}"))
    lines = [
        f"{_name(command)}() {{",
        "    local context state state_descr line",
        "    typeset -A opt_args",
        "    _arguments -s -S -C \\",
        *(f"        {spec} \\" for spec in specs[:-1]),
        f"        {specs[-1]}",
    ]
    if command.commands:
        described = [quoted(f"{below.name}:{below.summary}") for below in command.commands]
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
            *(f"                {b.name}) {_name(b)} ;;" for b in command.commands),
            "            esac ;;",
            "    esac",
        ]
    return "\n".join((*lines, "}", ""))


def _name(command: Command) -> str:
    return "_" + "_".join(command.path)


def _option(option: Option) -> Iterator[str]:
    every = " ".join((*option.names, *option.others))
    first = "*" if option.repeatable else f"({every})"
    summary = "".join(f"\\{letter}" if letter in "[]\\:" else letter for letter in option.summary)
    for name in option.names:
        if option.values is None:
            yield f"{first}{name}[{summary}]"
        else:
            joined = "=" if name.startswith("--") else "+"
            label, action = _label(option.label), _action(option.values)
            yield f"{first}{name}{joined}[{summary}]:{label}:{action}"


def _label(label: str) -> str:
    return label.replace("\\", "\\\\").replace(":", "\\:")


def _action(values: Values) -> str:
    return _ACTIONS[values] if isinstance(values, Kind) else f"({' '.join(values)})"


_SCRIPT = """\
#compdef sayd
{note}

# Offers names, each with what is said of it. A colon or a backslash in a name is no separator.
__sayd_offer() {{
    local -a offers
    local name text
    for name text in "${{(@)argv[3,-1]}}"; do
        offers+=("${{${{name//\\\\/\\\\\\\\}}//:/\\\\:}}:$text")
    done
    _describe -V -t $1 $2 offers
}}

# Only the three below start sayd: the one on PATH, not any that a command line names by its path.
__sayd_session_ids() {{
    local line
    local -a fields found=(last 'The newest') lines
    lines=(${{(f)"$(command sayd sessions list --local --limit 50 2>/dev/null </dev/null)"}})
    for line in $lines; do
        fields=("${{(@ps:\\t:)line}}")
        found+=("$fields[1]" "$fields[2] $fields[5]")
    done
    __sayd_offer sessions session "${{(@)found}}"
}}

__sayd_input_devices() {{
    local line
    local -a fields found
    for line in ${{(f)"$(command sayd devices 2>/dev/null </dev/null)"}}; do
        fields=("${{(@ps:\\t:)line}}")
        found+=("$fields[3]" "hears $fields[4]")
    done
    __sayd_offer devices device "${{(@)found}}"
}}

__sayd_interrupted() {{
    local line
    local -a found
    for line in ${{(f)"$(command sayd recover --list 2>/dev/null </dev/null)"}}; do
        found+=("${{line%% *}}" "${{line#*  }}")
    done
    __sayd_offer interrupted 'interrupted listening' "${{(@)found}}"
}}

{functions}
# Run when compinit loads this as a function; name it when it is read as a script.
if [[ $funcstack[1] == _sayd ]]; then
    _sayd "$@"
else
    compdef _sayd sayd
fi
"""
