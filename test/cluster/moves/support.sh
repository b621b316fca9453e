# The commands of the document, and what is asked of a cluster that moves. Sourced by run.

all_nodes=(node01 node02 node03)

# read_steps NETWORK: the commands of the subsection that is about it, in order, into `steps`.
read_steps()
{
    awk -v title="### From $1" '/^##/ { ours = index($0, title) == 1 } ours' "$repository/docs/operations.md" >"$work/section.md"
    mapfile -t steps < <("$here/documents/commands" "$work/section.md" | cut -f 2)
    next=0
}

# take COMMAND: it is the document's next.
take()
{
    [[ ${steps[next]-} == "$1" ]] && ((++next)) && return
    printf 'the document has here: %s\n' "${steps[next]-nothing more}" >"$work/why"
    return 1
}

all_were_given()
{
    ((next > 0)) || echo "the document has no commands" >"$work/why"
    ((next == ${#steps[@]})) || printf 'not given: %s\n' "${steps[@]:next}" >>"$work/why"
    [[ ! -s $work/why ]]
}

# give COMMAND: kubectl's once where the administrator is, or for each agent's pod if it says POD; others on each node.
give()
{
    local text=$1 node status=0
    text=$(sed -E 's/(^|[ =])NAMESPACE( |$)/\1default\2/g; s/ NAME( |$)/ old\1/g' <<<"$text")
    case $text in
    kubectl*' POD '*)
        for node in "${all_nodes[@]}"; do
            give_there "${text/ POD / $(agent_pod $node) }" || status=$?
        done
        ;;
    kubectl*) give_there "$text" || status=$? ;;
    *)
        for node in "${all_nodes[@]}"; do
            in_node $node timeout 60 bash -c "$text" </dev/null || status=$?
        done
        ;;
    esac
    return $status
}
give_there()
{
    (cd "$repository" && PATH="$kubernetes:$PATH" KUBECONFIG="$control_plane/admin.kubeconfig" \
        "${inside[@]}" timeout 180 bash -c "$1" </dev/null)
}

# follow COMMAND [WORDS...]: the check that it is the document's next and ends well, and that some line of what it says has all
# the words, for each of WORDS.
follow() { check "$1" ends_with 0 "$@"; }
# find_wrong COMMAND WORDS...: the same of one that says by its exit status that something is wrong.
find_wrong() { check "$1" ends_with 1 "$@"; }
# ends_with STATUS COMMAND [WORDS...]
ends_with()
{
    local status words
    take "$2" || return
    give "$2" >"$work/said" 2>&1
    status=$?
    ((status == $1)) || { printf 'status %d\n' $status && tail -n 25 "$work/said"; } >>"$work/why"
    for words in "${@:3}"; do
        read -ra words <<<"$words"
        a_line_has "$work/said" "${words[@]}" || { tail -n 25 "$work/said" >>"$work/why" && return 1; }
    done
    ((status == $1))
}

# pods_of NAME: a DaemonSet of that name with the usual tools; its pods are up when this returns.
pods_of()
{
    admin apply -f - >/dev/null <<YAML && admin rollout status "daemonset/$1" --timeout=90s >/dev/null
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: $1}
spec:
  selector: {matchLabels: {app: $1}}
  template:
    metadata: {labels: {app: $1}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - {name: tools, image: "localhost/tools:1", imagePullPolicy: Never, ports: [{containerPort: 8080, hostPort: ${2:-0}}]}
YAML
}
# pod_of NAME NODE
pod_of() { pod_on "$2" --selector "app=$1"; }

# reach_each_other NAME...: each pod of these DaemonSets each other, in both families.
reach_each_other()
{
    local addresses from pods
    pods=$(admin get pods -o json | jq '[.items[] | select(.metadata.labels.app | IN($ARGS.positional[]))]' --args "$@")
    mapfile -t addresses < <(jq --raw-output '.[].status.podIPs[].ip' <<<"$pods")
    ((${#addresses[@]} == $# * ${#all_nodes[@]} * 2)) || { printf 'addresses: %s\n' "${addresses[*]}" >"$work/why" && return 1; }
    for from in $(jq --raw-output '.[].metadata.name' <<<"$pods"); do
        printf '%s\n' "${addresses[@]}" | in_pod "$from" xargs -P 8 -I{} sh -c 'ping -q -c 2 -i 0.1 -W 1 {} >/dev/null || echo "no answer from {}"' \
            >"$work/unanswered" 2>&1
        [[ ! -s $work/unanswered ]] || { sed "s/^/$from: /" "$work/unanswered" >>"$work/why"; }
    done
    [[ ! -s $work/why ]]
}

# No two pods that are there have an address in common.
no_address_twice()
{
    admin get pods --all-namespaces -o json | jq --raw-output '.items[] | select(.spec.hostNetwork | not) | .status.podIPs // [] | .[].ip' |
        sort | uniq --repeated >"$work/why"
    [[ ! -s $work/why ]]
}

# only_ours NODE: the routes to other nodes' pods are ours, and nobody else has one.
only_ours()
{
    local others=() node
    for node in "${all_nodes[@]}"; do
        [[ $node == "$1" ]] || others+=("$(routes_to $node)")
    done
    have_routes "$(printf '%s\n' "${others[@]}")" "$1" || return
    { in_node "$1" ip route show && in_node "$1" ip -6 route show; } | grep -E '^(10\.244\.|fd00:10:244:).* via ' |
        grep -v 'proto 82' >"$work/why"
    [[ ! -s $work/why ]]
}

# is_masqueraded POD NODE: what it sends out of the cluster has the node's address.
outside_sees()
{
    local number
    number=$((10 + $(node_number "$2")))
    { sees "192.168.1.$number" $outside4 8080 in_pod "$1" && sees "fd00:192:168:1::$number" $outside6 8080 in_pod "$1"; }
}
serve_outside()
{
    mkdir -p "$work/www/cgi-bin"
    printf '#!/bin/sh\nprintf "Content-Type: text/plain\\r\\n\\r\\n%%s outside\\n" "$REMOTE_ADDR"\n' >"$work/www/cgi-bin/who"
    chmod 755 "$work/www/cgi-bin/who"
    on outside busybox httpd -f -p '[::]:8080' -h "$work/www" &
    outside_server=$!
}

# rolled_out_again NAME: a DaemonSet that was told to restart; only its new pods are left.
rolled_out_again()
{
    admin rollout status "daemonset/$1" --timeout=120s >"$work/why" 2>&1 && within 30 has_pods_alone "$1"
}
has_pods_alone() { [[ $(admin get pods --selector "app=$1" -o name | wc -l) == "${#all_nodes[@]}" ]]; }

# --- images and plugins of the networks before

# with_programs ROOT PROGRAM...: this machine's, and the libraries that they need.
with_programs()
{
    local root=$1 program library
    mkdir -p "$root"/{bin,etc,tmp}
    for program in "${@:2}"; do
        cp --dereference "$(command -v "$program")" "$root/bin/" || return
        for library in $(ldd "$(command -v "$program")" 2>/dev/null | grep -oE '/[^ ]+'); do
            [[ -e $root$library ]] || install -D "$(realpath "$library")" "$root$library" || return
        done
    done
}

# with_iptables ROOT: iptables-nft by its usual names, nft, and busybox as sh, cp, ip and sleep.
with_iptables()
{
    local extensions name
    extensions=$(dirname "$(find /usr/lib -name libxt_comment.so -print -quit)")
    with_programs "$1" busybox iptables-nft nft && mkdir -p "$1$extensions" && cp "$extensions"/*.so "$1$extensions/" &&
        cp /etc/protocols "$1/etc/" || return
    for name in {iptables,ip6tables}{,-save,-restore}; do
        ln -s iptables-nft "$1/bin/$name" || return
    done
    for name in sh cp mv ip sleep; do
        ln -s busybox "$1/bin/$name" || return
    done
}

# give_images ARCHIVE...: to each node.
give_images()
{
    local node archive
    for node in "${all_nodes[@]}"; do
        for archive; do
            in_node $node ctr --namespace k8s.io images import --local - <"$archive" >/dev/null || return
        done
    done
}

# As a node has them whose packages kubernetes-cni or containernetworking-plugins are installed.
give_plugins()
{
    local node
    for node in "${all_nodes[@]}"; do
        cp "$flannel"/{bridge,host-local,ptp} "$kubernetes"/{loopback,portmap} "$nodes/$node/root/opt/cni/bin/" || return
    done
}

# has_routes_of_others NODE: one to each other node's pods in each family, and none is ours.
has_routes_of_others()
{
    { in_node "$1" ip route show && in_node "$1" ip -6 route show; } >"$work/why"
    (($(grep -cE '^(10\.244\.|fd00:10:244:).* via .* dev eth0' "$work/why") == 2 * (${#all_nodes[@]} - 1))) && ! grep -q 'proto 82' "$work/why"
}

# --- the last steps, which are the same for both

# old_and_new_go_on: without the network before; old1 is the pod on node01 that the pings are from.
old_and_new_go_on()
{
    check "old and new still reach each other"          reach_each_other old new
    check "old pods leave with their node's address"    outside_sees "$old1" node01
    check "and new ones"                                outside_sees "$(pod_of new node01)" node01
    check "an old pod's host port is open"              gets 192.168.1.11 8088 on outside
    check "not one ping between old pods was lost"      lost_none
    printf '# of %d\n' "$packets"
}

# replace_pods FOLDER: those of DaemonSet old, whose addresses are there.
replace_pods()
{
    local node
    start_pings "$(pod_of new node01)" "$(pod_of new node02)"
    follow "kubectl -n NAMESPACE rollout restart daemonset NAME"
    check "restarted pods come up"                      rolled_out_again old
    for node in "${all_nodes[@]}"; do
        check "on $node no address of before is left"   within 30 has_no_address $node "$1"
    done
    follow "ls $1"
    check "not one ping between new pods was lost"      lost_none
    printf '# of %d\n' "$packets"
}
has_no_address() { ! in_node "$1" ls "$2" | grep '^[0-9a-f]*[.:]' >"$work/why"; }

# end_of_move COMMAND...: the options are taken out, and COMMANDs given.
end_of_move()
{
    local command node
    start_pings "$(pod_of old node01)" "$(pod_of new node02)"
    follow "kubectl -n routelet patch configmap routelet --type merge -p '{\"data\": {\"ROUTELET_ADOPT\": \"\", \"ROUTELET_IMPORT_PODS\": \"\"}}'"
    follow "kubectl -n routelet rollout restart daemonset routelet"
    follow "kubectl -n routelet rollout status daemonset routelet" "successfully rolled out"
    follow "kubectl -n routelet exec POD -c routelet -- /routelet doctor" "Nothing is broken"
    for command; do
        follow "$command"
    done
    check "not one ping was lost"                       lost_none
    printf '# of %d\n' "$packets"
    check "all pods reach each other"                   reach_each_other old new
    check "and the world, with their nodes' addresses"  outside_sees "$(pod_of old node03)" node03
    check "host ports are open"                         gets 192.168.1.11 8088 on outside
    check "no address is there twice"                   no_address_twice
    for node in "${all_nodes[@]}"; do
        check "$node has our routes and no others"      only_ours $node
    done
}
