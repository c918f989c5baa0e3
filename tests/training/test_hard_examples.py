"""Hard examples: which pairs are kept, and how often they are drawn."""

from __future__ import annotations

import numpy as np
import pytest
from seq2sum_training.data.hard_examples import HardExamples


def test_hardest_pairs_are_kept_and_drawn_by_the_root_of_their_loss():
    pairs = np.arange(20).reshape(2, 10)
    losses = np.array([0, 5, 1, 0, 3, 0, 0, 0, 0, 0], np.float32)
    kept = HardExamples.empty().merged(pairs[:, :5], losses[:5], keep=3)
    kept = kept.merged(pairs[:, 5:], losses[5:], keep=3)
    assert kept.losses.tolist() == [5, 3, 1]
    assert kept.pairs.tolist() == [[1, 4, 2], [11, 14, 12]]
    drawn = kept.draw(np.random.default_rng(1), 9000)
    counts = [int((drawn[0] == pair).sum()) for pair in (1, 4, 2)]
    roots = np.sqrt([5, 3, 1])
    assert counts == pytest.approx(9000 * roots / roots.sum(), abs=200)


def test_draw_includes_pairs_without_loss():
    easy = HardExamples.empty().merged(np.arange(4).reshape(2, 2), np.zeros(2, np.float32), keep=2)
    assert set(easy.draw(np.random.default_rng(1), 100)[0].tolist()) == {0, 1}
