# A Kubernetes control plane for tests, all of it real. Sourced, never run.
#
# Set before: control_plane       folder for keys, data and logs; made if absent
#             kubernetes          folder of the programs; test/cluster/binaries prints it
#             control_address     where the API server listens (port 6443); loopback unless given
#             inside              command prefix that runs a program where the control plane lives, e.g.
#                                 inside=(ip netns exec NAMESPACE); empty unless given
# Then call:  start_control_plane, then `admin ARGUMENTS...` for kubectl with every right; that is etcd and
#             kube-apiserver. start_controllers adds kube-controller-manager and kube-scheduler
# Afterwards: stop_control_plane, always
#
# Functions return non-zero on failure and leave what the programs said in $control_plane/*.log.

control_address=${control_address:-127.0.0.1}
inside=("${inside[@]}")
pod_ranges=10.244.0.0/16,fd00:10:244::/48
service_ranges=10.96.0.0/16,fd00:10:96::/112
unset HTTP_PROXY HTTPS_PROXY ALL_PROXY http_proxy https_proxy all_proxy # nothing here is behind a proxy

start_control_plane()
{
    mkdir -p "$control_plane"
    make_certificates && write_admin_kubeconfig && start_etcd && start_apiserver && wait_for_apiserver 60
}

# run_part NAME COMMAND...: in the background, where the control plane lives. Its pid is in $control_plane/NAME.pid.
run_part()
{
    local name=$1
    shift
    "${inside[@]}" "$@" >>"$control_plane/$name.log" 2>&1 </dev/null &
    echo $! >"$control_plane/$name.pid"
}

# stop_part NAME [SIGNAL]: true when it has ended; it may not have run.
stop_part()
{
    local pid
    pid=$(cat "$control_plane/$1.pid" 2>/dev/null) || return 0
    rm -f "$control_plane/$1.pid"
    [[ -z ${2-} ]] || kill -"$2" "$pid"
    stop_process "$pid"
    ! is_alive "$pid"
}

stop_controllers()
{
    stop_part kube-scheduler
    stop_part kube-controller-manager
}

stop_control_plane()
{
    stop_controllers
    stop_part kube-apiserver
    stop_part etcd
}

# A certificate authority; the server's certificate for its address; the administrator's; and the key that signs
# service account tokens.
make_certificates()
{
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=routelet test CA" \
        -keyout "$control_plane/ca.key" -out "$control_plane/ca.crt" 2>/dev/null &&
        make_certificate server "/CN=kube-apiserver" \
            "subjectAltName=DNS:kubernetes,DNS:kubernetes.default.svc,IP:127.0.0.1,IP:10.96.0.1,IP:$control_address" &&
        make_certificate admin "/O=system:masters/CN=admin" "extendedKeyUsage=clientAuth" &&
        openssl ecparam -name prime256v1 -genkey -noout -out "$control_plane/service-accounts.key"
}

# make_certificate NAME SUBJECT EXTENSION: NAME.crt and NAME.key, signed by the authority.
make_certificate()
{
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "$2" \
        -keyout "$control_plane/$1.key" -out "$control_plane/$1.csr" 2>/dev/null &&
        openssl x509 -req -days 2 -in "$control_plane/$1.csr" -CA "$control_plane/ca.crt" -CAkey "$control_plane/ca.key" \
            -CAcreateserial -extfile <(printf '%s\n' "$3") -out "$control_plane/$1.crt" 2>/dev/null
}

write_admin_kubeconfig()
{
    write_kubeconfig "$control_plane/admin.kubeconfig" \
        "{client-certificate: $control_plane/admin.crt, client-key: $control_plane/admin.key}"
}

# write_kubeconfig FILE USER: for this control plane; USER is the YAML of a kubeconfig's user.
write_kubeconfig()
{
    cat >"$1" <<KUBECONFIG
apiVersion: v1
kind: Config
current-context: test
contexts: [{name: test, context: {cluster: test, user: test}}]
clusters: [{name: test, cluster: {server: "https://$control_address:6443", certificate-authority: $control_plane/ca.crt}}]
users: [{name: test, user: $2}]
KUBECONFIG
}

start_etcd()
{
    # etcd 3.4 refuses to start on arm64 without this; elsewhere it changes nothing.
    run_part etcd env ETCD_UNSUPPORTED_ARCH=arm64 etcd --name test --data-dir "$control_plane/etcd" \
        --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
        --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 \
        --initial-cluster test=http://127.0.0.1:2380
}

# Also after a stop: etcd still holds everything.
start_apiserver()
{
    run_part kube-apiserver "$kubernetes/kube-apiserver" \
        --bind-address="$control_address" --advertise-address="$control_address" --secure-port=6443 \
        --etcd-servers=http://127.0.0.1:2379 --service-cluster-ip-range=$service_ranges \
        --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction --allow-privileged \
        --kubelet-client-certificate="$control_plane/admin.crt" --kubelet-client-key="$control_plane/admin.key" \
        --kubelet-preferred-address-types=InternalIP \
        --tls-cert-file="$control_plane/server.crt" --tls-private-key-file="$control_plane/server.key" \
        --client-ca-file="$control_plane/ca.crt" --cert-dir="$control_plane" \
        --service-account-issuer=https://kubernetes.default.svc \
        --service-account-key-file="$control_plane/service-accounts.key" \
        --service-account-signing-key-file="$control_plane/service-accounts.key"
}

# start_controllers [OPTION...]: kube-controller-manager with these options more, and kube-scheduler.
start_controllers()
{
    local common=(--kubeconfig="$control_plane/admin.kubeconfig" --leader-elect=false --bind-address=127.0.0.1
        --authentication-kubeconfig="$control_plane/admin.kubeconfig" --cert-dir="$control_plane")
    run_part kube-controller-manager "$kubernetes/kube-controller-manager" "${common[@]}" \
        --use-service-account-credentials --root-ca-file="$control_plane/ca.crt" \
        --service-account-private-key-file="$control_plane/service-accounts.key" "$@"
    run_part kube-scheduler "$kubernetes/kube-scheduler" "${common[@]}"
}

# What start_controllers needs to give each node its podCIDRs.
allocate_pod_ranges=(--allocate-node-cidrs "--cluster-cidr=$pod_ranges" "--service-cluster-ip-range=$service_ranges"
    --node-cidr-mask-size-ipv4=24 --node-cidr-mask-size-ipv6=64)

# wait_for_apiserver SECONDS: until it says that it is ready; fails when it has ended, or at the deadline.
wait_for_apiserver()
{
    local deadline=$((SECONDS + $1))
    until [[ $(admin get --raw /readyz 2>/dev/null) == ok ]]; do
        is_alive "$(cat "$control_plane/kube-apiserver.pid")" && ((SECONDS < deadline)) || return 1
        sleep 0.2
    done
}

# As in a crash: no goodbye to its clients.
kill_apiserver() { stop_part kube-apiserver KILL; }

# kubectl with every right.
admin()
{
    "${inside[@]}" "$kubernetes/kubectl" --kubeconfig "$control_plane/admin.kubeconfig" --cache-dir "$control_plane/kubectl" "$@"
}

# token NAMESPACE SERVICEACCOUNT: a token as the kubelet would ask for (TokenRequest), which `kubectl create token` has
# only had since 1.24.
token()
{
    local request='{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{"expirationSeconds":3600}}'
    admin create --raw "/api/v1/namespaces/$1/serviceaccounts/$2/token" -f - <<<"$request" |
        jq --exit-status --raw-output .status.token
}
