"""Is this container's gateway alive? Asked every half minute, so it imports next to nothing."""

from __future__ import annotations

import os
import sys
from urllib.error import URLError
from urllib.request import urlopen

host = os.environ.get("CELLSTORM_HOST", "127.0.0.1")
if host in ("0.0.0.0", "::"):  # noqa: S104  # where it listens: everywhere, so here as well
    host = "127.0.0.1"
try:
    urlopen(f"http://{host}:{os.environ.get('CELLSTORM_PORT', '8000')}/livez", timeout=4)
except (URLError, TimeoutError) as error:
    sys.exit(f"the gateway does not answer: {error}")
