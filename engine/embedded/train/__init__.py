"""How the embedded avatar was made: every stage as a script with a time budget in seconds, on one or several GPUs.

Not imported by a run. Needs the `engine` extra, and PEFT for the adapters.
"""
