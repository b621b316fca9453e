# The cluster's hosts, beyond what test/support/hosts.sh makes of any. Sourced by test/cluster/agents/run.
#
# Set before: hosts, and work, the folder for temporary files.

# make_node_host nodeNN: a host of number 10 + NN that has, in place of pods, the first address of its pod ranges.
make_node_host()
{
    make_host "$1" $((10 + 10#${1#node})) &&
        ip -n "$hosts-$1" address add "$(pod_address4 "$1")/32" dev lo &&
        ip -n "$hosts-$1" address add "$(pod_address6 "$1")/128" dev lo nodad
}

pod_address4() { echo "10.244.$((10#${1#node})).1"; }
pod_address6() { echo "fd00:10:244:$((10#${1#node}))::1"; }

# reaches HOST SOURCE DESTINATION: an echo request is answered.
reaches()
{
    ip netns exec "$hosts-$1" ping -q -c 1 -W 2 -I "$2" "$3" >"$work/why" 2>&1
}

monitors=()

# record_routes HOST: from now on every change of a route there is written to $work/HOST.routes, a line each.
record_routes()
{
    ip -n "$hosts-$1" -o monitor route >"$work/$1.routes" 2>&1 &
    monitors+=($!)
}

stop_recording()
{
    local pid
    for pid in "${monitors[@]}"; do
        stop_process "$pid" 2>/dev/null
    done
    monitors=()
}
