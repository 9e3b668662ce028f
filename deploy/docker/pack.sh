#!/usr/bin/env bash
# Packs a folder as an image (docker-archive), without a container engine. The same content gives the same bytes.
# Usage: pack.sh NAME:TAG ROOT_FOLDER FILE.tar CONFIG_JSON       (OCI image config: User, Entrypoint, Env, ExposedPorts)
set -euo pipefail
name=$1 root=$2 out=$3 config=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
case $(uname -m) in x86_64) arch=amd64 ;; aarch64) arch=arm64 ;; *) arch=$(uname -m) ;; esac
# Owners: as the folder has them where root made it, else root's.
owners=(--owner=0 --group=0)
[ "$(id -u)" != 0 ] || owners=()
tar --sort=name "${owners[@]}" --numeric-owner --mtime=@0 -C "$root" -cf "$work/layer.tar" .
layer=$(sha256sum "$work/layer.tar" | cut -d' ' -f1)
jq -cn --argjson config "$config" --arg layer "sha256:$layer" --arg arch "$arch" '{
    architecture: $arch, os: "linux", created: "1970-01-01T00:00:00Z",
    config: ({WorkingDir: "/", Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]} + $config),
    rootfs: {type: "layers", diff_ids: [$layer]},
    history: [{created: "1970-01-01T00:00:00Z", created_by: "pack.sh"}]}' >"$work/config.json"
jq -cn --arg name "$name" '[{Config: "config.json", RepoTags: [$name], Layers: ["layer.tar"]}]' >"$work/manifest.json"
tar --mtime=@0 --owner=0 --group=0 --numeric-owner -C "$work" -cf "$out.new" manifest.json config.json layer.tar
mv "$out.new" "$out"
