"""What the app asks of the terminal itself: signals, hang-up, abilities, a last filter before the bytes leave."""
