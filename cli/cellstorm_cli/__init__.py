"""The `cellstorm` command: the one place that puts core, server, worker and models together."""
