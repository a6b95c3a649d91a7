#!/bin/sh
# Writes the whole database to standard output, in the custom format of pg_dump, as it is at one moment; whoever
# writes to it goes on. Where and who: PGHOST, PGUSER, PGPASSWORD, PGDATABASE as libpq reads them; inside of the
# container those of POSTGRES_USER and POSTGRES_DB.
#
#   sh infra/postgres/backup.sh > signals.dump
set -eu
PGUSER=${PGUSER:-${POSTGRES_USER:?PGUSER is not set}}
PGDATABASE=${PGDATABASE:-${POSTGRES_DB:?PGDATABASE is not set}}
export PGUSER PGDATABASE
exec pg_dump --format=custom --no-password
