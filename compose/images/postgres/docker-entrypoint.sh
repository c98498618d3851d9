#!/bin/bash
# Behaves like the official image's entrypoint: creates the cluster on first
# start, then becomes the server.
set -euo pipefail

log() { printf '%s\n' "banyan: $*" >&2; }
die() { printf '%s\n' "Error: $*" >&2; exit 1; }

# Inside the volume, so that moving out of it is a rename.
staging=.banyan-init

# NAME_FILE may hold the value of NAME.
from_file() {
    local name=$1 file_name=$1_FILE
    if [ -n "${!file_name:-}" ]; then
        [ -z "${!name:-}" ] || die "both $name and $file_name are set (but are exclusive)"
        export "$name=$(< "${!file_name}")"
    fi
    unset "$file_name"
}

wants_help() {
    local arg
    for arg; do
        case $arg in
            -'?'|--help|--describe-config|-V|--version) return 0 ;;
        esac
    done
    return 1
}

prepare_dirs() {
    mkdir -p "$PGDATA" /var/run/postgresql
    chmod 0700 "$PGDATA" || true
    chmod 3775 /var/run/postgresql || true
    if [ -n "${POSTGRES_INITDB_WALDIR:-}" ]; then
        mkdir -p "$POSTGRES_INITDB_WALDIR"
        chmod 0700 "$POSTGRES_INITDB_WALDIR"
    fi
    if [ "$(id -u)" = 0 ]; then
        find "$PGDATA" /var/run/postgresql ${POSTGRES_INITDB_WALDIR:+"$POSTGRES_INITDB_WALDIR"} \
            \! -user postgres -exec chown postgres:postgres {} +
    fi
}

# Left public for the scripts sourced from /docker-entrypoint-initdb.d.
docker_process_sql() {
    local db=()
    [ -z "${POSTGRES_DB:-}" ] || db=(--dbname "$POSTGRES_DB")
    PGHOST='' PGHOSTADDR='' psql -v ON_ERROR_STOP=1 --no-password --no-psqlrc \
        --username "$POSTGRES_USER" "${db[@]}" "$@"
}

run_init_files() {
    local f
    for f in /docker-entrypoint-initdb.d/*; do
        case $f in
            *.sh)
                if [ -x "$f" ]; then
                    log "running $f"; "$f"
                else
                    # Sourced, as scripts written for the official image expect.
                    log "sourcing $f"; . "$f"
                fi ;;
            *.sql)     log "running $f"; docker_process_sql -f "$f" ;;
            *.sql.gz)  log "running $f"; gunzip -c "$f" | docker_process_sql ;;
            *.sql.xz)  log "running $f"; xz -dc "$f" | docker_process_sql ;;
            *.sql.zst) log "running $f"; zstd -dc "$f" | docker_process_sql ;;
            */'*') ;;
            *) log "ignoring $f" ;;
        esac
    done
}

check_settings() {
    [ -n "$POSTGRES_PASSWORD" ] || [ "${POSTGRES_HOST_AUTH_METHOD:-}" = trust ] || die \
"Database is uninitialized and superuser password is not specified.
       You must specify POSTGRES_PASSWORD to a non-empty value for the
       superuser, or POSTGRES_HOST_AUTH_METHOD=trust to accept everyone."
}

# What new databases accept over TCP.
allow_hosts() {
    local pg_hba=$1 auth=${POSTGRES_HOST_AUTH_METHOD:-}
    [ -n "$auth" ] || auth=$(postgres -D "${pg_hba%/*}" -C password_encryption "${@:2}")
    printf '\nhost all all all %s\n' "$auth" >> "$pg_hba"
}

prepared=/usr/share/banyan/cluster

# The image holds a cluster that is as initdb would make it, unless something here
# asks for another one or for a server to run scripts on.
prepared_cluster_fits() {
    local name
    for name in "$POSTGRES_USER" "$POSTGRES_DB" "$POSTGRES_PASSWORD"; do
        case $name in ''|pg_*|*$'\n'*) return 1 ;; esac
        [ "$(printf %s "$name" | wc -c)" -le 63 ] || return 1
    done
    [ "${POSTGRES_INITDB_ARGS:-}" = "$(cat "$prepared.args")" ] \
        && [ -z "${POSTGRES_INITDB_WALDIR:-}${TZ:-}" ] \
        && [ -z "$(ls -A "$PGDATA" /docker-entrypoint-initdb.d | grep -v : || true)" ]
}

literal() { printf "'%s'" "${1//\'/\'\'}"; }
identifier() { printf '"%s"' "${1//\"/\"\"}"; }

# Made beside, moved in at the end: a start that is killed half-way leaves nothing
# that looks like a cluster.
copy_prepared_cluster() {
    local new=$PGDATA/$staging
    cp -a --no-preserve=ownership "$prepared" "$new"
    # Every cluster has an identifier of its own, in the control file's first eight
    # bytes; pg_resetwal writes the checksum and the first log segment for it.
    head -c 8 /dev/urandom | dd of="$new/global/pg_control" bs=8 count=1 conv=notrunc status=none
    pg_resetwal -f -D "$new" >/dev/null 2>&1
    allow_hosts "$new/pg_hba.conf" "$@"
    {
        # A role cannot rename itself, and this mode knows no other.
        echo "UPDATE pg_authid SET rolname = $(literal "$POSTGRES_USER") WHERE oid = 10;"
        echo "ALTER ROLE $(identifier "$POSTGRES_USER") PASSWORD $(literal "$POSTGRES_PASSWORD");"
        [ "$POSTGRES_DB" = postgres ] || echo "CREATE DATABASE $(identifier "$POSTGRES_DB");"
    } | postgres --single -D "$new" "$@" -c exit_on_error=on -c log_checkpoints=off template1 >/dev/null
    initdb --sync-only -D "$new" >/dev/null
    find "$new" -mindepth 1 -maxdepth 1 \! -name PG_VERSION -exec mv -t "$PGDATA" {} +
    mv "$new/PG_VERSION" "$PGDATA/"
    rmdir "$new"
    sync "$PGDATA"
}

init_cluster() {
    rm -rf "${PGDATA:?}/$staging"
    if prepared_cluster_fits; then
        copy_prepared_cluster "$@"
    else
        make_cluster "$@"
    fi
    log "PostgreSQL init process complete; ready for start up."
}

make_cluster() {
    # Unquoted: the variable holds a command line's worth of flags.
    eval "initdb --username=\"\$POSTGRES_USER\" --pwfile=<(printf '%s\n' \"\$POSTGRES_PASSWORD\") \
        ${POSTGRES_INITDB_WALDIR:+--waldir=\"\$POSTGRES_INITDB_WALDIR\"} ${POSTGRES_INITDB_ARGS:-} >&2"
    allow_hosts "$PGDATA/pg_hba.conf" "$@"

    # Only the unix socket, so that nobody outside meets a half-made database.
    log "starting the temporary server"
    local flags=("$@" -c "listen_addresses=" -p "${PGPORT:-5432}")
    NOTIFY_SOCKET='' pg_ctl -D "$PGDATA" -o "$(printf '%q ' "${flags[@]}")" -w start >&2
    trap 'pg_ctl -D "$PGDATA" -m fast -w stop >&2 || true' EXIT

    export PGPASSWORD="${PGPASSWORD:-$POSTGRES_PASSWORD}"
    local exists
    exists=$(POSTGRES_DB='' docker_process_sql --dbname postgres --set db="$POSTGRES_DB" -tA \
        <<< "SELECT 1 FROM pg_database WHERE datname = :'db';")
    if [ -z "$exists" ]; then
        POSTGRES_DB='' docker_process_sql --dbname postgres --set db="$POSTGRES_DB" -q \
            <<< 'CREATE DATABASE :"db";'
    fi
    run_init_files

    trap - EXIT
    pg_ctl -D "$PGDATA" -m fast -w stop >&2
    unset PGPASSWORD
}

main() {
    case ${1:-} in -*) set -- postgres "$@" ;; esac

    if [ "${1:-}" = postgres ] && ! wants_help "$@"; then
        prepare_dirs
        if [ "$(id -u)" = 0 ]; then
            export HOME=/var/lib/postgresql
            exec setpriv --reuid=postgres --regid=postgres --init-groups -- "$0" "$@"
        fi
        # PID 1 ignores signals it does not handle: be stoppable during init.
        trap 'exit 143' INT TERM
        from_file POSTGRES_PASSWORD
        from_file POSTGRES_USER
        from_file POSTGRES_DB
        from_file POSTGRES_INITDB_ARGS
        : "${POSTGRES_PASSWORD:=}" "${POSTGRES_USER:=postgres}"
        : "${POSTGRES_DB:=$POSTGRES_USER}"
        export POSTGRES_PASSWORD POSTGRES_USER POSTGRES_DB
        if [ -s "$PGDATA/PG_VERSION" ]; then
            log "PostgreSQL Database directory appears to contain a database; Skipping initialization"
        else
            check_settings
            init_cluster "${@:2}"
        fi
        trap - INT TERM
    fi
    exec "$@"
}

main "$@"
