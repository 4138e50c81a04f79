from __future__ import annotations

import stat
from pathlib import Path

import pytest

from cellstorm.errors import InvalidSetting
from cellstorm.settings import Settings
from cellstorm_server.tokens import admin_token, digest, new_token


def settings(folder: Path, token: str | None = None) -> Settings:
    return Settings.load(data=folder / "data", admin_token=token)


def test_the_first_start_makes_a_token_that_only_its_owner_can_read(tmp_path: Path) -> None:
    made = admin_token(settings(tmp_path))
    path = tmp_path / "data" / "admin-token"
    assert made.is_new
    assert len(made.token) >= 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = admin_token(settings(tmp_path))
    assert (again.token, again.is_new) == (made.token, False)


def test_a_configured_token_is_not_written_down(tmp_path: Path) -> None:
    assert admin_token(settings(tmp_path, "a-token-of-one-s-own")).token == "a-token-of-one-s-own"
    assert not (tmp_path / "data").exists()


def test_an_unusable_token_file_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "admin-token").touch()
    with pytest.raises(InvalidSetting, match="delete it"):
        admin_token(settings(tmp_path))
    (tmp_path / "data" / "admin-token").unlink()
    (tmp_path / "data" / "admin-token").mkdir()
    with pytest.raises(InvalidSetting, match="CELLSTORM_ADMIN_TOKEN"):
        admin_token(settings(tmp_path))


def test_a_place_where_nothing_can_be_kept_says_to_choose_another(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(InvalidSetting, match=r"data cannot be written to \(File exists\); choose another --data"):
        admin_token(settings(tmp_path))


def test_tokens_differ_and_are_kept_as_digests() -> None:
    first, second = new_token(), new_token()
    assert first != second
    assert digest(first) != digest(second)
    assert first not in digest(first)
