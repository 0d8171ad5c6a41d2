"""The generation engine: from portrait, speech and prompt to a talking video, in a process of its own."""

__version__ = "0.1.0"
