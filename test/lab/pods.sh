# Nodes with pods: an agent that writes the container runtime's configuration, and pods through the plugin with it.
# Sourced after test/lab/lab.sh.

conflist() { echo "$state/$1/net.d/05-routelet.conflist"; }
has_conflist() { [[ -e $(conflist "$1") ]]; }
has_no_conflist() { ! has_conflist "$1"; }

# start_node_agent NODE [OPTION...]: looks at its folders each second.
start_node_agent()
{
    local node=$1
    shift
    mkdir -p "$state/$node/net.d" "$state/$node/run"
    start_agent "$node" --cni-conf-dir "$state/$node/net.d" --state-dir "$state/$node/run" --check-interval 1 "$@"
}

# cni VERB NODE POD [CONFIG]: the plugin, as a runtime calls it with the first plugin of the conflist, and with the
# runtimeConfig CONFIG.
cni()
{
    jq --arg data "$state/$2/ipam" --argjson config "${4-null}" '{cniVersion, name} + .plugins[0] | .ipam.dataDir = $data |
        if $config then .runtimeConfig = $config else . end' "$(conflist "$2")" |
        on "$2" env CNI_COMMAND="$1" CNI_CONTAINERID="$2-$3" CNI_NETNS="/run/netns/$hosts-$2-$3" CNI_IFNAME=eth0 \
            CNI_PATH="$bin/cni" "$bin/cni/routelet-cni"
}

# add_pod NODE POD [CONFIG]: what the plugin says is in $state/NODE/POD.json.
add_pod() { make_pod "$1" "$2" && cni ADD "$@" >"$state/$1/$2.json" 2>&1 || { cat "$state/$1/$2.json" >&2; false; }; }

# address_of NODE POD [4|6]: the pod's, of IPv4 unless said otherwise.
address_of()
{
    jq -r --arg family "${3:-4}" '
        [.ips[].address | select(contains(":") == ($family == "6"))][0] // empty | sub("/.*"; "")' "$state/$1/$2.json"
}

# start_observer HOST-OR-POD: from then on who connects to its port 8080 is told the address that it is seen at.
# HOST's folder must exist.
start_observer() { start "${1%%-*}/observer-$1" "$1" busybox nc -ll -p 8080 -e ss -Htn state established sport = :8080; }

# seen_from HOST-OR-POD ADDRESS: at which address the observer there sees it.
seen_from()
{
    on "$1" timeout 3 bash -c "exec 3<>/dev/tcp/$2/8080 && cat <&3" 2>/dev/null |
        awk '{ sub(/:[0-9]+$/, "", $4); gsub(/[][]|::ffff:/, "", $4); print $4; exit }'
}
