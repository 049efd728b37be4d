"""Providers of language models that are none: real HTTP servers which speak OpenAI's and Anthropic's languages.

What they answer stands in a `Script`: texts, tool calls, pace, and every way to fail. One token is one piece of the
script's text, so that whoever counts can be held against it. For the tests, the benchmarks and the demo.

    fake = FakeOpenAI(Script(("Hel", "lo"), pace_s=0.01))      # or a function of the request, or one for each in turn
    port = await fake.start()
    fake.asked[-1].document, fake.left                         # what was asked, how many clients left in the middle
    await fake.close()
"""

from foregate.lab.providers.anthropic import FakeAnthropic
from foregate.lab.providers.openai import FakeOpenAI
from foregate.lab.providers.script import Call, Script

__all__ = ["Call", "FakeAnthropic", "FakeOpenAI", "Script"]
