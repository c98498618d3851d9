#!/bin/bash
# Behaves like the official image's entrypoint.
set -euo pipefail

case ${1:-} in
    -*|*.conf) set -- redis-server "$@" ;;
esac

if [ "${1:-}" = redis-server ]; then
    if [ "$(id -u)" = 0 ]; then
        find . \! -user redis -exec chown redis {} +
        export HOME=/data
        exec setpriv --reuid=redis --regid=redis --init-groups -- "$0" "$@"
    fi
    # Data files are for the server alone, unless somebody chose otherwise.
    [ "$(umask)" != 0022 ] || umask 0077

    # The official build's default for protected-mode is "no", the package's is
    # "yes". Set before the other flags: the last one wins.
    shift
    case ${1:-} in
        -v|--version|-h|--help|--test-memory|--check-system|-)
            set -- redis-server "$@" ;;
        ''|-*)
            set -- redis-server --protected-mode no "$@" ;;
        *)
            conf=$1; shift
            if grep -qis '^[[:space:]]*protected-mode[[:space:]]' "$conf"; then
                set -- redis-server "$conf" "$@"
            else
                set -- redis-server "$conf" --protected-mode no "$@"
            fi ;;
    esac
fi

exec "$@"
