#!/bin/sh
# Starts Redis with a password that is on no command line. REDIS_PASSWORD is required; more words are options.
#
# The file of appended writes: what waits between the roles of a worker, and how much of each provider's budget
# is used, survive a restart but for the last second. noeviction: a full Redis says no, and the service then
# answers from its own memory; evicting would drop what waits, silently.
set -eu
: "${REDIS_PASSWORD:?is not set}"
exec redis-server - "$@" <<END
requirepass $REDIS_PASSWORD
dir ${REDIS_FOLDER:-/data}
appendonly yes
appendfsync everysec
save ""
maxmemory 512mb
maxmemory-policy noeviction
tcp-keepalive 60
END
