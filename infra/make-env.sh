#!/bin/sh
# Writes .env for docker-compose.yml (or the file named) with secrets made here. To a file that is there it adds what the
# stack cannot start without and the file lacks; no line of it is changed.
# Needs nothing but a POSIX shell: a host that runs containers need not have Python.
set -eu
umask 077
file=${1:-.env}

secret() { head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=\n'; }

added=
lacks() { ! grep -Eq "^(export )?$1=." "$file"; }
add() {
	if ! lacks "$1"; then return; fi
	if [ -z "$added" ]; then
		chmod 600 "$file"
		printf '\n# Added by make env for docker-compose.yml. Of two lines with one name the last holds.\n' >>"$file"
	fi
	printf '%s=%s\n' "$1" "$2" >>"$file"
	added="$added $1"
}

if [ -e "$file" ]; then
	add COMPOSE_PROFILES single
	add PUBLIC_URL https://signals.localhost
	add API_KEYS "owner:$(secret):read+debug+admin"
	for name in POSTGRES_PASSWORD REDIS_PASSWORD METRICS_KEY GRAFANA_ADMIN_PASSWORD; do
		add "$name" "$(secret)"
	done
	if [ -z "$added" ]; then
		echo "$file is there already and lacks nothing: it was left as it is; move it away to make another"
		exit 0
	fi
	echo "$file was there already; added to its end:$added"
	if grep -q '^TRUSTED_PROXY_HOPS=0' "$file"; then
		echo "TRUSTED_PROXY_HOPS=0 stands in it: take that line away, the proxy of the stack is one hop"
	fi
	exit 0
fi

owner=$(secret)
set -C # another make env at this moment wins or loses, but never half
cat >"$file" <<END
# Written by make env for docker-compose.yml. Keep it to yourself: whoever reads it may do everything.
# A value with a dollar sign goes in single quotes. docs/configuration.md lists every further setting.

# single: one worker. scale: ingest, detect and deliver in its place (docs/operations.md, "Scaling").
COMPOSE_PROFILES=single

# The https address users see; its name must lead to this host, ports 80 and 443 open. The proxy gets the
# certificate. This one works on this machine alone, with a certificate that browsers do not know.
PUBLIC_URL=https://signals.localhost

# Your key for everything: Authorization: Bearer KEY. More: name:key:scopes, comma separated.
API_KEYS=owner:$owner:read+debug+admin
# Opens the dashboard in a browser.
DASHBOARD_TOKEN=$(secret)

# live, or demo together with ALLOW_DEMO_IN_PROD=true
DATA_MODE=live
ALLOW_DEMO_IN_PROD=false
SYMBOLS=BTC,ETH,SOL

# Each adds data; none is required.
COINGLASS_API_KEY=
COINAPI_KEY=
LUNARCRUSH_API_KEY=

# Alerts: both, or none.
TELEGRAM_BOT_TOKEN=
TELEGRAM_CHAT_ID=

# Between the parts of the stack. Letters, digits, - and _ only: two of them stand in URLs.
POSTGRES_PASSWORD=$(secret)
REDIS_PASSWORD=$(secret)
METRICS_KEY=$(secret)
# User admin on http://127.0.0.1:3000
GRAFANA_ADMIN_PASSWORD=$(secret)
END

cat <<END
$file is written, readable by you alone, with secrets of its own. Left to fill in:
  PUBLIC_URL          the https name of this service (now https://signals.localhost, for this machine)
  COINGLASS_API_KEY   optional, as COINAPI_KEY and LUNARCRUSH_API_KEY
  TELEGRAM_BOT_TOKEN  optional, with TELEGRAM_CHAT_ID: who is told of alerts
then: make start
END
