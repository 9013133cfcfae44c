# SPDX-License-Identifier: BSD-3-Clause
"""The result of a bench: as one JSON object, and as a line of a table for people."""

import json
import os
import statistics

from bench import SLUICE


def machine():
    """What the figures belong to, in a few words."""
    model = "unknown CPU"
    with open("/proc/cpuinfo", encoding="utf-8") as cpuinfo:
        for line in cpuinfo:
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return f"{os.cpu_count()} x {model}, Linux {os.uname().release}"


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def ratio(bench, ours, theirs):
    """Of medians or of bests, whichever speaks less for us."""
    best, worse = ("max", min) if bench.more_is_better else ("min", max)
    return worse(ours["median"] / theirs["median"], ours[best] / theirs[best])


def rounded(value):
    """Four significant digits: more would be noise."""
    return float(f"{value:.4g}")


def summarise(bench, values, remarks=None):
    """The JSON object of a bench; `values` is {side: [one value per run]}, `remarks` a {name: values}
    of what else was seen in the same runs."""
    sides = {side: spread(list_of) for side, list_of in values.items()}
    ours = sides.pop(SLUICE)
    result = {
        "name": bench.name,
        "unit": bench.unit,
        "sluice": {key: rounded(value) for key, value in ours.items()},
        "peers": {name: {key: rounded(value) for key, value in theirs.items()}
                  for name, theirs in sides.items()},
        "ratio": {name: rounded(ratio(bench, ours, theirs)) for name, theirs in sides.items()},
        "runs": len(values[SLUICE]),
        "machine": machine(),
    }
    if remarks:
        result["remarks"] = {name: {side: rounded(statistics.median(list_of))
                                    for side, list_of in of_sides.items()}
                             for name, of_sides in remarks.items()}
    return result


def as_json(result):
    return json.dumps(result)


def describe_spread(spread_of):
    return f"{spread_of['median']:.4g} ({spread_of['min']:.4g} - {spread_of['max']:.4g})"


def describe_sides(sides):
    """Of a remark: ours, and then the peers' by their names."""
    return ", ".join((f"{side} " if side != SLUICE else "") + describe_spread(spread(values))
                     for side, values in sides.items())


def describe_bar(bench, result):
    if bench.bar is None:
        return "-"
    values = ([result["ratio"][bench.bar_peer]] if bench.bar_peer else
              result["ratio"].values() or [result["sluice"]["median"]])
    met = all(v >= bench.bar if bench.more_is_better else v <= bench.bar for v in values)
    return f"{'>=' if bench.more_is_better else '<='} {bench.bar:g} {'met' if met else 'MISSED'}"


HEAD = ("bench", "unit", "sluice: median (range)", "peer: median (range)", "ratio", "bar")
WIDTHS = (9, 4, 27, 24, 5, 0)


def row(cells):
    return "  ".join(str(cell).ljust(width) for cell, width in zip(cells, WIDTHS)).rstrip()


def as_row(bench, result):
    """A line of the table, under row(HEAD)."""
    peers = ", ".join(describe_spread(s) for s in result["peers"].values()) or "-"
    ratios = ", ".join(f"{value:.2f}" for value in result["ratio"].values()) or "-"
    return row((bench.name, bench.unit, describe_spread(result["sluice"]), peers, ratios,
                describe_bar(bench, result)))
