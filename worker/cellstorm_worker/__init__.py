"""The worker: a chunk of video in, localizations out."""
