"""The panel of one turn: what it shows is a fold of the session's events, the same for every front-end."""
