"""From a run to a published version, proven on the way."""
