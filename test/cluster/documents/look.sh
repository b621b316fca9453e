# What only looks, or mends one thing: docs/troubleshooting.md and docs/plugin.md, and all that no other part has.

meaning_of[POD]=$(agent_pod node01) meaning_of[ADDRESS]=$(pod_address "$two" 4)
meaning_of[10.244.1.7]=$(pod_address "$one" 4) # a pod of this node's

# /usr is that of all nodes, which has no Routelet.
has_own_programs()
{
    in_node "$1" mkdir -p /etc/sysctl.d && in_node "$1" mount -t tmpfs tmpfs /usr/local/bin &&
        in_node "$1" install --mode 755 /dev/stdin /usr/local/bin/routelet <"$agent"
}
must has_own_programs node01
admin get nodes -o json >"$nodes/node01/root/root/nodes.json"
echo net.ipv4.ip_forward=0 >"$nodes/node01/root/etc/sysctl.d/99-somebody.conf"

# The words that are to be seen, for those of which a document says what they show.
declare -A shows=(
    ["ip route"]="10.244. via 192.168.1.12 dev eth0 proto 82 metric 8468"
    ["ip route show proto 82"]="10.244. via 192.168.1.12 dev eth0 metric 8468"
    ["ip -6 route show proto 82"]="fd00:10:244: via fd00:192:168:1::12"
    ["grep -r ip_forward /etc/sysctl*"]="99-somebody.conf net.ipv4.ip_forward=0"
    ["routelet status"]="node01 ready"
    ["routelet doctor"]="Nothing is broken"
    ["kubectl -n routelet exec ds/routelet -c routelet -- /routelet doctor"]="Nothing is broken"
    ["kubectl debug node/NODE --profile sysadmin --attach --quiet --image localhost/routelet:v0.1.0 -- /routelet doctor --host-root /host --cni-conf-dir /host/etc/cni/net.d"]="Nothing is broken"
    ["routelet explain ADDRESS"]="good route via 192.168.1.12"
    ["routelet history"]="event=routes-ready"
    ["ip link show pod-10.244.1.7"]="altname pod-${meaning_of[10.244.1.7]}"
    ["ip -d link show group 8200082"]="pod-${meaning_of[10.244.1.7]}"
    ["nft list table inet routelet-hostports"]="8088 default/$one"
)

belongs_elsewhere()
{
    case $1 in
    'kubectl delete -f '* | *manifests/cleanup.yaml | *routelet-cleanup* | *'rollout undo'* | *'set image'*) ;;
    *'routelet-router'* | */etc/routelet* | *overlays/router* | 'routelet run --role'*) ;;
    *script/*) ;;
    'nft flush ruleset' | *LINK*) ;;
    *) return 1 ;;
    esac
}
for command in "${order[@]}"; do
    [[ -n ${given[$command]-}${reason[$command]-} ]] || belongs_elsewhere "$command" ||
        follow "$command" "" ${shows[$command]:+"${shows[$command]}"}
done

served() { in_node node01 curl --silent --fail --max-time 3 "http://127.0.0.1:9482$1"; }
every_metric()
{
    local name
    served /metrics >"$work/metrics"
    for name in $(grep -oE '^\| `routelet_[a-z_]+`|`process_[a-z_]+`' docs/metrics.md | tr -d '|\` '); do
        grep --quiet "^# TYPE $name " "$work/metrics" || printf 'not served: %s\n' "$name" >>"$work/why"
    done
    [[ ! -s $work/why ]]
}
check "every metric of docs/metrics.md is served"       every_metric
is_whole() { in_node node03 nft list table inet routelet >"$work/why" 2>&1; }
follow "nft flush ruleset" node03
check "and the table is back"                           within 2 is_whole
must stop_daemon node03 kube-proxy # whose rules went with the others
must start_kube_proxy node03

# "To free one pod at once."
borrowed=$(pod_range node01 4)
borrowed=${borrowed%.*}.250
must in_pod "$one" ip address add "$borrowed/32" dev eth0
pings_as_another() { in_pod "$one" ping -q -c 1 -W 1 -I "$borrowed" "$(pod_range node01 4 | sed 's/0\/24$/1/')" >"$work/why" 2>&1; }
is_held() { ! pings_as_another; }
meaning_of[LINK]=$(in_node node01 ip -j link show "pod-${meaning_of[10.244.1.7]}" | jq --raw-output '.[0].ifname')
check "a pod cannot send from another address"          is_held
follow "ip link set LINK group default"
follow "bridge link set dev LINK locked off learning on"
check "freed, it can"                                   pings_as_another
must in_pod "$one" ip address del "$borrowed/32" dev eth0
