# What the benchmarks share: a place to work in, building, API servers, measuring, results. Sourced by test/bench/api, routes
# and cni.
#
# Set before: quick, yes or no; cases, an array; json, a file or empty; nodes, of the real API server.
# Afterwards: everything that was written, made and started is gone when the script ends; `started` has the pids.
# Results are lines of JSON in $work/results: {case, subject, metric, unit, round, value}. report.jq makes the table.

bin=$repository/build/release
programs=$repository/build/bench # of the peers
hosts=rtb-$$
[[ -d /dev/shm && -w /dev/shm ]] && work=$(mktemp --directory --tmpdir=/dev/shm routelet-bench.XXXXXX) || work=$(mktemp --directory)
control_plane=$work/control
control_address=192.168.1.10
inside=(ip netns exec "$hosts-control")
. "$repository/test/support/checks.sh" # within
. "$repository/test/support/hosts.sh"
. "$repository/test/cluster/lib.sh"

started=() # pids
clean_up()
{
    trap - EXIT
    local pid
    for pid in "${started[@]}"; do
        stop_process "$pid"
    done
    stop_control_plane
    remove_hosts
    rm -rf "$work"
} 2>/dev/null
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

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

# --- a real API server, with the nodes in its cache

# need_go: ends the script with status 77 where there is none.
need_go()
{
    command -v go >/dev/null || {
        say "skipped: no Go here to build the peers with; see https://go.dev/doc/install" >&2
        exit 77
    }
    mkdir -p "$programs"
}

# need_kubernetes: built, when this returns; ends the script with status 77 where there is no Go to build it with.
need_kubernetes()
{
    "$repository/test/cluster/binaries" --check >&2 || exit
    need_go
    kubernetes=$("$repository/test/cluster/binaries") || exit
    go_build informer ./load
    go_build etcd .
    PATH=$programs:$PATH # test/cluster/lib.sh takes the first etcd
}

# start_kubernetes [OPTION...]: with $nodes nodes, as `load create` makes them with these options.
start_kubernetes()
{
    progress "starting etcd and kube-apiserver, and making $nodes nodes"
    start_control_plane || fail "the control plane does not start: $(tail -n 3 "$control_plane"/{etcd,kube-apiserver}.log)"
    "${inside[@]}" "$programs/load" create -kubeconfig "$control_plane/admin.kubeconfig" -nodes "$nodes" "$@" ||
        fail "the nodes could not be made"
    admin apply -k "$repository/manifests/base" >/dev/null || fail "kubectl refused manifests/base"
    token routelet routelet >"$work/token" || fail "no token for the service account"
    write_kubeconfig "$work/kubeconfig" "{tokenFile: $work/token}"
    use_server "https://$control_address:6443" "$control_plane/ca.crt" "$work/kubeconfig"
    expected=$nodes
    progress "$(node_bytes) bytes of JSON a node, $("$kubernetes/kube-apiserver" --version), $(etcd --version | head -n 1)"
}

# use_server URL CA KUBECONFIG: of what is measured from now on.
use_server()
{
    url=$1 ca=$2 kubeconfig=$3
    printf 'Authorization: Bearer %s\n' "$(cat "$work/token")" >"$work/authorization"
}

node_bytes()
{
    "${inside[@]}" curl --silent --fail --cacert "$ca" --header @"$work/authorization" --user-agent routelet-bench \
        --output /dev/null --write-out '%{size_download}' "$url/api/v1/nodes?resourceVersion=0" | awk -v n="$nodes" '{ print int($1 / n) }'
}

# --- the lab's API server, for clusters of a size that no machine holds

declare -A lab_urls # number of nodes -> URL
next_port=7443

# start_lab COUNT: in $work/lab-COUNT, on a port of its own.
start_lab()
{
    local directory=$work/lab-$1
    : >"$directory.log"
    "${inside[@]}" "$bin/test/lab/routelet-lab-apiserver" --listen "$control_address:$((next_port))" --directory "$directory" \
        --simulated-nodes "$1" >"$directory.log" 2>&1 &
    started+=($!)
    lab_urls[$1]=https://$control_address:$((next_port++))
    within 60 grep -q event=lab-ready "$directory.log" || fail "the lab's server does not start: $(tail -n 3 "$directory.log")"
}

use_lab()
{
    local directory=$work/lab-$1
    awk -F, '$0 !~ /masters/ { print $1; exit }' "$directory/tokens" >"$work/token"
    use_server "${lab_urls[$1]}" "$directory/ca.crt" "$directory/agent.kubeconfig"
    expected=$1
}

# --- the bars, and the table

# report WHAT: see report.jq.
report() { jq --slurp --raw-output --argjson bars "$bars" --arg show "$1" --from-file "$repository/test/bench/report.jq" "$work/results"; }

# The table, and the JSON; true when all bars of the cases that were wanted are reached. Nothing is judged when it was quick.
conclude()
{
    local missed
    [[ $quick == no ]] || bars='[]'
    bars=$(jq --compact-output 'map(select(.case | IN($ARGS.positional[])))' --args "${cases[@]}" <<<"$bars")
    report table || fail "no table could be made of the results"
    [[ -z $json ]] || report rows >"$json" || fail "cannot write $json"
    missed=$(report missed) || fail "the bars could not be judged"
    ((missed == 0))
}
