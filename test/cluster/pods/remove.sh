# Uninstall: kubectl delete, then routelet cleanup on every node.

must admin delete daemonset tools host --wait >/dev/null
must admin delete pod second --wait >/dev/null
must admin delete service tools >/dev/null
for overlay in router node-identity; do
    must admin delete -k "$repository/manifests/overlays/$overlay" --ignore-not-found --wait >/dev/null
done
must admin delete clusterrolebinding,clusterrole,validatingadmissionpolicybinding,validatingadmissionpolicy \
    routelet-network-unavailable >/dev/null
check "kubectl delete -f manifests/routelet.yaml" admin delete -f "$manifest" --wait
check "routes stay, as long as nobody removes them" eval '[[ -n $(routes_of node01) ]]'
check "kubectl apply -f manifests/cleanup.yaml" admin apply -f "$repository/manifests/cleanup.yaml"
check "routelet cleanup runs on every node" admin --namespace routelet-cleanup rollout status daemonset/routelet-cleanup --timeout=120s
admin --namespace routelet-cleanup logs --selector app.kubernetes.io/name=routelet-cleanup --prefix --tail 100 2>&1 | sed 's/^/# /'
check "kubectl delete -f manifests/cleanup.yaml" admin delete -f "$repository/manifests/cleanup.yaml" --wait
for node in node01 node02 node03; do
    check "$node has no route of ours" equal "" in_node $node ip route show proto 82
    check "$node has no IPv6 route of ours" equal "" in_node $node ip -6 route show proto 82
    check "$node has no table of ours" eval "! in_node $node nft list tables | grep routelet"
    links() { in_node $node ip -o link | awk -F ': ' '{ print $2 }' | cut -d @ -f 1 | sort; }
    check "$node has the links it had before" equal "$(awk -F ': ' '{ print $2 }' "$work/$node.links" | cut -d @ -f 1 | sort)" links
    files() { find "$nodes/$node"/root/etc/cni "$nodes/$node"/root/opt/cni -name '*routelet*'; }
    check "$node has no file of ours" equal "" files
done
