# "Remove", once the pods are gone.

must admin delete daemonset tools --wait >/dev/null
must admin wait --for=delete pod --selector app=tools --timeout=60s >/dev/null
follow "kubectl delete -f manifests/routelet.yaml"
check "routes stay, as long as nobody removes them"     eval '[[ -n $(routes_of node01) ]]'
follow "kubectl apply -f manifests/cleanup.yaml"
follow "kubectl -n routelet-cleanup rollout status daemonset routelet-cleanup"
follow "kubectl -n routelet-cleanup logs --selector app.kubernetes.io/name=routelet-cleanup --prefix" "" "routelet-cleanup removed"
follow "kubectl delete -f manifests/cleanup.yaml"
names_of_links() { awk -F ': ' '{ print $2 }' | cut -d @ -f 1 | sort; }
links_now() { in_node $node ip -o link | names_of_links; }
files_of_ours() { find "$nodes/$node"/root/etc/cni "$nodes/$node"/root/opt/cni -name '*routelet*'; }
for node in node01 node02 node03; do
    check "$node has no route of ours"                  equal "" in_node $node ip route show proto 82
    check "$node has no IPv6 route of ours"             equal "" in_node $node ip -6 route show proto 82
    check "$node has no table of ours"                  eval '! in_node $node nft list tables | grep routelet'
    check "$node has the links it had before"           equal "$(names_of_links <"$work/$node.links")" links_now
    check "$node has no file of ours"                   equal "" files_of_ours
done
