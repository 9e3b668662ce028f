#!/usr/bin/env bash
# Starts the parts of a cluster and stays until it is told to end; then all of it ends. Called by cluster.sh.
# Usage: hold.sh api|control|all      ($RUN, $BIN, $GROUP and $CACHE are set; `all` runs in a network namespace of its own)
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../../scripts/lib.sh
. "$HERE/../../scripts/lib.sh"
MODE=$1
BRIDGE=ef0 NODE_IP=10.231.0.1 PODS=10.231.0.0/24 SERVICES=10.232.0.0/16 SERVICE_IP=10.232.0.1
keepers=()

finish() {
    trap '' INT TERM HUP
    # Each part ends with its keeper, and the node's with the first process of its namespace.
    if [ ${#keepers[@]} != 0 ]; then
        kill -KILL "${keepers[@]}" 2>/dev/null || true
        wait "${keepers[@]}" 2>/dev/null || true
    fi
    "$HERE/clean.sh"
}
trap finish EXIT
trap 'exit 0' INT TERM HUP
# Fd 3: whoever started this; its end is ours.
exec 3<&0 </dev/null

mkdir -p "$RUN"/{pki,log,pid,bin,keep-down}
chmod 700 "$RUN"
echo "$MODE" >"$RUN/mode"
echo $$ >"$RUN/pid/hold"
log() { printf '[%5.2f s] %s\n' "$(($(date +%s%N) / 1000000 - begun))e-3" "$*" >>"$RUN/log/start.log"; }
begun=$(($(date +%s%N) / 1000000))

# keep NAME COMMAND…
keep() {
    setpriv --pdeathsig KILL bash "$HERE/keep.sh" "$@" &
    keepers+=($!)
}

# --- addresses: fixed ones in a network of its own, free ones on the machine's loopback ------------------------------

if [ "$MODE" = all ]; then
    API=https://$SERVICE_IP:443 API_ADDRESS=$SERVICE_IP API_PORT=443 ETCD=2379 ETCD_PEER=2380 MANAGER=10257 SCHEDULER=10259
    ip link set lo up
    # The bridge holds the first address of the services: clients in pods find kubernetes.default without kube-proxy.
    ip link add "$BRIDGE" type bridge
    ip addr add "$NODE_IP/24" dev "$BRIDGE"
    ip addr add "$SERVICE_IP/32" dev "$BRIDGE"
    ip link set "$BRIDGE" up
    # No kube-proxy: other services' addresses are refused at once instead of leaving by a default route.
    ip route replace unreachable "$SERVICES"
    NODE_IP=$NODE_IP PODS=$PODS BRIDGE=$BRIDGE
else
    read -r API_PORT ETCD ETCD_PEER MANAGER SCHEDULER < <(python3 - <<'PYTHON'
import random, socket
# Below the ports that the system gives to whoever asks for any: a part that is started again finds its own free.
found = []
while len(found) < 5:
    probe = socket.socket()
    try:
        probe.bind(("127.0.0.1", random.randrange(10000, 30000)))
        found.append(probe)
    except OSError:
        pass
print(*(probe.getsockname()[1] for probe in found))
PYTHON
    )
    API=https://127.0.0.1:$API_PORT API_ADDRESS=127.0.0.1
fi
cat >"$RUN/bin/kubectl" <<SCRIPT
#!/bin/sh
exec "$BIN" kubectl "\$@"
SCRIPT
chmod +x "$RUN/bin/kubectl"
"$HERE/pki.sh" "$API" "$NODE_IP" "$SERVICE_IP"
log "keys and kubeconfigs"

# --- control plane ---------------------------------------------------------------------------------------------------

pki=$RUN/pki
keep etcd "$BIN" etcd --name lab --data-dir "$RUN/etcd" --log-level warn --unsafe-no-fsync \
    --listen-client-urls "http://127.0.0.1:$ETCD" --advertise-client-urls "http://127.0.0.1:$ETCD" \
    --listen-peer-urls "http://127.0.0.1:$ETCD_PEER" --initial-advertise-peer-urls "http://127.0.0.1:$ETCD_PEER" \
    --initial-cluster "lab=http://127.0.0.1:$ETCD_PEER"
# Aggregator routing: webhooks are called at the addresses of their pods, since no kube-proxy knows the service's.
keep apiserver "$BIN" apiserver --bind-address "$API_ADDRESS" --secure-port "$API_PORT" --advertise-address "$NODE_IP" \
    --endpoint-reconciler-type=none --enable-aggregator-routing=true --etcd-servers "http://127.0.0.1:$ETCD" \
    --service-cluster-ip-range "$SERVICES" --tls-cert-file "$pki/apiserver.crt" --tls-private-key-file "$pki/apiserver.key" \
    --client-ca-file "$pki/ca.crt" --service-account-issuer https://kubernetes.default.svc \
    --service-account-key-file "$pki/sa.pub" --service-account-signing-key-file "$pki/sa.key" \
    --authorization-mode Node,RBAC --enable-admission-plugins NodeRestriction --anonymous-auth=true --allow-privileged \
    --kubelet-client-certificate "$pki/kubelet-client.crt" --kubelet-client-key "$pki/kubelet-client.key" \
    --kubelet-certificate-authority "$pki/ca.crt" --kubelet-preferred-address-types InternalIP --profiling=false

# --- node, beside the control plane's start --------------------------------------------------------------------------

if [ "$MODE" = all ]; then
    export NODE_IP PODS BRIDGE
    # Namespaces of its own for mounts and processes: with its first process all of it ends, and no mount is ever
    # seen outside.
    setpriv --pdeathsig KILL unshare --mount --propagation private --pid --fork --kill-child=KILL \
        bash "$HERE/node.sh" </dev/null >>"$RUN/log/node.log" 2>&1 &
    keepers+=($!)
    echo $! >"$RUN/pid/node"
fi

# get PATH: what the API server answers.
get() { curl -s --max-time 5 --cacert "$pki/ca.crt" --cert "$pki/admin.crt" --key "$pki/admin.key" "$API$1"; }
# until_it WHAT SECONDS COMMAND…
until_it() {
    local what=$1 until=$((SECONDS + $2))
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$until" ] || {
            tail -n 5 "$RUN"/log/{etcd,apiserver,node,kubelet}.log >&2 2>/dev/null || true
            die "$what did not come up"
        }
        sleep 0.05
    done
    log "$what"
}
answers() { [ "$(get /readyz)" = ok ]; }
has_accounts() { get /api/v1/namespaces/default/serviceaccounts/default | grep -q '"uid"'; }
node_ready() { get /api/v1/nodes/lab | jq -e '.status.conditions[]? | select(.type == "Ready" and .status == "True")'; }

until_it "the API server" 90 answers
if [ "$MODE" != api ]; then
    keep controller-manager "$BIN" controller-manager --bind-address 127.0.0.1 --secure-port "$MANAGER" --leader-elect=false \
        --kubeconfig "$RUN/controller-manager.kubeconfig" --authentication-kubeconfig "$RUN/controller-manager.kubeconfig" \
        --authorization-kubeconfig "$RUN/controller-manager.kubeconfig" --cert-dir "$RUN/controller-manager" \
        --use-service-account-credentials --service-account-private-key-file "$pki/sa.key" --root-ca-file "$pki/ca.crt" \
        --cluster-signing-cert-file "$pki/ca.crt" --cluster-signing-key-file "$pki/ca.key" --allocate-node-cidrs=false \
        --kube-api-qps 1000 --kube-api-burst 1000 --flex-volume-plugin-dir "$RUN/kubelet/flex" --profiling=false
    keep scheduler "$BIN" scheduler --bind-address 127.0.0.1 --secure-port "$SCHEDULER" --leader-elect=false \
        --kubeconfig "$RUN/scheduler.kubeconfig" --authentication-kubeconfig "$RUN/scheduler.kubeconfig" \
        --authorization-kubeconfig "$RUN/scheduler.kubeconfig" --cert-dir "$RUN/scheduler" \
        --kube-api-qps 1000 --kube-api-burst 1000 --profiling=false
    until_it "the controllers" 90 has_accounts
fi
[ "$MODE" != all ] || until_it "the node" 120 node_ready
touch "$RUN/ready"
echo "ready $RUN/admin.kubeconfig" || true

# --- until the end ---------------------------------------------------------------------------------------------------

if [ -p /dev/fd/3 ] || [ -S /dev/fd/3 ]; then
    cat <&3 >/dev/null &
    wait $! || true
else
    setpriv --pdeathsig KILL sleep infinity &
    wait $!
fi
