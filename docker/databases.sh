#!/bin/bash
# Creates the two databases, each with its own role. Postgres runs this once, on an empty volume.
set -euo pipefail
for name in prefect adastar; do
  variable="${name^^}_PASSWORD"
  psql --set ON_ERROR_STOP=1 --username postgres --set name="$name" --set password="${!variable}" <<'SQL'
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name";
REVOKE CONNECT ON DATABASE :"name" FROM PUBLIC;
SQL
done
psql --set ON_ERROR_STOP=1 --username postgres --dbname prefect --command 'CREATE EXTENSION IF NOT EXISTS pg_trgm'
