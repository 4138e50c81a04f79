"""cellSTORM from a program: open acquisitions, send recordings, wait, and fetch images and tables.

from cellstorm_client import Client

with Client("http://127.0.0.1:8000", token) as client:
    acquisition = client.create(name="actin", pixel_size_nm=100)
    client.upload(acquisition.id, "actin.mp4")
    client.wait(acquisition.id)
    table = client.localizations(acquisition.id)
"""

from cellstorm_client.client import Client
from cellstorm_client.errors import Unreachable
from cellstorm_client.sending import FileState, Sending

__all__ = ["Client", "FileState", "Sending", "Unreachable"]
