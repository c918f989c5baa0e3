"""The life of servable versions, in TensorFlow Serving's nouns; free of TensorFlow."""
