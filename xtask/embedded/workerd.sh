#!/bin/sh
# Miniflare starts this in place of workerd: it writes down the process id, and ties workerd's life to the launcher's, since
# a workerd that outlives its launcher keeps the port and goes on writing.
echo $$ > "$HUBBUB_WORKERD_PID"
if command -v setpriv > /dev/null 2>&1; then
    exec setpriv --pdeathsig KILL -- "$HUBBUB_WORKERD" "$@"
fi
exec "$HUBBUB_WORKERD" "$@"
