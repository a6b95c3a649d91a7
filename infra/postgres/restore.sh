#!/bin/sh
# Fills an empty database from standard input (what backup.sh wrote), all of it or nothing. Where and who: as for
# backup.sh.
#
#   sh infra/postgres/restore.sh < signals.dump            a database with tables is refused (status 3)
#   sh infra/postgres/restore.sh --force < signals.dump    it is dropped and made anew first: no way back
#   sh infra/postgres/restore.sh --check                   says whether it would be refused
#
# Nobody else may use the database meanwhile. With TimescaleDB the server needs the version the dump was made by.
set -eu
PGUSER=${PGUSER:-${POSTGRES_USER:?PGUSER is not set}}
PGDATABASE=${PGDATABASE:-${POSTGRES_DB:?PGDATABASE is not set}}
export PGUSER PGDATABASE

sql() { psql -X -q -t -A -w -v ON_ERROR_STOP=1 "$@"; }

tables=$(sql -c "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
if [ "$tables" != 0 ] && [ "${1:-}" != --force ]; then
	echo "the database $PGDATABASE has $tables tables already: nothing was done" >&2
	exit 3
fi
if [ "${1:-}" = --check ]; then exit 0; fi

if [ "$tables" != 0 ]; then
	sql -d postgres -c "DROP DATABASE \"$PGDATABASE\" WITH (FORCE)" -c "CREATE DATABASE \"$PGDATABASE\""
fi

# Its tables describe chunks: the extension must be there, and told, before rows arrive.
timescale=$(sql -c "SELECT count(*) FROM pg_available_extensions WHERE name = 'timescaledb'")
if [ "$timescale" != 0 ]; then
	sql -c "CREATE EXTENSION IF NOT EXISTS timescaledb" -c "SELECT timescaledb_pre_restore()" >/dev/null
fi
status=0
pg_restore --no-password --no-owner --exit-on-error --single-transaction --dbname="$PGDATABASE" || status=$?
if [ "$timescale" != 0 ]; then
	sql -c "SELECT timescaledb_post_restore()" >/dev/null
fi
exit "$status"
