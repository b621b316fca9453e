# A node loses its power and starts again.

says_so() { grep --count "has not set up this node's routes since it booted" "$nodes/node03/kubelet.log"; }
said=$(says_so)
must reboot node03
has_booted() { [[ $(admin get node "$1" -o jsonpath='{.status.nodeInfo.bootID}') == "$(<"$nodes/$1/root/boot_id")" ]]; }
must within 60 has_booted node03
check "a node that was rebooted becomes Ready again" within 120 is_ready node03
# The configuration of before was there at once.
check "and not before its agent had set it up" eval '(($(says_so) > said))'
must admin rollout status daemonset/tools --timeout=120s >/dev/null
third_is_seen()
{
    local third
    third=$(tools_on node03)
    sees "$(pod_address $one 4)" "$(pod_address $third 4)" 8080 in_pod $one && sees "$(pod_address $third 6)" "$(pod_address $one 6)" 8080 in_pod $third
}
check "its pods are back, and reach the others" within 60 third_is_seen
# Two families each; pods on the host's network have none.
pods_with_addresses() { admin get pods --all-namespaces --field-selector spec.nodeName=node03 -o json |
    jq '[.items[] | select(.spec.hostNetwork | not)] | length'; }
none_leaked() { equal $((2 * $(pods_with_addresses))) addresses_in_use node03; }
check "no address has leaked" within 30 none_leaked
