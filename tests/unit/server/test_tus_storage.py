"""What lies on disk of an upload, and who works on it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cellstorm_server.tus.protocol import Creation, TusError
from cellstorm_server.tus.storage import Storage

_OPEN_FILES = Path("/proc/self/fd")


def test_nobody_else_works_on_an_upload_meanwhile(tmp_path: Path) -> None:
    first, second = Storage(tmp_path), Storage(tmp_path)
    upload = first.create(Creation(10, "", {}), None)
    with first.locked(upload.id), pytest.raises(TusError) as refused, second.locked(upload.id):
        pass
    assert refused.value.status == 423
    with second.locked(upload.id):
        pass


@pytest.mark.skipif(not _OPEN_FILES.is_dir(), reason="needs /proc, to find the lock's descriptor")
def test_a_child_process_that_is_being_started_does_not_keep_an_upload_locked(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    upload = storage.create(Creation(10, "", {}), None)
    with storage.locked(upload.id):
        (lock,) = [
            int(each.name) for each in _OPEN_FILES.iterdir() if each.is_symlink() and each.resolve().name == "lock"
        ]
        copy = os.dup(lock)  # as a child has it between fork and exec
    try:
        with storage.locked(upload.id):
            assert os.fstat(copy).st_nlink == 1  # the copy is open still, on a file that is there
    finally:
        os.close(copy)
