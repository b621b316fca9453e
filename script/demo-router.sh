# The story of `script/demo router`: nodes in two subnets, and an agent on the router between them. Sourced by script/demo,
# whose words it uses.

. "$repository/test/lab/pods.sh"

cluster_cidrs=10.244.0.0/16,fd00:10:244::/48

lan_of() { [[ $1 == node03 ]] && echo 2 || echo 1; }

# The node's addresses and podCIDRs.
address4() { echo "192.168.$(lan_of "$1").$((10 + 10#${1#node}))"; }
address6() { echo "fd00:192:168:$(lan_of "$1")::$((10 + 10#${1#node}))"; }
pods4() { echo "10.244.$((10#${1#node})).0/24"; }
pods6() { echo "fd00:10:244:$((10#${1#node}))::/64"; }

register() { node_json "$1" "$(pods4 "$1"),$(pods6 "$1")" "$(address4 "$1"),$(address6 "$1")" | kube_create; }

# use_router HOST LAN: its default gateway is the router's leg in that subnet.
use_router()
{
    ip -n "$hosts-$1" route add default via "192.168.$2.1" && ip -n "$hosts-$1" -6 route add default via "fd00:192:168:$2::1"
}

# The router forwards, as any does, and knows nothing of pods.
make_router()
{
    mkdir -p "$state/router"
    make_host router 1 1 && plug router eth1 1 2 && on router sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
}

make_subnets()
{
    local node
    make_lan 1 && make_lan 2 && make_router && make_host control 10 1 && use_router control 1 || return
    for node in node01 node02 node03; do
        make_node $node "$(lan_of $node)" && use_router $node "$(lan_of $node)" || return
    done
}

declare -A pod_address # by "NODE FAMILY"

# reach NODE OTHER...: the node's pod reaches those of the others, both families. Each answer is waited for `patience`
# seconds; so long is what a measured time can be too long.
patience=1
reach()
{
    local to family
    for to in "${@:2}"; do
        for family in 4 6; do
            on "$1-pod1" ping -n -q -c 1 -W $patience "${pod_address[$to $family]}" >/dev/null 2>&1 || return
        done
    done
}
reach_across() { reach node01 node03 && reach node03 node01; }
all_reach_all_pods() { reach node01 node02 node03 && reach node02 node01 node03 && reach node03 node01 node02; }

# routes_to HOST NODE: the host has routes of Routelet's to the node's pods, both families.
routes_to()
{
    [[ $(ip -n "$hosts-$1" route show "$(pods4 "$2")") == *"via $(address4 "$2") "*"proto $protocol"* &&
        $(ip -n "$hosts-$1" -6 route show "$(pods6 "$2")") == *"via $(address6 "$2") "*"proto $protocol"* ]]
}
knows_nothing_of()
{
    [[ -z $(ip -n "$hosts-$1" route show "$(pods4 "$2")") && -z $(ip -n "$hosts-$1" -6 route show "$(pods6 "$2")") ]]
}
routes_to_all() { routes_to router node01 && routes_to router node02 && routes_to router node03; }

bring_up_subnets()
{
    step "Two subnets, the router between them, and an API server"
    note "node01 and node02 are in 192.168.1.0/24, node03 is in 192.168.2.0/24; the router has .1 in both and is their default"
    note "gateway. Each is a network namespace; all have IPv6 as well. The API server is the lab's, on 192.168.1.10."
    local started
    started=$(now_ms)
    make_subnets || fail "cannot make the hosts; is something left over? Try: script/demo down"
    start_api >/dev/null || fail "the API server does not start: $(tail -n 3 "$state/api-server.log")"
    local node
    for node in node01 node02 node03; do
        register $node >/dev/null
    done
    show_as "kubectl get nodes -o wide" kube get nodes -o wide
    outcome "three nodes are registered" $(($(now_ms) - started)) [ "$(kube get nodes -o name | wc -l)" = 3 ]
    within_ms 5000 nodes_reach_each_other >/dev/null # neighbours are looked for first
    outcome "nodes of the two subnets reach each other through the router" - nodes_reach_each_other
}

nodes_reach_each_other() { ping_once node01 "$(address4 node03)" && ping_once node03 "$(address6 node02)"; } >/dev/null

agents_and_pods()
{
    step "An agent on each node, with --off-link=gateway"
    note "It makes routes to the nodes of its own subnet. Those of others are left to the default route: no route of its own,"
    note "no refusal, no masquerade. When a node is ready, its agent writes the CNI configuration; then pods can be added."
    local node
    for node in node01 node02 node03; do
        start_node_agent $node --off-link gateway --cluster-cidr $cluster_cidrs
    done
    for node in node01 node02 node03; do
        within_ms 5000 has_conflist $node >/dev/null
        add_pod $node pod1 || fail "the plugin could not add pod1 on $node"
        pod_address["$node 4"]=$(address_of $node pod1 4) pod_address["$node 6"]=$(address_of $node pod1 6)
        start_observer $node-pod1
    done
    within_ms 5000 reach node01 node02 >/dev/null # a new bridge has its IPv6 address after a second or two
    show ip -n $hosts-node01 -4 route
    log_says node01 node-gateway 2
    note "routelet status, on node01:"
    on node01 "$bin/controller/routelet" status | sed -n '/^nodes/,$ { /^nodes/d; s/^/     /; p }'
    outcome "node01 routes to node02, and leaves node03 to its gateway" - knows_its_neighbour
    outcome "pods of one subnet reach each other" - reach node01 node02
}

knows_its_neighbour() { routes_to node01 node02 && knows_nothing_of node01 node03; }

before_the_router()
{
    step "The router knows nothing of pods yet"
    note "Their packets arrive there, and it has no route for them: neither on, nor back to say so."
    local address=${pod_address[node03 4]}
    show ip -n $hosts-router route get "$address"
    show_as "ip netns exec $hosts-node01-pod1 ping $address" ping_once_loudly node01-pod1 "$address"
    outcome "pods of the other subnet are out of reach" - is_out_of_reach node01 node03
}

is_out_of_reach() { ! reach "$@"; }

the_routers_agent()
{
    step "An agent on the router, with --role=router"
    note "It needs a kubeconfig and no name: no Node is its own. It makes a route to every node's podCIDR, and nothing else:"
    note "no bridge, no CNI configuration, no masquerade."
    start_router router --cluster-cidr $cluster_cidrs
    local took
    took=$(patience=0.05 within_ms 5000 reach_across)
    show ip -n $hosts-router -4 route
    show ip -n $hosts-router -6 route show proto $protocol
    log_says router 'agent-started|routes-ready|router-ready' 3
    outcome "pods of both subnets reach each other, from the agent's start" "${took:--}" all_reach_all_pods
    outcome "the router has a route to every node's pods, IPv4 and IPv6" - routes_to_all
    outcome "it has no bridge and no nftables table" - is_bare
    note "Each pod tells who connects to it at which address: the pod on node01 is seen by the one on node03 at"
    note "$(seen_from node01-pod1 "${pod_address[node03 4]}") and $(seen_from node01-pod1 "${pod_address[node03 6]}")."
    outcome "a pod is seen at its own address across the router: no NAT in between" - are_seen_as_they_are
}

is_bare() { [[ -z $(ip -n $hosts-router link show type bridge) && -z $(on router nft list tables) ]]; }

are_seen_as_they_are()
{
    local family
    for family in 4 6; do
        [[ $(seen_from node01-pod1 "${pod_address[node03 $family]}") == "${pod_address[node01 $family]}" &&
            $(seen_from node03-pod1 "${pod_address[node01 $family]}") == "${pod_address[node03 $family]}" ]] || return
    done
}

subnet_loses_its_node()
{
    step "node03 leaves, and comes back"
    kube delete node node03 | sed 's/^/   kubectl: /'
    local took
    took=$(within_ms 5000 knows_nothing_of router node03)
    show ip -n $hosts-router -4 route
    log_says router 'node-left|route-removed' 3
    outcome "its routes are gone from the router" "${took:--}" knows_nothing_of router node03
    outcome "the others' are untouched" - routes_to router node02
    register node03 | sed 's/^/   kubectl: /'
    took=$(patience=0.05 within_ms 5000 reach_across)
    outcome "its pods are reachable within a second of kubectl's return" "${took:--}" [ "${took:-9999}" -lt 1000 ]
}

routers_agent_is_killed()
{
    step "The router's agent is killed with -9 and started again, under traffic"
    note "A pod on node01 pings node03's pod more than a hundred times a second all the while."
    on node01-pod1 ping -n -q -i 0.008 -c 500 "${pod_address[node03 4]}" >"$state/ping" 2>&1 &
    local ping=$!
    sleep 1
    kill_agent router
    sleep 1
    outcome "killed, it leaves every route" - routes_to_all
    start_router router --cluster-cidr $cluster_cidrs
    within_ms 5000 has_started_again router >/dev/null
    wait $ping
    sed '/^$/d; s/^/     /' "$state/ping"
    log_says router 'routes-ready' 1
    outcome "not one of 500 packets is lost" - grep -q "500 packets transmitted, 500 received" "$state/ping"
    outcome "the new agent found its routes in place and changed none" - \
        grep -q 'event=routes-ready .*added=0 replaced=0 removed=0' <<<"$(tail -n 5 "$state/router/agent.log")"
}

tell_router()
{
    bring_up_subnets
    agents_and_pods
    before_the_router
    the_routers_agent
    subnet_loses_its_node
    routers_agent_is_killed
}
