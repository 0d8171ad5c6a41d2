"""Logs of any size: the file by offsets, its lines, their numbers, what is sought in them. No Textual."""
