# A hundred pods at once on one node.

veths_on() { in_node "$1" ip -o link show type veth 2>/dev/null | grep -vc ' eth0@'; }
used_before=$(addresses_in_use node02) veths_before=$(veths_on node02)

must admin apply -f - >/dev/null <<'YAML'
apiVersion: apps/v1
kind: Deployment
metadata: {name: many}
spec:
  replicas: 100
  selector: {matchLabels: {app: many}}
  template:
    metadata: {labels: {app: many}}
    spec:
      nodeSelector: {kubernetes.io/hostname: node02}
      terminationGracePeriodSeconds: 0
      containers: [{name: tools, image: "localhost/tools:1", imagePullPolicy: Never, command: ["/bin/sleep", "1000000"]}]
YAML
started=$SECONDS
all_run() { admin rollout status deployment/many --timeout=240s >"$work/why"; }
check "100 pods created at once on one node all run" all_run
printf '# after %d s\n' $((SECONDS - started))
distinct() { admin get pods --selector app=many -o json | jq '[.items[].status.podIPs[].ip] | unique | length'; }
check "with 200 distinct addresses, 100 of each family" equal 200 distinct
must admin delete deployment many --wait >/dev/null
gone() { [[ -z $(admin get pods --selector app=many -o name) ]]; }
check "deleted, they are gone" within 120 gone
all_free() { [[ $(addresses_in_use node02) == "$used_before" ]]; }
no_veth_left() { [[ $(veths_on node02) == "$veths_before" ]]; }
check "every address is free again" within 60 all_free
check "no veth is left" within 60 no_veth_left
