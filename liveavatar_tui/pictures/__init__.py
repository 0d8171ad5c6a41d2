"""Frames as a terminal can show them: cells, what changed, what a link carries, graphics protocols. No Textual."""
