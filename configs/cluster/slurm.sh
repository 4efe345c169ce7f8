#!/bin/bash
# A study on a SLURM allocation: Ray runs on its nodes for as long as the job does, and nobody else can use it.
#
#   sbatch configs/cluster/slurm.sh STUDY.yaml [KEY=VALUE]... [--results PLACE]
#
# Submit from a folder on a file system that every node has, with Lethe installed in its .venv (LETHE_VENV names
# another). The same line goes on where an earlier job was stopped, preempted or ran out of time. Two minutes before
# the end of its time (and before a preemption, where the site has PreemptParameters=send_user_signal) SLURM sends
# TERM: Lethe ends cleanly, and the job with exit code 130. A preempted job is queued again by itself where the site
# has PreemptMode=REQUEUE; for one that runs out of time, submit a chain with --dependency=afterany:JOBID.
#
# Adapt these to your site, here or on sbatch's line. Cost: every node is yours, used or not, until the study ends.
#SBATCH --job-name=lethe
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --gpus-per-node=4
#SBATCH --time=12:00:00
#SBATCH --signal=B:TERM@120
#SBATCH --requeue
#SBATCH --no-kill
#SBATCH --open-mode=append
set -euo pipefail

wait_s=${LETHE_NODES_WAIT_S:-600}
export PATH="${LETHE_VENV:-$PWD/.venv}/bin:$PATH"
export PYTHONUNBUFFERED=1 RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S=0 # what a node still does at the end is not waited for

# A token for this job alone. It lives in the environment of the job's processes, which only you and root can read.
RAY_AUTH_MODE=token
RAY_AUTH_TOKEN=$(python -c 'import secrets; print(secrets.token_hex(32))')
export RAY_AUTH_MODE RAY_AUTH_TOKEN

# Sockets have short paths and do not live on a shared file system, so Ray's files go to each node's own /tmp. Ray
# opens its folder to all users, who must not come as far.
export RAY_TMPDIR=/tmp/lethe-job-$SLURM_JOB_ID
start_ray='mkdir -m 700 -p "$RAY_TMPDIR" && [[ -O $RAY_TMPDIR ]] && exec ray start "$@"'

# The head's two ports follow from the job, so that jobs which share a node do not meet; the next two if one is taken.
taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
port=$((20000 + SLURM_JOB_ID % 5000 * 2))
while taken "$port" || taken $((port + 1)); do port=$((port + 2)); done

started=()
gathered=

end_ray() {
    trap '' TERM INT
    # A driver whose Ray goes while it connects may outlive TERM. This one has nothing to end.
    if [[ $gathered ]]; then
        kill -KILL "$gathered" 2>/dev/null || true
        wait "$gathered" 2>/dev/null || true
    fi
    if ((${#started[@]})); then
        kill -TERM "${started[@]}" 2>/dev/null || true
        wait "${started[@]}" || true
    fi
    timeout 60 srun --ntasks-per-node=1 rm -rf "$RAY_TMPDIR" || echo "$RAY_TMPDIR may be left on some node" >&2
}
trap end_ray EXIT
trap 'exit 130' TERM INT

fail() {
    echo "lethe: $1" >&2
    exit 1
}

# The other ports are left to the system, since the Ray of another job may run on the same node. An allocation does not
# scale, and Lethe prints no worker's log: Ray needs no processes for these.
options=(--block --disable-usage-stats "--num-cpus=$SLURM_CPUS_PER_TASK" --dashboard-agent-listen-port=0)
options+=(--no-monitor --include-log-monitor=false)

# This script runs on the first node of the allocation; the head is there, and one `srun` a node starts the others, so
# that a node that goes takes nothing else along.
mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
bash -c "$start_ray" - \
    --head "--port=$port" "--ray-client-server-port=$((port + 1))" --include-dashboard=false "${options[@]}" &
started+=($!)
until [[ -s $RAY_TMPDIR/ray/ray_current_cluster ]]; do
    kill -0 "${started[0]}" 2>/dev/null || fail "Ray's head did not start on ${nodes[0]}"
    sleep 1 &
    wait $!
done
address=$(<"$RAY_TMPDIR/ray/ray_current_cluster")

for node in "${nodes[@]:1}"; do
    srun --nodes=1 --ntasks=1 "--cpus-per-task=$SLURM_CPUS_PER_TASK" --nodelist="$node" --no-kill --export=ALL \
        bash -c "$start_ray" - "--address=$address" "${options[@]}" &
    started+=($!)
done

python - "$address" "${#nodes[@]}" "$wait_s" <<'PYTHON' &
import sys
import time

import ray

address, wanted, wait_s = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
ray.init(address, logging_level="ERROR", log_to_driver=False)
until = time.monotonic() + wait_s
while (there := sum(node["Alive"] for node in ray.nodes())) < wanted:
    if time.monotonic() > until:
        sys.exit(f"{there} of {wanted} nodes joined Ray in {wait_s:g} s")
    time.sleep(0.5)
PYTHON
gathered=$!
wait -n "$gathered" "${started[@]}" || fail "Ray did not start on all of ${nodes[*]}"
gathered=

# TERM and INT go on to the study, which ends cleanly at the first and at once at the second. `wait` returns early
# when one comes, and gives the study's own exit code when it is asked again.
lethe run "$@" --address "$address" &
study=$!
signalled=true
trap 'signalled=true; kill -TERM "$study" 2>/dev/null || true' TERM INT
while $signalled; do
    signalled=false
    code=0
    wait "$study" || code=$?
done
exit "$code"
