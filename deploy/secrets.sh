#!/bin/sh
# Writes the env file that docker compose reads: secrets drawn here, and what a deployment decides.
# Usage: deploy/secrets.sh FILE SITE. An existing file is never touched: the databases hold what it
# says, and would not take new passwords from it.
set -eu

file="$1"
site="$2"

fail() {
  echo "secrets: $1" >&2
  exit 1
}

# 24 bytes, as 48 hexadecimal digits: below InfluxDB's 72 characters, and free of $ and quotes.
secret() {
  value="$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')"
  [ "${#value}" -eq 48 ] || fail "/dev/urandom gave no random bytes"
  printf '%s' "$value"
}

case "$site" in
  '' | *[!A-Za-z0-9._-]*) fail "SITE is a project id of letters, digits, dots, _ and -, not '$site'" ;;
esac
[ ! -e "$file" ] || fail "$file is there already and stays as it is; see docs/DEPLOY.md for new secrets"

influx_password="$(secret)"
influx_token="$(secret)"
grafana_password="$(secret)"
grafana_key="$(secret)"
second_grafana_password="$(secret)"
second_grafana_key="$(secret)"

umask 077
# With noclobber the shell creates the file or fails, so that two runs at once cannot mix.
set -C
cat > "$file" <<END
# The site (projectId) whose Grafana this is; set it before the first start.
WAKELINE_SITE=$site
# Who is told of alerts. Nothing is sent before the WAKELINE_SMTP_ variables of docs/DEPLOY.md are set.
WAKELINE_URGENT_EMAIL=nobody@example.org
WAKELINE_CARE_EMAIL=nobody@example.org
WAKELINE_OPERATIONS_EMAIL=nobody@example.org
# What the databases are set up with. Keep a copy where you keep secrets: it is needed for a restore.
WAKELINE_INFLUX_ADMIN_PASSWORD=$influx_password
WAKELINE_INFLUX_ADMIN_TOKEN=$influx_token
WAKELINE_GRAFANA_ADMIN_PASSWORD=$grafana_password
WAKELINE_GRAFANA_SECRET_KEY=$grafana_key
# For deploy/second-site.yml, should there be a second site.
WAKELINE_SECOND_GRAFANA_ADMIN_PASSWORD=$second_grafana_password
WAKELINE_SECOND_GRAFANA_SECRET_KEY=$second_grafana_key
END
echo "wrote $file for the site $site (readable by you alone, ignored by git)"
