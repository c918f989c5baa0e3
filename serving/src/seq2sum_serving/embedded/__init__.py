"""The embedded server: speaks TensorFlow Serving's protocol without its container.

Its parts have TensorFlow Serving's names. A Source reports the aspired versions, a Loader loads a
version, the Policy chooses the next action, and the Manager executes it and provides
reference-counted handles.
"""
