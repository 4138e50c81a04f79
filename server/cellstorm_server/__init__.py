"""The gateway: video in over WebRTC and HTTP, growing images and results out."""
