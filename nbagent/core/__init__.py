"""What the agent knows and decides: frozen values and functions of them, without I/O, clock or randomness."""
