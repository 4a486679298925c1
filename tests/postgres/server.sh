#!/usr/bin/env bash
# Prints the URL of a PostgreSQL to test with: TASKER_TEST_DATABASE_URL, else the one on the standard
# port, else one that it starts in DIRECTORY, for `cluster.sh stop DIRECTORY` to end. Installs
# PostgreSQL where it is missing; some tests restart a server of their own.
set -euo pipefail
directory=$1
port=${PGPORT:-5432}
cluster=$(dirname "$0")/cluster.sh

if ! "$cluster" programs >/dev/null 2>&1 && command -v apt-get >/dev/null; then
    sudo=""
    [ "$(id -u)" = 0 ] || sudo=sudo
    { $sudo apt-get update && $sudo apt-get install -y postgresql; } >&2
fi

# Whether a server on this port lets the user `postgres` in without a password: a start-up message, to
# which it answers with `R`, a length of 8, and 0.
lets_us_in() {
    timeout 5 bash -c '
        exec 3<>"/dev/tcp/127.0.0.1/$1"
        printf "\0\0\0\51\0\3\0\0user\0postgres\0database\0postgres\0\0" >&3
        [ "$(head -c 9 <&3 | od -An -tx1 | tr -d " \n")" = 520000000800000000 ]
    ' _ "$1" 2>/dev/null
}

if [ -n "${TASKER_TEST_DATABASE_URL:-}" ]; then
    echo "$TASKER_TEST_DATABASE_URL"
    exit
fi
if lets_us_in "$port"; then
    echo "postgres://postgres@127.0.0.1:$port/postgres"
    exit
fi
"$cluster" programs >/dev/null
# Somebody may have taken a port.
for _ in 1 2 3 4 5; do
    port=$((20000 + RANDOM % 10000))
    if "$cluster" start "$directory" "$port" >&2; then
        echo "postgres://postgres@127.0.0.1:$port/postgres"
        exit
    fi
done
exit 1
