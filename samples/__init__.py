"""The demo's recording, and how it was made."""
