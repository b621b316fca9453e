# Real nodes: each a network, mount, UTS and process namespace with a containerd, a kubelet and a kube-proxy of its own.
# Sourced, never run.
#
# Set before: hosts, control_plane, kubernetes, nodes (a folder, kept over a node's reboot), and lib.sh and
#             test/support/hosts.sh sourced
#             images    archives that every node's containerd imports when the node is made
#
# A node's folder is $nodes/NAME: root/ is its file system, NAME.log its daemons' output, and *.pid process ids as this
# machine sees them.

node_number() { echo $((10#${1#node})); }

# A node's cgroup, in each hierarchy.
cgroup_of() { echo "/$hosts/$1"; }

is_cgroup_v2() { [[ -e /sys/fs/cgroup/cgroup.controllers ]]; }

# Where cgroups are mounted: one folder with a slash at its end for each hierarchy; cgroups v2 has but one.
cgroup_hierarchies() { is_cgroup_v2 && echo /sys/fs/cgroup/ || printf '%s\n' /sys/fs/cgroup/*/; }

# The folder below which the processes of our nodes are listed.
our_cgroups() { is_cgroup_v2 && echo "/sys/fs/cgroup/$hosts" || echo "/sys/fs/cgroup/pids/$hosts"; }

# make_cgroups NODE: with every controller that there is, as a kubelet wants them.
make_cgroups()
{
    local hierarchy file controller
    for hierarchy in $(cgroup_hierarchies); do
        mkdir -p "$hierarchy$(cgroup_of "$1")"
        # cgroups v1: what a child cpuset may use is empty until it is told.
        for file in cpuset.mems cpuset.cpus; do
            is_cgroup_v2 || [[ ! -e $hierarchy/$file ]] || {
                cat "$hierarchy/$file" >"$hierarchy/$hosts/$file"
                cat "$hierarchy/$file" >"$hierarchy$(cgroup_of "$1")/$file"
            }
        done
        # v2: a child has the controllers that its parent passes on.
        for controller in $(cat "$hierarchy/cgroup.controllers"); do
            echo "+$controller" >"$hierarchy/cgroup.subtree_control"
            echo "+$controller" >"$hierarchy/$hosts/cgroup.subtree_control"
        done
    done
} 2>/dev/null

# make_node NAME: its network, credentials and configuration; nothing runs yet.
make_node()
{
    mkdir -p "$nodes/$1/root"
    make_node_network "$1" &&
        make_certificate "$1" "/O=system:nodes/CN=system:node:$1" "extendedKeyUsage=clientAuth" &&
        make_certificate "$1-serving" "/O=system:nodes/CN=system:node:$1" \
            "subjectAltName=IP:192.168.1.$((10 + $(node_number "$1")))" &&
        configure_node "$1"
}

# The node's place on the LAN. The LAN's gateway is the host `outside`, when there is one.
make_node_network()
{
    make_host "$1" $((10 + $(node_number "$1"))) &&
        ip -n "$hosts-$1" route add default via 192.168.1.1 &&
        ip -n "$hosts-$1" -6 route add default via fd00:192:168:1::1
}

configure_node()
{
    local name=$1 root=$nodes/$1/root address="192.168.1.$((10 + $(node_number "$1")))"
    mkdir -p "$root"/etc/{containerd,kubernetes} "$root"/opt/cni/bin
    cp "$kubernetes/portmap" "$kubernetes/bandwidth" "$root/opt/cni/bin/"
    [[ $name != node01 ]] || cp "$kubernetes/loopback" "$root/opt/cni/bin/" # the others have Routelet's
    cp "$control_plane/ca.crt" "$control_plane/$name.crt" "$control_plane/$name.key" \
        "$control_plane/$name-serving.crt" "$control_plane/$name-serving.key" "$root/etc/kubernetes/"
    cat >"$root/etc/containerd/config.toml" <<TOML
version = 3
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = 'localhost/pause:1'
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true # there may be no CAP_SYS_RESOURCE
TOML
    cat >"$root/etc/kubernetes/kubelet.yaml" <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
authentication: {anonymous: {enabled: false}, webhook: {enabled: false}, x509: {clientCAFile: /etc/kubernetes/ca.crt}}
authorization: {mode: AlwaysAllow}
tlsCertFile: /etc/kubernetes/$name-serving.crt
tlsPrivateKeyFile: /etc/kubernetes/$name-serving.key
cgroupDriver: cgroupfs
cgroupRoot: $(cgroup_of "$name")
enforceNodeAllocatable: []
evictionHard: {}
failSwapOn: false
imageGCHighThresholdPercent: 100
imageMinimumGCAge: 24h
localStorageCapacityIsolation: false
maxPods: 250
nodeStatusUpdateFrequency: 2s
oomScoreAdj: 0
podPidsLimit: -1
readOnlyPort: 0
registerWithTaints: []
resolvConf: /etc/resolv.conf
serializeImagePulls: true
YAML
    kubeconfig_of "$name" >"$root/etc/kubernetes/kubelet.kubeconfig"
    cat >"$root/etc/kubernetes/kube-proxy.yaml" <<YAML
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
clientConnection: {kubeconfig: /etc/kubernetes/kube-proxy.kubeconfig}
clusterCIDR: $pod_ranges
conntrack: {maxPerCore: 0, min: 0, tcpCloseWaitTimeout: 0s, tcpEstablishedTimeout: 0s}
hostnameOverride: $name
nodePortAddresses: [primary]
YAML
    cp "$control_plane"/kube-proxy.{crt,key} "$root/etc/kubernetes/"
    kubeconfig_of kube-proxy >"$root/etc/kubernetes/kube-proxy.kubeconfig"
    printf '%s\n' "$address" >"$nodes/$name/address"
}

# kubeconfig_of USER: as it is on the node, with the certificates of that name.
kubeconfig_of()
{
    cat <<KUBECONFIG
apiVersion: v1
kind: Config
current-context: test
contexts: [{name: test, context: {cluster: test, user: test}}]
clusters: [{name: test, cluster: {server: "https://$control_address:6443", certificate-authority: /etc/kubernetes/ca.crt}}]
users: [{name: test, user: {client-certificate: /etc/kubernetes/$1.crt, client-key: /etc/kubernetes/$1.key}}]
KUBECONFIG
}

# boot_node NAME: until its file system is up.
boot_node()
{
    make_cgroups "$1"
    nsenter --net="/run/netns/$hosts-$1" unshare --mount --uts --pid --fork --kill-child \
        "$here/machine" "$1" "$nodes/$1/root" "$kubernetes" >>"$nodes/$1/machine.log" 2>&1 </dev/null &
    echo $! >"$nodes/$1/unshare.pid"
    local deadline=$((SECONDS + 20)) pid
    until pid=$(pgrep --parent "$(cat "$nodes/$1/unshare.pid")") && [[ -e /proc/$pid/root/run/booted ]]; do
        ((SECONDS < deadline)) || return 1
        sleep 0.05
    done
    echo "$pid" >"$nodes/$1/machine.pid"
}

# in_node NAME COMMAND...: as if logged in there.
in_node()
{
    local name=$1
    shift
    nsenter --target "$(cat "$nodes/$name/machine.pid")" --mount --uts --net --pid --root --wdns=/ \
        env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/opt/kubernetes HOME=/root "$@"
}

# start_daemon NODE PROGRAM OPTION...: in the background.
start_daemon()
{
    local name=$1 program=${2##*/}
    in_node "$@" >>"$nodes/$name/$program.log" 2>&1 </dev/null &
    local enter=$! deadline=$((SECONDS + 5))
    until pgrep --parent $enter >"$nodes/$name/$program.pid"; do
        ((SECONDS < deadline)) || return 1
        sleep 0.02
    done
}

start_containerd() { start_daemon "$1" containerd --log-level info; }

start_kubelet()
{
    local address
    address=$(cat "$nodes/$1/address")
    start_daemon "$1" kubelet --config /etc/kubernetes/kubelet.yaml --kubeconfig /etc/kubernetes/kubelet.kubeconfig \
        --hostname-override "$1" --node-ip "$address,fd00:192:168:1::${address##*.}" --v 2
}

start_kube_proxy() { start_daemon "$1" kube-proxy --config /etc/kubernetes/kube-proxy.yaml --v 2; }

# start_node NAME: boots it, or boots it again: containerd with its images, kubelet, kube-proxy.
start_node()
{
    boot_node "$1" && start_containerd "$1" && within 30 containerd_answers "$1" && import_images "$1" &&
        start_kube_proxy "$1" && start_kubelet "$1"
}

containerd_answers() { in_node "$1" ctr version >/dev/null 2>&1; }

import_images()
{
    local image
    [[ ! -e $nodes/$1/imported ]] || return 0
    for image in "${images[@]}"; do
        in_node "$1" ctr --namespace k8s.io images import --local - <"$image" >/dev/null || return 1
    done
    touch "$nodes/$1/imported"
}

# stop_daemon NODE PROGRAM [SIGNAL]
stop_daemon()
{
    local pid
    pid=$(cat "$nodes/$1/$2.pid")
    kill -"${3:-TERM}" "$pid" 2>/dev/null
    within 20 has_ended "$pid"
}

has_ended() { ! is_alive "$1"; }

# power_off NODE: everything on it ends at once, as when the power fails. Its network goes too.
power_off()
{
    local pid
    for pid in "$(cat "$nodes/$1/machine.pid" 2>/dev/null)" "$(cat "$nodes/$1/unshare.pid" 2>/dev/null)"; do
        [[ -z $pid ]] || kill -KILL "$pid"
    done
    within 20 is_empty "$1"
    ip -n "$hosts-lan" link delete "$1-eth0" # a namespace's own end only goes some time after it
    ip netns del "$hosts-$1"
    rm -f "$nodes/$1"/*.pid
} 2>/dev/null

# No process is left in the node's cgroups.
is_empty() { [[ -z $(find "$(our_cgroups)/$1" -name cgroup.procs -exec cat {} + 2>/dev/null) ]]; }

# reboot NODE
reboot() { power_off "$1" && make_node_network "$1" && start_node "$1"; }

remove_nodes()
{
    local node hierarchy
    for node in "$nodes"/*/; do
        [[ -e $node ]] && power_off "$(basename "$node")"
    done
    for hierarchy in $(cgroup_hierarchies); do
        [[ ! -d $hierarchy$hosts ]] || find "$hierarchy$hosts" -depth -type d -exec rmdir {} +
    done
    rm -rf --one-file-system "$nodes"
} 2>/dev/null
