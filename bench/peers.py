"""How each peer is started: one process tree, keep-alive to the upstream; nginx also counts, none has more to do."""

import os
import subprocess
from pathlib import Path

from bench.compare import Starter
from bench.process import OUT, Running, start, tool

# 163 bytes of JSON, as in the measurements of ../shared/design/facts.md.
_START = b'{"id":"0123456789abcdef","status":"ok","items":[1,2,3,4,5,6,7,8,9,10],"message":"'
BODY = _START.ljust(161, b"x") + b'"}'
CHAT = (
    b'{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"finish_reason":"stop",'
    b'"message":{"role":"assistant","content":"hello"}}],"usage":{"prompt_tokens":1,"completion_tokens":1,'
    b'"total_tokens":2}}'
)

_NGINX = """\
worker_processes 1;
daemon off;
pid {folder}/{name}.pid;
error_log {folder}/{name}.err crit;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path {folder}/{name}.body; proxy_temp_path {folder}/{name}.proxy;
  fastcgi_temp_path {folder}/{name}.fcgi; uwsgi_temp_path {folder}/{name}.uwsgi; scgi_temp_path {folder}/{name}.scgi;
{rest}
}}
"""
_UPSTREAM = """\
  default_type application/json;
  server {{
    listen 127.0.0.1:{port};
    location / {{ return 200 '{body}'; }}
    location /v1/ {{ return 200 '{chat}'; }}
  }}
"""
_PROXY = """\
  limit_req_zone $http_x_api_key zone=keys:10m rate=1000000r/s;
  upstream backend {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 1000000000; }}
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{ limit_req zone=keys burst=1000000 nodelay; proxy_pass http://backend; }}
    location /stream {{ proxy_buffering off; proxy_pass http://backend; }}
  }}
"""
_WEBSOCKET = """\
  proxy_http_version 1.1;
  proxy_buffer_size 256k; proxy_buffers 8 256k; proxy_busy_buffers_size 512k;
  proxy_set_header Connection upgrade;
  proxy_set_header Upgrade $http_upgrade;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{ proxy_pass http://127.0.0.1:{upstream}; }}
  }}
"""
_CADDY = """\
{{
  admin off
  auto_https off
}}
http://127.0.0.1:{port} {{
  reverse_proxy http://127.0.0.1:{upstream} {{
    transport http {{
      keepalive_idle_conns_per_host 256
    }}
  }}
}}
"""
_HAPROXY = """\
global
  nbthread 1
  maxconn 8192
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
frontend in
  bind 127.0.0.1:{port}
  default_backend out
backend out
  server one 127.0.0.1:{upstream}
"""


def nginx(name: str, folder: Path, port: int, rest: str, first: str = "") -> Running:
    """`rest` stands within http, `first` before everything."""
    program = tool("nginx", "/usr/sbin/nginx")
    config = folder / f"{name}.conf"
    config.write_text(first + _NGINX.format(folder=folder, name=name, rest=rest))
    return start(name, [program, "-c", str(config), "-e", f"{folder}/{name}.err"], port, folder)


def start_upstream(folder: Path, port: int) -> Running:
    """One nginx worker that answers every request with BODY from memory."""
    return nginx("upstream", folder, port, _UPSTREAM.format(port=port, body=BODY.decode(), chat=CHAT.decode()))


def start_nginx(folder: Path, port: int, upstream: int) -> Running:
    return nginx("nginx", folder, port, _PROXY.format(port=port, upstream=upstream))


def nginx_websocket(folder: Path, port: int, upstream: int) -> Running:
    """One that passes WebSockets on."""
    return nginx("nginx-websocket", folder, port, _WEBSOCKET.format(port=port, upstream=upstream))


def start_nginx_http2(folder: Path, port: int, upstream: int) -> Running:
    """The same, asked over HTTP/2 without TLS."""
    rest = _PROXY.replace("backlog=4096;", "backlog=4096 http2; http2_max_concurrent_streams 128;")
    return nginx("nginx-http2", folder, port, rest.format(port=port, upstream=upstream))


def start_haproxy(folder: Path, port: int, upstream: int) -> Running:
    program = tool("haproxy", "/usr/sbin/haproxy")
    config = folder / "haproxy.cfg"
    config.write_text(_HAPROXY.format(port=port, upstream=upstream))
    return start("haproxy", [program, "-q", "-f", str(config)], port, folder)


def start_go(folder: Path, port: int, upstream: int) -> Running:
    program = tool("go", "/usr/local/go/bin/go", "/usr/lib/go/bin/go")
    binary = OUT / "go-reverse-proxy"
    source = Path(__file__).parent / "go" / "main.go"
    subprocess.run([program, "build", "-o", str(binary), str(source)], check=True, capture_output=True)
    return start("go", [str(binary), f"127.0.0.1:{port}", f"http://127.0.0.1:{upstream}"], port, folder)


def start_caddy(folder: Path, port: int, upstream: int) -> Running:
    program = tool("caddy")
    config = folder / "Caddyfile"
    config.write_text(_CADDY.format(port=port, upstream=upstream))
    env = {**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    return start("caddy", [program, "run", "--config", str(config), "--adapter", "caddyfile"], port, folder, env=env)


PEERS: dict[str, Starter] = {"nginx": start_nginx, "haproxy": start_haproxy, "go": start_go, "caddy": start_caddy}
