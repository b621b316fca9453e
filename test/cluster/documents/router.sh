# "Several subnets": the agent on the nodes' default gateway, which here is the host `outside`.

mkdir -p "$nodes/outside/root"
must boot_node outside
must has_own_programs outside
must in_node outside mkdir -p /etc/systemd/system /root/.kube
cp -r "$repository/manifests" "$nodes/outside/root/root/"
admin config view --flatten --minify >"$nodes/outside/root/root/.kube/config"

mapfile -t commands < <(awk -F '\t' '/docs\/operations.md\t.*(overlays\/router|\/etc\/routelet)/ { print $2 }' "$work/commands")
for command in "${commands[@]}"; do
    follow "$command" outside
done
has_credentials() { in_node outside test -s /etc/routelet/token -a -s /etc/routelet/ca.crt; }
check "the token and the CA are there"                  has_credentials
meaning_of[FILE]=/etc/routelet/kubeconfig
follow "routelet run --role router --kubeconfig FILE" outside "event=router-ready"
unit=/etc/systemd/system/routelet-router.service
verifies() { in_node outside systemd-analyze verify $unit >"$work/why" 2>&1 && [[ ! -s $work/why ]]; }
if command -v systemd-analyze >/dev/null; then
    check "systemd finds nothing wrong with the unit"   verifies
else
    skip "no systemd-analyze here" "the unit's verification"
fi
start_unit()
{
    local line
    line=$(in_node outside sed -n 's/^ExecStart=//p' $unit)
    in_node outside mkdir "/run/$(in_node outside sed -n 's/^RuntimeDirectory=//p' $unit)"
    start_daemon outside setpriv --bounding-set=-all,+net_admin --inh-caps=-all,+net_admin --no-new-privs $line
}
router_has_routes()
{
    in_node outside ip -j route show proto 82 | jq --raw-output '.[] | "\(.dst) via \(.gateway)"' | sort >"$work/why"
    [[ $(<"$work/why") == "$(for node in node01 node02 node03; do routes_to $node; done | grep -v : | sort)" ]]
}
check "what the unit starts, with what it leaves to it, has routes to every node's pods" eval 'start_unit && within 20 router_has_routes'
follow "routelet status" outside
follow "routelet history" outside
stop_daemon outside setpriv
