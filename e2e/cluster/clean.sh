#!/usr/bin/env bash
# Removes what an ended cluster left: its pods' cgroups and its folder. Its processes, mounts and network ended with it.
set -u
for _ in $(seq 50); do
    left=false
    for top in /sys/fs/cgroup/"$GROUP" /sys/fs/cgroup/*/"$GROUP"; do
        [ -d "$top" ] || continue
        find "$top" -depth -type d -exec rmdir {} + 2>/dev/null
        [ ! -d "$top" ] || left=true
    done
    $left || break
    sleep 0.1
done
# Only a folder of ours; nothing is mounted in it any more.
[ ! -e "$RUN/mode" ] || rm -rf --one-file-system "$RUN"
