"""The peers that one line of Python makes, for scale: FastAPI with httpx, and LiteLLM. Only with --extras."""

import os
import subprocess
import sys
from pathlib import Path

from bench.compare import Starter
from bench.process import OUT, Running, start, tool
from bench.wrk import Load

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


EXTRA_PEERS: dict[str, Starter] = {"fastapi": start_fastapi, "litellm": start_litellm}
_CHAT = """\
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"model":"m","messages":[{"role":"user","content":"hi"}]}'
"""
CHAT_LOAD = Load("/v1/chat/completions", (("Authorization", f"Bearer {LITELLM_KEY}"),), _CHAT)
