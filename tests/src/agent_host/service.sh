#!/bin/sh
# A service of the tests: one process that waits for ever, under a script as SysV knows them.
# The process stays in the script's process group, as those of many old scripts do.
dir='@DIR@'
pid_file='@PID_FILE@'

alive() {
    pid=$(cat "$pid_file" 2>/dev/null) || return 1
    state=$(sed 's/.*) //; s/ .*//' "/proc/$pid/stat" 2>/dev/null) || return 1
    [ -n "$state" ] && [ "$state" != Z ] && [ "$state" != X ]
}

start() {
    alive && return 0
    if [ -e "$dir/broken" ]; then
        echo 'the service does not come up' >&2
        return 1
    fi
    if [ -e "$dir/keeps_output" ]; then
        cat "$dir/forever" &
    else
        cat "$dir/forever" </dev/null >/dev/null 2>&1 &
    fi
    echo $! >"$pid_file"
    echo "started $!" >>"$dir/log"
}

stop() {
    alive || return 0
    kill "$pid"
    while alive; do :; done
    rm -f "$pid_file"
}

# Says that it got here, and goes on when it is told to.
visit() {
    [ -p "$dir/gate" ] || return 0
    echo $$ >"$dir/reached"
    read -r _ <"$dir/gate"
}

case "$1" in
start) start ;;
stop) stop ;;
restart)
    echo "restart $$ $*" >>"$dir/log"
    env >"$dir/environment"
    ls -l "/proc/$$/fd" >"$dir/descriptors"
    visit
    stop
    start
    ;;
status) alive || exit 3 ;;
*)
    echo "unexpected $*" >>"$dir/log"
    exit 2
    ;;
esac
