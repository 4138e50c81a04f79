"""Uploads that survive anything: tus 1.0, its protocol, its files and its turns; what becomes of a whole file is told from outside."""
