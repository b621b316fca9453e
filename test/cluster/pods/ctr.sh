# containerd without Kubernetes: `ctr run --cni` takes the same configuration, and DEL comes without a namespace's path.

run_with_ctr() { in_node node01 ctr --namespace k8s.io run --cni --rm --cgroup "" localhost/tools:1 by-hand "$@"; }
pod4=$(pod_address "$(tools_on node01)" 4) pod6=$(pod_address "$(tools_on node01)" 6)
far4=$(pod_address "$(tools_on node02)" 4)
before=$(addresses_in_use node01)

run_with_ctr /bin/sh -c "ip -o address show eth0; wget -q -O - http://$pod4:8080/cgi-bin/who;
    wget -q -O - 'http://[$pod6]:8080/cgi-bin/who'; wget -q -O - http://$far4:8080/cgi-bin/who" >"$work/ctr" 2>&1
its_addresses() { sed -nE 's/.* inet6? ([0-9a-f.:]+)\/.*global.*/\1/p' "$work/ctr"; }
in_its_ranges()
{
    cp "$work/ctr" "$work/why"
    inside_range "$(its_addresses | sed -n 1p)" "$(pod_range node01 4)" && inside_range "$(its_addresses | sed -n 2p)" "$(pod_range node01 6)"
}
check "a container of ctr run --cni has addresses of the node's ranges" in_its_ranges
# seen_by POD: it answered, and saw the container's own address.
seen_by() { grep --fixed-strings " $1" "$work/ctr" | grep --quiet --fixed-strings "$(its_addresses | sed -n "$2p")"; }
check "and reaches a pod of its node"          seen_by "$(tools_on node01)" 1
check "also by IPv6"                           seen_by "$(tools_on node01)" 2
check "and one of another node"                seen_by "$(tools_on node02)" 1
check "when it has ended its addresses are free" equal "$before" addresses_in_use node01
