"""Further processes of one server on the same port; the first one makes all decisions."""
