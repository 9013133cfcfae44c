# SPDX-License-Identifier: BSD-3-Clause
"""How a test makes itself known to run.py.

    @test(limit=30)
    def forwards_ping(lab): ...

    @test(each={"spin-0": 0, "spin-50": 50})     # two tests: wakes_up/spin-0, wakes_up/spin-50
    def wakes_up(lab, spin_us): ...
"""

TESTS = []


class Test:
    """A function that takes a Lab, and how long it may take: see run.py's PATIENCE."""

    def __init__(self, name, limit, run):
        self.name = name
        self.suite = "switch"  # or what the test's file says: SUITE = "hostile"
        self.limit = limit
        self.run = run


def test(limit=60, each=None):
    """Registers a test; `limit` in seconds, `each` maps names to second arguments."""
    def register(function):
        if each is None:
            TESTS.append(Test(function.__name__, limit, function))
        else:
            for name, value in each.items():
                TESTS.append(Test(f"{function.__name__}/{name}", limit,
                                  lambda lab, value=value: function(lab, value)))
        return function
    return register
