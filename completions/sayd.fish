# Made by generate.py from the command line: change that, and run it again.

function __sayd_at --description 'Whether the words so far lead to this command'
    set -l path sayd
    for word in (commandline -opc)[2..-1]
        if contains -- "$path $word" 'sayd listen' 'sayd demo' 'sayd serve' 'sayd sessions' 'sayd sessions create' 'sayd sessions list' 'sayd sessions show' 'sayd devices' 'sayd devices test'
            set path "$path $word"
        end
    end
    test "$path" = "$argv"
end

complete -c sayd -f
complete -c sayd -n '__sayd_at sayd' -a listen -d 'Transcribe live: the microphone, a file or a pipe.'
complete -c sayd -n '__sayd_at sayd' -a demo -d 'Listen to a recording that comes with sayd.'
complete -c sayd -n '__sayd_at sayd' -a serve -d 'Serve the Sayd API on this machine.'
complete -c sayd -n '__sayd_at sayd' -a sessions -d 'Create, list and show sessions.'
complete -c sayd -n '__sayd_at sayd' -a devices -d 'List the microphones, and test one.'
complete -c sayd -n '__sayd_at sayd' -l version -d 'Show the version, and leave.'
complete -c sayd -n '__sayd_at sayd' -l debug -d 'Say on stderr what goes on; tracebacks for errors.'
complete -c sayd -n '__sayd_at sayd' -l help -s h -d 'Show this message and exit.'

complete -c sayd -n '__sayd_at sayd listen' -F
complete -c sayd -n '__sayd_at sayd listen' -l device -r -f -d 'Which microphone; see sayd devices.'
complete -c sayd -n '__sayd_at sayd listen' -l language -s l -r -f -a 'auto en zh multi' -d 'auto, en, zh, multi, en-US and the like.'
complete -c sayd -n '__sayd_at sayd listen' -l rate -r -f -a '8000 16000' -d '16000, or 8000 for thin connections.'
complete -c sayd -n '__sayd_at sayd listen' -l codec -r -f -a 'pcm16 opus opus_fs320' -d 'How audio is sent: as it is, or as Opus in a tenth of it.'
complete -c sayd -n '__sayd_at sayd listen' -l local -d 'The engine on this machine, or the service.'
complete -c sayd -n '__sayd_at sayd listen' -l cloud -d 'The engine on this machine, or the service.'
complete -c sayd -n '__sayd_at sayd listen' -l format -s f -r -f -a 'text jsonl' -d 'What to print on stdout.'
complete -c sayd -n '__sayd_at sayd listen' -l interim -d 'Interim text: in JSON lines, and below the live view.'
complete -c sayd -n '__sayd_at sayd listen' -l no-interim -d 'Interim text: in JSON lines, and below the live view.'
complete -c sayd -n '__sayd_at sayd listen' -l timestamps -s t -d 'Begin each sentence with its time.'
complete -c sayd -n '__sayd_at sayd listen' -l once -d 'Stop after the first sentence.'
complete -c sayd -n '__sayd_at sayd listen' -l duration -r -f -d 'Stop after so much audio.'
complete -c sayd -n '__sayd_at sayd listen' -l pace -r -f -a 'realtime max' -d 'How fast to send a file or a pipe.'
complete -c sayd -n '__sayd_at sayd listen' -l record -r -F -d 'Keep the audio that is sent, as WAV.'
complete -c sayd -n '__sayd_at sayd listen' -l name -r -f -d 'A name for the session.'
complete -c sayd -n '__sayd_at sayd listen' -l no-history -d 'Keep nothing of it on this machine.'
complete -c sayd -n '__sayd_at sayd listen' -l quiet -s q -d 'Results and errors only; no live view.'
complete -c sayd -n '__sayd_at sayd listen' -l help -s h -d 'Show this message and exit.'

complete -c sayd -n '__sayd_at sayd demo' -l help -s h -d 'Show this message and exit.'

complete -c sayd -n '__sayd_at sayd serve' -l host -r -f -d 'The address to listen on.'
complete -c sayd -n '__sayd_at sayd serve' -l port -r -f -d 'The port; 0 takes a free one.'
complete -c sayd -n '__sayd_at sayd serve' -l keys-file -r -F -d 'The keys that are accepted, one a line.'
complete -c sayd -n '__sayd_at sayd serve' -l help -s h -d 'Show this message and exit.'

complete -c sayd -n '__sayd_at sayd sessions' -a create -d 'Create a session at the service, and print its id and URL.'
complete -c sayd -n '__sayd_at sayd sessions' -a list -d 'List past sessions, newest first.'
complete -c sayd -n '__sayd_at sayd sessions' -a show -d 'Show the transcript of a past session.'
complete -c sayd -n '__sayd_at sayd sessions' -l help -s h -d 'Show this message and exit.'

complete -c sayd -n '__sayd_at sayd sessions create' -l language -s l -r -f -a 'auto en zh multi' -d 'auto, en, zh, multi, en-US and the like.'
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

complete -c sayd -n '__sayd_at sayd sessions show' -f
complete -c sayd -n '__sayd_at sayd sessions show' -l format -s f -r -f -a 'text jsonl' -d 'As what to print it.'
complete -c sayd -n '__sayd_at sayd sessions show' -l timestamps -s t -d 'Begin each sentence with its time.'
complete -c sayd -n '__sayd_at sayd sessions show' -l local -d 'Heard on this machine, or kept by the service.'
complete -c sayd -n '__sayd_at sayd sessions show' -l cloud -d 'Heard on this machine, or kept by the service.'
complete -c sayd -n '__sayd_at sayd sessions show' -l help -s h -d 'Show this message and exit.'

complete -c sayd -n '__sayd_at sayd devices' -a test -d 'Show how loud a microphone is.'
complete -c sayd -n '__sayd_at sayd devices' -l json -d 'As JSON, for programs.'
complete -c sayd -n '__sayd_at sayd devices' -l help -s h -d 'Show this message and exit.'

complete -c sayd -n '__sayd_at sayd devices test' -l device -r -f -d 'Which microphone; see sayd devices.'
complete -c sayd -n '__sayd_at sayd devices test' -l seconds -r -f -d 'How long.'
complete -c sayd -n '__sayd_at sayd devices test' -l help -s h -d 'Show this message and exit.'
