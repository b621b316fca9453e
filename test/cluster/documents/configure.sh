# "Configure": an option in the ConfigMap, here the one that docs/plugin.md's commands need; and pods for whoever looks.

follow "kubectl -n routelet patch configmap routelet --type merge -p '{\"data\": {\"ROUTELET_SPOOF_CHECK\": \"true\"}}'"
follow "kubectl -n routelet rollout restart daemonset routelet"
follow "kubectl -n routelet rollout status daemonset routelet"
checks_what_pods_send() { in_node "$1" grep --quiet '"spoofCheck": *true' /etc/cni/net.d/05-routelet.conflist; }
for node in node01 node02 node03; do
    check "the option has reached $node"                within 15 checks_what_pods_send $node
done
sleep 2 # until containerd has read it

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
YAML
must admin rollout status daemonset/tools --timeout=90s >/dev/null
one=$(tools_on node01) two=$(tools_on node02)
