# "From kindnet": kind's, in both families. Its plugins are real; kindnetd is, if ROUTELET_KINDNETD is the program, built from
# images/kindnetd of kind, which is no module with versions; else the file beside this one plays it.

make_kindnet_image()
{
    local root=$work/kindnet-root
    with_iptables "$root" && ln -s busybox "$root/bin/cat" && ln -s busybox "$root/bin/grep" &&
        cp "${ROUTELET_KINDNETD:-$here/moves/kindnetd}" "$root/bin/kindnetd" &&
        "$here/image" "$work/kindnet.tar" localhost/kindnetd:1 "$root" '["/bin/kindnetd"]' && rm -r "$root"
}

# The parts of kind's manifest that matter here.
apply_kindnet()
{
    local node
    for node in "${all_nodes[@]}"; do
        printf '%s %s %s %s %s\n' $node "192.168.1.$((10 + $(node_number $node)))" "fd00:192:168:1::$((10 + $(node_number $node)))" \
            "$(pod_range $node 4)" "$(pod_range $node 6)"
    done >"$work/nodes.txt"
    admin --namespace kube-system create configmap kindnet-nodes --from-file=nodes="$work/nodes.txt" >/dev/null &&
        admin apply -f - >/dev/null <<'YAML'
apiVersion: v1
kind: ServiceAccount
metadata: {name: kindnet, namespace: kube-system}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: kindnet}
rules:
  - {apiGroups: [""], resources: [nodes, pods, namespaces], verbs: [list, watch]}
  - {apiGroups: [networking.k8s.io], resources: [networkpolicies], verbs: [list, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: kindnet}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: kindnet}
subjects: [{kind: ServiceAccount, name: kindnet, namespace: kube-system}]
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: kindnet, namespace: kube-system}
spec:
  selector: {matchLabels: {app: kindnet}}
  template:
    metadata: {labels: {app: kindnet}}
    spec:
      hostNetwork: true
      priorityClassName: system-node-critical
      serviceAccountName: kindnet
      tolerations: [{operator: Exists}]
      terminationGracePeriodSeconds: 2
      containers:
        - name: kindnet-cni
          image: localhost/kindnetd:1
          imagePullPolicy: Never
          env:
            - {name: HOST_IP, valueFrom: {fieldRef: {fieldPath: status.hostIP}}}
            - {name: POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
            - {name: NODE_NAME, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
            - {name: POD_SUBNET, value: "10.244.0.0/16,fd00:10:244::/48"}
          securityContext: {capabilities: {add: [NET_RAW, NET_ADMIN]}}
          volumeMounts:
            - {name: cni-cfg, mountPath: /etc/cni/net.d}
            - {name: nodes, mountPath: /nodes}
            - {name: xtables-lock, mountPath: /run/xtables.lock}
      volumes:
        - {name: cni-cfg, hostPath: {path: /etc/cni/net.d}}
        - {name: nodes, configMap: {name: kindnet-nodes}}
        - {name: xtables-lock, hostPath: {path: /run/xtables.lock, type: FileOrCreate}}
YAML
}

must start_cluster "${all_nodes[@]}"
must give_plugins
must make_kindnet_image
must give_images "$work/kindnet.tar"
has_ranges() { [[ -n $(pod_range node01 4) && -n $(pod_range node02 4) && -n $(pod_range node03 4) ]]; }
must within 30 has_ranges
must apply_kindnet
must within 60 are_ready "${all_nodes[@]}"
serve_outside
must pods_of old 8088
printf '# kindnet is there after %d s\n' $SECONDS
check "pods reach each other over kindnet"              within 10 reach_each_other old
check "by its routes"                                   has_routes_of_others node01
has_reserved() { (($(in_node "$1" ls /run/cni-ipam-state/kindnet | grep -c '^[0-9a-f]*[.:]') == $2)); }
check "with addresses that its plugin gave"             has_reserved node01 2
old1=$(pod_of old node01) old2=$(pod_of old node02)
check "and out of the cluster with their nodes' addresses" outside_sees "$old1" node01

start_pings "$old1" "$old2"
follow "kubectl apply -k manifests/overlays/from-kindnet"
follow "kubectl -n routelet rollout status daemonset routelet" "successfully rolled out"
for node in "${all_nodes[@]}"; do
    check "$node has all of our routes, and none of kindnet's" within 15 only_ours $node
done
must pods_of new
check "new pods have addresses of Routelet's"           has_reserved node01 2
check "old and new reach each other"                    within 10 reach_each_other old new
check "no address is there twice"                       no_address_twice

follow "kubectl -n kube-system delete daemonset kindnet"
follow "rm /etc/cni/net.d/10-kindnet.conflist"
check "kindnet's pods go"                               within 60 equal "" admin --namespace kube-system get pods -o name
find_wrong "kubectl -n routelet exec POD -c routelet -- /routelet doctor" "other-network-left KIND-MASQ-AGENT"
leads_to_it="kind-masq-agent: ensure nat POSTROUTING directs all non-LOCAL destination traffic to our custom KIND-MASQ-AGENT chain"
for family in iptables ip6tables; do
    follow "$family -t nat -D POSTROUTING -m addrtype ! --dst-type LOCAL -m comment --comment \"$leads_to_it\" -j KIND-MASQ-AGENT"
    follow "$family -t nat -F KIND-MASQ-AGENT"
    follow "$family -t nat -X KIND-MASQ-AGENT"
done
old_and_new_go_on
replace_pods /run/cni-ipam-state/kindnet
end_of_move "kubectl -n kube-system delete serviceaccount kindnet" "kubectl delete clusterrole,clusterrolebinding kindnet"
stop_process $outside_server
