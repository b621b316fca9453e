# A whole Kubernetes cluster on one machine: a control plane, nodes, and what is outside. Sourced by test/cluster/pods and
# script/cluster, never run.
#
#     control 192.168.1.10        etcd, kube-apiserver, kube-controller-manager, kube-scheduler
#     node01  192.168.1.11  ...   containerd, kubelet, kube-proxy (nftables)
#     outside 192.168.1.1         the LAN's gateway, and 203.0.113.1 and 2001:db8:f00d::1 behind it
#
# All in IPv4 and IPv6. Set before: here (this folder), hosts (what our namespaces' names begin with), work (a folder for
# everything that is written), kubernetes (folder of the programs), routelet_image (an archive).

control_plane=$work/control
control_address=192.168.1.10
nodes=$work/nodes
inside=(ip netns exec "$hosts-control")
outside4=203.0.113.1
outside6=2001:db8:f00d::1
. "$here/lib.sh"
. "$repository/test/support/hosts.sh"
. "$here/nodes.sh"

# start_cluster NODE...: without a pod network. True when all nodes have registered.
start_cluster()
{
    mkdir -p "$work" "$nodes"
    make_lan && make_host control 10 && make_outside && make_images && start_control_plane &&
        make_certificate kube-proxy "/CN=system:kube-proxy" "extendedKeyUsage=clientAuth" &&
        start_controllers "${controller_options[@]}" || return
    local node
    for node; do
        make_node "$node" && start_node "$node" || return
    done
    within 60 have_registered "$@"
}

controller_options=("${allocate_pod_ranges[@]}")

have_registered()
{
    local node
    for node; do
        admin get node "$node" >/dev/null 2>&1 || return 1
    done
}

# Knows the LAN and nothing of pods, as the rest of the world.
make_outside()
{
    make_host outside 1 &&
        ip -n "$hosts-outside" address add "$outside4/32" dev lo &&
        ip -n "$hosts-outside" address add "$outside6/128" dev lo nodad
}

# What every node can run without a registry: the sandbox's image, one with the usual tools, and Routelet's.
make_images()
{
    local root=$work/image-root
    mkdir -p "$root"/{bin,tmp,www/cgi-bin} &&
        cp "$(command -v busybox)" "$root/bin/busybox" &&
        "$here/image" "$work/pause.tar" localhost/pause:1 "$root" '["/bin/busybox", "sleep", "2147483647"]' &&
        "$root/bin/busybox" --install -s "$root/bin" &&
        ln -sf busybox "$root/bin/sh" || return
    local link
    for link in "$root"/bin/*; do # relative: the image's root is not this folder
        [[ ! -L $link ]] || ln -sfn busybox "$link"
    done
    # Who asks, as the asked sees it.
    printf '#!/bin/sh\nprintf "Content-Type: text/plain\\r\\n\\r\\n%%s %%s\\n" "$REMOTE_ADDR" "$(hostname)"\n' \
        >"$root/www/cgi-bin/who" &&
        chmod 755 "$root/www/cgi-bin/who" &&
        "$here/image" "$work/tools.tar" localhost/tools:1 "$root" \
            '["/bin/httpd", "-f", "-p", "[::]:8080", "-h", "/www"]' &&
        rm -rf "$root"
    images=("$work/pause.tar" "$work/tools.tar" ${routelet_image:+"$routelet_image"})
}

stop_cluster()
{
    local pid
    remove_nodes
    stop_control_plane
    for pid in $(ip netns pids "$hosts-outside"); do
        stop_process "$pid"
    done
    remove_hosts
    rm -rf --one-file-system "$work"
}
