"""The commands of `liveavatar-tui`. Each module imports what it needs when it runs, so `--help` is quick."""
