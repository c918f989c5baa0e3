"""`seq2sum explain`: what the network thought about each place of an answer."""

from __future__ import annotations

import argparse
import json
import sys

from seq2sum._command.bars import explained
from seq2sum._command.complaints import one_line, shown, tell
from seq2sum._command.connection import asked, connected
from seq2sum._command.endings import DONE, FAILED
from seq2sum._command.terminal import Terminal
from seq2sum.addition.answers import InvalidQuestion
from seq2sum.addition.explanation import Explanation


def run(options: argparse.Namespace) -> int:
    """Does what the command line asks for; gives back the exit code."""
    code, terminal, before = DONE, Terminal.of(sys.stdout), ""
    with connected(options) as client:
        for question in options.questions:
            try:
                explanation = client.explain(question, **asked(options))
            except InvalidQuestion as error:
                tell(one_line(str(error)))
                code = FAILED
                continue
            if options.json:
                print(as_json(explanation), flush=True)
            else:
                print(
                    before + explained(explanation, terminal, most=options.top), end="", flush=True
                )
                before = "\n"
    return code


def as_json(explanation: Explanation) -> str:
    """For a program: the whole alphabet at each place, the most probable first."""
    places = [
        [
            {"character": character, "probability": probability}
            for character, probability in place.alternatives
        ]
        for place in explanation.positions
    ]
    return json.dumps(
        {
            "question": shown(explanation.question),
            "answer": explanation.text,
            "confidence": explanation.confidence,
            "version": explanation.version,
            "places": places,
        }
    )
