#!/bin/bash
# Ray on this machine, started in the background and ended by its process id: `ray stop` would end that of others too.
#
#   ray_here.sh ray start OPTIONS    in the folder RAY_TMPDIR; ends what it started before
#   ray_here.sh end
set -euo pipefail

pid_file=~/.lethe-ray.pid
log=~/.lethe-ray.log

fail() {
    echo "ray_here.sh on $(hostname): $1" >&2
    exit 1
}

# The number may be another process's by now, after a restart of the machine.
is_ours() {
    [[ -f $pid_file ]] && tr '\0' ' ' <"/proc/$(<"$pid_file")/cmdline" | grep -q 'ray start --block'
} 2>/dev/null

end() {
    is_ours || return 0
    kill "$(<"$pid_file")" # once: a second time would end it before it has ended its own
    while is_ours; do sleep 0.5; done
}

start() {
    # Ray opens its folder to all users, who must not come as far.
    mkdir -m 700 -p "$RAY_TMPDIR"
    [[ -O $RAY_TMPDIR ]] || fail "$RAY_TMPDIR is not yours; set RAY_TMPDIR to another folder with a short path"
    # Ending this Ray waits for nothing: all that a study keeps is in its results folder by then.
    export RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S=0
    setsid ray start --block --disable-usage-stats "$@" </dev/null >"$log" 2>&1 &
    echo $! >"$pid_file"
    until grep -q 'Ray runtime started' "$log"; do
        kill -0 $! 2>/dev/null || {
            cat "$log" >&2
            fail "Ray did not start; see above"
        }
        sleep 0.5
    done
}

case "${1-} ${2-}" in
    "ray start")
        end
        start "${@:3}"
        ;;
    "end ") end ;;
    *) fail "wanted 'ray start OPTIONS' or 'end', got '$*'" ;;
esac
