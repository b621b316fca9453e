# "Upgrade", there and back, while a pod pings another every 10 ms.

meaning_of[IMAGE]=localhost/routelet:next
for node in node01 node02 node03; do
    must in_node $node ctr --namespace k8s.io images tag "localhost/routelet:v$(<"$repository/VERSION")" localhost/routelet:next >/dev/null 2>"$work/why"
done
lives() { admin get pod "$one" "$two" -o json | jq --raw-output '.items[] | "\(.metadata.uid) \(.status.containerStatuses[0].restartCount)"'; }
images() { admin --namespace routelet get pods -o json | jq --raw-output '[.items[].spec.containers[0].image] | unique[]'; }
lived=$(lives)
start_pings "$one" "$two"
follow "kubectl -n routelet set image daemonset routelet '*=IMAGE'"
follow "kubectl -n routelet rollout status daemonset routelet"
check "all agents are of the new image"                 equal localhost/routelet:next images
follow "kubectl -n routelet rollout undo daemonset routelet"
follow "kubectl -n routelet rollout status daemonset routelet"
check "all agents are of the image before"              equal "localhost/routelet:v$(<"$repository/VERSION")" images
check "no packet is lost"                               lost_none
check "and the pods are those of before"                equal "$lived" lives
