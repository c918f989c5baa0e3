"""The embedded server: TensorFlow Serving's protocol and words, where there is no container engine.

Four nouns, as in TensorFlow Serving. A Source says which versions are aspired, a Loader knows
how to load one, the Policy picks the next action, and the Manager carries it out and hands
out counted handles.
"""
