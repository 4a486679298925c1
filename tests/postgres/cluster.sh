#!/usr/bin/env bash
# A PostgreSQL of one's own, for tests. As root it runs as another user, which PostgreSQL insists on.
#
#   cluster.sh programs                    where PostgreSQL's programs are: TASKER_POSTGRES_PROGRAMS, if set
#   cluster.sh start DIRECTORY PORT        starts a server, in a new directory or one of before
#   cluster.sh stop DIRECTORY [MODE]       stops it: fast, or immediate as a crash would
set -euo pipefail

programs() {
    local directory
    for directory in "${TASKER_POSTGRES_PROGRAMS:-}" "$(dirname "$(readlink -f "$(command -v initdb)")" 2>/dev/null)" \
        $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -rV); do
        if [ -x "$directory/initdb" ] && [ -x "$directory/pg_ctl" ]; then
            echo "$directory"
            return
        fi
    done
    echo "PostgreSQL's programs (initdb, pg_ctl) are not installed: apt-get install postgresql" >&2
    return 1
}

user() {
    if id -u postgres >/dev/null 2>&1; then echo postgres; else echo nobody; fi
}

# Runs a program as a user that PostgreSQL accepts.
humbly() {
    if [ "$(id -u)" = 0 ]; then
        setpriv --reuid "$(user)" --regid "$(id -g "$(user)")" --clear-groups "$@"
    else
        "$@"
    fi
}

command=$1
directory=${2:-}
programs=$(programs)
case $command in
programs)
    echo "$programs"
    ;;
start)
    [ "$(id -u)" != 0 ] || chown "$(user)" "$directory"
    cd "$directory"
    if [ ! -d data ]; then
        humbly "$programs/initdb" --pgdata=data --username=postgres --auth=trust --encoding=UTF8 \
            --locale=C --no-sync >/dev/null
    fi
    options="-p $3 -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=200"
    humbly "$programs/pg_ctl" start --pgdata=data --log=data/log --wait --timeout=300 --silent --options="$options" ||
        { tail -n 20 data/log >&2; exit 1; }
    ;;
stop)
    cd "$directory"
    humbly "$programs/pg_ctl" stop --pgdata=data --mode="${3:-fast}" --wait --timeout=300 --silent
    ;;
*)
    echo "unknown command: $command" >&2
    exit 2
    ;;
esac
