# Other plugins of the CNI project's behind ours: portmap in place of our own host ports, and bandwidth.

# agents_with JSON: the DaemonSet with these options in its ConfigMap.
agents_with()
{
    admin --namespace routelet patch configmap routelet --type merge --patch "{\"data\": $1}" >/dev/null &&
        admin --namespace routelet rollout restart daemonset/routelet >/dev/null && rolled_out 120
}
limited()
{
    admin apply -f - >/dev/null <<YAML
apiVersion: v1
kind: Pod
metadata: {name: $1, annotations: {kubernetes.io/ingress-bandwidth: 10M, kubernetes.io/egress-bandwidth: 10M}}
spec:
  nodeName: node01
  terminationGracePeriodSeconds: 0
  containers: [{name: tools, image: "localhost/tools:1", imagePullPolicy: Never, ports: [{containerPort: 8080, hostPort: 8099}]}]
YAML
    admin wait --for=condition=Ready "pod/$1" --timeout=60s >/dev/null
}
shaped() { in_node node01 tc qdisc show >"$work/why" && [[ $(grep -c 'qdisc tbf.*rate 10Mbit' "$work/why") == "$1" ]]; }
# has_own_port PORT POD: on node01.
has_own_port()
{
    in_node node01 nft list table inet routelet-hostports >"$work/why" 2>&1
    grep --quiet "tcp \. $1 comment \"$2\"" "$work/why"
}
is_closed() { ! gets "$@"; }

check "the agents are told to chain portmap and bandwidth" agents_with \
    '{"ROUTELET_HOST_PORTS": "portmap", "ROUTELET_BANDWIDTH": "true"}'
check "they do" within 15 chains node01 portmap bandwidth
sleep 2 # until containerd has read it
check "a pod's host port is open" eval 'limited chained && gets 192.168.1.11 8099 on outside'
check "it is portmap's" eval '! has_own_port 8099 default/chained'
check "the pod's bandwidth is limited, both ways" shaped 2
check "ports of pods from before are still ours, and open" gets 192.168.1.12 8088 on outside

check "told nothing, the agents keep portmap while its pods may be there" agents_with \
    '{"ROUTELET_HOST_PORTS": "auto", "ROUTELET_BANDWIDTH": "true"}'
check "which the log tells" logs node01 host-ports-by-portmap
check "and the conflist has" chains node01 portmap bandwidth
must admin delete pod chained --wait >/dev/null
check "so portmap closes the pod's port" within 10 is_closed 192.168.1.11 8099 on outside
check "and bandwidth's limits are gone" within 10 shaped 0

check "told so, they do without portmap" agents_with '{"ROUTELET_HOST_PORTS": "native", "ROUTELET_BANDWIDTH": "false"}'
check "and without bandwidth" within 15 chains node01
sleep 2 # until containerd has read it
check "the next pod's host port is ours" eval 'limited native && gets 192.168.1.11 8099 on outside'
check "and shows in nft" has_own_port 8099 default/native
must admin delete pod native --wait >/dev/null
check "it closes with the pod" within 10 is_closed 192.168.1.11 8099 on outside
