#!/bin/bash
# Copies both databases and the data directory:  copy.sh out          to a new folder of /backups, also while runs work
#                                                copy.sh in FOLDER    back from it, once server and worker are stopped
# docs/docker.md says how to call it. PGHOST and PGPASSWORD are those of the user postgres.
set -euo pipefail
shopt -s inherit_errexit
data=${DATA:-/data} backups=${BACKUPS:-/backups}
export PGUSER=postgres PGDATABASE=postgres

fail() { echo "$1" >&2; exit 2; }

# A folder with its final name is whole. The files come after the databases, so that they hold every checkpoint that these
# name. Checkpoints never change; that a run writes its other files meanwhile (status 1) harms nothing.
copy_out() {
  local name part
  name=$(date --utc +%Y-%m-%dT%H-%M-%SZ) part=$backups/$name.part
  mkdir --mode 700 "$part"
  pg_dump --format custom --file "$part/prefect.dump" prefect
  pg_dump --format custom --file "$part/adastar.dump" adastar
  tar --create --directory "$data" --numeric-owner --file "$part/data.tar" . || [ $? = 1 ]
  mv "$part" "$backups/$name"
  echo "Copied to $name, $(du --summarize --human-readable "$backups/$name" | cut --fields 1)"
}

# Each database is restored beside the one that is there. Then both change names at once, which Postgres refuses while one of
# them is in use.
copy_in() {
  local from=$backups/$1
  [ -d "$from" ] || fail "There is no copy $from. There are: $(ls "$backups")"
  for name in prefect adastar; do
    psql --quiet --set ON_ERROR_STOP=1 --set name="$name" --set new="${name}_restored" <<'SQL'
DROP DATABASE IF EXISTS :"new";
CREATE DATABASE :"new" OWNER :"name" TEMPLATE template0;
REVOKE CONNECT ON DATABASE :"new" FROM PUBLIC;
SQL
    pg_restore --exit-on-error --dbname "${name}_restored" "$from/$name.dump"
  done
  psql --quiet --set ON_ERROR_STOP=1 <<'SQL'
DROP DATABASE IF EXISTS prefect_before;
DROP DATABASE IF EXISTS adastar_before;
BEGIN;
ALTER DATABASE prefect RENAME TO prefect_before;
ALTER DATABASE adastar RENAME TO adastar_before;
ALTER DATABASE prefect_restored RENAME TO prefect;
ALTER DATABASE adastar_restored RENAME TO adastar;
COMMIT;
SQL
  tar --extract --directory "$data" --numeric-owner --file "$from/data.tar"
  echo "Restored $1. What was there is in the databases prefect_before and adastar_before until the next time."
}

case "${1:-} ${2:-}" in
  "out ") copy_out ;;
  "in "?*) copy_in "$2" ;;
  *) fail "usage: copy.sh out | copy.sh in FOLDER" ;;
esac
