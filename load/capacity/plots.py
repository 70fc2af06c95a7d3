"""Two plots: how throughput grows with workers, and how latency grows with the rate. Pure."""

from __future__ import annotations

import altair as alt

from lab.report.charts import COLOURS, RED, data
from lab.report.plots import Chart
from load.capacity import model, queueing
from load.capacity.measure import USUAL, Measured
from load.capacity.page import GOAL_MS

WIDTH, HEIGHT = 640, 240
WORKERS_MAX = 8
STEPS = 60
SHOWN_GOALS = 3
BLUE, AMBER = COLOURS[:2]


def throughput(measured: Measured) -> Chart:
    """The law as a line; what it was fitted to and what it had not seen as points."""
    law = model.law(measured)
    line = [
        {"workers": at / 10, "messages/s": law.throughput(at / 10)}
        for at in range(10, 10 * WORKERS_MAX + 1)
    ]
    points = [
        {"workers": each.workers, "messages/s": each.per_s, "run": "the law was fitted to it"}
        for each in measured.points
    ]
    unseen = measured.unseen
    points.append(
        {"workers": unseen.workers, "messages/s": unseen.per_s, "run": "the law had not seen it"}
    )
    x = alt.X("workers:Q", axis=alt.Axis(tickMinStep=1, format="d"))
    y = alt.Y("messages/s:Q", scale=alt.Scale(zero=True))
    return alt.layer(
        alt.Chart(data(line)).mark_line(color=BLUE).encode(x=x, y=y),
        alt.Chart(data(points))
        .mark_point(size=90, filled=True, opacity=1)
        .encode(
            x=x,
            y=y,
            color=alt.Color(
                "run:N",
                title=None,
                legend=alt.Legend(orient="top"),
                scale=alt.Scale(
                    domain=["the law was fitted to it", "the law had not seen it"],
                    range=[BLUE, AMBER],
                ),
            ),
        ),
    ).properties(width=WIDTH, height=HEIGHT)


def latency(measured: Measured) -> Chart:
    """The mean by rate as the queue has it, the objective, and the rates that were measured."""
    takes = model.law(measured).throughput(USUAL)
    line = []
    for step in range(STEPS):
        per_s = takes * step / STEPS
        ms = queueing.mean_ms(per_s, takes, measured.alone_ms, model.wait_ms(measured))
        line.append({"messages/s": per_s, "mean": ms})
    points = [
        {"messages/s": 0, "mean": measured.alone_ms},
        {"messages/s": measured.light_per_s, "mean": measured.light_ms},
        {"messages/s": measured.busy_per_s, "mean": measured.busy_ms},
    ]
    x = "messages/s:Q"
    # As far as it matters: from saturation on there is no limit.
    scale = alt.Scale(domain=[0, SHOWN_GOALS * GOAL_MS])
    y = alt.Y("mean:Q", title="mean latency, ms", scale=scale)
    return alt.layer(
        alt.Chart(data(line)).mark_line(color=BLUE, clip=True).encode(x=x, y=y),
        alt.Chart(data(points)).mark_point(size=90, filled=True, color=AMBER).encode(x=x, y=y),
        alt.Chart(data([{"mean": GOAL_MS}])).mark_rule(color=RED, strokeDash=[4, 4]).encode(y=y),
    ).properties(width=WIDTH, height=HEIGHT)
