"""How each peer is started. All are given keep-alive to the upstream; none but foregate has a policy to apply."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from bench.foregate_worker import start_foregate
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
  upstream backend {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
"""
_HAPROXY = """\
global
  nbthread 1
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
_FASTAPI = """\
import contextlib, httpx
from fastapi import FastAPI, Request, Response
client = httpx.AsyncClient(base_url="http://127.0.0.1:{upstream}", limits=httpx.Limits(max_connections=256))
app = FastAPI()
@app.api_route("/{{path:path}}", methods=["GET", "POST"])
async def proxy(path: str, request: Request) -> Response:
    answer = await client.request(request.method, "/" + path, content=await request.body())
    return Response(answer.content, answer.status_code, media_type=answer.headers.get("content-type"))
"""
_LITELLM = """\
model_list:
  - model_name: m
    litellm_params: {{model: openai/m, api_base: "http://127.0.0.1:{upstream}/v1", api_key: none}}
"""
LITELLM_KEY = "sk-of-this-benchmark-alone"
EXTRAS = ("fastapi", "uvicorn[standard]", "httpx", "litellm[proxy]")


def _nginx(name: str, folder: Path, port: int, rest: str) -> Running:
    program = tool("nginx", "/usr/sbin/nginx")
    config = folder / f"{name}.conf"
    config.write_text(_NGINX.format(folder=folder, name=name, rest=rest))
    return start(name, [program, "-c", str(config), "-e", f"{folder}/{name}.err"], port, folder)


def start_upstream(folder: Path, port: int) -> Running:
    """One nginx worker that answers every request with BODY from memory."""
    return _nginx("upstream", folder, port, _UPSTREAM.format(port=port, body=BODY.decode(), chat=CHAT.decode()))


def start_nginx(folder: Path, port: int, upstream: int) -> Running:
    return _nginx("nginx", folder, port, _PROXY.format(port=port, upstream=upstream))


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


def start_foregate_peer(folder: Path, port: int, upstream: int) -> Running:
    return start_foregate(folder, port, [upstream])


def extras_python(*, install: bool) -> str:
    """The interpreter of the extras' own environment. Raises Missing where it is not there and may not be made."""
    python = OUT / "extras" / "bin" / "python"
    if not python.exists() and install:
        subprocess.run([sys.executable, "-m", "venv", str(OUT / "extras")], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *EXTRAS], check=True)
    return tool(str(python))


def start_fastapi(folder: Path, port: int, upstream: int) -> Running:
    python = extras_python(install=False)
    (folder / "fastapi_proxy.py").write_text(_FASTAPI.format(upstream=upstream))
    argv = [python, "-m", "uvicorn", "fastapi_proxy:app", "--app-dir", str(folder), "--port", str(port)]
    return start("fastapi", [*argv, "--no-access-log", "--log-level", "error"], port, folder)


def start_litellm(folder: Path, port: int, upstream: int) -> Running:
    python = extras_python(install=False)
    config = folder / "litellm.yaml"
    config.write_text(_LITELLM.format(upstream=upstream))
    program = Path(python).with_name("litellm")
    argv = [str(program), "--config", str(config), "--host", "127.0.0.1", "--port", str(port), "--telemetry", "False"]
    # It will not start without a master key, and checks it with every request: its counterpart of our key check.
    # Its environment is ours without what would send it elsewhere; it must not fetch its price list.
    env = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MASTER_KEY": LITELLM_KEY}
    return start("litellm", argv, port, folder, wait_s=120.0, env=env)


Starter = Callable[[Path, int, int], Running]
PEERS: dict[str, Starter] = {
    "nginx": start_nginx,
    "haproxy": start_haproxy,
    "go": start_go,
    "foregate": start_foregate_peer,
}
EXTRA_PEERS: dict[str, Starter] = {"fastapi": start_fastapi, "litellm": start_litellm}
