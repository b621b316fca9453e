# Network namespaces as hosts on one LAN. Sourced by test/cluster/run.
#
# Set before: hosts    what the namespaces' names begin with; HOST lives in $hosts-HOST
#             work     folder for temporary files
# A host's interface on the LAN is lan0. Afterwards: remove_hosts, always.

# The LAN is a bridge in a namespace of its own: nothing is made in the machine's.
make_lan()
{
    ip netns add "$hosts-lan" && ip -n "$hosts-lan" link add lan type bridge && ip -n "$hosts-lan" link set lan up
}

# make_host HOST NUMBER: with 192.168.1.NUMBER/24 and fd00:192:168:1::NUMBER/64.
make_host()
{
    ip netns add "$hosts-$1" &&
        ip -n "$hosts-$1" link set lo up &&
        ip -n "$hosts-lan" link add "$1" type veth peer name lan0 netns "$hosts-$1" &&
        ip -n "$hosts-lan" link set "$1" master lan up &&
        ip -n "$hosts-$1" link set lan0 up &&
        give_address "$1" "$2"
}

give_address()
{
    ip -n "$hosts-$1" address add "192.168.1.$2/24" dev lan0 &&
        ip -n "$hosts-$1" address add "fd00:192:168:1::$2/64" dev lan0 nodad
}

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

remove_hosts()
{
    local name
    for name in $(ip netns list | awk -v ours="$hosts-" 'index($1, ours) == 1 { print $1 }'); do
        ip netns del "$name"
    done
}
