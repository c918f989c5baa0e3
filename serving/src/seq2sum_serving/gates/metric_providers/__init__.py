"""Where gates read the servers' own metrics: one adapter a module."""
