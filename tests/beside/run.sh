#!/usr/bin/env bash
# Builds and runs the crates that lie here: applications that have Tasker beside something which is particular
# about versions. Each is a workspace with a lock file of its own; `run.sh update` brings those up to date
# after a dependency of ours has changed.
set -euo pipefail
cd "$(dirname "$0")"

# Compiled to be run once.
export CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=0
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/../../target}"

if [ "${1:-}" = update ]; then
    for lock in */Cargo.lock; do
        (cd "${lock%/*}" && cargo update --quiet --workspace)
    done
    exit
fi

# A crate's directory, a command of cargo, and its arguments.
say_and_run() {
    echo "== $*"
    (cd "$1" && cargo "$2" --quiet --locked "${@:3}")
}

say_and_run sqlx-0.8 run
say_and_run sqlx-0.8 run --features sqlite
say_and_run sqlx-0.9 run
say_and_run sqlx-0.9 run --features sqlite
for end in oldest newest; do
    say_and_run "rusqlite-$end" run
    say_and_run "rusqlite-$end" test
done

say_and_run validator-other run
# A binary of `validator-other` that must not compile, and what the compiler must say.
must_not_compile() {
    echo "== validator-other, $1: must not compile"
    if said=$(cd validator-other && cargo check --quiet --locked --features mistakes --bin "$1" 2>&1); then
        echo "it compiled" >&2
        return 1
    fi
    grep --fixed-strings "$2" <<<"$said" || { echo "$said" >&2; return 1; }
}
must_not_compile unseen 'is `Order` to be validated?'
must_not_compile asked '`Order` cannot be validated'

# What a new application does.
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
echo "== cargo add sqlx, cargo add tasker, each with its default features, in a new crate"
repository=$(cd ../.. && pwd)
cd "$fresh"
cargo init --quiet --name fresh
cargo add --quiet sqlx
cargo add --quiet --path "$repository" tasker
cargo generate-lockfile --quiet
cargo tree --quiet --invert libsqlite3-sys --depth 1
