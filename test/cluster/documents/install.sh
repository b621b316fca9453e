# "Install" of docs/operations.md, on nodes that have no network.

if [[ -n ${ROUTELET_IMAGE:-} ]]; then
    cp "$ROUTELET_IMAGE" "$work/clone/routelet.tar"
    reason["sudo script/image --output routelet.tar"]="ROUTELET_IMAGE is given"
else
    follow "sudo script/image --output routelet.tar"
fi
must start_cluster node01 node02 node03
printf '# up after %d s\n' $SECONDS
for node in node01 node02 node03; do
    cp "$work/clone/routelet.tar" "$nodes/$node/root/root/"
    in_node $node ip -o link >"$work/$node.links"
    follow "ctr --namespace k8s.io images import routelet.tar" $node
done
must in_clone sed -i 's|\(_CLUSTER_CIDR:\) ""|\1 "'$pod_ranges'"|; s|\(_SERVICE_CIDR:\) ""|\1 "'$service_ranges'"|' manifests/routelet.yaml
check "no node is Ready without a pod network"          none_is_ready node01 node02 node03
follow "kubectl apply -f manifests/routelet.yaml"
follow "kubectl -n routelet rollout status daemonset routelet" admin "successfully rolled out"
check "all nodes become Ready"                          within 30 are_ready node01 node02 node03
follow "kubectl get nodes" admin "node01 Ready" "node02 Ready" "node03 Ready"
guarded() { in_node node01 ip route show type unreachable proto 82 >"$work/why" && grep --quiet '^unreachable 10.244.0.0/16 ' "$work/why"; }
check "and have the options that were set in the manifest" within 5 guarded
