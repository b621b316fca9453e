# From nodes without a pod network to nodes with one: by one kubectl apply.

controller_options=() # nobody gives the nodes podCIDRs yet
must start_cluster node01 node02 node03
printf '# %s, %s, %s\n' "$("$kubernetes/kubelet" --version)" "$("$kubernetes/containerd" --version)" "up after $SECONDS s"
for node in node01 node02 node03; do
    in_node $node ip -o link >"$work/$node.links"
done

check "no node is Ready without a pod network" none_is_ready node01 node02 node03
check "kubectl apply -f manifests/routelet.yaml" admin apply -f "$manifest"

# --- on a cluster whose controller manager does not allocate podCIDRs

has_agent() { [[ $(admin get pod --namespace routelet "$(agent_pod "$1")" -o jsonpath='{.status.phase}' 2>/dev/null) == Running ]]; }
have_agents()
{
    local node
    for node; do
        has_agent $node || return 1
    done
}
must within 60 have_agents node01 node02 node03
check "without podCIDRs the agent waits, and its log says what to do" \
    within 20 logs node01 own-pod-cidr-missing allocate-node-cidrs
check "so does routelet status" within 5 shows_status node01 own-pod-cidr-missing
has_no_conflist() { [[ ! -e $nodes/$1/root/etc/cni/net.d/05-routelet.conflist ]]; }
check "there is no CNI configuration, and the node is not Ready" eval 'has_no_conflist node01 && none_is_ready node01 node02 node03'

stop_controllers
start_controllers "${allocate_pod_ranges[@]}"
check "given podCIDRs, all nodes become Ready by themselves" within 90 are_ready node01 node02 node03
check "the DaemonSet is rolled out" rolled_out 60
check "node01 is routed on the others" within 5 have_routes "$(routes_to node01)" node02 node03
check "node02 is routed on the others" within 5 have_routes "$(routes_to node02)" node01 node03
check "node03 is routed on the others" within 5 have_routes "$(routes_to node03)" node01 node02
# chains NODE TYPE...: exactly these, behind the plugin.
chains()
{
    local node=$1
    shift
    jq --compact-output '.plugins | map(.type)' "$nodes/$node/root/etc/cni/net.d/05-routelet.conflist" >"$work/why"
    [[ $(<"$work/why") == "$(jq --null-input --compact-output '$ARGS.positional' --args routelet-cni "$@")" ]]
}
offers() { jq --exit-status '.name == "routelet" and .cniVersions == ["1.0.0", "1.1.0"]
    and .plugins[0].capabilities.portMappings' "$nodes/$1/root/etc/cni/net.d/05-routelet.conflist" >"$work/why"; }
check "the CNI configuration offers 1.1.0 and host ports" offers node01
check "it chains no other plugin, though there are some" chains node01
plugin=$nodes/node01/root/opt/cni/bin/routelet-cni
is_at_most() { (($(stat --format %s "$2") <= $1)); }
needs_no_library() { [[ $(readelf --dynamic --wide "$1" 2>&1) != *NEEDED* ]]; }
check "the plugin is linked statically"              needs_no_library "$plugin"
check "and has 2 MB at most"                         is_at_most 2000000 "$plugin"
check "where there was no loopback plugin, Routelet's is one" equal routelet-cni readlink "$nodes/node02/root/opt/cni/bin/loopback"
check "where there was one, it stays"               cmp "$kubernetes/loopback" "$nodes/node01/root/opt/cni/bin/loopback"
check "routelet status says ready" within 5 shows_status node01 ready

# --- what the pod may do

# status_of FIELD: of the agent's process (proc(5)).
status_of() { sed -n "s/^$1:\t//p" "/proc/$(agent_process node01)/status"; }
check "the agent's only capability is CAP_NET_ADMIN"  equal 0000000000001000 status_of CapBnd
check "it cannot gain any"                            equal 1 status_of NoNewPrivs
check "its system calls are filtered (RuntimeDefault)" equal 2 status_of Seccomp
root_options() { awk '$5 == "/" { print $6 }' "/proc/$(agent_process node01)/mountinfo" | cut -d , -f 1; }
check "its root file system is read-only"             equal ro root_options
