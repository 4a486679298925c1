#!/usr/bin/env bash
# All tests, from nothing but rustup's cargo, gcc and apt. Arguments go to `cargo test`.
set -euo pipefail
cd "$(dirname "$0")"

# SQLite is compiled in, which takes a C compiler.
if ! command -v cc >/dev/null && ! command -v gcc >/dev/null; then
    sudo=""
    [ "$(id -u)" = 0 ] || sudo=sudo
    $sudo apt-get update
    $sudo apt-get install -y gcc libc6-dev
fi

# The processes that the tests kill and restart.
cargo build --example user_registration --example greeting --bin tasker
cargo test --workspace "$@"
