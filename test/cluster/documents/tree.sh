# README.md's commands that make a cluster or a demonstration of their own, of which there is one at a time.

if [[ -e /var/tmp/routelet-cluster ]]; then
    skip "there is a cluster of script/cluster already" "sudo script/cluster up" "sudo script/cluster kubectl get nodes" \
        "sudo script/cluster shell node01" "sudo script/cluster down"
else
    follow "sudo script/cluster up" "" "node03 Ready"
    follow "sudo script/cluster kubectl get nodes" "" "node01 Ready" "node02 Ready" "node03 Ready"
    follow "sudo script/cluster shell node01"
    follow "sudo script/cluster down" "" "nothing is left"
fi
if [[ -e /run/routelet-demo ]]; then
    skip "there is a demo already" "sudo script/demo --keep" "sudo script/demo down"
else
    follow "sudo script/demo --keep" "" "as they should be"
    # It ends with commands to go on with: COMMAND, then an explanation after a gap.
    sed -n 's/^   \(ip netns exec .*\)/\1/p' "$work/said" | sed 's/  .*//' >"$work/advice"
    takes_its_advice()
    {
        local command count=0
        while IFS= read -r command; do
            bash -c "$command" </dev/null >>"$work/why" 2>&1 && ((++count)) || return 1
        done <"$work/advice"
        ((count == 5))
    }
    check "the commands that it ends with work"         takes_its_advice
    follow "sudo script/demo down" "" "nothing is left"
fi
