# Who reaches whom, and as whom: the four requirements of the Kubernetes network model, hostPort, Services, the way out.

must admin apply -f - >/dev/null <<'YAML'
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: tools}
spec:
  selector: {matchLabels: {app: tools}}
  template:
    metadata: {labels: {app: tools}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - {name: tools, image: "localhost/tools:1", imagePullPolicy: Never, ports: [{containerPort: 8080, hostPort: 8088}]}
---
apiVersion: v1
kind: Pod
metadata: {name: second}
spec:
  nodeName: node01
  terminationGracePeriodSeconds: 0
  containers: [{name: tools, image: "localhost/tools:1", imagePullPolicy: Never}]
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: host}
spec:
  selector: {matchLabels: {app: host}}
  template:
    metadata: {labels: {app: host}}
    spec:
      hostNetwork: true
      terminationGracePeriodSeconds: 0
      containers: [{name: tools, image: "localhost/tools:1", imagePullPolicy: Never, command: ["/bin/httpd", "-f", "-p", "[::]:8081", "-h", "/www"]}]
---
apiVersion: v1
kind: Service
metadata: {name: tools}
spec: {selector: {app: tools}, type: NodePort, ipFamilyPolicy: RequireDualStack, ports: [{port: 80, targetPort: 8080, nodePort: 30080}]}
YAML
must admin rollout status daemonset/tools --timeout=90s >/dev/null
must admin rollout status daemonset/host --timeout=90s >/dev/null
must admin wait --for=condition=Ready pod/second --timeout=60s >/dev/null

declare -A address4 address6 on_node
for node in node01 node02 node03; do
    on_node[$(tools_on $node)]=$node
done
on_node[second]=node01
for pod in "${!on_node[@]}"; do
    address4[$pod]=$(pod_address "$pod" 4) address6[$pod]=$(pod_address "$pod" 6)
done

from_the_range()
{
    local pod
    for pod in "${!on_node[@]}"; do
        printf '%s of %s: %s %s\n' "$pod" "${on_node[$pod]}" "${address4[$pod]}" "${address6[$pod]}" >"$work/why"
        inside_range "${address4[$pod]}" "$(pod_range "${on_node[$pod]}" 4)" &&
            inside_range "${address6[$pod]}" "$(pod_range "${on_node[$pod]}" 6)" || return 1
    done
}
check "every pod has an address of its node's podCIDR, in both families" from_the_range

# Kubernetes' model: pods reach all other pods without NAT.
all_see_each_other()
{
    local from to
    for from in "${!on_node[@]}"; do
        for to in "${!on_node[@]}"; do
            sees "${address4[$from]}" "${address4[$to]}" 8080 in_pod "$from" &&
                sees "${address6[$from]}" "${address6[$to]}" 8080 in_pod "$from" || return 1
        done
    done
}
check "every pod reaches every pod, on its node and on others, and is seen at its own address" all_see_each_other

itself()
{
    local pod
    for pod in "${!on_node[@]}"; do
        in_pod "$pod" ip -o address show dev eth0 >"$work/why"
        grep --quiet --fixed-strings " ${address4[$pod]}/" "$work/why" &&
            grep --quiet --fixed-strings " ${address6[$pod]}/" "$work/why" || return 1
    done
}
check "a pod sees itself at the address that others see" itself

nodes_reach_pods()
{
    local node pod
    for node in node01 node02 node03; do
        for pod in "${!on_node[@]}"; do
            gets "${address4[$pod]}" 8080 in_node $node && gets "${address6[$pod]}" 8080 in_node $node || return 1
        done
    done
}
check "every node reaches every pod" nodes_reach_pods

pods_reach_nodes()
{
    local node pod
    for pod in "${!on_node[@]}"; do
        for node in 1 2 3; do
            sees "${address4[$pod]}" 192.168.1.1$node 8081 in_pod "$pod" &&
                sees "${address6[$pod]}" fd00:192:168:1::1$node 8081 in_pod "$pod" || return 1
        done
    done
}
check "every pod reaches every node, and is seen at its own address" pods_reach_nodes

# explained NODE ADDRESS: `routelet explain` in the agent's container there; what it prints is in why.
explained() { admin exec --namespace routelet "$(agent_pod "$1")" --container routelet -- /routelet explain "$2" >"$work/why" 2>&1; }
all_is_explained()
{
    local node pod
    for node in node01 node02 node03; do
        for pod in "${!on_node[@]}"; do
            explained $node "${address4[$pod]}" && explained $node "${address6[$pod]}" && ! grep --quiet "^  unknown" "$work/why" || return 1
        done
        explained $node node02 || return 1
    done
}
check "routelet explain finds nothing broken on any of these ways" all_is_explained
# doctored NODE: `routelet doctor` there likewise.
doctored() { admin exec --namespace routelet "$(agent_pod "$1")" --container routelet -- /routelet doctor >"$work/why" 2>&1; }
all_are_doctored() { doctored node01 && doctored node02 && doctored node03 && grep --quiet "^Nothing is broken" "$work/why"; }
check "nor does routelet doctor find anything broken on these nodes" all_are_doctored
nobody_is_explained() { ! explained node01 "$(pod_range node01 4 | sed 's/0\/24$/253/')" && grep --quiet "It breaks at: pod, neighbour" "$work/why"; }
check "and that an address of the node's own is no pod's" nobody_is_explained

# --- hostPort and Services

check "hostPort: a pod's port is reached at its node's address from outside, IPv4" gets 192.168.1.12 8088 on outside
check "and IPv6" gets fd00:192:168:1::12 8088 on outside
check "and from a pod of another node" gets 192.168.1.12 8088 in_pod second
check "and from a pod of the same node" gets 192.168.1.11 8088 in_pod second
check "and from the pod itself" gets 192.168.1.12 8088 in_pod "$(tools_on node02)"
check "and from the node by 127.0.0.1" gets 127.0.0.1 8088 in_node node02
check "the pod sees who asks from outside" sees 192.168.1.1 192.168.1.12 8088 on outside
must in_node node02 nft delete table inet routelet-hostports
check "somebody removes the table, and the agent writes it anew" within 5 gets 192.168.1.12 8088 on outside
check "which its log tells" within 5 logs node02 host-ports-restored "the table is missing"

service() { admin get service tools -o json | jq --raw-output --arg family "$1" '.spec.clusterIPs[] | select(contains(":") == ($family == "6"))'; }
service_answers()
{
    local pod node family _
    for family in 4 6; do
        for pod in "${!on_node[@]}"; do
            for _ in 1 2 3 4 5; do # each endpoint has its turn, the asking pod too
                gets "$(service $family)" 80 in_pod "$pod" || return 1
            done
        done
        for node in node01 node02 node03; do
            gets "$(service $family)" 80 in_node $node || return 1
        done
    done
}
check "a Service answers from every pod and node, in both families (kube-proxy, nftables)" within 10 service_answers
check "a NodePort answers from outside" gets 192.168.1.13 30080 on outside

# --- the way out

start_outside()
{
    mkdir -p "$work/www/cgi-bin"
    printf '#!/bin/sh\nprintf "Content-Type: text/plain\\r\\n\\r\\n%%s\\n" "$REMOTE_ADDR"\n' >"$work/www/cgi-bin/who"
    chmod 755 "$work/www/cgi-bin/who"
    ip netns exec "$hosts-outside" busybox httpd -f -p '[::]:80' -h "$work/www" >/dev/null 2>&1 &
    outside_pid=$!
}
start_outside
leaves_as_node()
{
    sees 192.168.1.12 $outside4 80 in_pod "$(tools_on node02)" && sees fd00:192:168:1::12 $outside6 80 in_pod "$(tools_on node02)"
}
check "outside the cluster a pod is seen at its node's address" within 5 leaves_as_node
in_node node02 nft delete table inet routelet 2>"$work/why"
check "and again when somebody has deleted the rules" within 2 leaves_as_node
in_node node02 nft flush ruleset
check "and when somebody has flushed the whole ruleset" within 2 leaves_as_node
check "the log has it" logs node02 masquerade-restored
must stop_daemon node02 kube-proxy # whose rules went with the others
must start_kube_proxy node02

# An address of the own range that nobody has.
unreachable() { in_node node01 ping -c 1 -W 5 "$1" >"$work/why" 2>&1; grep --quiet -e Unreachable -e 'No route to host' "$work/why"; }
free4=$(pod_range node01 4) free6=$(pod_range node01 6)
check "a free address of the own podCIDR is unreachable, IPv4" unreachable "${free4%.0/24}.200"
stopped=$(agent_process node01) # else it would set the bridge up again at once
kill -STOP "$stopped"
in_node node01 ip link set v-net-0 down
check "and does not leave by the default route while the bridge is down, IPv4" unreachable "${free4%.0/24}.200"
check "and IPv6" unreachable "${free6%/64}200"
kill -CONT "$stopped"
check "the agent sets it up again, and pods work" within 10 all_see_each_other
in_node node01 ip link delete v-net-0
check "it makes it again when somebody has deleted it, and pods go on" within 10 all_see_each_other
check "its log has it" within 5 logs node01 event=bridge-restored bridge=v-net-0
kill $outside_pid
