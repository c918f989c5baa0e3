"""TensorFlow Serving's wire messages, trimmed, under a proto package of our own.

The modules beside this one are generated from `protos/` by `make generate`. Field numbers
and types are upstream's; the package name is not, because two definitions of
`tensorflow.TensorProto` cannot live in one process and TensorFlow brings the other one.
"""
