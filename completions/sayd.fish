# Made by generate.py from the command line: change that, and run it again.

function __sayd_at --description 'Whether the words so far lead to this command'
    set -l path sayd
    for word in (commandline -opc)[2..-1]
        if contains -- "$path $word" 'sayd listen' 'sayd demo' 'sayd recover' 'sayd serve' 'sayd doctor' 'sayd sessions' 'sayd sessions create' 'sayd sessions list' 'sayd sessions show' 'sayd sessions search' 'sayd sessions delete' 'sayd devices' 'sayd devices test' 'sayd auth' 'sayd auth login' 'sayd auth status' 'sayd auth logout' 'sayd config' 'sayd config path' 'sayd config show'
            set path "$path $word"
        end
    end
    test "$path" = "$argv"
end

# Only the three below start sayd: the one on PATH, not any that a command line names by its path.
function __sayd_sessions --description 'The sessions heard on this machine'
    printf 'last\tThe newest\n'
    for line in (command sayd sessions list --local --limit 50 2>/dev/null </dev/null)
        set -l fields (string split \t -- $line)
        printf '%s\t%s %s\n' "$fields[1]" "$fields[2]" "$fields[5]"
    end
end

function __sayd_devices --description 'The microphones'
    for line in (command sayd devices 2>/dev/null </dev/null)
        set -l fields (string split \t -- $line)
        printf '%s\tHears %s\n' "$fields[3]" "$fields[4]"
    end
end

function __sayd_interrupted --description 'What sayd recover can finish'
    command sayd recover --list 2>/dev/null </dev/null | string replace '  ' \t
end

complete -c sayd -f
complete -c sayd -n '__sayd_at sayd' -a listen -d 'Transcribe live: the microphone, a file or a pipe.'
complete -c sayd -n '__sayd_at sayd' -a demo -d 'Listen to a recording that comes with sayd.'
complete -c sayd -n '__sayd_at sayd' -a recover -d 'Finish what a crash or an outage interrupted.'
complete -c sayd -n '__sayd_at sayd' -a serve -d 'Serve the Sayd API on this machine.'
complete -c sayd -n '__sayd_at sayd' -a doctor -d 'Check what a first run needs.'
complete -c sayd -n '__sayd_at sayd' -a sessions -d 'Create, list, show, search and delete sessions.'
complete -c sayd -n '__sayd_at sayd' -a devices -d 'List the microphones, and test one.'
complete -c sayd -n '__sayd_at sayd' -a auth -d 'Keep the key to the service, or remove it.'
complete -c sayd -n '__sayd_at sayd' -a config -d 'Show what is set, and where.'
complete -c sayd -n '__sayd_at sayd' -l version -d 'Show the version, and leave.'
complete -c sayd -n '__sayd_at sayd' -l debug -d 'Say on stderr what goes on; tracebacks for errors.'
complete -c sayd -n '__sayd_at sayd' -l help -s h -d 'Show this message and exit.'

complete -c sayd -n '__sayd_at sayd listen' -F
complete -c sayd -n '__sayd_at sayd listen' -l device -r -f -k -a '(__sayd_devices)' -d 'Which microphone; see sayd devices.'
complete -c sayd -n '__sayd_at sayd listen' -l language -s l -r -f -a 'auto multi en en-US en-GB zh zh-CN zh-TW' -d 'auto, en, zh, multi, en-US and the like.'
complete -c sayd -n '__sayd_at sayd listen' -l rate -r -f -a '8000 16000' -d '16000, or 8000 for thin connections.'
complete -c sayd -n '__sayd_at sayd listen' -l codec -r -f -a 'pcm16 opus opus_fs320' -d 'How audio is sent: as it is, or as Opus in a tenth of it.'
complete -c sayd -n '__sayd_at sayd listen' -l local -d 'The engine on this machine, or the service.'
complete -c sayd -n '__sayd_at sayd listen' -l cloud -d 'The engine on this machine, or the service.'
complete -c sayd -n '__sayd_at sayd listen' -l format -s f -r -f -a 'text jsonl srt vtt md' -d 'What to print on stdout.'
complete -c sayd -n '__sayd_at sayd listen' -l output -s o -r -F -d 'Write to a file as well: .txt, .jsonl, .srt, .vtt or .md; may be repeated.'
complete -c sayd -n '__sayd_at sayd listen' -l interim -d 'Interim text: in JSON lines, and below the live view.'
complete -c sayd -n '__sayd_at sayd listen' -l no-interim -d 'The opposite of --interim.'
complete -c sayd -n '__sayd_at sayd listen' -l timestamps -s t -d 'Begin each sentence with its time.'
complete -c sayd -n '__sayd_at sayd listen' -l no-timestamps -d 'The opposite of --timestamps.'
complete -c sayd -n '__sayd_at sayd listen' -l once -d 'Stop after the first sentence.'
complete -c sayd -n '__sayd_at sayd listen' -l no-once -d 'The opposite of --once.'
complete -c sayd -n '__sayd_at sayd listen' -l until-silence -r -f -d 'Stop when nothing was said for so long, once something was.'
complete -c sayd -n '__sayd_at sayd listen' -l duration -r -f -d 'Stop after so much audio.'
complete -c sayd -n '__sayd_at sayd listen' -l pace -r -f -a 'realtime max' -d 'How fast to send a file or a pipe.'
complete -c sayd -n '__sayd_at sayd listen' -l exec -r -f -a '(__fish_complete_command)' -d 'Run for each sentence: its text on stdin and in SAYD_TEXT.'
complete -c sayd -n '__sayd_at sayd listen' -l caption-file -r -F -d 'Keep the latest caption there, for OBS.'
complete -c sayd -n '__sayd_at sayd listen' -l captions -r -f -d 'Show the captions as a web page there.'
complete -c sayd -n '__sayd_at sayd listen' -l record -r -F -d 'Keep the audio that is sent, as WAV.'
complete -c sayd -n '__sayd_at sayd listen' -l name -r -f -d 'A name for the session.'
complete -c sayd -n '__sayd_at sayd listen' -l no-history -d 'Keep nothing of it on this machine.'
complete -c sayd -n '__sayd_at sayd listen' -l history -d 'The opposite of --no-history.'
complete -c sayd -n '__sayd_at sayd listen' -l quiet -s q -d 'Results and errors only; no live view.'
complete -c sayd -n '__sayd_at sayd listen' -l no-quiet -d 'The opposite of --quiet.'
complete -c sayd -n '__sayd_at sayd listen' -l help -s h -d 'Show this message and exit.'

complete -c sayd -n '__sayd_at sayd demo' -l help -s h -d 'Show this message and exit.'

complete -c sayd -n '__sayd_at sayd recover' -f -k -a '(__sayd_interrupted)'
complete -c sayd -n '__sayd_at sayd recover' -l list -d 'Show what there is to finish, and do nothing.'
complete -c sayd -n '__sayd_at sayd recover' -l discard -d 'Throw the audio away instead; asks, or --yes.'
complete -c sayd -n '__sayd_at sayd recover' -l yes -s y -d 'Do not ask.'
complete -c sayd -n '__sayd_at sayd recover' -l local -d 'Who is to hear it.'
complete -c sayd -n '__sayd_at sayd recover' -l cloud -d 'Who is to hear it.'
complete -c sayd -n '__sayd_at sayd recover' -l timestamps -s t -d 'Begin each sentence with its time.'
complete -c sayd -n '__sayd_at sayd recover' -l quiet -s q -d 'Results and errors only; no live view.'
complete -c sayd -n '__sayd_at sayd recover' -l help -s h -d 'Show this message and exit.'

complete -c sayd -n '__sayd_at sayd serve' -l host -r -f -d 'The address to listen on.'
complete -c sayd -n '__sayd_at sayd serve' -l port -r -f -d 'The port; 0 takes a free one.'
complete -c sayd -n '__sayd_at sayd serve' -l keys-file -r -F -d 'The keys that are accepted, one a line.'
complete -c sayd -n '__sayd_at sayd serve' -l help -s h -d 'Show this message and exit.'

complete -c sayd -n '__sayd_at sayd doctor' -l local -d 'Check for the engine on this machine only, or for the service only.'
complete -c sayd -n '__sayd_at sayd doctor' -l cloud -d 'Check for the engine on this machine only, or for the service only.'
complete -c sayd -n '__sayd_at sayd doctor' -l json -d 'As JSON, for programs.'
complete -c sayd -n '__sayd_at sayd doctor' -l help -s h -d 'Show this message and exit.'

complete -c sayd -n '__sayd_at sayd sessions' -a create -d 'Create a session at the service, and print its id and URL.'
complete -c sayd -n '__sayd_at sayd sessions' -a list -d 'List past sessions, newest first.'
complete -c sayd -n '__sayd_at sayd sessions' -a show -d 'Show the transcript of a past session.'
complete -c sayd -n '__sayd_at sayd sessions' -a search -d 'Search everything heard on this machine.'
complete -c sayd -n '__sayd_at sayd sessions' -a delete -d 'Delete past sessions from this machine, for good.'
complete -c sayd -n '__sayd_at sayd sessions' -l help -s h -d 'Show this message and exit.'

complete -c sayd -n '__sayd_at sayd sessions create' -l language -s l -r -f -a 'auto multi en en-US en-GB zh zh-CN zh-TW' -d 'auto, en, zh, multi, en-US and the like.'
complete -c sayd -n '__sayd_at sayd sessions create' -l rate -r -f -a '8000 16000' -d '16000 or 8000.'
complete -c sayd -n '__sayd_at sayd sessions create' -l codec -r -f -a 'pcm16 opus opus_fs320' -d 'How audio is packed.'
complete -c sayd -n '__sayd_at sayd sessions create' -l json -d 'As JSON, for programs.'
complete -c sayd -n '__sayd_at sayd sessions create' -l reveal -d 'Show the key in the URL; it is masked otherwise.'
complete -c sayd -n '__sayd_at sayd sessions create' -l help -s h -d 'Show this message and exit.'

complete -c sayd -n '__sayd_at sayd sessions list' -l limit -r -f -d 'How many at most.'
complete -c sayd -n '__sayd_at sayd sessions list' -l offset -r -f -d 'How many to leave out.'
complete -c sayd -n '__sayd_at sayd sessions list' -l json -d 'As JSON, for programs.'
complete -c sayd -n '__sayd_at sayd sessions list' -l local -d 'Heard on this machine, or kept by the service.'
complete -c sayd -n '__sayd_at sayd sessions list' -l cloud -d 'Heard on this machine, or kept by the service.'
complete -c sayd -n '__sayd_at sayd sessions list' -l help -s h -d 'Show this message and exit.'

complete -c sayd -n '__sayd_at sayd sessions show' -f -k -a '(__sayd_sessions)'
complete -c sayd -n '__sayd_at sayd sessions show' -l format -s f -r -f -a 'text jsonl srt vtt md' -d 'As what to print it.'
complete -c sayd -n '__sayd_at sayd sessions show' -l timestamps -s t -d 'Begin each sentence with its time.'
complete -c sayd -n '__sayd_at sayd sessions show' -l output -s o -r -F -d 'Write it to a file too, in the format that its suffix says; repeatable.'
complete -c sayd -n '__sayd_at sayd sessions show' -l local -d 'Heard on this machine, or kept by the service.'
complete -c sayd -n '__sayd_at sayd sessions show' -l cloud -d 'Heard on this machine, or kept by the service.'
complete -c sayd -n '__sayd_at sayd sessions show' -l help -s h -d 'Show this message and exit.'

complete -c sayd -n '__sayd_at sayd sessions search' -f
complete -c sayd -n '__sayd_at sayd sessions search' -l limit -r -f -d 'How many at most.'
complete -c sayd -n '__sayd_at sayd sessions search' -l json -d 'As JSON, for programs.'
complete -c sayd -n '__sayd_at sayd sessions search' -l help -s h -d 'Show this message and exit.'

complete -c sayd -n '__sayd_at sayd sessions delete' -f -k -a '(__sayd_sessions)'
complete -c sayd -n '__sayd_at sayd sessions delete' -l yes -s y -d 'Do not ask.'
complete -c sayd -n '__sayd_at sayd sessions delete' -l help -s h -d 'Show this message and exit.'

complete -c sayd -n '__sayd_at sayd devices' -a test -d 'Show how loud a microphone is.'
complete -c sayd -n '__sayd_at sayd devices' -l json -d 'As JSON, for programs.'
complete -c sayd -n '__sayd_at sayd devices' -l help -s h -d 'Show this message and exit.'

complete -c sayd -n '__sayd_at sayd devices test' -l device -r -f -k -a '(__sayd_devices)' -d 'Which microphone; see sayd devices.'
complete -c sayd -n '__sayd_at sayd devices test' -l seconds -r -f -d 'How long.'
complete -c sayd -n '__sayd_at sayd devices test' -l help -s h -d 'Show this message and exit.'

complete -c sayd -n '__sayd_at sayd auth' -a login -d 'Ask for the key, check it, and keep it.'
complete -c sayd -n '__sayd_at sayd auth' -a status -d 'Tell whether there is a key, and where. Exit status 3 if none.'
complete -c sayd -n '__sayd_at sayd auth' -a logout -d 'Remove the key that is kept.'
complete -c sayd -n '__sayd_at sayd auth' -l help -s h -d 'Show this message and exit.'

complete -c sayd -n '__sayd_at sayd auth login' -l help -s h -d 'Show this message and exit.'

complete -c sayd -n '__sayd_at sayd auth status' -l json -d 'As JSON, for programs.'
complete -c sayd -n '__sayd_at sayd auth status' -l help -s h -d 'Show this message and exit.'

complete -c sayd -n '__sayd_at sayd auth logout' -l help -s h -d 'Show this message and exit.'

complete -c sayd -n '__sayd_at sayd config' -a path -d 'Print where the config file is, or would be.'
complete -c sayd -n '__sayd_at sayd config' -a show -d 'Show every setting, its value, and where that comes from.'
complete -c sayd -n '__sayd_at sayd config' -l help -s h -d 'Show this message and exit.'

complete -c sayd -n '__sayd_at sayd config path' -l help -s h -d 'Show this message and exit.'

complete -c sayd -n '__sayd_at sayd config show' -l json -d 'As JSON, for programs.'
complete -c sayd -n '__sayd_at sayd config show' -l help -s h -d 'Show this message and exit.'
