"""Where an acquisition's files lie below CELLSTORM_DATA.

acquisitions/ID/
    parts/0001.mp4 …   the received stream as it came, one file per session
    upload             an uploaded file as it came
    spool/00000042     chunks that wait for room in Redis
    results/           the result folder, complete or absent
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from cellstorm.errors import StorageFull


@dataclass(frozen=True, slots=True)
class Library:
    """Paths below one data directory; ids come from `new_id` alone, never from a request."""

    root: Path
    min_free_bytes: int

    def folder(self, acquisition_id: str) -> Path:
        return self.root / "acquisitions" / acquisition_id

    def results(self, acquisition_id: str) -> Path:
        return self.folder(acquisition_id) / "results"

    def upload(self, acquisition_id: str) -> Path:
        return self.folder(acquisition_id) / "upload"

    def spool(self, acquisition_id: str) -> Path:
        return self.folder(acquisition_id) / "spool"

    def parts(self, acquisition_id: str) -> list[Path]:
        """Kept video of each session, oldest first."""
        return sorted((self.folder(acquisition_id) / "parts").glob("*.mp4"))

    def new_part(self, acquisition_id: str) -> Path:
        """Path for a further session's video; its folder exists afterwards."""
        folder = self.folder(acquisition_id) / "parts"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{len(self.parts(acquisition_id)) + 1:04d}.mp4"

    def create(self, acquisition_id: str) -> None:
        """Make the acquisition's folder."""
        self.folder(acquisition_id).mkdir(parents=True, exist_ok=True)

    def delete(self, acquisition_id: str) -> None:
        """Remove all its files; absent ones are no error."""
        shutil.rmtree(self.folder(acquisition_id), ignore_errors=True)

    def ids(self) -> list[str]:
        """Of all acquisitions whose files lie here."""
        return sorted(path.name for path in (self.root / "acquisitions").glob("*") if path.is_dir())

    def check_room(self, wanted_bytes: int = 0) -> None:
        """Nothing.

        Raises
        ------
        StorageFull
            If the disk would be left with less than the free space that is kept.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(self.root).free - wanted_bytes < self.min_free_bytes:
            raise StorageFull(
                "the server's disk is full; delete acquisitions that are no longer needed, then try again"
            )
