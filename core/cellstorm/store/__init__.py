"""Redis, as cellSTORM uses it: the keys, the scripts, and nothing else knows either."""

from cellstorm.store.store import STORE_TROUBLE, Commit, CommitOutcome, DiskTroubleError, PutOutcome, Store, Widefield

__all__ = ["STORE_TROUBLE", "Commit", "CommitOutcome", "DiskTroubleError", "PutOutcome", "Store", "Widefield"]
