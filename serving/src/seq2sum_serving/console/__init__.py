"""Tables and the live view: values in, text out."""
