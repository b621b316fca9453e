# A lab: the lab's API server on a host, `control` unless the script says otherwise, and hosts beside it. Sourced by
# script/demo and test/lab's scripts.
#
# Set before: hosts (test/support/hosts.sh), state, the folder for everything that is written, and bin, the build's.
# Each process is known by a name: its output is in $state/NAME.log, its pid in $state/NAME.pid.

api_host=control
api_address=192.168.1.10
protocol=82 # the agent's defaults: what marks a route as its own
metric=8200 # and the 65535 after it

# start NAME HOST COMMAND...: in the background, detached from the terminal.
start()
{
    local name=$1 host=$2
    shift 2
    setsid ip netns exec "$hosts-$host" "$@" >>"$state/$name.log" 2>&1 </dev/null &
    echo $! >"$state/$name.pid"
}

pid_of() { cat "$state/$1.pid" 2>/dev/null; }

# stop NAME: its exit status.
stop()
{
    local pid
    pid=$(pid_of "$1")
    rm -f "$state/$1.pid"
    stop_process "$pid"
}

kube() { on $api_host kubectl --kubeconfig "$state/api/kubeconfig" --cache-dir "$state/kubectl" "$@"; }

# kube_create: from standard input. kubectl before 1.24 would ask for a schema that the lab does not have.
kube_create() { kube create --validate=false -f -; }

start_api()
{
    start api-server $api_host "$bin/test/lab/routelet-lab-apiserver" --listen $api_address:6443 --directory "$state/api"
    within_ms 10000 kube get --raw /readyz >/dev/null
}

now_ms() { echo $(($(date +%s%N) / 1000000)); }

# within_ms MILLISECONDS COMMAND...: as soon as the command succeeds, how long that took; status 1 when it did not.
within_ms()
{
    local started limit=$1
    started=$(now_ms)
    shift
    until "$@" >/dev/null 2>&1; do
        (($(now_ms) - started < limit)) || return 1
        sleep 0.01
    done
    echo $(($(now_ms) - started))
}

# node_json nodeNN [PODCIDR [ADDRESS]]: as if its kubelet had registered it and it had been given its podCIDR. Both may
# be several, separated by commas. PODCIDR "none" leaves it out.
node_json()
{
    local number=$((10#${1#node}))
    jq -n --arg name "$1" --arg cidr "${2:-10.244.$number.0/24}" --arg address "${3:-192.168.1.$((10 + number))}" \
        --arg kernel "$(uname -r)" '
        {apiVersion: "v1", kind: "Node",
         metadata: {name: $name, labels: {"kubernetes.io/hostname": $name}},
         spec: (if $cidr == "none" then {} else ($cidr / ",") | {podCIDR: .[0], podCIDRs: .} end),
         status: {addresses: ([($address / ",")[] | {type: "InternalIP", address: .}] + [{type: "Hostname", address: $name}]),
                  conditions: [{type: "Ready", status: "True", reason: "KubeletReady", message: "ready"}],
                  nodeInfo: {kubeletVersion: "v1.34.0", osImage: "network namespace", kernelVersion: $kernel,
                             containerRuntimeVersion: "none", architecture: "", bootID: "", kubeProxyVersion: "",
                             machineID: "", operatingSystem: "linux", systemUUID: ""}}}'
}

# start_agent NODE [OPTION...]: with the node's agent.kubeconfig if it has one, else the lab's.
start_agent()
{
    local node=$1 kubeconfig=$state/$1/agent.kubeconfig
    shift
    [[ -e $kubeconfig ]] || kubeconfig=$state/api/agent.kubeconfig
    start "$node/agent" "$node" "$bin/controller/routelet" run --node-name "$node" --kubeconfig "$kubeconfig" "$@"
}

# start_router HOST [OPTION...]: the agent in its router role.
start_router()
{
    start "$1/agent" "$1" "$bin/controller/routelet" run --role router --kubeconfig "$state/api/agent.kubeconfig" "${@:2}"
}

# make_node nodeNN [LAN]: a host of number 10 + NN.
make_node()
{
    mkdir -p "$state/$1"
    make_host "$1" $((10 + 10#${1#node})) "${2:-1}"
}

# Never `command | grep -q`: grep ends at the first match, and with pipefail the command's broken pipe counts.
# Routes to other nodes; the guard of the own podCIDR is of another type.
routes_of() { ip -n "$hosts-$1" -4 route show proto $protocol type unicast; }
has_route()
{
    grep -q "^10.244.$((10#${2#node})).0/24 via 192.168.1.$((10 + 10#${2#node})) " <<<"$(routes_of "$1")"
}
has_no_route() { ! grep -q "^10.244.$((10#${2#node})).0/24 " <<<"$(routes_of "$1")"; }

# remove_lab: all that was started and made, and $state.
remove_lab()
{
    local file
    for file in "$state"/*.pid "$state"/*/*.pid; do
        [[ -e $file ]] && stop_process "$(cat "$file")"
    done
    remove_hosts
    rm -rf "$state"
} 2>/dev/null

# Whether every line of the agents' logs and histories is as docs/troubleshooting.md has its event: level and fields.
logs_are_as_documented() { "$repository/test/support/catalogue" "$repository/docs/troubleshooting.md" $(find "$state" -name agent.log -o -name history.log) >"$work/why"; }
