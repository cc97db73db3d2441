"""The completion script for bash 4 or later."""

from __future__ import annotations

from dialects import NOTE, quoted
from tree import Command, Kind, Values

_OFFERS = {
    Kind.FILE: "compopt -o default",
    Kind.PROGRAM: '__sayd_programs "$current"',
    Kind.DEVICE: '__sayd_devices "$current"',
    Kind.SESSION: '__sayd_sessions "$current"',
    Kind.INTERRUPTED: '__sayd_interrupted "$current"',
    Kind.FREE: ":",
}


def bash(root: Command) -> str:
    """The script."""
    below = "|".join(quoted(command.where) for command in root.walk() if command is not root)
    valued, offers = [], []
    for command in root.walk():
        for option in command.options:
            if option.values is not None:
                after = "|".join(quoted(f"{command.where} {name}") for name in option.names)
                valued.append(f"        {after}) {_offer(option.values)} ;;")
        names = tuple(name for option in command.options for name in option.names)
        offers.append(f"                {quoted(f'{command.where} -')}) {_offer(names)} ;;")
        words = tuple(item.name for item in command.commands)
        for values in [words] if words else [item.values for item in command.arguments[:1]]:
            offers.append(f"                {quoted(command.where)}) {_offer(values)} ;;")
    return _SCRIPT.format(
        note=NOTE, below=below, valued="\n".join(valued), offers="\n".join(offers)
    )


def _offer(values: Values) -> str:
    if isinstance(values, Kind):
        return _OFFERS[values]
    return f"words={quoted(' '.join(values))}"


_SCRIPT = """\
{note}

# Offers each line of standard input as one word. Not by compgen -W, which would run what a name
# has in $( ); and with those characters quoted that bash would begin a new word at.
__sayd_lines() {{
    local current=$1 line word at
    while IFS= read -r line; do
        case $current in
            [\\"\\']*)
                # What such quotation marks leave alone; of other names, type the rest.
                [[ $line == *[\\'\\"\\\\\\`\\$\\!]* ]] && continue
                [[ $line == "${{current:1}}"* ]] && COMPREPLY+=("$line") ;;
            *)
                printf -v word %q "$line"
                [[ $word == \\$\\'* ]] || for at in : = @; do word=${{word//$at/\\\\$at}}; done
                [[ -n $line && $word == "$current"* ]] && COMPREPLY+=("$word") ;;
        esac
    done
    compopt -o nosort 2>/dev/null
}}

# Only the three below start sayd: the one on PATH, not any that a command line names by its path.
__sayd_sessions() {{
    __sayd_lines "$1" < <(
        echo last
        command sayd sessions list --local --limit 50 2>/dev/null </dev/null | cut -f 1
    )
}}

__sayd_devices() {{
    __sayd_lines "$1" < <(command sayd devices 2>/dev/null </dev/null | cut -f 3)
}}

__sayd_interrupted() {{
    __sayd_lines "$1" < <(command sayd recover --list 2>/dev/null </dev/null | cut -d ' ' -f 1)
}}

__sayd_programs() {{
    mapfile -t COMPREPLY < <(compgen -c -- "$1" | sort -u)
}}

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
    [[ -n $words ]] && mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
    return 0
}}

complete -F _sayd sayd
"""
