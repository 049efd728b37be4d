"""The caches beside which ours is measured: all keep every answer of the upstream for an hour, in memory."""

import getpass
import os
from pathlib import Path

from bench.gateway import PLAIN, route, service, start_workers
from bench.peers import nginx
from bench.process import Running, start, tool
from foregate.wire.cache import Cache
from foregate.wire.match import Rule
from foregate.wire.policies import Policies
from foregate.wire.snapshot import Route, Weighted

HOUR_S = 3_600
_OPEN = Policies(cache=Cache(ttl_s=HOUR_S, share="public"))
_NGINX = """\
  proxy_cache_path {folder}/nginx-cache keys_zone=answers:32m max_size=256m inactive=1h use_temp_path=off;
  upstream backend {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 1000000000; }}
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{ proxy_cache answers; proxy_cache_valid 200 1h; proxy_pass http://backend; }}
  }}
"""
_VARNISH = """\
vcl 4.1;
backend default {{ .host = "127.0.0.1"; .port = "{upstream}"; }}
sub vcl_backend_response {{ set beresp.ttl = 1h; }}
"""


def start_nginx_cache(folder: Path, port: int, upstream: int) -> Running:
    """Its workers write the cache into `folder`: they must be whoever owns it."""
    user = f"user {getpass.getuser()};\n" if os.geteuid() == 0 else ""
    return nginx("nginx-cache", folder, port, _NGINX.format(folder=folder, port=port, upstream=upstream), user)


def start_varnish(folder: Path, port: int, upstream: int) -> Running:
    program = tool("varnishd", "/usr/sbin/varnishd")
    config = folder / "varnish.vcl"
    config.write_text(_VARNISH.format(upstream=upstream))
    argv = [program, "-j", "none", "-F", "-a", f"127.0.0.1:{port}", "-f", str(config), "-n", str(folder / "varnish")]
    return start("varnish", [*argv, "-s", "malloc,64m", "-p", "thread_pools=1"], port, folder)


def cached_policies() -> Policies:
    """What a plain request meets (key, token bucket, event), and the cache."""
    return Policies(rate_limits=PLAIN.rate_limits, cache=Cache(ttl_s=HOUR_S))


def start_open(folder: Path, port: int, upstream: int) -> Running:
    """One worker that answers everybody from its cache: what nginx and varnish do, and a durable event."""
    routes = [Route("/", Rule(path="/"), services=(Weighted("bench"),), auth=(), policies=_OPEN)]
    return start_workers(folder, port, [service("bench", [upstream])], routes, name="foregate-open").running[0]


def start_cached(folder: Path, port: int, upstream: int) -> Running:
    """One worker that answers from its cache what a proxied request is measured with."""
    routes = [route("/", policies=cached_policies())]
    return start_workers(folder, port, [service("bench", [upstream])], routes, name="foregate-hit").running[0]
