# Made by generate.py from the command line: change that, and run it again.
# To have it in every session, add to the file that $PROFILE names:  . C:\path\to\sayd.ps1

Register-ArgumentCompleter -Native -CommandName 'sayd', 'sayd.exe' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    # Only the three below start sayd: the one on the path, not any that a command line names.
    $sayd = {
        $program = Get-Command -Name 'sayd' -CommandType Application -ErrorAction Ignore |
            Select-Object -First 1
        if ($program) { & $program $args 2>$null }
    }
    $sessions = {
        [pscustomobject]@{ Name = 'last'; Text = 'The newest' }
        & $sayd 'sessions' 'list' '--local' '--limit' '50' | ForEach-Object {
            $fields = $_ -split "`t"
            [pscustomobject]@{ Name = $fields[0]; Text = "$($fields[1]) $($fields[4])" }
        }
    }
    $devices = {
        & $sayd 'devices' | ForEach-Object {
            $fields = $_ -split "`t"
            [pscustomobject]@{ Name = $fields[2]; Text = "Hears $($fields[3])" }
        }
    }
    $interrupted = {
        & $sayd 'recover' '--list' | ForEach-Object {
            $name, $text = $_ -split '  ', 2
            [pscustomobject]@{ Name = $name; Text = $text }
        }
    }
    $programs = {
        Get-Command -Name "$([WildcardPattern]::Escape($word))*" -CommandType Application |
            Select-Object -ExpandProperty Name -Unique |
            ForEach-Object { [pscustomobject]@{ Name = $_; Text = $_ } }
    }

    $commands = @{
        'sayd' = [ordered]@{
            'listen' = 'Transcribe live: the microphone, a file or a pipe.'
            'demo' = 'Listen to a recording that comes with sayd.'
            'recover' = 'Finish what a crash or an outage interrupted.'
            'serve' = 'Serve the Sayd API on this machine.'
            'doctor' = 'Check what a first run needs.'
            'sessions' = 'Create, list, show, search and delete sessions.'
            'devices' = 'List the microphones, and test one.'
            'auth' = 'Keep the key to the service, or remove it.'
            'config' = 'Show what is set, and where.'
        }
        'sayd sessions' = [ordered]@{
            'create' = 'Create a session at the service, and print its id and URL.'
            'list' = 'List past sessions, newest first.'
            'show' = 'Show the transcript of a past session.'
            'search' = 'Search everything heard on this machine.'
            'delete' = 'Delete past sessions from this machine, for good.'
        }
        'sayd devices' = [ordered]@{
            'test' = 'Show how loud a microphone is.'
        }
        'sayd auth' = [ordered]@{
            'login' = 'Ask for the key, check it, and keep it.'
            'status' = 'Tell whether there is a key, and where. Exit status 3 if none.'
            'logout' = 'Remove the key that is kept.'
        }
        'sayd config' = [ordered]@{
            'path' = 'Print where the config file is, or would be.'
            'show' = 'Show every setting, its value, and where that comes from.'
        }
    }
    $options = @{
        'sayd' = [ordered]@{
            '--version' = 'Show the version, and leave.'
            '--debug' = 'Say on stderr what goes on; tracebacks for errors.'
            '--help' = 'Show this message and exit.'
            '-h' = 'Show this message and exit.'
        }
        'sayd listen' = [ordered]@{
            '--device' = 'Which microphone; see sayd devices.'
            '--language' = 'auto, en, zh, multi, en-US and the like.'
            '-l' = 'auto, en, zh, multi, en-US and the like.'
            '--rate' = '16000, or 8000 for thin connections.'
            '--codec' = 'How audio is sent: as it is, or as Opus in a tenth of it.'
            '--local' = 'The engine on this machine, or the service.'
            '--cloud' = 'The engine on this machine, or the service.'
            '--format' = 'What to print on stdout.'
            '-f' = 'What to print on stdout.'
            '--output' = 'Write to a file as well: .txt, .jsonl, .srt, .vtt or .md; may be repeated.'
            '-o' = 'Write to a file as well: .txt, .jsonl, .srt, .vtt or .md; may be repeated.'
            '--interim' = 'Interim text: in JSON lines, and below the live view.'
            '--no-interim' = 'The opposite of --interim.'
            '--timestamps' = 'Begin each sentence with its time.'
            '-t' = 'Begin each sentence with its time.'
            '--no-timestamps' = 'The opposite of --timestamps.'
            '--once' = 'Stop after the first sentence.'
            '--no-once' = 'The opposite of --once.'
            '--until-silence' = 'Stop when nothing was said for so long, once something was.'
            '--duration' = 'Stop after so much audio.'
            '--pace' = 'How fast to send a file or a pipe.'
            '--exec' = 'Run for each sentence: its text on stdin and in SAYD_TEXT.'
            '--caption-file' = 'Keep the latest caption there, for OBS.'
            '--captions' = 'Show the captions as a web page there.'
            '--record' = 'Keep the audio that is sent, as WAV.'
            '--name' = 'A name for the session.'
            '--no-history' = 'Keep nothing of it on this machine.'
            '--history' = 'The opposite of --no-history.'
            '--quiet' = 'Results and errors only; no live view.'
            '-q' = 'Results and errors only; no live view.'
            '--no-quiet' = 'The opposite of --quiet.'
            '--help' = 'Show this message and exit.'
            '-h' = 'Show this message and exit.'
        }
        'sayd demo' = [ordered]@{
            '--help' = 'Show this message and exit.'
            '-h' = 'Show this message and exit.'
        }
        'sayd recover' = [ordered]@{
            '--list' = 'Show what there is to finish, and do nothing.'
            '--discard' = 'Throw the audio away instead; asks, or --yes.'
            '--yes' = 'Do not ask.'
            '-y' = 'Do not ask.'
            '--local' = 'Who is to hear it.'
            '--cloud' = 'Who is to hear it.'
            '--timestamps' = 'Begin each sentence with its time.'
            '-t' = 'Begin each sentence with its time.'
            '--quiet' = 'Results and errors only; no live view.'
            '-q' = 'Results and errors only; no live view.'
            '--help' = 'Show this message and exit.'
            '-h' = 'Show this message and exit.'
        }
        'sayd serve' = [ordered]@{
            '--host' = 'The address to listen on.'
            '--port' = 'The port; 0 takes a free one.'
            '--keys-file' = 'The keys that are accepted, one a line.'
            '--help' = 'Show this message and exit.'
            '-h' = 'Show this message and exit.'
        }
        'sayd doctor' = [ordered]@{
            '--local' = 'Check for the engine on this machine only, or for the service only.'
            '--cloud' = 'Check for the engine on this machine only, or for the service only.'
            '--json' = 'As JSON, for programs.'
            '--help' = 'Show this message and exit.'
            '-h' = 'Show this message and exit.'
        }
        'sayd sessions' = [ordered]@{
            '--help' = 'Show this message and exit.'
            '-h' = 'Show this message and exit.'
        }
        'sayd sessions create' = [ordered]@{
            '--language' = 'auto, en, zh, multi, en-US and the like.'
            '-l' = 'auto, en, zh, multi, en-US and the like.'
            '--rate' = '16000 or 8000.'
            '--codec' = 'How audio is packed.'
            '--json' = 'As JSON, for programs.'
            '--reveal' = 'Show the key in the URL; it is masked otherwise.'
            '--help' = 'Show this message and exit.'
            '-h' = 'Show this message and exit.'
        }
        'sayd sessions list' = [ordered]@{
            '--limit' = 'How many at most.'
            '--offset' = 'How many to leave out.'
            '--json' = 'As JSON, for programs.'
            '--local' = 'Heard on this machine, or kept by the service.'
            '--cloud' = 'Heard on this machine, or kept by the service.'
            '--help' = 'Show this message and exit.'
            '-h' = 'Show this message and exit.'
        }
        'sayd sessions show' = [ordered]@{
            '--format' = 'As what to print it.'
            '-f' = 'As what to print it.'
            '--timestamps' = 'Begin each sentence with its time.'
            '-t' = 'Begin each sentence with its time.'
            '--output' = 'Write it to a file too, in the format that its suffix says; repeatable.'
            '-o' = 'Write it to a file too, in the format that its suffix says; repeatable.'
            '--local' = 'Heard on this machine, or kept by the service.'
            '--cloud' = 'Heard on this machine, or kept by the service.'
            '--help' = 'Show this message and exit.'
            '-h' = 'Show this message and exit.'
        }
        'sayd sessions search' = [ordered]@{
            '--limit' = 'How many at most.'
            '--json' = 'As JSON, for programs.'
            '--help' = 'Show this message and exit.'
            '-h' = 'Show this message and exit.'
        }
        'sayd sessions delete' = [ordered]@{
            '--yes' = 'Do not ask.'
            '-y' = 'Do not ask.'
            '--help' = 'Show this message and exit.'
            '-h' = 'Show this message and exit.'
        }
        'sayd devices' = [ordered]@{
            '--json' = 'As JSON, for programs.'
            '--help' = 'Show this message and exit.'
            '-h' = 'Show this message and exit.'
        }
        'sayd devices test' = [ordered]@{
            '--device' = 'Which microphone; see sayd devices.'
            '--seconds' = 'How long.'
            '--help' = 'Show this message and exit.'
            '-h' = 'Show this message and exit.'
        }
        'sayd auth' = [ordered]@{
            '--help' = 'Show this message and exit.'
            '-h' = 'Show this message and exit.'
        }
        'sayd auth login' = [ordered]@{
            '--help' = 'Show this message and exit.'
            '-h' = 'Show this message and exit.'
        }
        'sayd auth status' = [ordered]@{
            '--json' = 'As JSON, for programs.'
            '--help' = 'Show this message and exit.'
            '-h' = 'Show this message and exit.'
        }
        'sayd auth logout' = [ordered]@{
            '--help' = 'Show this message and exit.'
            '-h' = 'Show this message and exit.'
        }
        'sayd config' = [ordered]@{
            '--help' = 'Show this message and exit.'
            '-h' = 'Show this message and exit.'
        }
        'sayd config path' = [ordered]@{
            '--help' = 'Show this message and exit.'
            '-h' = 'Show this message and exit.'
        }
        'sayd config show' = [ordered]@{
            '--json' = 'As JSON, for programs.'
            '--help' = 'Show this message and exit.'
            '-h' = 'Show this message and exit.'
        }
    }
    # What follows an option, or the command itself.
    $values = @{
        'sayd listen --device' = $devices
        'sayd listen --language' = @('auto', 'multi', 'en', 'en-US', 'en-GB', 'zh', 'zh-CN', 'zh-TW')
        'sayd listen -l' = @('auto', 'multi', 'en', 'en-US', 'en-GB', 'zh', 'zh-CN', 'zh-TW')
        'sayd listen --rate' = @('8000', '16000')
        'sayd listen --codec' = @('pcm16', 'opus', 'opus_fs320')
        'sayd listen --format' = @('text', 'jsonl', 'srt', 'vtt', 'md')
        'sayd listen -f' = @('text', 'jsonl', 'srt', 'vtt', 'md')
        'sayd listen --output' = $null
        'sayd listen -o' = $null
        'sayd listen --until-silence' = $null
        'sayd listen --duration' = $null
        'sayd listen --pace' = @('realtime', 'max')
        'sayd listen --exec' = $programs
        'sayd listen --caption-file' = $null
        'sayd listen --captions' = $null
        'sayd listen --record' = $null
        'sayd listen --name' = $null
        'sayd listen' = $null
        'sayd recover' = $interrupted
        'sayd serve --host' = $null
        'sayd serve --port' = $null
        'sayd serve --keys-file' = $null
        'sayd sessions create --language' = @('auto', 'multi', 'en', 'en-US', 'en-GB', 'zh', 'zh-CN', 'zh-TW')
        'sayd sessions create -l' = @('auto', 'multi', 'en', 'en-US', 'en-GB', 'zh', 'zh-CN', 'zh-TW')
        'sayd sessions create --rate' = @('8000', '16000')
        'sayd sessions create --codec' = @('pcm16', 'opus', 'opus_fs320')
        'sayd sessions list --limit' = $null
        'sayd sessions list --offset' = $null
        'sayd sessions show --format' = @('text', 'jsonl', 'srt', 'vtt', 'md')
        'sayd sessions show -f' = @('text', 'jsonl', 'srt', 'vtt', 'md')
        'sayd sessions show --output' = $null
        'sayd sessions show -o' = $null
        'sayd sessions show' = $sessions
        'sayd sessions search --limit' = $null
        'sayd sessions search' = $null
        'sayd sessions delete' = $sessions
        'sayd devices test --device' = $devices
        'sayd devices test --seconds' = $null
    }

    $typed = @(
        $commandAst.CommandElements |
            Select-Object -Skip 1 |
            Where-Object { $_.Extent.EndOffset -lt $cursorPosition } |
            ForEach-Object { $_.Extent.Text }
    )
    $path = 'sayd'
    foreach ($each in $typed) {
        if ($commands.ContainsKey($path) -and $commands[$path].Contains($each)) {
            $path = "$path $each"
        }
    }

    $word = $wordToComplete
    $joined = ''
    $option = if ($typed.Count) { $typed[-1] } else { '' }
    if ($word -match '^(--[^=]+)=(.*)$') {
        $option = $Matches[1]
        $joined = "$option="
        $word = $Matches[2]
    }
    # A name that has been quoted is looked for as it is called.
    $word = $word.Trim("'", '"')

    $asked = if ($values.ContainsKey("$path $option")) { $values["$path $option"] }
    elseif ($word.StartsWith('-')) { $options[$path] }
    elseif ($commands.ContainsKey($path)) { $commands[$path] }
    else { $values[$path] }

    $offers = if ($asked -is [scriptblock]) { & $asked }
    elseif ($asked -is [Collections.IDictionary]) {
        $asked.GetEnumerator() |
            ForEach-Object { [pscustomobject]@{ Name = $_.Key; Text = $_.Value } }
    }
    else { $asked | ForEach-Object { [pscustomobject]@{ Name = $_; Text = $_ } } }

    foreach ($offer in $offers) {
        if (-not $offer.Name -or
            -not $offer.Name.StartsWith($word, [StringComparison]::OrdinalIgnoreCase)) {
            continue
        }
        $text = $joined + $offer.Name
        # A name from outside is never more than a word: nothing in it is run, or ends it.
        if ($text -notmatch '\A[A-Za-z0-9._=/-]+\z') {
            $inside = [Management.Automation.Language.CodeGeneration]
            $text = "'" + $inside::EscapeSingleQuotedStringContent($text) + "'"
        }
        $tooltip = if ($offer.Text) { $offer.Text } else { $offer.Name }
        [Management.Automation.CompletionResult]::new(
            $text, $offer.Name, 'ParameterValue', $tooltip)
    }
}
