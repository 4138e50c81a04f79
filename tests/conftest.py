"""Fixtures that every kind of test may use."""

from __future__ import annotations

from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference videos and tables beside the checkout; tests that need it skip where it is absent."""
    folder = CHECKOUT.parent / "shared"
    if not (folder / "bench").is_dir():
        pytest.skip("needs ../shared, which lies beside the checkout where cellSTORM is developed")
    return folder
