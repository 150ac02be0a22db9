#!/bin/bash
# Runs a command with a Docker engine: the one that answers, else a private one that is started for the command
# and stopped after it. Installs Debian's engine when there is none and this is root.
# DOCKERD_STATE (default /var/tmp/mood-dockerd) keeps the private engine's images and layer cache between calls.
# usage: bash scripts/ci_engine.sh COMMAND [ARGUMENT...]
set -euo pipefail
[ $# -gt 0 ] || { sed -n '2,5s/^# //p' "$0" >&2; exit 2; }

if docker info >/dev/null 2>&1; then exec "$@"; fi
if [ "$(id -u)" -ne 0 ]; then
    echo "ci_engine: no Docker engine answers, and only root can start one. Start Docker, or run this as root." >&2
    exit 3
fi

install_engine() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q
    apt-get install -q -y --no-install-recommends docker.io iptables mmdebstrap
    # Newer Debian releases package the client on its own.
    command -v docker >/dev/null || apt-get install -q -y --no-install-recommends docker-cli
}
log=$(mktemp)
if ! { command -v dockerd && command -v docker && command -v iptables && command -v mmdebstrap; } >/dev/null; then
    echo "ci_engine: installing docker.io, iptables and mmdebstrap" >&2
    install_engine >"$log" 2>&1 </dev/null || { cat "$log" >&2; exit 3; }
fi
rm -f "$log"

state=${DOCKERD_STATE:-/var/tmp/mood-dockerd}
mkdir -p "$state"
# An engine that was killed leaves these behind, and the next one waits for the dead containerd they name.
rm -f "$state/pid" "$state/docker.sock" "$state/exec/containerd/containerd.pid"
export DOCKER_HOST="unix://$state/docker.sock"
setsid dockerd --data-root "$state/data" --exec-root "$state/exec" --pidfile "$state/pid" \
    --host "$DOCKER_HOST" >"$state/log" 2>&1 </dev/null &
engine=$!

command=''
stop_engine() {
    [ -z "$command" ] || kill -TERM "$command" 2>/dev/null || true
    kill -TERM "$engine" 2>/dev/null || return 0
    for _ in $(seq 100); do
        kill -0 "$engine" 2>/dev/null || return 0
        sleep 0.2
    done
    kill -KILL "$engine"
}
trap stop_engine EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

for _ in $(seq 150); do
    docker info >/dev/null 2>&1 && break
    kill -0 "$engine" 2>/dev/null || break
    sleep 0.2
done
docker info >/dev/null 2>&1 || {
    echo "ci_engine: the private Docker engine did not start; the end of $state/log:" >&2
    tail -n 30 "$state/log" >&2
    exit 3
}
# In the background, so that a signal is answered while it runs.
"$@" <&0 &
command=$!
wait "$command"
