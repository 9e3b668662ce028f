#!/usr/bin/env bash
# One authority, the keys of all parts, and a kubeconfig for each. Usage: pki.sh API_URL NODE_IP SERVICE_IP
set -euo pipefail
api=$1 node=$2 service=$3
cd "$RUN/pki"

key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key" 2>/dev/null; }

# certificate NAME SUBJECT [SUBJECT_ALT_NAMES]
certificate() {
    key "$1"
    openssl req -new -key "$1.key" -subj "$2" -out "$1.csr"
    openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -out "$1.crt" -extfile <(
        printf 'keyUsage=digitalSignature\nextendedKeyUsage=clientAuth,serverAuth\n'
        [ -z "${3:-}" ] || echo "subjectAltName=$3"
    ) 2>/dev/null
}

key ca
openssl req -x509 -new -key ca.key -subj /CN=eventflow-cluster -days 30 -out ca.crt
# It signs the tokens of service accounts.
key sa
openssl ec -in sa.key -pubout -out sa.pub 2>/dev/null
certificate apiserver /CN=kube-apiserver \
    "IP:127.0.0.1,IP:$service,IP:$node,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local"
certificate admin /O=system:masters/CN=admin
certificate kubelet-client /O=system:masters/CN=apiserver-kubelet-client
certificate controller-manager /CN=system:kube-controller-manager
certificate scheduler /CN=system:kube-scheduler
certificate node /O=system:nodes/CN=system:node:lab "IP:$node,IP:127.0.0.1,DNS:lab"

for user in admin controller-manager scheduler node; do
    cat >"$RUN/$user.kubeconfig" <<CONFIG
apiVersion: v1
kind: Config
clusters: [{name: lab, cluster: {server: "$api", certificate-authority-data: $(base64 -w0 ca.crt)}}]
users: [{name: $user, user: {client-certificate-data: $(base64 -w0 $user.crt), client-key-data: $(base64 -w0 $user.key)}}]
contexts: [{name: lab, context: {cluster: lab, user: $user}}]
current-context: lab
CONFIG
done
