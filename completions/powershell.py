"""The completion script for PowerShell 5.1 or later.

It is of ASCII alone: PowerShell 5.1 takes a file without a byte order mark for the system's old
code page.
"""

from __future__ import annotations

from collections.abc import Iterable

from dialects import NOTE
from tree import Command, Kind, Values

_QUOTATION_MARKS = "'\u2018\u2019\u201a\u201b"
"""All of these end a string in single quotes."""

_OFFERS = {
    # PowerShell completes files by itself where it is offered nothing.
    Kind.FILE: "$null",
    Kind.PROGRAM: "$programs",
    Kind.DEVICE: "$devices",
    Kind.SESSION: "$sessions",
    Kind.INTERRUPTED: "$interrupted",
    Kind.FREE: "$null",
}


def powershell(root: Command) -> str:
    """The script."""
    commands, options, values = [], [], []
    for command in root.walk():
        where = quoted(command.where)
        commands += _table(where, ((below.name, below.summary) for below in command.commands))
        options += _table(
            where, ((name, each.summary) for each in command.options for name in each.names)
        )
        for option in command.options:
            if option.values is not None:
                for name in option.names:
                    at = quoted(f"{command.where} {name}")
                    values.append(f"        {at} = {_values(option.values)}")
        for argument in command.arguments[:1]:
            values.append(f"        {where} = {_values(argument.values)}")
    script = _SCRIPT.format(
        note=NOTE,
        commands="\n".join(commands),
        options="\n".join(options),
        values="\n".join(values),
    )
    if not script.isascii():
        raise ValueError("PowerShell 5.1 cannot read this as it is meant")
    return script


def quoted(text: str) -> str:
    """In single quotes."""
    return "'" + "".join(each * 2 if each in _QUOTATION_MARKS else each for each in text) + "'"


def _table(where: str, rows: Iterable[tuple[str, str]]) -> list[str]:
    lines = [f"            {quoted(name)} = {quoted(summary or name)}" for name, summary in rows]
    # Names in a table are told apart without regard to case.
    assert len({line.partition(" = ")[0].lower() for line in lines}) == len(lines)
    return [f"        {where} = [ordered]@{{", *lines, "        }"] if lines else []


def _values(values: Values) -> str:
    return _OFFERS[values] if isinstance(values, Kind) else f"@({', '.join(map(quoted, values))})"


_SCRIPT = """\
{note}
# To have it in every session, add to the file that $PROFILE names:  . C:\\path\\to\\sayd.ps1

Register-ArgumentCompleter -Native -CommandName 'sayd', 'sayd.exe' -ScriptBlock {{
    param($wordToComplete, $commandAst, $cursorPosition)

    # Only the three below start sayd: the one on the path, not any that a command line names.
    $sayd = {{
        $program = Get-Command -Name 'sayd' -CommandType Application -ErrorAction Ignore |
            Select-Object -First 1
        if ($program) {{ & $program $args 2>$null }}
    }}
    $sessions = {{
        [pscustomobject]@{{ Name = 'last'; Text = 'The newest' }}
        & $sayd 'sessions' 'list' '--local' '--limit' '50' | ForEach-Object {{
            $fields = $_ -split "`t"
            [pscustomobject]@{{ Name = $fields[0]; Text = "$($fields[1]) $($fields[4])" }}
        }}
    }}
    $devices = {{
        & $sayd 'devices' | ForEach-Object {{
            $fields = $_ -split "`t"
            [pscustomobject]@{{ Name = $fields[2]; Text = "Hears $($fields[3])" }}
        }}
    }}
    $interrupted = {{
        & $sayd 'recover' '--list' | ForEach-Object {{
            $name, $text = $_ -split '  ', 2
            [pscustomobject]@{{ Name = $name; Text = $text }}
        }}
    }}
    $programs = {{
        Get-Command -Name "$([WildcardPattern]::Escape($word))*" -CommandType Application |
            Select-Object -ExpandProperty Name -Unique |
            ForEach-Object {{ [pscustomobject]@{{ Name = $_; Text = $_ }} }}
    }}

    $commands = @{{
{commands}
    }}
    $options = @{{
{options}
    }}
    # What follows an option, or the command itself.
    $values = @{{
{values}
    }}

    $typed = @(
        $commandAst.CommandElements |
            Select-Object -Skip 1 |
            Where-Object {{ $_.Extent.EndOffset -lt $cursorPosition }} |
            ForEach-Object {{ $_.Extent.Text }}
    )
    $path = 'sayd'
    foreach ($each in $typed) {{
        if ($commands.ContainsKey($path) -and $commands[$path].Contains($each)) {{
            $path = "$path $each"
        }}
    }}

    $word = $wordToComplete
    $joined = ''
    $option = if ($typed.Count) {{ $typed[-1] }} else {{ '' }}
    if ($word -match '^(--[^=]+)=(.*)$') {{
        $option = $Matches[1]
        $joined = "$option="
        $word = $Matches[2]
    }}
    # A name that has been quoted is looked for as it is called.
    $word = $word.Trim("'", '"')

    $asked = if ($values.ContainsKey("$path $option")) {{ $values["$path $option"] }}
    elseif ($word.StartsWith('-')) {{ $options[$path] }}
    elseif ($commands.ContainsKey($path)) {{ $commands[$path] }}
    else {{ $values[$path] }}

    $offers = if ($asked -is [scriptblock]) {{ & $asked }}
    elseif ($asked -is [Collections.IDictionary]) {{
        $asked.GetEnumerator() |
            ForEach-Object {{ [pscustomobject]@{{ Name = $_.Key; Text = $_.Value }} }}
    }}
    else {{ $asked | ForEach-Object {{ [pscustomobject]@{{ Name = $_; Text = $_ }} }} }}

    foreach ($offer in $offers) {{
        if (-not $offer.Name -or
            -not $offer.Name.StartsWith($word, [StringComparison]::OrdinalIgnoreCase)) {{
            continue
        }}
        $text = $joined + $offer.Name
        # A name from outside is never more than a word: nothing in it is run, or ends it.
        if ($text -notmatch '\\A[A-Za-z0-9._=/-]+\\z') {{
            $inside = [Management.Automation.Language.CodeGeneration]
            $text = "'" + $inside::EscapeSingleQuotedStringContent($text) + "'"
        }}
        $tooltip = if ($offer.Text) {{ $offer.Text }} else {{ $offer.Name }}
        [Management.Automation.CompletionResult]::new(
            $text, $offer.Name, 'ParameterValue', $tooltip)
    }}
}}
"""
