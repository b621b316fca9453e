# What manifests/overlays adds, with kubelets that are under its policies.

network_unavailable() { [[ $(condition "$1" NetworkUnavailable) == "$2" ]]; }
check "kubectl apply -k manifests/overlays/network-unavailable" admin apply -k "$repository/manifests/overlays/network-unavailable"
admin --namespace routelet rollout restart daemonset/routelet >/dev/null
must rolled_out 120
for node in node01 node02 node03; do
    check "$node has the condition NetworkUnavailable=False" within 30 network_unavailable $node False
done
admin patch node node02 --subresource status --type strategic --patch \
    '{"status": {"conditions": [{"type": "NetworkUnavailable", "status": "True", "reason": "CloudSaysSo"}]}}' >/dev/null
admin --namespace routelet delete pod "$(agent_pod node02)" --wait >/dev/null
check "an agent that starts corrects what a cloud controller has set" within 60 network_unavailable node02 False

check "kubectl apply -k manifests/overlays/node-identity" admin apply -k "$repository/manifests/overlays/node-identity"
heartbeat() { admin get node "$1" -o json | jq --raw-output '.status.conditions[] | select(.type == "Ready").lastHeartbeatTime'; }
cordoned() { admin cordon node03 >/dev/null && admin uncordon node03 >/dev/null; }
must cordoned
stop_daemon node03 kubelet
must start_kubelet node03
beat=$(heartbeat node03)
has_new_heartbeat() { [[ $(heartbeat node03) > $beat ]]; }
check "under it a kubelet that starts anew still reports its node's status" within 60 has_new_heartbeat

# A router: it is the nodes' gateway, and no node.
check "kubectl apply -k manifests/overlays/router" admin apply -k "$repository/manifests/overlays/router"
router_token()
{
    admin --namespace routelet get secret routelet-router -o jsonpath='{.data.token}' | base64 -d >"$work/router.token" 2>/dev/null
    [[ -s $work/router.token ]]
}
must within 20 router_token
write_kubeconfig "$work/router.kubeconfig" "{tokenFile: $work/router.token}"
ip netns exec "$hosts-outside" "$agent" run --role router --kubeconfig "$work/router.kubeconfig" >"$work/router.log" 2>&1 &
router_pid=$!
router_has_routes()
{
    ip -n "$hosts-outside" -j route show proto 82 | jq --raw-output '.[] | "\(.dst) via \(.gateway)"' | sort >"$work/why"
    [[ $(<"$work/why") == "$(for node in node01 node02 node03; do routes_to $node; done | grep -v : | sort)" ]]
}
check "the nodes' router gets routes to every node's pods" within 20 router_has_routes
check "a machine that no pod network knows reaches a pod through it" gets "$(pod_address "$(tools_on node01)" 4)" 8080 on outside
stop_process $router_pid
