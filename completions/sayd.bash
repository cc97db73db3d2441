# Made by generate.py from the command line: change that, and run it again.

# Offers each line of standard input as one word. Not by compgen -W, which would run what a name
# has in $( ); and with those characters quoted that bash would begin a new word at.
__sayd_lines() {
    local current=$1 line word at
    while IFS= read -r line; do
        case $current in
            [\"\']*)
                # What such quotation marks leave alone; of other names, type the rest.
                [[ $line == *[\'\"\\\`\$\!]* ]] && continue
                [[ $line == "${current:1}"* ]] && COMPREPLY+=("$line") ;;
            *)
                printf -v word %q "$line"
                [[ $word == \$\'* ]] || for at in : = @; do word=${word//$at/\\$at}; done
                [[ -n $line && $word == "$current"* ]] && COMPREPLY+=("$word") ;;
        esac
    done
    compopt -o nosort 2>/dev/null
}

# Only the three below start sayd: the one on PATH, not any that a command line names by its path.
__sayd_sessions() {
    __sayd_lines "$1" < <(
        echo last
        command sayd sessions list --local --limit 50 2>/dev/null </dev/null | cut -f 1
    )
}

__sayd_devices() {
    __sayd_lines "$1" < <(command sayd devices 2>/dev/null </dev/null | cut -f 3)
}

__sayd_interrupted() {
    __sayd_lines "$1" < <(command sayd recover --list 2>/dev/null </dev/null | cut -d ' ' -f 1)
}

__sayd_programs() {
    mapfile -t COMPREPLY < <(compgen -c -- "$1" | sort -u)
}

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
            'sayd listen'|'sayd demo'|'sayd recover'|'sayd serve'|'sayd doctor'|'sayd sessions'|'sayd sessions create'|'sayd sessions list'|'sayd sessions show'|'sayd sessions search'|'sayd sessions delete'|'sayd devices'|'sayd devices test'|'sayd auth'|'sayd auth login'|'sayd auth status'|'sayd auth logout'|'sayd config'|'sayd config path'|'sayd config show')
                path+=" ${COMP_WORDS[at]}" ;;
        esac
    done

    case "$path $previous" in
        'sayd listen --device') __sayd_devices "$current" ;;
        'sayd listen --language'|'sayd listen -l') words='auto multi en en-US en-GB zh zh-CN zh-TW' ;;
        'sayd listen --rate') words='8000 16000' ;;
        'sayd listen --codec') words='pcm16 opus opus_fs320' ;;
        'sayd listen --format'|'sayd listen -f') words='text jsonl srt vtt md' ;;
        'sayd listen --output'|'sayd listen -o') compopt -o default ;;
        'sayd listen --until-silence') : ;;
        'sayd listen --duration') : ;;
        'sayd listen --pace') words='realtime max' ;;
        'sayd listen --exec') __sayd_programs "$current" ;;
        'sayd listen --caption-file') compopt -o default ;;
        'sayd listen --captions') : ;;
        'sayd listen --record') compopt -o default ;;
        'sayd listen --name') : ;;
        'sayd serve --host') : ;;
        'sayd serve --port') : ;;
        'sayd serve --keys-file') compopt -o default ;;
        'sayd sessions create --language'|'sayd sessions create -l') words='auto multi en en-US en-GB zh zh-CN zh-TW' ;;
        'sayd sessions create --rate') words='8000 16000' ;;
        'sayd sessions create --codec') words='pcm16 opus opus_fs320' ;;
        'sayd sessions list --limit') : ;;
        'sayd sessions list --offset') : ;;
        'sayd sessions show --format'|'sayd sessions show -f') words='text jsonl srt vtt md' ;;
        'sayd sessions show --output'|'sayd sessions show -o') compopt -o default ;;
        'sayd sessions search --limit') : ;;
        'sayd devices test --device') __sayd_devices "$current" ;;
        'sayd devices test --seconds') : ;;
        *)
            [[ $current == -* ]] && path+=" -"
            case $path in
                'sayd -') words='--version --debug --help -h' ;;
                'sayd') words='listen demo recover serve doctor sessions devices auth config' ;;
                'sayd listen -') words='--device --language -l --rate --codec --local --cloud --format -f --output -o --interim --no-interim --timestamps -t --no-timestamps --once --no-once --until-silence --duration --pace --exec --caption-file --captions --record --name --no-history --history --quiet -q --no-quiet --help -h' ;;
                'sayd listen') compopt -o default ;;
                'sayd demo -') words='--help -h' ;;
                'sayd recover -') words='--list --discard --yes -y --local --cloud --timestamps -t --quiet -q --help -h' ;;
                'sayd recover') __sayd_interrupted "$current" ;;
                'sayd serve -') words='--host --port --keys-file --help -h' ;;
                'sayd doctor -') words='--local --cloud --json --help -h' ;;
                'sayd sessions -') words='--help -h' ;;
                'sayd sessions') words='create list show search delete' ;;
                'sayd sessions create -') words='--language -l --rate --codec --json --reveal --help -h' ;;
                'sayd sessions list -') words='--limit --offset --json --local --cloud --help -h' ;;
                'sayd sessions show -') words='--format -f --timestamps -t --output -o --local --cloud --help -h' ;;
                'sayd sessions show') __sayd_sessions "$current" ;;
                'sayd sessions search -') words='--limit --json --help -h' ;;
                'sayd sessions search') : ;;
                'sayd sessions delete -') words='--yes -y --help -h' ;;
                'sayd sessions delete') __sayd_sessions "$current" ;;
                'sayd devices -') words='--json --help -h' ;;
                'sayd devices') words='test' ;;
                'sayd devices test -') words='--device --seconds --help -h' ;;
                'sayd auth -') words='--help -h' ;;
                'sayd auth') words='login status logout' ;;
                'sayd auth login -') words='--help -h' ;;
                'sayd auth status -') words='--json --help -h' ;;
                'sayd auth logout -') words='--help -h' ;;
                'sayd config -') words='--help -h' ;;
                'sayd config') words='path show' ;;
                'sayd config path -') words='--help -h' ;;
                'sayd config show -') words='--json --help -h' ;;
            esac ;;
    esac
    [[ -n $words ]] && mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
    return 0
}

complete -F _sayd sayd
