#!/usr/bin/env bash
# EventFlow on kind, a Kubernetes in Docker on one's own machine. Usage: scripts/kind.sh setup|clean|images|deploy|undeploy
#   setup     cluster (kind-config.yaml), Secrets with random passwords, Kubernetes Dashboard and its token, images, EventFlow
#   clean     removes the cluster with all that is in it
#   images    builds the images (IMAGE_PREFIX, IMAGE_TAG=dev) and gives them to kind where its cluster runs
#   deploy    applies an overlay (OVERLAY=kind) to the current context; undeploy removes what it made
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
cd "$ROOT"
CLUSTER=eventflow
OVERLAY=${OVERLAY:-kind}
DASHBOARD=${DASHBOARD:-https://raw.githubusercontent.com/kubernetes/dashboard/v2.7.0/aio/deploy/recommended.yaml}
TARGETS=(api dispatcher operator gateway web job-agent)

need() {
    local tool
    for tool in "$@"; do have "$tool" || die "$tool is missing: $(where "$tool")"; done
}
where() {
    case $1 in
        kind) echo "go install sigs.k8s.io/kind@latest, or https://kind.sigs.k8s.io" ;;
        kubectl) echo "https://kubernetes.io/docs/tasks/tools" ;;
        docker) echo "https://docs.docker.com/engine/install" ;;
        *) echo "install it with your system's package manager" ;;
    esac
}
random() { head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n'; }

# secret NAME KEY=VALUE…: made once; one that is there stays, since the data behind it was made with it.
secret() {
    local name=$1 pair
    shift
    if kubectl -n eventflow get secret "$name" >/dev/null 2>&1; then
        say "secret $name: kept"
        return
    fi
    # Not by arguments, which everybody on this machine may read.
    {
        printf 'apiVersion: v1\nkind: Secret\nmetadata: {name: %s, namespace: eventflow}\nstringData:\n' "$name"
        for pair in "$@"; do printf '  %s: "%s"\n' "${pair%%=*}" "${pair#*=}"; done
    } | kubectl create -f - >&2
}

secrets() {
    local postgres nats
    postgres=$(random)
    nats=$(random)
    kubectl apply -f deploy/kustomize/base/namespace.yaml >&2
    secret eventflow-key "key=$(random)"
    secret eventflow-postgres "superuser-password=$(random)" "password=$postgres" \
        "url=postgres://eventflow:$postgres@postgres.eventflow:5432/eventflow?sslmode=disable"
    secret eventflow-nats "password=$nats" "servers=nats://eventflow:$nats@nats.eventflow:4222"
}

images() {
    local target tag=${IMAGE_TAG:-dev} name
    need docker
    for target in "${TARGETS[@]}"; do
        name=${IMAGE_PREFIX:-}eventflow-$target:$tag
        docker build -q -f deploy/docker/Dockerfile --target "$target" -t "$name" . >/dev/null || die "$name could not be built"
        say "image $name"
        if have kind && kind get clusters 2>/dev/null | grep -qx $CLUSTER; then
            kind load docker-image "$name" --name $CLUSTER >&2
        fi
    done
}

dashboard() {
    kubectl apply -f "$DASHBOARD" >&2 || die "the Kubernetes Dashboard could not be fetched from $DASHBOARD"
    kubectl apply -f deploy/kustomize/components/dashboard-admin/admin.yaml >&2
    (umask 077 && kubectl -n kubernetes-dashboard create token dashboard-admin --duration=720h >k8s-dashboard-token.txt)
    say "the Dashboard's token is in k8s-dashboard-token.txt: see docs/K8S-DASHBOARD.md"
}

deploy() {
    need kubectl
    # The custom resource first: functions of the overlay need it to be known.
    kubectl apply --server-side -f deploy/kustomize/base/crd/functions.eventflow.io.yaml >&2
    kubectl wait --for=condition=Established crd/functions.eventflow.io --timeout=60s >&2
    kubectl apply -k "deploy/kustomize/overlays/$OVERLAY" >&2
    local deployment
    for deployment in operator-controller-manager eventflow-api eventflow-dispatcher eventflow-gateway eventflow-web; do
        kubectl -n eventflow rollout status "deployment/$deployment" --timeout="${TIMEOUT:-300s}" >&2
    done
}

undeploy() {
    need kubectl
    local namespaces
    # Functions first, so that what belongs to them goes while somebody still knows them.
    kubectl delete functions.eventflow.io --all --all-namespaces --wait --timeout=120s >&2 || true
    # Not the namespaces that are not ours alone, nor the Secrets and volumes: those hold data.
    kubectl kustomize "deploy/kustomize/overlays/$OVERLAY" |
        python3 -c '
import re, sys
for document in re.split(r"^---\n", sys.stdin.read(), flags=re.M):
    if not re.search(r"^kind: (Namespace|CustomResourceDefinition)$", document, re.M):
        print("---\n" + document, end="")' | kubectl delete --ignore-not-found -f - >&2
    kubectl delete --ignore-not-found -f deploy/kustomize/base/crd/functions.eventflow.io.yaml >&2
    say "the namespace eventflow, its Secrets and its volumes are left: kubectl delete namespace eventflow removes them"
}

setup() {
    need docker kind kubectl
    if kind get clusters 2>/dev/null | grep -qx $CLUSTER; then
        say "the cluster $CLUSTER is there"
    else
        kind create cluster --config kind-config.yaml --wait 120s >&2
    fi
    kubectl config use-context kind-$CLUSTER >&2
    secrets
    dashboard
    images
    OVERLAY=kind deploy
    say "EventFlow is on http://127.0.0.1:8080 (admin/admin). Try: kubectl apply -k deploy/kustomize/samples"
}

clean() {
    need kind
    kind delete cluster --name $CLUSTER
    rm -f k8s-dashboard-token.txt
}

case ${1:-} in
    setup) setup ;;
    clean) clean ;;
    images) images ;;
    deploy) deploy ;;
    undeploy) undeploy ;;
    secrets) need kubectl && secrets ;;
    *) die "usage: scripts/kind.sh setup|clean|images|deploy|undeploy" ;;
esac
