"""Redis, as cellSTORM uses it: the keys, the scripts, and nothing else knows either."""

from cellstorm.store.store import Commit, CommitOutcome, PutOutcome, Store, Widefield

__all__ = ["Commit", "CommitOutcome", "PutOutcome", "Store", "Widefield"]
