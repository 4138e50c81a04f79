"""Is this container's worker alive? RQ's workers renew a key in Redis; whoever stops renewing it is gone."""

from __future__ import annotations

import socket
import sys

from redis import Redis
from rq import Worker

from cellstorm.settings import Settings

redis = Redis.from_url(Settings.load().redis_url, socket_timeout=5)
if socket.gethostname() not in {worker.hostname for worker in Worker.all(connection=redis)}:
    sys.exit(f"no worker of {socket.gethostname()} is registered in Redis")
