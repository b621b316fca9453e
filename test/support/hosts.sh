# Network namespaces as hosts on one LAN, or on several. Sourced by script/demo, test/lab and test/cluster.
#
# Set before: hosts    what the namespaces' names begin with; HOST lives in $hosts-HOST
# A host's interface on its LAN is eth0. LAN 1, which is meant where none is named, has 192.168.1.0/24 and
# fd00:192:168:1::/64; LAN 2 has 192.168.2.0/24, and so on. Afterwards: remove_hosts, always.

# make_lan [LAN]: a bridge in a namespace of its own: nothing is made in the machine's.
make_lan()
{
    local lan=lan${1:-1}
    { has_host lan || ip netns add "$hosts-lan"; } &&
        ip -n "$hosts-lan" link add "$lan" type bridge && ip -n "$hosts-lan" link set "$lan" up
}

# make_host HOST NUMBER [LAN]: with 192.168.LAN.NUMBER/24 and fd00:192:168:LAN::NUMBER/64.
make_host()
{
    ip netns add "$hosts-$1" && ip -n "$hosts-$1" link set lo up && plug "$1" eth0 "$2" "${3:-1}"
}

# plug HOST INTERFACE NUMBER LAN: one more interface of that host, on that LAN.
plug()
{
    ip -n "$hosts-lan" link add "$1-$2" type veth peer name "$2" netns "$hosts-$1" &&
        ip -n "$hosts-lan" link set "$1-$2" master "lan$4" up &&
        ip -n "$hosts-$1" link set "$2" up &&
        give_address "$1" "$3" "$4" "$2"
}

# give_address HOST NUMBER [LAN [INTERFACE]]
give_address()
{
    local lan=${3:-1} interface=${4:-eth0}
    ip -n "$hosts-$1" address add "192.168.$lan.$2/24" dev "$interface" &&
        ip -n "$hosts-$1" address add "fd00:192:168:$lan::$2/64" dev "$interface" nodad
}

# make_pod HOST POD: an empty network namespace, as a container runtime makes one before it calls the plugin.
make_pod()
{
    ip netns add "$hosts-$1-$2" && ip -n "$hosts-$1-$2" link set lo up
}

# on HOST COMMAND...: runs the command on that host, or in the pod HOST-POD.
on()
{
    local host=$1
    shift
    ip netns exec "$hosts-$host" "$@"
}

has_host() { ip netns list | awk -v name="$hosts-$1" '$1 == name { found = 1 } END { exit !found }'; }

remove_hosts()
{
    local name
    for name in $(ip netns list | awk -v ours="$hosts-" 'index($1, ours) == 1 { print $1 }'); do
        ip netns del "$name"
    done
}

# is_alive PID: and not a zombie that whoever started it has yet to reap.
is_alive() { [[ $(ps -o state= -p "$1") == [!Z] ]]; }

# stop_process PID: asks it to end, and kills it after 10 seconds. Its exit status; 0 for an empty PID.
stop_process()
{
    [[ -n $1 ]] || return 0
    kill -TERM "$1" 2>/dev/null
    local _
    for _ in {1..100}; do
        is_alive "$1" || break
        sleep 0.1
    done
    kill -KILL "$1" 2>/dev/null
    wait "$1" 2>/dev/null
}
