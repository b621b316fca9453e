# Pods that send from addresses that are not theirs: --spoof-check.

# tools_pod NAME NODE
tools_pod()
{
    admin apply -f - >/dev/null <<YAML
apiVersion: v1
kind: Pod
metadata: {name: $1}
spec:
  nodeName: $2
  terminationGracePeriodSeconds: 0
  containers: [{name: tools, image: "localhost/tools:1", imagePullPolicy: Never}]
YAML
    admin wait --for=condition=Ready "pod/$1" --timeout=60s >/dev/null
}
checks_what_pods_send() { in_node "$1" grep --quiet '"spoofCheck": *true' /etc/cni/net.d/05-routelet.conflist; }
# From an address of nobody's, on the same node, where its answers would come back to it.
pings_as_another() { in_pod "$1" ping -q -c 1 -W 1 -I "$borrowed" "$2" >"$work/why" 2>&1; }
pings_as_itself() { in_pod "$1" ping -q -c 1 -W 2 "$2" >"$work/why" 2>&1; }

must tools_pod free node01
must tools_pod target node01
borrowed=$(pod_range node01 4)
borrowed=${borrowed%.*}.250
must in_pod free ip address add "$borrowed/32" dev eth0
check "a pod can send from any address" pings_as_another free "$(pod_address target 4)"

check "the agents are told to check what pods send" agents_with '{"ROUTELET_SPOOF_CHECK": "true"}'
check "they tell the plugin" within 15 checks_what_pods_send node01
sleep 2 # until containerd has read it
must tools_pod checked node01
must in_pod checked ip address add "$borrowed/32" dev eth0
check "a pod that starts then reaches pods of its node" pings_as_itself checked "$(pod_address target 4)"
check "and by IPv6" pings_as_itself checked "$(pod_address target 6)"
check "and of other nodes" pings_as_itself checked "$(pod_address "$(pod_on node02 --selector app=tools)" 4)"
check "and is reached" pings_as_itself target "$(pod_address checked 4)"
must in_pod free ip address del "$borrowed/32" dev eth0
check "and cannot send from another address" eval '! pings_as_another checked "$(pod_address target 4)"'
dropped() { in_node node01 nft list chain bridge routelet-spoof-check refused >"$work/why"; ! grep --quiet 'packets 0 ' "$work/why"; }
check "which is counted" dropped

must in_node node01 nft delete table bridge routelet-spoof-check # and not kube-proxy's rules
is_checked_again() { ! pings_as_another checked "$(pod_address target 4)"; }
check "nor once somebody has deleted the table" within 5 is_checked_again
check "which the log tells" within 10 logs node01 spoof-check-restored 'by="nft (pid'
check "and it goes on to reach others" pings_as_itself checked "$(pod_address "$(pod_on node02 --selector app=tools)" 4)"

check "told so, the agents let the plugin do without" agents_with '{"ROUTELET_SPOOF_CHECK": "false"}'
check "it does" within 15 eval '! checks_what_pods_send node01'
must admin delete pod free target checked --wait >/dev/null
