"""A worker loads the heavy libraries of a policy only when its configuration has one."""

import subprocess
import sys

_PROGRAM = """
import sys
import foregate.gateway
from foregate.gateway.policies import make
from foregate.gateway.policies.policy import Place
from foregate.wire.policies import BodySchema, Bounds
make.policy("bounds", Bounds(), None, Place())
heavy = ("joserfc", "cryptography", "jsonschema_rs")
assert not [name for name in heavy if name in sys.modules]
make.policy("body_schema", BodySchema({}), None, Place())
assert "jsonschema_rs" in sys.modules
assert "joserfc" not in sys.modules
"""


def test_libraries_for_tokens_and_schemas_come_with_their_policies() -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
