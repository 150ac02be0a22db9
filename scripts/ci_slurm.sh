#!/bin/bash
# A SLURM cluster of one controller and two nodes, all on this machine, for tests. Nothing is installed: Debian's packages
# are unpacked into a folder, and everything runs as whoever starts it, without munge, on the loopback alone.
# usage: bash scripts/ci_slurm.sh fetch          gets the packages (3.5 MB) into SLURM_ROOT, if they are not there
#        bash scripts/ci_slurm.sh start FOLDER   starts a cluster; FOLDER/environment is for a shell to source
#        bash scripts/ci_slurm.sh node FOLDER N  starts node n1 or n2 (again)
#        bash scripts/ci_slurm.sh kill FOLDER N  ends it and all that runs on it at once, as a power cut would
#        bash scripts/ci_slurm.sh stop FOLDER
# SLURM_ROOT (default /var/tmp/mood-slurm) is where the packages are unpacked.
set -euo pipefail
root=${SLURM_ROOT:-/var/tmp/mood-slurm}
packages='slurmctld slurmd slurm-client slurm-wlm-basic-plugins munge libmunge2 libhwloc15 liblua5.1-0'
libraries=$root/usr/lib/$(uname -m)-linux-gnu
export LD_LIBRARY_PATH=$libraries:$libraries/slurm-wlm

fetch() {
    [ -f "$root/complete" ] && return
    command -v apt-get >/dev/null || { echo 'ci_slurm: only Debian has the packages' >&2; exit 3; }
    mkdir -p "$root/packages"
    cd "$root/packages"
    # shellcheck disable=SC2086
    apt-get download -qq $packages 2>/dev/null || { apt-get update -qq && apt-get download -qq $packages; }
    for package in ./*.deb; do dpkg -x "$package" "$root"; done
    touch "$root/complete"
}

configure() {
    user=$(id -un)
    read -r controller first second < <(python3 - <<'PYTHON'
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
print(*(each.getsockname()[1] for each in sockets))
PYTHON
    )
    cat >"$1/slurm.conf" <<CONFIGURATION
ClusterName=test
SlurmctldHost=$(hostname)(127.0.0.1)
SlurmctldPort=$controller
SlurmUser=$user
SlurmdUser=$user
AuthType=auth/none
CredType=cred/none
PluginDir=$libraries/slurm-wlm
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
ReturnToService=2
JobRequeue=1
MaxArraySize=${MAX_ARRAY_SIZE:-1001}
SlurmdTimeout=6
MessageTimeout=5
KillWait=2
MinJobAge=3600
SchedulerParameters=sched_min_interval=100000
StateSaveLocation=$1/state
SlurmdSpoolDir=$1/spool-%n
SlurmctldPidFile=$1/controller.pid
SlurmdPidFile=$1/%n.pid
SlurmctldLogFile=$1/controller.log
SlurmdLogFile=$1/%n.log
NodeName=n1 NodeHostname=$(hostname) NodeAddr=127.0.0.1 Port=$first CPUs=1 RealMemory=2000
NodeName=n2 NodeHostname=$(hostname) NodeAddr=127.0.0.1 Port=$second CPUs=1 RealMemory=2000
PartitionName=all Nodes=n1,n2 Default=YES MaxTime=60 State=UP
CONFIGURATION
    cat >"$1/environment" <<ENVIRONMENT
export SLURM_CONF=$1/slurm.conf LD_LIBRARY_PATH=$LD_LIBRARY_PATH PATH=$root/usr/bin:\$PATH
ENVIRONMENT
}

node() {
    setsid "$root/usr/sbin/slurmd-wlm" -D -N "$2" -d "$root/usr/sbin/slurmstepd-wlm" -f "$1/slurm.conf" \
        >"$1/$2.out" 2>&1 </dev/null &
    echo $! >"$1/$2.process"
}

cut() {
    kill -KILL "$(cat "$1/$2.process")"
    for script in $(pgrep -f "bash $1/spool-$2/"); do  # the job's shell; its session has all that it started
        read -r keeper session < <(ps -o ppid=,sid= -p "$script") || continue
        kill -KILL "$keeper" 2>/dev/null || true
        pkill -KILL -s "$session" || true
    done
}

start() {
    mkdir -p "$1/state" "$1/spool-n1" "$1/spool-n2"
    configure "$1"
    setsid "$root/usr/sbin/slurmctld-wlm" -D -f "$1/slurm.conf" >"$1/controller.out" 2>&1 </dev/null &
    echo $! >"$1/controller.process"
    node "$1" n1
    node "$1" n2
    # shellcheck source=/dev/null
    source "$1/environment"
    for _ in $(seq 150); do
        [ "$(sinfo -h -N -o '%T' 2>/dev/null | grep -c idle)" = 2 ] && return
        sleep 0.2
    done
    echo 'ci_slurm: the cluster did not start; the ends of its logs:' >&2
    tail -n 8 "$1"/*.log "$1"/*.out >&2
    stop "$1"
    exit 3
}

stop() {
    for file in "$1"/*.process; do
        process=$(cat "$file")
        kill -TERM -- "-$process" 2>/dev/null || kill -TERM "$process" 2>/dev/null || true
    done
}

case ${1-} in
    fetch) fetch ;;
    start | stop) "$1" "$(realpath -m "$2")" ;;
    node) node "$(realpath -m "$2")" "$3" ;;
    kill) cut "$(realpath -m "$2")" "$3" ;;
    *) sed -n '2,10s/^# //p' "$0" >&2; exit 2 ;;
esac
