"""What `cargo xtask fakeredis` adds to fakeredis's own tests, as a pytest plugin.

Leaves out the commands that tests/foreign/fakeredis.skip lists, and takes the number of examples from the
environment. No deadline: a shared machine stops for longer than any that would say something.
"""

import os
import re

from hypothesis import HealthCheck, settings


def left_out():
    with open(os.environ["LEFT_OUT"], encoding="utf-8") as file:
        lines = [line for line in file.read().splitlines() if line and not line.startswith("#")]
    return [re.compile(line.split("\t")[0]) for line in lines]


def pytest_collection_finish(session):
    settings.register_profile(
        "ours",
        max_examples=int(os.environ["EXAMPLES"]),
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile("ours")
    from test.test_hypothesis import base

    patterns, compare, count = left_out(), base.BaseMachine._compare, [0]

    def compare_unless_left_out(self, command):
        shown = " ".join(base.Command.encode(arg).decode("utf-8", "replace") for arg in command.args)
        if not any(pattern.fullmatch(shown.lower()) for pattern in patterns):
            count[0] += 1
            compare(self, command)

    base.BaseMachine._compare = compare_unless_left_out
    session.config.compared = count


def pytest_terminal_summary(terminalreporter, config):
    terminalreporter.write_line(f"COMPARED {config.compared[0]}")
