#!/usr/bin/env bash
# Keeps one part of the cluster running, as a service manager does. Usage: keep.sh NAME COMMAND…
# Its process id is in $RUN/pid/NAME; where $RUN/keep-down/NAME exists, it stays down until that is gone.
set -u
name=$1
shift
trap 'rm -f "$RUN/pid/$name"' EXIT
while :; do
    while [ -e "$RUN/keep-down/$name" ]; do sleep 0.05; done
    # It ends with this process, however this one ends.
    setpriv --pdeathsig KILL "$@" </dev/null >>"$RUN/log/$name.log" 2>&1 &
    echo $! >"$RUN/pid/$name"
    wait $!
    rc=$?
    rm -f "$RUN/pid/$name"
    echo "keep.sh: $name ended with code $rc" >>"$RUN/log/$name.log"
    # One that cannot start does not take the whole processor.
    sleep 0.2
done
