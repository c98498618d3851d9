#!/bin/bash
# Behaves like the official image's entrypoint.
set -euo pipefail

data=/var/lib/rabbitmq
cookie=$data/.erlang.cookie

# Before the server and before any `docker exec`: a tool that finds no cookie
# makes one, owned by root, which the server then cannot read.
if [ -n "${RABBITMQ_ERLANG_COOKIE:-}" ]; then
    if [ -e "$cookie" ]; then
        if [ "$(cat "$cookie" 2>/dev/null)" != "$RABBITMQ_ERLANG_COOKIE" ]; then
            echo >&2 "warning: $cookie contents do not match RABBITMQ_ERLANG_COOKIE"
        fi
    else
        (umask 077; printf '%s\n' "$RABBITMQ_ERLANG_COOKIE" > "$cookie")
    fi
    chmod 600 "$cookie"
    unset RABBITMQ_ERLANG_COOKIE
elif [ "${1:-}" = rabbitmq-server ] && [ ! -s "$cookie" ]; then
    (umask 077; od -An -N16 -tx1 /dev/urandom | tr -d ' \n' > "$cookie.new"; mv "$cookie.new" "$cookie")
    chmod 600 "$cookie"
fi

case ${1:-} in
    rabbitmq*)
        if [ "$(id -u)" = 0 ]; then
            if [ "$1" = rabbitmq-server ]; then
                find "$data" \! -user rabbitmq -exec chown rabbitmq:rabbitmq {} +
            fi
            exec setpriv --reuid=rabbitmq --regid=rabbitmq --init-groups -- "$0" "$@"
        fi ;;
esac

[ "${1:-}" = rabbitmq-server ] || exec "$@"

# As the official image does: a dotted host name asks for long node names.
if [ -z "${RABBITMQ_USE_LONGNAME:-}" ] && [[ $HOSTNAME == *.* ]]; then
    export RABBITMQ_USE_LONGNAME=true
fi

# See the Dockerfile: the other plugins come in only when asked for.
more=/usr/lib/rabbitmq/more-plugins
enabled=${RABBITMQ_ENABLED_PLUGINS_FILE:-/etc/rabbitmq/enabled_plugins}
for plugin in $(tr -cs 'a-z0-9_' ' ' < "$enabled" 2>/dev/null || true); do
    if compgen -G "$more/$plugin-[0-9]*" >/dev/null; then
        export ERL_LIBS=$more${ERL_LIBS:+:$ERL_LIBS}
        export RABBITMQ_PLUGINS_DIR=${RABBITMQ_PLUGINS_DIR:-$(echo /usr/lib/rabbitmq/lib/rabbitmq_server-*/plugins)}:$more
        break
    fi
done

# See the Dockerfile: one folder to look for modules in, and no look inside of
# archives, which there are none of.
arguments='-pa /usr/lib/rabbitmq/modules -code_path_choice strict'

# Reading settings files means compiling the schema of every plugin first. Where
# there are none but the image's own, its defaults go in as arguments instead.
conf=/etc/rabbitmq
if [ -z "${RABBITMQ_CONFIG_FILE:-}${RABBITMQ_CONFIG_FILES:-}${RABBITMQ_ADVANCED_CONFIG_FILE:-}" ] &&
    [ -z "$(find -L "$conf" \( -name '*.conf' -o -name '*.config' \) \! -name rabbitmq-env.conf \! -path "$conf/conf.d/10-defaults.conf")" ] &&
    cmp -s "$conf/conf.d/10-defaults.conf" /usr/share/banyan/10-defaults.conf
then
    export RABBITMQ_CONFIG_FILES=/nonexistent
    arguments+=' -rabbit loopback_users []'
fi
export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="$arguments${RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS:+ $RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS}"

# On SIGTERM alone, the management plugin waits 5 s for a process that waits
# for the plugin. Taking its statistics collector out first ends that; when it
# is not there yet (or the node is not), SIGTERM does the rest as before.
stop() {
    local node=${RABBITMQ_NODENAME:-rabbit} names=-sname
    [ "${RABBITMQ_USE_LONGNAME:-}" != true ] || names=-name
    case $node in
        *@*) ;;
        *) if [ "$names" = -name ]; then node=$node@$HOSTNAME; else node=$node@${HOSTNAME%%.*}; fi ;;
    esac
    timeout 3 "$erl_call" "$names" "$node" -c "$(cat "$cookie")" \
        -a 'gen_event delete_handler [rabbit_event, rabbit_mgmt_db_handler, []]' >/dev/null 2>&1 || true
    kill -TERM "$server" 2>/dev/null || true
}
erl_call=$(echo /usr/lib/erlang/erts-*/bin/erl_call)
server=
trap '[ -z "$server" ] || stop' TERM INT
# The variable makes the start script become the server, instead of keeping a
# second shell in between.
RUNNING_UNDER_SYSTEMD=true "$@" &
server=$!
# A trapped signal ends `wait`: go on until the server itself has ended.
while :; do
    code=0; wait "$server" || code=$?
    kill -0 "$server" 2>/dev/null || break
done
exit "$code"
