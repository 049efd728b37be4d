"""Every example in examples/ loads; the inference sample does what it says, with two local services."""

import asyncio
import json
from pathlib import Path

import pytest
import yaml
from tests.gateway.world import gateway, run, upstream

from foregate.app.config import load
from foregate.app.config.verify import verified
from foregate.http1 import Request, Response
from foregate.wire.snapshot import Snapshot

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "FOREGATE_KEY", "FOREGATE_GUEST_KEY")
ENVIRON = {name: f"fg_a_secret_of_the_examples_{index}" for index, name in enumerate(NAMES)}


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_an_example_loads(example: Path) -> None:
    assert verified(load(example, ENVIRON), b"pepper").routes


class Backend:
    """A model of our own: answers who it is, is well or not."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.well = True
        self.checked = 0

    async def __call__(self, request: Request) -> Response:
        if request.path == "/health":
            self.checked += 1
            return Response(200 if self.well else 503, b"")
        assert request.path == "/infer"
        body = json.loads(await request.body(65_536))
        answer = {"by": self.name, "text": body["text"].upper()}
        return Response(200 if self.well else 500, json.dumps(answer).encode())


def _snapshot(folder: Path, python: int, node: int) -> Snapshot:
    """The example, with the ports of this test and checks as fast as a test wants them."""
    document = yaml.safe_load((EXAMPLES / "inference.yaml").read_text())
    for name, port in (("python", python), ("node", node)):
        document["services"][name]["targets"] = [f"http://127.0.0.1:{port}"]
        document["services"][name]["health"]["active"]["interval_s"] = 0.05
        document["services"][name]["policies"]["circuit_breaker"]["open_s"] = 0.2
    file = folder / "foregate.yaml"
    file.write_text(yaml.safe_dump(document))
    return verified(load(file, {}), b"pepper")


def test_two_inference_backends_answer_for_each_other(tmp_path: Path) -> None:
    async def main() -> None:
        python, node = Backend("python"), Backend("node")
        async with upstream(python) as (_, first), upstream(node) as (_, second):
            made = _snapshot(tmp_path, first, second)
            async with gateway(made.services, made.routes, keys=()) as world:

                async def infer(path: str) -> tuple[int, str]:
                    answer = await world.client.request("POST", world.url(path), body=b'{"text": "hi"}')
                    body = json.loads(await answer.read())
                    assert body["text"] == "HI"
                    return answer.status, body["by"]

                assert await infer("/infer/python") == (200, "python")
                assert await infer("/infer/node") == (200, "node")
                python.well = False
                for _ in range(10):
                    assert await infer("/infer/python") == (200, "node")  # nobody notices
                assert await infer("/infer/node") == (200, "node")
                python.well, node.well = True, False
                await asyncio.sleep(0.4)  # its circuit lets a trial through
                for _ in range(5):
                    assert await infer("/infer/node") == (200, "python")
                assert await infer("/infer/python") == (200, "python")
                assert python.checked > 2
                assert {event.service for event in world.sink.events} == {"python", "node"}

    run(main)
