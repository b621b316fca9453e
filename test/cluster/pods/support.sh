# Questions that the parts of test/cluster/pods ask. Sourced by run.
#
# A pod is named by its name in namespace default.

manifest=$repository/manifests/routelet.yaml

must()
{
    : >"$work/why"
    "$@" && return
    printf 'cannot go on: %s\n' "$*"
    sed 's/^/#   /' "$work/why"
    logs_of_failure
    exit 1
}

logs_of_failure()
{
    local node
    admin get nodes,pods --all-namespaces -o wide 2>&1 | sed 's/^/# /'
    for node in "$nodes"/*/; do
        node=$(basename "$node")
        printf '# --- the agent on %s\n' "$node"
        tail -n 15 "$nodes/$node"/root/var/log/pods/routelet_routelet-*/routelet/*.log 2>/dev/null | sed 's/^/# /'
        printf '# --- its kubelet and containerd\n'
        grep -hE '^E|level=error' "$nodes/$node/kubelet.log" "$nodes/$node/containerd.log" | tail -n 5 | cut -c 1-300 | sed 's/^/# /'
    done
}

# answers COMMAND TEXT...: the command's output has all the texts.
answers()
{
    local text output
    output=$("${@:1:1}" 2>&1)
    printf '%s\n' "$output" >"$work/why"
    for text in "${@:2}"; do
        [[ $output == *"$text"* ]] || return 1
    done
}

# --- the cluster

condition() { admin get node "$1" -o json | jq --raw-output --arg type "$2" '.status.conditions[] | select(.type == $type).status'; }
is_ready() { [[ $(condition "$1" Ready) == True ]]; }
are_ready()
{
    local node
    for node; do
        is_ready "$node" || return 1
    done
}
none_is_ready()
{
    local node
    for node; do
        ! is_ready "$node" || return 1
    done
}

# pod_range NODE 4|6
pod_range()
{
    admin get node "$1" -o json | jq --raw-output --arg colon "$([[ $2 == 6 ]] && echo :)" \
        '.spec.podCIDRs // [] | .[] | select(contains(":") == ($colon == ":"))'
}

# pod_on NODE WHICH...: the name of the pod there that kubectl get pods WHICH... lists, and that is not about to go.
pod_on()
{
    local node=$1
    shift
    admin get pods "$@" --field-selector "spec.nodeName=$node" -o json |
        jq --raw-output '[.items[].metadata | select(.deletionTimestamp | not)][0].name // empty'
}

# agent_pod NODE: the name of Routelet's pod there.
agent_pod() { pod_on "$1" --namespace routelet --selector app.kubernetes.io/name=routelet; }
agent_log() { admin logs --namespace routelet "$(agent_pod "$1")" --container routelet; }
agent_status() { admin exec --namespace routelet "$(agent_pod "$1")" --container routelet -- /routelet status; }
logs() { agent_log "$1" >"$work/agent.log" 2>"$work/why" && a_line_has "$work/agent.log" "${@:2}"; }
shows_status() { agent_status "$1" >"$work/why" 2>&1; a_line_has "$work/why" "${@:2}" ; }

rolled_out() { admin --namespace routelet rollout status daemonset/routelet --timeout="${1}s" >"$work/why" 2>&1; }

# The agent's process on a node, as this machine sees it.
agent_process() { container_process routelet "$(agent_pod "$1")" '/routelet run'; }

# --- pods

# addresses_in_use NODE: how many the plugin has given out there.
addresses_in_use() { ls "/proc/$(cat "$nodes/$1/machine.pid")/root/run/routelet/ipam/routelet" | grep -c '^[0-9a-f]*[.:]'; }

# container_process NAMESPACE POD [COMMAND]: a process of one of its containers, and not the sandbox's.
container_process()
{
    local uid file pid
    uid=$(admin get pod --namespace "$1" "$2" -o jsonpath='{.metadata.uid}') || return
    for file in $(find "$(our_cgroups)" -path "*pod$uid/*" -name cgroup.procs); do
        for pid in $(cat "$file"); do
            [[ $(tr '\0' ' ' <"/proc/$pid/cmdline") == *"${3:-httpd}"* ]] && echo "$pid" && return
        done
    done 2>/dev/null
    return 1
}

# in_pod POD COMMAND...: this machine's command in the pod's network.
in_pod()
{
    local pid
    pid=$(container_process default "$1") || return
    shift
    nsenter --target "$pid" --net "$@"
}

# pod_address POD 4|6
pod_address()
{
    admin get pod "$1" -o json | jq --raw-output --arg family "$2" \
        '.status.podIPs // [] | .[].ip | select(contains(":") == ($family == "6"))'
}

# tools_on NODE: the pod of DaemonSet tools there.
tools_on() { pod_on "$1" --selector app=tools; }

# url ADDRESS PORT: of the program in image tools that says who asks.
url() { [[ $1 == *:* ]] && printf 'http://[%s]:%s/cgi-bin/who' "$1" "$2" || printf 'http://%s:%s/cgi-bin/who' "$1" "$2"; }

# sees EXPECTED ADDRESS PORT COMMAND-PREFIX...: asked over TCP at ADDRESS:PORT, it says that EXPECTED asks.
sees()
{
    local expected=$1 address=$2 port=$3 got
    shift 3
    got=$("$@" curl --silent --show-error --max-time 5 "$(url "$address" "$port")" 2>&1)
    got=${got//::ffff:/} got=${got//[\[\]]/}
    [[ ${got%% *} == "$expected" ]] || {
        printf 'asked at %s port %s; expected to be seen as %s, got: %s\n' "$address" "$port" "$expected" "$got" >"$work/why"
        return 1
    }
}

# gets ADDRESS PORT COMMAND-PREFIX...: an answer, whoever seems to ask.
gets()
{
    local address=$1 port=$2
    shift 2
    "$@" curl --silent --show-error --fail --max-time 5 --output /dev/null "$(url "$address" "$port")" 2>"$work/why"
}

# inside_range ADDRESS RANGE: as the kernel sees it: an address in a /24 or /64.
inside_range()
{
    case $2 in
    *.0/24) [[ ${1%.*} == "${2%.0/24}" ]] ;;
    *::/64) [[ $1 == "${2%:/64}"* ]] ;;
    *) return 1 ;;
    esac
}

# --- what must not be lost

pings=()

# start_pings POD POD: every 10 ms, both ways and in both families, until lost_none.
start_pings()
{
    local pair family pid address
    pings=()
    rm -f "$work"/ping.*
    for pair in "$1 $2" "$2 $1"; do
        set -- $pair
        for family in 4 6; do
            pid=$(container_process default "$1") address=$(pod_address "$2" $family)
            nsenter --target "$pid" --net ping -q -n -i 0.01 "$address" >"$work/ping.$1.$family" 2>&1 &
            pings+=($!)
        done
    done
    sleep 0.5
}

# lost_none: ends them; true if each packet was answered.
lost_none()
{
    local pid file sent answered status=0
    sleep 0.5
    for pid in "${pings[@]}"; do
        kill -INT "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    pings=()
    for file in "$work"/ping.*; do
        read -r sent answered < <(sed -nE 's/^([0-9]+) packets transmitted, ([0-9]+) received.*/\1 \2/p' "$file")
        # The last one may still be on its way.
        ((${sent:-0} >= 50 && sent - answered <= 1)) || status=1
        sed -n 's/^\([0-9]* packets transmitted.*\)/'"$(basename "$file")"': \1/p' "$file" >>"$work/why"
    done
    packets=$(awk '{ sum += $2 } END { print sum }' "$work/why")
    return $status
}

# routes_of NODE: what it has to other nodes' pods, in both families: "RANGE via ADDRESS".
routes_of()
{
    { in_node "$1" ip -j route show proto 82 && in_node "$1" ip -j -6 route show proto 82; } |
        jq --raw-output '.[] | select(.gateway) | "\(.dst) via \(.gateway)"'
}

# routes_to NODE: the two that every other node should have to its pods; empty while it has no podCIDRs.
routes_to()
{
    admin get node "$1" -o json | jq --raw-output '
        (.spec.podCIDRs // [])[] as $range
        | (.status.addresses[] | select(.type == "InternalIP").address) as $address
        | select(($range | contains(":")) == ($address | contains(":")))
        | "\($range) via \($address)"'
}

# have_routes ROUTES NODE...: each of the nodes has all of them.
have_routes()
{
    local routes=$1 node
    shift
    for node; do
        [[ -z $(comm -23 <(sort <<<"$routes") <(routes_of "$node" | sort)) ]] || {
            printf '%s has:\n%s\nand should have:\n%s\n' "$node" "$(routes_of "$node")" "$routes" >"$work/why"
            return 1
        }
    done
}
