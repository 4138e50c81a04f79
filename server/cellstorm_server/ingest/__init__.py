"""WebRTC ingest: from a phone's offer to chunks in the store and a kept video, without decoding."""
