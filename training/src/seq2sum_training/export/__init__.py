"""Export of a run as a published version, verified before it appears."""
