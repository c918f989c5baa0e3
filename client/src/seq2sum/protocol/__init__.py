"""TensorFlow Serving's messages, trimmed, under our own proto package.

The other modules of this package are generated from `protos/` by `make generate`. Field numbers and
types are those of upstream. The package name differs, because a process cannot have two definitions
of `tensorflow.TensorProto`, and TensorFlow brings its own.
"""
