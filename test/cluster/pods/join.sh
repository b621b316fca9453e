# A fourth node comes, with another CNI's bridge in the way at first, and goes.

must make_node node04
# Another CNI's bridge is on the range that the node will get. Which one that is, nobody knows: kube-controller-manager passes over a
# range now and then, when a Node changes while it gets its own. So the bridge has the next eight.
in_node_network() { ip netns exec "$hosts-node04" "$@"; }
must in_node_network ip link add cni0 type bridge
for third in {3..10}; do
    must in_node_network ip address add 10.244.$third.1/24 dev cni0
done
must in_node_network ip link set cni0 up
other_bridge=$(in_node_network ip -4 -o address show dev cni0)
must start_node node04
must within 60 have_registered node04
has_range() { [[ -n $(pod_range node04 6) ]]; }
must within 120 has_range # kube-controller-manager may still wait, after the API server was away
# When a route is missing, the agents tell why.
is_routed()
{
    local node
    within 10 have_routes "$(routes_to node04)" node01 node02 node03 && return
    for node in node01 node02 node03; do
        printf 'the agent on %s:\n' $node
        agent_log $node | tail -n 8
        agent_status $node | head -n 20
    done >>"$work/why" 2>&1
    return 1
}
check "a new node is routed everywhere" is_routed

# milliseconds NODE: from kube-controller-manager's log line about the new podCIDRs to the second route in the node's kernel.
milliseconds()
{
    local ranged routed
    ranged=$(sed -n 's/^I[0-9]* \([0-9:.]*\) .*"Set node PodCIDR".*node="node04".*/\1/p' "$control_plane/kube-controller-manager.log" | tail -n 1)
    routed=$(agent_log "$1" | sed -n 's/^time=\([^ ]*\) .*event=route-added node=node04 .*/\1/p' | tail -n 1)
    [[ -n $ranged && -n $routed ]] && echo $((($(date -d "$routed" +%s%N) - $(date -d "$ranged" +%s%N)) / 1000000))
}
routed_within()
{
    local node took
    for node in node01 node02 node03; do
        took=$(milliseconds $node) || return 1
        printf '%s: %d ms\n' $node "$took" | tee -a "$work/why" | sed 's/^/# /'
        ((took < $1)) || return 1
    done
}
check "within 2 s of its podCIDR, by the programs' own logs" routed_within 2000

must within 90 has_agent node04
check "another CNI's bridge on its range is a finding in the log" within 20 logs node04 own-range-in-use cni0
check "and in routelet status" shows_status node04 own-range-in-use
printf '# its range: %s\n' "$(pod_range node04 4)"
check "the node is not Ready, and that bridge is as it was" eval \
    'has_no_conflist node04 && [[ $(in_node_network ip -4 -o address show dev cni0) == "$other_bridge" ]]'
ip -n "$hosts-node04" link delete cni0
check "once it is gone, the node becomes Ready" within 60 is_ready node04

# Another CNI's configuration that sorts first.
other=$nodes/node04/root/etc/cni/net.d/00-other.conflist
printf '{"cniVersion": "1.0.0", "name": "other", "plugins": [{"type": "loopback"}]}\n' >"$other"
other_before=$(sha256sum "$other")
check "a CNI configuration that sorts first is a finding in the log" within 30 logs node04 cni-config-shadowed 00-other.conflist
check "and in routelet status" shows_status node04 cni-config-shadowed
check "and is left alone" equal "$other_before" sha256sum "$other"
rm "$other"

must within 120 rolled_out 60
must within 60 eval '[[ -n $(tools_on node04) ]]'
must admin rollout status daemonset/tools --timeout=90s >/dev/null
fourth=$(tools_on node04)
fourth_is_seen()
{
    sees "$(pod_address $one 4)" "$(pod_address $fourth 4)" 8080 in_pod $one && sees "$(pod_address $fourth 6)" "$(pod_address $one 6)" 8080 in_pod $fourth
}
check "its pods reach the others and are reached" fourth_is_seen

fourth_range=$(pod_range node04 4)
power_off node04
must admin delete node node04 >/dev/null
no_routes_to_fourth()
{
    local node
    for node in node01 node02 node03; do
        [[ $(routes_of $node) != *"$fourth_range"* ]] || return 1
    done
}
check "when it has left, its routes are gone everywhere" within 5 no_routes_to_fourth
