# What happens in a cluster's life, and what the routes must do then. Sourced by test/cluster/agents/run.

# node_json NODE NUMBER: as a kubelet registers itself: with its addresses, before anybody gave it a pod range.
node_json()
{
    jq --null-input --arg name "$1" --arg number "$2" '{apiVersion: "v1", kind: "Node", metadata: {name: $name},
        status: {addresses: [{type: "InternalIP", address: "192.168.1.\($number)"},
                             {type: "InternalIP", address: "fd00:192:168:1::\($number)"},
                             {type: "Hostname", address: $name}]}}'
}

register_node() { node_json "$1" "$2" | admin create -f - >/dev/null; }

# give_pod_range NODE: as the controller manager does.
give_pod_range()
{
    local number=$((10#${1#node}))
    admin patch node "$1" --patch "{\"spec\": {\"podCIDR\": \"10.244.$number.0/24\",
        \"podCIDRs\": [\"10.244.$number.0/24\", \"fd00:10:244:$number::/64\"]}}" >/dev/null
}

join_node() { register_node "$1" "$2" && give_pod_range "$1" && members[$1]=$2; }

# move_node NODE NUMBER: the node reports another address, through the status subresource as a kubelet does.
move_node()
{
    admin get node "$1" -o json |
        jq --argjson moved "$(node_json "$1" "$2")" '.status.addresses = $moved.status.addresses' |
        admin replace --raw "/api/v1/nodes/$1/status" -f - >/dev/null && members[$1]=$2
}

leave_node() { admin delete node "$1" >/dev/null && unset "members[$1]"; }

apply_manifests() { admin apply -k "$repository/manifests/base" >/dev/null; }

# only_routes_to_changed NODE RECORDING...: each of them holds the route to that node's pods, and no change of another's.
only_routes_to_changed()
{
    local recording to="10.244.$((10#${1#node})).0/24 " to6="fd00:10:244:$((10#${1#node}))::/64 "
    for recording in "${@:2}"; do
        grep --quiet --fixed-strings "$to" "$recording" || {
            printf 'nothing about %s in %s\n' "$to" "$recording" >"$work/why"
            return 1
        }
    done
    ! grep --extended-regexp '10\.244\.|fd00:10:244:' "${@:2}" |
        grep --fixed-strings --invert-match -e "$to" -e "$to6" >"$work/why"
}

# --- a control plane and three nodes

must make_lan
must make_host control 10
for node in node01 node02 node03; do
    must make_node_host $node
done
must start_control_plane
printf '# %s\n' "$("$kubernetes/kube-apiserver" --version)" "$(etcd --version | head -n 1)" "$("$agent" version 2>&1 | head -n 1)"

check "kubectl applies manifests/base" apply_manifests
for node in node01 node02 node03; do
    must join_node $node $((10 + 10#${node#node}))
done
must write_token_kubeconfig routelet

# --- what the service account may do

event='{"metadata": {"generateName": "node01."}, "involvedObject": {"kind": "Node", "name": "node01"}}'
check "the service account may list nodes"         equal 200 answer GET /api/v1/nodes
check "the service account may write events"       equal 201 answer POST /api/v1/namespaces/default/events "$event"
check "the service account may not delete a node"  equal 403 answer DELETE /api/v1/nodes/node01
check "the service account may not create a node"  equal 403 answer POST /api/v1/nodes "$(node_json node09 19)"
check "the service account may not read secrets"   equal 403 answer GET /api/v1/secrets

# --- join, move, join, leave

for node in node01 node02 node03; do
    start_agent $node
done
check "every node has a route to every other node's pods within 5 s" within 5 has_routes node01 node02 node03
check "pod ranges reach each other, IPv4 and IPv6" reach_each_other node01 node02 node03

must give_address node02 22
must move_node node02 22
check "a node's new InternalIP becomes the next hop on the others" within 5 has_routes node01 node02 node03
check "pod ranges reach each other through it" reach_each_other node01 node02 node03

must make_node_host node04
must register_node node04 14
sleep 1
check "a node without a pod range changes nothing" has_routes node01 node02 node03
must give_pod_range node04
members[node04]=14
start_agent node04
check "a new node is routed everywhere, and routes to all" within 5 has_routes node01 node02 node03 node04
check "pod ranges reach each other, the new one too" reach_each_other node01 node02 node03 node04

check "an agent ends with status 0 on SIGTERM" stop_agent node03
check "its routes stay" has_routes node03
must leave_node node03
check "a node that left has no route anywhere" within 5 has_routes node01 node02 node04

# --- the API server goes and comes back

for node in node01 node02 node04; do
    record_routes $node
done
kill_apiserver
sleep 3
check "routes stay while the API server is away" has_routes node01 node02 node04
start_apiserver
must wait_for_apiserver 60
must join_node node05 15 # its host is not needed: it is its neighbours' routes that are looked at
check "a change after the API server's restart is followed" within 40 has_routes node01 node02 node04
stop_recording
check "no other route was touched from its end to now" \
    only_routes_to_changed node05 "$work"/node0{1,2,4}.routes

# --- an agent whose service account has no rights

must stop_agent node02
must admin create serviceaccount nobody --namespace routelet >/dev/null
must write_token_kubeconfig nobody
: >"$work/node02.log"
start_agent node02 nobody
check "without rights, the log names the missing rule" \
    within 5 a_line_has "$work/node02.log" forbidden list nodes system:serviceaccount:routelet:nobody
check "and the routes stay as they are" has_routes node02
must admin create clusterrolebinding nobody --clusterrole routelet --serviceaccount routelet:nobody >/dev/null
must leave_node node05
check "given the rights, it carries on by itself" within 60 has_routes node01 node02 node04

# --- what is wrong on a node, as Events on its Node

# has_event NODE TYPE REASON: stock kubectl shows it.
has_event() { admin describe node "$1" >"$work/described" 2>&1 && a_line_has "$work/described" "${@:2}"; }
# events_of_node02 SELECTOR JSONPATH: what the path finds in each Event that its agent told, a line each.
events_of_node02()
{
    admin get events --field-selector "involvedObject.name=node02,source=routelet$1" \
        -o "jsonpath={range .items[*]}$2{'\n'}{end}"
}
must stop_agent node02
on_node02=(ip -n "$hosts-node02")
must admin delete events --field-selector involvedObject.name=node02 >/dev/null
must "${on_node02[@]}" address del "$(pod_address6 node02)/128" dev lo # nothing else is to be wrong here
must "${on_node02[@]}" link add cni0 type bridge
must "${on_node02[@]}" link set cni0 up
must "${on_node02[@]}" address add 10.244.2.129/25 dev cni0
start_agent node02
check "another plugin's bridge on the node's range is a Warning in kubectl describe node" \
    within 40 has_event node02 Warning OwnRangeInUse routelet cni0
check "so is that the node is not ready" within 10 has_event node02 Warning RouteletNotReady
uid=$(admin get node node02 -o 'jsonpath={.metadata.uid}')
check "the Event is about this very Node, and says who tells it" equal "$uid routelet node02" \
    events_of_node02 ,reason=OwnRangeInUse '{.involvedObject.uid} {.reportingComponent} {.source.host}'
must "${on_node02[@]}" link del cni0
check "that it is over is an Event, too" within 40 has_event node02 Normal RouteletReady
told=$(events_of_node02 "" '{.metadata.name} {.metadata.resourceVersion}')
must stop_agent node02
start_agent node02
sleep 25
check "an agent that starts where nothing is wrong tells nothing, and counts on nothing" \
    equal "$told" events_of_node02 "" '{.metadata.name} {.metadata.resourceVersion}'
must "${on_node02[@]}" address add "$(pod_address6 node02)/128" dev lo nodad
check "and the routes are as before" within 5 has_routes node01 node02 node04

# --- an agent with a client certificate instead of a token

must stop_agent node01
: >"$work/node01.log"
cp "$control_plane/admin.kubeconfig" "$work/certificate.kubeconfig"
start_agent node01 certificate
check "a client certificate is as good as a token" within 10 a_line_has "$work/node01.log" routes-ready removed=0
check "and its routes are as before" has_routes node01

# --- the end

for node in node01 node02 node04; do
    check "the agent on $node ends with status 0 on SIGTERM" stop_agent $node
done
check "every route is still there" has_routes node01 node02 node04
check "pod ranges still reach each other" reach_each_other node01 node02 node04
