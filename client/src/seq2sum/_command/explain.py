"""`seq2sum explain`: shows the probable characters at each position of an answer."""

from __future__ import annotations

import argparse
import json
import sys

from seq2sum._command.bar_chart import bar_chart
from seq2sum._command.connection import call_options, connect
from seq2sum._command.errors import one_line, print_error, question_text
from seq2sum._command.exit_codes import FAILURE, SUCCESS
from seq2sum._command.terminal import Terminal
from seq2sum.addition.answers import InvalidQuestion
from seq2sum.addition.client import Client
from seq2sum.addition.explanation import Explanation


def run(options: argparse.Namespace) -> int:
    """Runs the subcommand; returns the exit code."""
    code, terminal, separator = SUCCESS, Terminal.of(sys.stdout), ""
    with connect(options, Client) as client:
        for question in options.questions:
            try:
                explanation = client.explain(question, **call_options(options))
            except InvalidQuestion as error:
                print_error(one_line(str(error)))
                code = FAILURE
                continue
            if options.json:
                print(as_json(explanation), flush=True)
            else:
                chart = bar_chart(explanation, terminal, most=options.top)
                print(separator + chart, end="", flush=True)
                separator = "\n"
    return code


def as_json(explanation: Explanation) -> str:
    """Returns a JSON object with the whole alphabet at each position, most probable first."""
    positions = [
        [
            {"character": character, "probability": probability}
            for character, probability in position.alternatives
        ]
        for position in explanation.positions
    ]
    return json.dumps(
        {
            "question": question_text(explanation.question),
            "answer": explanation.text,
            "confidence": explanation.confidence,
            "version": explanation.version,
            "positions": positions,
        }
    )
