"""The driver simulator: a portrait moved by a script, with the exact truth of every frame."""
