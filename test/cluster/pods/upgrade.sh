# What may happen to the programs while pods talk: a 10 ms ping between pods of two nodes, both ways and in both families,
# loses nothing.

one=$(tools_on node01) two=$(tools_on node02)

# A new version is a new image; what is in it does not matter to the kubelet.
for node in node01 node02 node03; do
    must in_node $node ctr --namespace k8s.io images tag "$image_reference" "$image_reference-next" >/dev/null
done

start_pings $one $two
check "the DaemonSet is upgraded" eval 'admin --namespace routelet set image daemonset/routelet "*=$image_reference-next" >/dev/null && rolled_out 120'
check "no packet is lost" lost_none
printf '# %d packets\n' "$packets"

start_pings $one $two
check "and rolled back" eval 'admin --namespace routelet rollout undo daemonset/routelet >/dev/null && rolled_out 120'
check "no packet is lost" lost_none
printf '# %d packets\n' "$packets"

start_pings $one $two
kills=0
# Its kubelet starts it again at once, then after 10 s, and so on.
for _ in {1..120}; do
    if pid=$(agent_process node01); then
        kill -KILL "$pid" && ((++kills))
    fi
    ((kills < 3)) || break
    sleep 0.5
done
check "the agent is killed again and again ($kills times)" test $kills -eq 3
check "no packet is lost" lost_none
printf '# %d packets\n' "$packets"
# Its kubelet waits longer and longer before it starts it again: a new pod is not made to wait.
admin --namespace routelet delete pod "$(agent_pod node01)" --wait >/dev/null
check "it runs again" rolled_out 60

start_pings $one $two
kill_apiserver
sleep 60
check "without an API server for a minute, all agents are ready" eval 'for node in node01 node02 node03; do
    in_node $node curl --silent --fail --max-time 3 http://127.0.0.1:9482/readyz >"$work/why" || break; done'
start_apiserver
must wait_for_apiserver 60
check "no packet is lost" lost_none
printf '# %d packets\n' "$packets"
check "no node is lost either" within 120 are_ready node01 node02 node03
have_the_api()
{
    local node
    for node in node01 node02 node03; do
        shows_status $node API "working since" || return 1
    done
}
check "all agents follow the API server again" within 60 have_the_api

start_pings $one $two
must stop_daemon node01 kubelet
must start_kubelet node01
sleep 5
check "a kubelet is restarted: no packet is lost" lost_none
printf '# %d packets\n' "$packets"

start_pings $one $two
must stop_daemon node01 containerd
must start_containerd node01
must within 30 containerd_answers node01
sleep 5
check "a containerd is restarted: no packet is lost" lost_none
printf '# %d packets\n' "$packets"
check "and the node is Ready" within 60 is_ready node01
check "and all agents run" rolled_out 120 # a container that containerd has lost meanwhile is made anew
