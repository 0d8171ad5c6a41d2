"""The face of the product: a terminal application and a command line over the same use-cases."""
