"""What the page takes from the server's definitions is as these are now."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from phone_client.tools.schema import GENERATED, generated_files

MEND = "python phone_client/tools/schema.py, then python phone_client/tools/npm.py run types"


@pytest.mark.parametrize("name", ["models.schema.json", "tables.ts"])
def test_the_generated_files_are_as_the_models_are_now(name: str) -> None:
    assert (GENERATED / name).read_text() == generated_files()[name], f"{name} is stale: run {MEND}"


def test_the_examples_are_what_the_server_makes_now() -> None:
    kept = json.loads((GENERATED / "examples.json").read_text())
    made = json.loads(generated_files()["examples.json"])
    np.testing.assert_allclose(pixels(kept), pixels(made), atol=1e-6)  # erf differs in its last digit between machines
    assert kept == made, f"examples.json is stale: run {MEND}"


def pixels(examples: dict[str, Any]) -> NDArray[np.float32]:
    """Takes the image out."""
    return np.frombuffer(base64.b64decode(examples["image"].pop("float32")), "<f4")


def test_the_types_were_made_from_the_schema_beside_them() -> None:
    digest = hashlib.sha256((GENERATED / "models.schema.json").read_bytes()).hexdigest()
    first_line = (GENERATED / "models.ts").read_text().splitlines()[0]
    assert digest in first_line, f"models.ts is stale: run {MEND}"
