"""Redis, as cellSTORM uses it: the keys, the scripts, and nothing else knows either."""

from cellstorm.store.store import FAILED_CONNECTION, Commit, CommitOutcome, PutOutcome, Store, Widefield

__all__ = ["FAILED_CONNECTION", "Commit", "CommitOutcome", "PutOutcome", "Store", "Widefield"]
