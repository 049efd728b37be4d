"""Models behind a real foregate, for the real clients: fallback, limits over workers, the ledger across kill -9."""

from pathlib import Path

import openai
import pytest
from tests.process.harness import KEY, foregate, upstream
from tests.process.test_abuse import wait_for

CONFIG = """
services:
  openai:
    targets: ['{openai}']
    ai: {{provider: openai, key: '${{env:FOREGATE_TEST_KEY}}', models: {{gpt: {{price: {{input: 1, output: 2}}}}}}}}
  claude:
    targets: ['{claude}']
    ai:
      provider: anthropic
      key: ${{env:FOREGATE_TEST_KEY}}
      models: {{claude: {{price: {{input: 3, output: 9}}}}}}
routes:
  - path: /v1
    ai: {{services: [openai, claude], models: {{gpt: {{fallback: [claude]}}}}}}
    policies: {{token_limits: [{{quota: 5000, period: day}}]}}
"""
HELLO = "Say hello."


def test_models_answer_are_limited_and_accounted_for_by_every_worker_as_one(tmp_path: Path) -> None:
    with (
        upstream(script="providers.py", arguments=("openai", "500")) as broken,
        upstream(script="providers.py", arguments=("anthropic", "200")) as well,
        foregate(tmp_path, CONFIG.format(openai=broken, claude=well), workers=2) as running,
    ):

        def ask(max_tokens: int, stream: bool = False) -> str:
            url = f"{running.gateway}/v1"  # a new client is a new connection, and perhaps the other worker
            with openai.OpenAI(base_url=url, api_key=KEY, max_retries=0) as client:
                if not stream:
                    answer = client.chat.completions.create(
                        model="gpt", messages=[{"role": "user", "content": HELLO}], max_tokens=max_tokens
                    )
                    return answer.choices[0].message.content or ""
                chunks = client.chat.completions.create(
                    model="gpt", messages=[{"role": "user", "content": HELLO}], max_tokens=max_tokens, stream=True
                )
                return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)

        for number in range(20):
            assert ask(50, stream=number % 2 == 1) == "Hello, world!"
        running.kill("gateway-0")
        running.kill("analyzer")
        assert wait_for(lambda: running.api("/ai/usage?by=key")["total"]["requests"] == 20, 20.0)
        answer = running.api("/ai/usage?by=model")
        assert [(row["name"], row["input_tokens"], row["output_tokens"]) for row in answer["used"]] == [
            ("claude/claude", 220, 80)
        ]
        assert answer["total"]["cost"] == pytest.approx((220 * 3 + 80 * 9) / 1_000_000)
        with pytest.raises(openai.RateLimitError, match="tokens"):
            ask(4_900)  # 4,700 are left of the day's 5,000, whoever of the workers is asked
        assert KEY not in running.log.read_text()
