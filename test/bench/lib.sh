# What the benchmarks share: building, measuring, results. Sourced by test/bench/api.
#
# Set before: work, a folder for everything that is written; quick, yes or no.
# Results are lines of JSON in $work/results: {case, subject, metric, unit, round, value}. report.jq makes the table.

# All progress is on stderr: stdout is the table's.
progress() { say "$*" >&2; }

# go_build FOLDER PACKAGE...: packages of a module in test/bench, into $programs. With the flags of test/cluster/binaries, so
# that Go compiles what both need once.
go_build()
{
    progress "building test/bench/$1 with Go"
    (cd "$repository/test/bench/$1" && CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o "$programs/" "${@:2}") >&2 ||
        fail "Go could not build test/bench/$1; what is above says why"
}

# record CASE SUBJECT ROUND METRIC UNIT VALUE. A value that is no number is a failure: a row that is missing would not be
# noticed.
record()
{
    jq --null-input --compact-output --arg case "$1" --arg subject "$2" --argjson round "$3" --arg metric "$4" --arg unit "$5" \
        --argjson value "${6:-null}" --exit-status '$value | numbers | {$case, $subject, $metric, $unit, $round, value: .}' \
        >>"$work/results" || fail "no figure for $4 of $2"
}

# field NAME WHAT: of the line {"what": WHAT, ...} in stdin.
field() { jq --arg what "$2" "select(.what == \$what) | .$1"; }

# measure COMMAND...: runs it where the API server is, measured from before exec; its lines and the "ended" line.
measure() { "${inside[@]}" "$bin/test/bench/routelet-bench-measure" "$@" 2>"$work/stderr"; }

# run_subject CASE SUBJECT ROUND COMMAND...: a program that lists $expected nodes and ends. Round 0 warms up.
run_subject()
{
    local case=$1 subject=$2 round=$3 lines nodes
    shift 3
    lines=$(measure "$@") || fail "$subject: $(tail -n 3 "$work/stderr")"
    nodes=$(field nodes listed <<<"$lines")
    [[ $nodes == "$expected" ]] || fail "$subject has $nodes of $expected nodes: $(tail -n 3 "$work/stderr")"
    ((round > 0)) || return 0
    record "$case" "$subject" "$round" time ms "$(field ms listed <<<"$lines")"
    record "$case" "$subject" "$round" memory kB "$(field rss_kb listed <<<"$lines")"
    record "$case" "$subject" "$round" CPU ms "$(field cpu_ms listed <<<"$lines")"
}

# run_to_end CASE SUBJECT ROUND COMMAND...: a program that knows nothing of nodes; its time is from start to end.
run_to_end()
{
    local case=$1 subject=$2 round=$3 lines
    shift 3
    lines=$(measure "$@") || fail "$subject: $(tail -n 3 "$work/stderr")"
    ((round > 0)) || return 0
    record "$case" "$subject" "$round" time ms "$(field ms ended <<<"$lines")"
    record "$case" "$subject" "$round" CPU ms "$(field cpu_ms ended <<<"$lines")"
}

# run_curl CASE SUBJECT ROUND ACCEPT URL: the list and nothing done with it. As another client than curl, for which the
# server would write JSON with indentation.
run_curl()
{
    run_to_end "$1" "$2" "$3" curl --silent --show-error --fail --output /dev/null --cacert "$ca" \
        --header @"$work/authorization" --user-agent routelet-bench --header "Accept: $4" "$5"
}

# rotated BY ITEM...: so that no subject always follows the same one.
rotated()
{
    local by=$1
    shift
    by=$((by % $#))
    printf '%s\n' "${@:by + 1}" "${@:1:by}"
}
