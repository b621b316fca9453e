# "Configure": an option in the ConfigMap, here the one that docs/plugin.md's commands need; and pods for whoever looks.

follow "kubectl -n routelet patch configmap routelet --type merge -p '{\"data\": {\"ROUTELET_SPOOF_CHECK\": \"true\"}}'"
follow "kubectl -n routelet rollout restart daemonset routelet"
follow "kubectl -n routelet rollout status daemonset routelet"
checks_what_pods_send() { in_node "$1" grep --quiet '"spoofCheck": *true' /etc/cni/net.d/05-routelet.conflist; }
for node in node01 node02 node03; do
    check "the option has reached $node"                within 15 checks_what_pods_send $node
done
sleep 2 # until containerd has read it

# The image's own CLI11, which is newer than that of the oldest distribution.
must admin run wrong --image="localhost/routelet:v$(<"$repository/VERSION")" --image-pull-policy=Never --restart=Never \
    --env=ROUTELET_CLUSTER_CIDR=10.244.0.0/16,nonsense --command -- /routelet plan --nodes /dev/null --node-name node01 >/dev/null
status_of_wrong() { admin get pod wrong -o 'jsonpath={.status.containerStatuses[0].state.terminated.exitCode}'; }
check "a value that an option cannot have is refused"   within 30 equal 2 status_of_wrong
names_the_option() { admin logs wrong >"$work/why" 2>&1; a_line_has "$work/why" ROUTELET_CLUSTER_CIDR nonsense; }
check "with the variable's name"                        names_the_option
must admin delete pod wrong --now >/dev/null

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
