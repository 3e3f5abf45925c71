#!/bin/bash
# Small answers and pages of 735 KB over TLS: our server beside nginx, same certificate, server on core 0 and wrk on core 1.
# Usage: run.sh SERVE_PROGRAM [SECONDS] [CONNECTIONS]
set -u
serve=$1; seconds=${2:-3}; connections=${3:-32}
dir=$(mktemp -d); trap 'kill $ours $nginx 2>/dev/null; rm -rf "$dir"' EXIT
taskset -c 0 "$serve" 18443 1 "$dir/tls.crt" "$dir/tls.key" & ours=$!
sleep 0.5
mkdir -p "$dir/www" "$dir/tmp"
head -c 735000 /dev/zero | tr '\0' x > "$dir/www/page"; cp "$dir/www/page" "$dir/www/taxii"; echo "small answer" > "$dir/www/small"
cat > "$dir/nginx.conf" <<END
worker_processes 1; daemon off; pid $dir/pid; error_log $dir/error.log;
events { worker_connections 4096; }
http { access_log off; sendfile on; keepalive_requests 100000000; root $dir/www; default_type text/plain;
  client_body_temp_path $dir/tmp; proxy_temp_path $dir/tmp; fastcgi_temp_path $dir/tmp; uwsgi_temp_path $dir/tmp; scgi_temp_path $dir/tmp;
  server { listen 127.0.0.1:18444 ssl; ssl_certificate $dir/tls.crt; ssl_certificate_key $dir/tls.key; ssl_protocols TLSv1.2 TLSv1.3; } }
END
chmod 755 "$dir"; nginx_user=; [ "$(id -u)" = 0 ] && nginx_user="user root;"
taskset -c 0 nginx -c "$dir/nginx.conf" -g "$nginx_user" 2>/dev/null & nginx=$!
sleep 0.5
ticks() { local t=0 p; for p in $1 $(pgrep -P "$1"); do t=$((t + $(awk '{print $14 + $15}' "/proc/$p/stat"))); done; echo "$t"; }
for path in small page taxii; do
  for round in 1 2 3; do
    for which in ours nginx; do
      [ $which = ours ] && port=18443 pid=$ours || { port=18444 pid=$nginx; }
      before=$(ticks "$pid")
      out=$(taskset -c 1 wrk -t1 -c"$connections" -d"${seconds}s" "https://127.0.0.1:$port/$path" 2>/dev/null)
      after=$(ticks "$pid")
      rate=$(awk '/Requests\/sec/ {print $2}' <<<"$out"); n=$(awk '/requests in/ {print $1}' <<<"$out"); errors=$(grep -cE 'Socket errors|Non-2xx' <<<"$out")
      awk -v p=$path -v w=$which -v r="$rate" -v n="${n:-0}" -v t=$((after - before)) -v e="$errors" \
        'BEGIN {printf "%-6s %-6s %10.1f requests/s %8.1f us CPU/request errors=%d\n", p, w, r, n ? t * 10000 / n : 0, e}'
    done
  done
done
