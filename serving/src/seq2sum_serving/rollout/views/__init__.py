"""How what is known is shown in a terminal: values in, text out."""
