# Made by generate.py from the command line: change that, and run it again.

_sayd() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local path=sayd words= at
    COMPREPLY=()

    # bash takes `--format=srt` for three words.
    if [[ $current == = ]]; then
        current=
    elif [[ $previous == = ]]; then
        previous=${COMP_WORDS[COMP_CWORD - 2]}
    fi

    for ((at = 1; at < COMP_CWORD; at++)); do
        case "$path ${COMP_WORDS[at]}" in
            'sayd listen'|'sayd demo'|'sayd serve'|'sayd sessions'|'sayd sessions create'|'sayd sessions list'|'sayd sessions show'|'sayd devices'|'sayd devices test')
                path+=" ${COMP_WORDS[at]}" ;;
        esac
    done

    case "$path $previous" in
        'sayd listen --device') : ;;
        'sayd listen --language'|'sayd listen -l') words='auto en zh multi' ;;
        'sayd listen --rate') words='8000 16000' ;;
        'sayd listen --codec') words='pcm16 opus opus_fs320' ;;
        'sayd listen --format'|'sayd listen -f') words='text jsonl' ;;
        'sayd listen --duration') : ;;
        'sayd listen --pace') words='realtime max' ;;
        'sayd listen --record') compopt -o default ;;
        'sayd listen --name') : ;;
        'sayd serve --host') : ;;
        'sayd serve --port') : ;;
        'sayd serve --keys-file') compopt -o default ;;
        'sayd sessions create --language'|'sayd sessions create -l') words='auto en zh multi' ;;
        'sayd sessions create --rate') words='8000 16000' ;;
        'sayd sessions create --codec') words='pcm16 opus opus_fs320' ;;
        'sayd sessions list --limit') : ;;
        'sayd sessions list --offset') : ;;
        'sayd sessions show --format'|'sayd sessions show -f') words='text jsonl' ;;
        'sayd devices test --device') : ;;
        'sayd devices test --seconds') : ;;
        *)
            [[ $current == -* ]] && path+=" -"
            case $path in
                'sayd -') words='--version --debug --help -h' ;;
                'sayd') words='listen demo serve sessions devices' ;;
                'sayd listen -') words='--device --language -l --rate --codec --local --cloud --format -f --interim --no-interim --timestamps -t --once --duration --pace --record --name --no-history --quiet -q --help -h' ;;
                'sayd listen') compopt -o default ;;
                'sayd demo -') words='--help -h' ;;
                'sayd serve -') words='--host --port --keys-file --help -h' ;;
                'sayd sessions -') words='--help -h' ;;
                'sayd sessions') words='create list show' ;;
                'sayd sessions create -') words='--language -l --rate --codec --json --reveal --help -h' ;;
                'sayd sessions list -') words='--limit --offset --json --local --cloud --help -h' ;;
                'sayd sessions show -') words='--format -f --timestamps -t --local --cloud --help -h' ;;
                'sayd sessions show') : ;;
                'sayd devices -') words='--json --help -h' ;;
                'sayd devices') words='test' ;;
                'sayd devices test -') words='--device --seconds --help -h' ;;
            esac ;;
    esac
    [[ -n $words ]] && COMPREPLY=($(compgen -W "$words" -- "$current"))
    return 0
}

complete -F _sayd sayd
