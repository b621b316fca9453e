# What Routelet's service account and its pod may do, and that it is no more than the manifest says.

account=system:serviceaccount:routelet:routelet
# What everybody who is authenticated may do anyway (system:basic-user, system:discovery, system:public-info-viewer) is
# not of interest.
rights() { admin auth can-i --list --no-headers --as="$1" --as-group=system:serviceaccounts \
    --as-group=system:serviceaccounts:routelet --as-group=system:authenticated | awk '{$1 = $1} 1' | sort; }
own_rights() { comm -23 <(rights $account) <(rights system:serviceaccount:routelet:default); }
check "the service account may read Nodes and write Events, and nothing else" \
    equal 'events [] [] [create patch]
nodes [] [] [get list watch]' own_rights

violations() { admin label --dry-run=server --overwrite namespace routelet pod-security.kubernetes.io/enforce="$1" 2>&1 |
    sed -n 's/^Warning: .*routelet-[^ ]*\( (and [0-9]* other pods*)\)*: //p' | head -n 1; }
check "of the baseline pod security level it exceeds what it documents" \
    equal 'non-default capabilities, host namespaces, hostPath volumes, probe or lifecycle host' violations baseline
