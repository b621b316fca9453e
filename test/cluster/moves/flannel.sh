# "From flannel": host-gw, in both families, by flannel's own manifest.

# flannel's two images, under the names that its manifest has.
image_named() { sed -n "s|^ *image: \(.*/$1:.*\)|\1|p" "$flannel/kube-flannel.yml" | head -n 1; }
make_flannel_images()
{
    local root=$work/flannel-root
    with_iptables "$root" && mkdir "$root"/opt{,/bin} && cp "$flannel/flanneld" "$root/opt/bin/" &&
        "$here/image" "$work/flannel.tar" "$(image_named flannel)" "$root" '["/opt/bin/flanneld"]' &&
        rm -r "$root/opt" && cp "$flannel/flannel" "$root/" &&
        "$here/image" "$work/flannel-plugin.tar" "$(image_named flannel-cni-plugin)" "$root" '["/flannel"]' && rm -r "$root"
}

controller_options=("${allocate_pod_ranges[@]}")
must start_cluster "${all_nodes[@]}"
must give_plugins
must make_flannel_images
must give_images "$work"/flannel{,-plugin}.tar
sed 's|"Network": "10.244.0.0/16",|&\n      "EnableIPv6": true,\n      "IPv6Network": "fd00:10:244::/48",|; s|"Type": "vxlan"|"Type": "host-gw"|' \
    "$flannel/kube-flannel.yml" >"$work/kube-flannel.yml"
must admin apply -f "$work/kube-flannel.yml" >/dev/null
must admin --namespace kube-flannel rollout status daemonset/kube-flannel-ds --timeout=120s >/dev/null
must within 60 are_ready "${all_nodes[@]}"
serve_outside
must pods_of old 8088
printf '# flannel is there after %d s\n' $SECONDS
check "pods reach each other over flannel"              within 10 reach_each_other old
check "by its routes"                                   has_routes_of_others node01
on_flannels_bridge() { in_node "$1" ip -o link show master cni0 >"$work/why" && (($(wc -l <"$work/why") == $2)); }
check "on its bridge"                                   on_flannels_bridge node01 1
old1=$(pod_of old node01) old2=$(pod_of old node02)
check "and out of the cluster with its node's address"  outside_sees "$old1" node01

start_pings "$old1" "$old2"
follow "kubectl apply -k manifests/overlays/from-flannel"
follow "kubectl -n routelet rollout status daemonset routelet" "successfully rolled out"
for node in "${all_nodes[@]}"; do
    check "$node has all of our routes, and none of flannel's" within 15 only_ours $node
done
must pods_of new
check "new pods are on the same bridge"                 on_flannels_bridge node01 2
check "old and new reach each other"                    within 10 reach_each_other old new
check "no address is there twice"                       no_address_twice

follow "kubectl -n kube-flannel delete daemonset kube-flannel-ds"
follow "rm /etc/cni/net.d/10-flannel.conflist"
check "flannel's pods go"                               within 60 equal "" admin --namespace kube-flannel get pods -o name
find_wrong "kubectl -n routelet exec POD -c routelet -- /routelet doctor" "other-network-left FLANNEL-POSTRTG"
for family in iptables ip6tables; do
    follow "$family -t nat -D POSTROUTING -m comment --comment \"flanneld masq\" -j FLANNEL-POSTRTG"
    follow "$family -t nat -F FLANNEL-POSTRTG"
    follow "$family -t nat -X FLANNEL-POSTRTG"
    follow "$family -D FORWARD -m comment --comment \"flanneld forward\" -j FLANNEL-FWD"
    follow "$family -F FLANNEL-FWD"
    follow "$family -X FLANNEL-FWD"
done
follow "rm -r /run/flannel"
old_and_new_go_on
replace_pods /var/lib/cni/networks/cbr0
end_of_move "kubectl delete namespace kube-flannel" "kubectl delete clusterrole,clusterrolebinding flannel"
check "all are on the same bridge"                      on_flannels_bridge node01 2
stop_process $outside_server
