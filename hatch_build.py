"""Puts the zoo and the built page into the wheel.

An editable installation reads both from the checkout instead, where the page may not be built yet. A wheel without the
page is good for workers; a gateway that is installed from it serves no page.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

DATA: Final = {"models/zoo": "cellstorm/zoo", "phone_client/dist": "cellstorm_server/page"}


class DataHook(BuildHookInterface[Any]):
    """Includes what is there."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it collects files; `version` is "standard" or "editable"."""
        if version == "editable":
            return
        for source, target in DATA.items():
            if any(Path(self.root, source).glob("[!.]*")):
                build_data["force_include"][source] = target
            else:
                self.app.display_warning(f"{source} is empty: the wheel comes without it (make page builds the page)")
