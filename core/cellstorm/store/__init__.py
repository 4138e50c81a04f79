"""Redis, as cellSTORM uses it: the keys, the scripts, and nothing else knows either."""

from cellstorm.store.batches import Batches
from cellstorm.store.grants import GrantStore, Invitation
from cellstorm.store.once import Once
from cellstorm.store.store import STORE_TROUBLE, Commit, CommitOutcome, DiskTroubleError, PutOutcome, Store, Widefield

__all__ = [
    "STORE_TROUBLE",
    "Batches",
    "Commit",
    "CommitOutcome",
    "DiskTroubleError",
    "GrantStore",
    "Invitation",
    "Once",
    "PutOutcome",
    "Store",
    "Widefield",
]
