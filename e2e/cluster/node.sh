#!/usr/bin/env bash
# containerd and kubelet, as the first process of namespaces of their own for mounts and processes. Called by hold.sh.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "$RUN"/containerd "$RUN"/cni/conf "$RUN"/kubelet

# --- what the two see of this machine --------------------------------------------------------------------------------

mount -t proc proc /proc
# They keep state in fixed places: those are empty here, and never seen outside.
for folder in /run /var/lib /var/log; do mount -t tmpfs -o mode=755 node "$folder"; done
# kubelet would set these for the whole machine: it finds them set, and writes nothing.
for setting in vm/overcommit_memory=1 kernel/panic=10 kernel/panic_on_oops=1; do
    file=$RUN/kubelet/sysctl-${setting%%=*}
    mkdir -p "${file%/*}"
    echo "${setting##*=}" >"$file"
    mount --bind "$file" "/proc/sys/${setting%%=*}"
done
: >"$RUN/kubelet/resolv.conf"
# The pods' cgroup: one of this cluster in each hierarchy.
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    for controller in cpu cpuset io memory pids; do
        echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control 2>/dev/null || true
    done
    mkdir -p "/sys/fs/cgroup/$GROUP"
else
    umount /sys/fs/cgroup/unified 2>/dev/null || true
    for hierarchy in /sys/fs/cgroup/*/; do mkdir -p "$hierarchy$GROUP" 2>/dev/null || true; done
fi

# --- configuration ---------------------------------------------------------------------------------------------------

# restrict_oom_score_adj: where this process may not lower its own, its pods may not either.
cat >"$RUN/containerd/config.toml" <<CONFIG
version = 2
root = "$RUN/containerd/root"
state = "$RUN/containerd/state"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.internal.v1.opt", "io.containerd.internal.v1.tracing",
  "io.containerd.tracing.processor.v1.otlp"]
[grpc]
  address = "$RUN/containerd/c.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  restrict_oom_score_adj = true
  disable_apparmor = true
  disable_hugetlb_controller = true
  tolerate_missing_hugetlb_controller = true
  stream_server_address = "127.0.0.1"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$RUN/cni/conf"
CONFIG
cat >"$RUN/cni/conf/10-lab.conflist" <<CONFIG
{"cniVersion": "1.0.0", "name": "lab", "plugins": [
  {"type": "bridge", "bridge": "$BRIDGE", "isGateway": true, "ipMasq": false, "hairpinMode": true,
   "ipam": {"type": "host-local", "dataDir": "$RUN/cni/ipam", "routes": [{"dst": "0.0.0.0/0"}],
            "ranges": [[{"subnet": "$PODS", "rangeStart": "${PODS%.*}.10"}]]}}]}
CONFIG
cat >"$RUN/kubelet/config.yaml" <<CONFIG
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $NODE_IP
port: 10250
healthzBindAddress: 127.0.0.1
healthzPort: 10248
tlsCertFile: $RUN/pki/node.crt
tlsPrivateKeyFile: $RUN/pki/node.key
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $RUN/pki/ca.crt}}
authorization: {mode: Webhook}
containerRuntimeEndpoint: unix://$RUN/containerd/c.sock
cgroupDriver: cgroupfs
cgroupRoot: /$GROUP
failCgroupV1: false
failSwapOn: false
maxOpenFiles: 16384
maxPods: 200
makeIPTablesUtilChains: false
resolvConf: $RUN/kubelet/resolv.conf
clusterDomain: cluster.local
evictionHard: {memory.available: 100Mi, nodefs.available: 1%, imagefs.available: 1%, nodefs.inodesFree: 1%}
imageGCHighThresholdPercent: 100
fileCheckFrequency: 0s
httpCheckFrequency: 0s
nodeStatusUpdateFrequency: 5s
syncFrequency: 10s
shutdownGracePeriod: 0s
podLogsDir: $RUN/pod-logs
volumePluginDir: $RUN/kubelet/flex
CONFIG

# --- start -----------------------------------------------------------------------------------------------------------

setpriv --pdeathsig KILL bash "$HERE/keep.sh" containerd containerd -c "$RUN/containerd/config.toml" &
for _ in $(seq 200); do
    ! ctr -a "$RUN/containerd/c.sock" version >/dev/null 2>&1 || break
    sleep 0.05
done
for image in "$("$HERE/images.sh")"/*.tar; do
    ctr -a "$RUN/containerd/c.sock" -n k8s.io images import "$image"
done
setpriv --pdeathsig KILL bash "$HERE/keep.sh" kubelet "$BIN" kubelet --config "$RUN/kubelet/config.yaml" \
    --kubeconfig "$RUN/node.kubeconfig" --root-dir "$RUN/kubelet" --cert-dir "$RUN/kubelet/pki" \
    --hostname-override lab --node-ip "$NODE_IP" &
wait
