"""What the page takes from the server's definitions is as these are now."""

from __future__ import annotations

import hashlib

import pytest

from phone_client.tools.schema import GENERATED, generated_files

MEND = "python phone_client/tools/schema.py, then python phone_client/tools/npm run types"


@pytest.mark.parametrize("name", generated_files())
def test_the_generated_files_are_as_the_models_are_now(name: str) -> None:
    assert (GENERATED / name).read_text() == generated_files()[name], f"{name} is stale: run {MEND}"


def test_the_types_were_made_from_the_schema_beside_them() -> None:
    digest = hashlib.sha256((GENERATED / "models.schema.json").read_bytes()).hexdigest()
    first_line = (GENERATED / "models.ts").read_text().splitlines()[0]
    assert digest in first_line, f"models.ts is stale: run {MEND}"
