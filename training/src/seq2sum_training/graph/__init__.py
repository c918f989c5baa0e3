"""The serving graph: byte strings in, the trained network as constants, text out.

`serving` builds the signatures. `question_reader` turns byte strings into encoder tokens, with
`word_reader` for short operands and `window_reader` for long ones, after `normalize` has rewritten
unusual questions. `serving_network` and `tanh_cells` compute logits, and `answers` makes text.
"""
