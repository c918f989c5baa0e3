"""Training.

`trainer` runs optimizer steps and grades answers; `training_loop` decides what is trained, searched
and checked; `schedule` has the stages and learning rates of the loop; `fit_run` runs the loop in a
run folder, with `history` and `checkpoint`.
"""
