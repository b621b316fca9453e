# The dashboard: by the types that Grafana publishes, and by a real Prometheus that has scraped real agents while things happened.
# Sourced by run.
#
# Set before: all that run sets; hosts on LAN 1; node01's agent, which has no API server, answers at 192.168.1.11:9482.

dashboard=$repository/manifests/monitoring/dashboard.json
interval=4s # what Grafana makes of $__rate_interval where the scrape interval is a second

# of_dashboard FILTER [OPTION...]: jq's, with panels: the dashboard's, and those of rows that are closed.
of_dashboard() { jq --raw-output "${@:2}" "def panels: .panels[] | ., (.panels // [])[]; $1" "$dashboard"; }
# none_of_dashboard FILTER: it yields nothing; what it yields is wrong.
none_of_dashboard() { of_dashboard "$1" >"$work/why" && [[ ! -s $work/why ]]; }

# --- as a file

grafana_takes() { "$work/dashboard" "$1" >"$work/why" 2>&1; }
grafana_refuses()
{
    of_dashboard "$1" >"$work/wrong.json" || return
    ! grafana_takes "$work/wrong.json"
}
check "Grafana's types take the dashboard"                   grafana_takes "$dashboard"
check "but not with an option that a panel does not have"    grafana_refuses '.panels[1].options.colour = "red"'
check "nor with a word where a number belongs"               grafana_refuses '(.panels[] | select(.type == "timeseries")).fieldConfig.defaults.custom.lineWidth = "thin"'
check "nor with a field that a query does not have"          grafana_refuses '.panels[1].targets[0].query = "up"'
check "each panel has a title, a description and a unit"     none_of_dashboard 'panels | select(.type != "row") |
    select([.title, .description, .fieldConfig.defaults.unit] | any(. == null or . == "")) | .id'
check "and an id and a title of its own"                     none_of_dashboard '([panels.id], [panels | select(.type != "row") | .title]) |
    group_by(.)[] | select(length > 1) | .[0]'
check "no two overlap, and none is beyond the grid"          none_of_dashboard '[panels | {title} + .gridPos] | .[] as $a | .[] as $b |
    select(($a.title < $b.title and $a.x < $b.x + $b.w and $b.x < $a.x + $a.w and $a.y < $b.y + $b.h and $b.y < $a.y + $a.h)
        or $a.x + $a.w > 24) | "\($a.title), \($b.title)"'
units_are_known()
{
    local unit
    for unit in $(of_dashboard 'panels | .fieldConfig | .defaults?.unit, (.overrides? // [])[].properties[] | .value?, . | strings' | sort -u); do
        grep --quiet "= \"$unit\"" "$sdk/units/types_gen.go" || { echo "$unit" >"$work/why" && return 1; }
    done
}
check "Grafana knows each unit"                              units_are_known
metrics_are_documented()
{
    local metric
    for metric in $(of_dashboard '[.. | .expr? // empty, .definition? // empty][]' | grep -oE '[A-Za-z_:]+(\{|, )' | grep -oE '^(routelet|process|up|ALERTS)[a-z_]*' | sort -u); do
        grep --quiet --fixed-strings "\`${metric%_bucket}\`" "$repository/docs/metrics.md" ||
            grep --quiet --fixed-strings "\`${metric%_count}\`" "$repository/docs/metrics.md" || { echo "$metric" >"$work/why" && return 1; }
    done
}
check "it names only metrics that are documented"            metrics_are_documented
check "each query is of the chosen data source"              none_of_dashboard '[.. | .datasource? | objects | select(.type != "grafana" and .uid != "${datasource}")][]'
check "and each selector of the chosen job and instances"    none_of_dashboard 'panels.targets[]?.expr, .annotations.list[].expr? // empty |
    select([scan("\\{")] != [scan("\\{")][:([scan("\\{[^}]*job=~\"\\$job\", instance=~\"\\$instance\"")] | length)])'

# kustomization: what a dashboard sidecar would find
configmap_has_it()
{
    local configmap
    configmap=$(kubectl kustomize "${dashboard%/*}" 2>"$work/why" | kubectl label --local --filename - --output json checked=yes 2>"$work/why") &&
        jq --exit-status '.kind == "ConfigMap" and .metadata.labels.grafana_dashboard == "1" and (.metadata | has("namespace") | not)' <<<"$configmap" >"$work/why" &&
        diff <(jq --raw-output --join-output '.data["routelet.json"]' <<<"$configmap") "$dashboard" >"$work/why"
}
check "kustomize makes the ConfigMap of it, with the sidecar's label" configmap_has_it

# --- by Prometheus, while things happen

mkdir -p "$state" "$work/tsdb"
make_host control 10 && make_node node02 && make_node node03 || fail "cannot make network namespaces"
start_api >/dev/null || fail "the lab's API server does not answer: $(tail -n 3 "$state/api-server.log")"
for node in node02 node03; do
    node_json $node | kube_create >/dev/null || fail "cannot make Node $node"
    mkdir -p "$state/$node/ipam" "$state/$node/run" && ln -s ../ipam "$state/$node/run/ipam" # the agent's folder for what pods.sh has elsewhere
    start_node_agent $node --health-bind-address 0.0.0.0:9482
done

# Job "many": agents as of a larger cluster, each of the three under twenty names.
{
    printf 'global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: ["%s"]\nscrape_configs:\n' "$rules"
    printf '  - {job_name: routelet, static_configs: [{targets: ["192.168.1.11:9482", "192.168.1.12:9482", "192.168.1.13:9482", "192.168.1.19:9482"]}]}\n'
    printf '  - job_name: many\n    static_configs:\n'
    for ((i = 0; i < 60; ++i)); do
        printf '      - {targets: ["192.168.1.%d:9482"], labels: {instance: "many%02d"}}\n' $((11 + i % 3)) $i
    done
} >"$work/prometheus.yaml"
check "promtool takes the configuration for Prometheus"      promtool check config "$work/prometheus.yaml"
started=$(date +%s)
start prometheus control "$work/prometheus" --config.file "$work/prometheus.yaml" --storage.tsdb.path "$work/tsdb" --web.listen-address 127.0.0.1:9090

# ask PATH PARAMETER...: the data of Prometheus' answer; what it said instead is in why.
ask()
{
    local path=$1 parameters=() parameter
    for parameter in "${@:2}"; do
        parameters+=(--data-urlencode "$parameter")
    done
    on control curl --silent --max-time 10 --get "http://127.0.0.1:9090/api/v1/$path" "${parameters[@]}" >"$work/answer" &&
        jq --exit-status .data "$work/answer" 2>/dev/null || { cat "$work/answer" >>"$work/why"; false; }
}
# gives EXPRESSION: it gives something now.
gives() { ask query "query=$1" | jq --exit-status '.result | length > 0' >/dev/null; }
check "it scrapes three agents"                              within 60 gives 'sum(up{job="routelet"}) == 3'

for node in node02 node03; do
    within 15 has_conflist $node && add_pod $node pod || fail "no pod on $node"
done
# Nodes without machines, whose routes somebody removes; one that another's podCIDR was given to, and one without.
for ((i = 11; i < 24; ++i)); do
    node_json node$i
done | kube_create >/dev/null
{ node_json node30 10.244.2.0/24; node_json node31 none; } | kube_create >/dev/null
# A route of somebody else's at the very place of the one that is needed, so that the kernel refuses ours.
ip -n "$hosts-node03" route add 10.244.32.0/24 via 192.168.1.77 metric $((metric + 256 + 42))
node_json node32 | kube_create >/dev/null
echo '{}' >"$state/node03/net.d/00-other.conflist"
has_all_routes() { (($(routes_of node02 | wc -l) == 15)); }
for _ in 1 2; do
    check "node02 has routes to all"                         within 20 has_all_routes
    sleep 3
    ip -n "$hosts-node02" route flush proto $protocol
done

# value TITLE: of the panel, its first query's one value now, for job routelet.
value() { ask query "query=$(of_dashboard 'panels | select(.title == $title) | .targets[0].expr' --arg title "$1" | with_variables routelet '.*')" | jq --raw-output '[.result[].value[1]] | join(" ")'; }
# with_variables JOB INSTANCE: the expression as Grafana would ask it.
with_variables()
{
    local text
    text=$(cat)
    text=${text//'$__rate_interval'/"$interval"}
    text=${text//'$job'/"$1"}
    printf '%s\n' "${text//'$instance'/"$2"}"
}
says() { within 30 equal "$2" value "$1"; }
check "\"Agents ready\" says two"                            says "Agents ready" 2
check "\"Agents not ready\" says one"                        says "Agents not ready" 1
check "\"Agents not scraped\" says one"                      says "Agents not scraped" 1
check "\"API server failing\" says one"                      says "API server failing" 1
check "\"podCIDRs refused\" says one"                        says "podCIDRs refused" 1
check "\"Routes missing\" says one"                          says "Routes missing" 1
check "\"Findings\" says one"                                says "Findings" 1
check "\"Addresses used, all nodes\" says two"               says "Addresses used, all nodes" 2

# --- the alerts

state_of() { gives "ALERTS{alertname=\"$1\", alertstate=\"$2\", job=\"routelet\"}"; }
check "Prometheus fires RouteletRoutesRestoredOften at once" within 30 state_of RouteletRoutesRestoredOften firing
for alert in RouteletDown RouteletNodeNotReady RouteletRoutesMissing RouteletPodCidrRefused RouteletApiServerUnreachable RouteletFinding; do
    check "and $alert is pending"                            within 30 state_of $alert pending
done

# --- each expression

ended=$(date +%s)
has_number() { jq --exit-status "[$1 | select(. != \"NaN\")] | length > 0" >/dev/null; }
answers_now() { ask query "query=$1" | has_number '.result[].value[1]'; }
answered() { ask query_range "query=$1" "start=$started" "end=$ended" step=1 | has_number '.result[].values[][1]'; }
# answers TITLE KIND EXPRESSION JOB INSTANCE: with a number. One scrape that comes late, and an agent's series are not there now.
answers()
{
    local expression
    expression=$(with_variables "$4" "$5" <<<"$3")
    if [[ $2 == instant ]]; then
        within 15 answers_now "$expression"
    else
        answered "$expression"
    fi || { printf '%s: %s: %s\n' "$1" "$2" "$expression" >>"$work/why"; false; }
}
# every_expression COMMAND...: is true with TITLE KIND EXPRESSION behind it, for each.
every_expression()
{
    local title kind expression
    while IFS=$'\t' read -r title kind expression; do
        "$1" "$title" "$kind" "$expression" "${@:2}" </dev/null || return
    done < <(of_dashboard '(panels | .title as $title | .targets[]? | [$title, if .instant then "instant" else "range" end, .expr]),
        (.annotations.list[] | select(.expr) | [.name, "range", .expr]) | join("\t")')
}
is_table() { [[ $(of_dashboard 'panels | select(.title == $title) | .type' --arg title "$1") == table ]]; }
# is_small TITLE KIND EXPRESSION: tables have a row for each node where something is wrong, as they should.
is_small()
{
    local answer
    is_table "$1" && return
    answer=$(ask query "query=$(with_variables many '.*' <<<"$3")") && (($(jq '.result | length' <<<"$answer") <= 50)) ||
        { echo "$1: $3" >>"$work/why"; false; }
}

jobs=$(ask label/job/values 'match[]=routelet_build_info' | jq --raw-output 'join("|")')
instances=$(ask label/instance/values 'match[]=routelet_build_info{job=~"routelet"}' | jq --raw-output 'map(gsub("\\."; "\\\\.")) | join("|")')
check "the variables' queries give jobs and instances"       equal 'many|routelet 3' echo "$jobs $(tr '|' '\n' <<<"$instances" | wc -l)"
check "Prometheus takes every expression, and each gives something"   every_expression answers "($jobs)" '.*'
check "also with chosen instances"                           every_expression answers routelet "($instances)"
check "with sixty agents none but tables has more than fifty series"  every_expression is_small
