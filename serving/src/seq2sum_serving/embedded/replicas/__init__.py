"""Further processes that answer on the same port; the first one decides all there is to decide."""
