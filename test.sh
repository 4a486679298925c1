#!/usr/bin/env bash
# All tests, from nothing but rustup's cargo, gcc and apt. Arguments go to `cargo test`. PostgreSQL is
# TASKER_TEST_DATABASE_URL, the server on the standard port, or one that is started here.
set -euo pipefail
cd "$(dirname "$0")"

# SQLite is compiled in, which takes a C compiler; certificates for tests are made by openssl.
missing=()
command -v cc >/dev/null || command -v gcc >/dev/null || missing+=(gcc libc6-dev)
command -v openssl >/dev/null || missing+=(openssl)
if [ ${#missing[@]} -gt 0 ]; then
    sudo=""
    [ "$(id -u)" = 0 ] || sudo=sudo
    $sudo apt-get update
    $sudo apt-get install -y "${missing[@]}"
fi

own=$(mktemp -d)
end() {
    [ ! -d "$own/data" ] || tests/postgres/cluster.sh stop "$own" immediate
    rm -rf "$own"
}
trap end EXIT
TASKER_TEST_DATABASE_URL=$(tests/postgres/server.sh "$own")
export TASKER_TEST_DATABASE_URL

# The processes that the tests kill and restart.
cargo build --example user_registration --example greeting --example shop --bin tasker
cargo test --workspace "$@"
