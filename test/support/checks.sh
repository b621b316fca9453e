# Checks that print a line each. Sourced by test/lab and test/cluster.
#
# Always holds: `passed` and `failed` are the numbers of lines printed so far. A check may leave the reason of its failure
# in $work/why.

passed=0
failed=0

# check TEXT COMMAND...: passes if the command does.
check()
{
    local text=$1
    shift
    : >"$work/why"
    if "$@"; then
        ((++passed))
        printf 'ok %d - %s\n' $((passed + failed)) "$text"
    else
        ((++failed))
        printf 'not ok %d - %s\n' $((passed + failed)) "$text"
        sed 's/^/#   /' "$work/why"
    fi
}

# within SECONDS COMMAND...: true as soon as the command is; false when it is not by then.
within()
{
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS <= deadline)) || return 1
        sleep 0.1
    done
}

# equal EXPECTED COMMAND...: the command prints just that.
equal()
{
    local expected=$1 got
    shift
    got=$("$@")
    [[ $got == "$expected" ]] || {
        printf 'expected: %s\ngot:      %s\n' "$expected" "$got" >"$work/why"
        return 1
    }
}

# a_line_has FILE WORD...: some line of the file has all the words, in any order and case.
a_line_has()
{
    local lines word
    lines=$(cat "$1")
    for word in "${@:2}"; do
        lines=$(grep --ignore-case --fixed-strings -- "$word" <<<"$lines") || {
            printf 'no line with: %s\n' "${*:2}" >"$work/why"
            return 1
        }
    done
}
