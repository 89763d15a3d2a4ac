#!/usr/bin/env python3
"""How many of everything a load takes, and what it costs: prints the tables of infra/capacity.md. Replace a figure here when a new one was measured.

    infra/tools/capacity.py                        the load of the design: 10 billion events a day
    infra/tools/capacity.py --events-per-day 1e8   another one
    infra/tools/capacity.py --write                puts the tables into infra/capacity.md
"""

import argparse
import math
import re
import sys
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "capacity.md"
DAY_S = 86_400

# What was measured by this project: README.md, "Figures", two shared cores of an AMD EPYC; `make bench` and its siblings measure it anew.
MEASURED = {
    "edge_events_per_core_s_single": (1_126, "events/s/core through the edge, one event a request"),
    "edge_events_per_core_s_ten": (9_889, "events/s/core through the edge, ten events a request"),
    "edge_cpu_us_request": (888, "µs of CPU of a durable request with one event"),
    "nats_cpu_us_event": (8, "µs of CPU of nats-server an event, one copy (ten events a request; 62 when each comes alone on a quiet system)"),
    "aggregator_events_per_core_s": (21_765, "events/s/core, stream → sealed files, merging included"),
    "fold_cpu_us_event": (4, "µs of CPU to decode and fold an event, which every query node does with the live end (keeping its row not included)"),
    "stream_bytes_event": (120, "bytes of an event on the stream"),
    "part_bytes_event": (44, "bytes of an event in files"),
    "archive_bytes_event": (33, "bytes of an event in the archive"),
    "rollup_share": (0.111, "bytes of rollups beside those of parts"),
    "rollup_cpu_us_event": (7, "µs of CPU an event to make rollups"),
    "query_cpu_ms_new": (14, "ms of CPU of a new question (mix over 999 sites)"),
    "query_cpu_ms_repeated": (0.31, "ms of CPU of one that repeats"),
    "edge_rss_mb": (363, "MB of an edge after the benchmark"),
    "aggregator_rss_mb_partition": (582, "MB of an aggregator for each of two partitions after the benchmark"),
    "nats_r3_mb_s": (50, "MB/s acknowledged by three servers with sync always, messages of 50 KB, two cores for all three"),
}

# What is assumed. Nobody has measured it for your load: change it.
ASSUMED = {
    "peak": (2.9, "times the day's average in the busiest minute (350,000 to 120,000 events/s)"),
    "events_per_request": (1.2, "events of a request, browsers and servers together"),
    "utilisation": (0.6, "share of a core that is planned at the peak"),
    "partition_events_s": (4_000, "events/s of a partition at the peak"),
    "stream_days": (2, "days that the stream keeps what is archived (default: 7)"),
    "repeated": (0.5, "share of questions that repeat"),
    "flush_s": (60, "seconds until an event is in a file"),
    "tail_bytes_row": (400, "bytes a row of the live end takes in a query node, as its limits say (800 MB for 2 million)"),
    "query_node_cores": (16, "cores of a query node"),
    "batchers_per_partition": (2, "slots"),
    "s3_usd_gb_month": (0.022, "US$ for a GB in a month, S3 standard above 50 TB, list price of 2025"),
    "cf_requests_usd_million": (0.30, "US$ for a million Workers requests, list price of 2025"),
    "cf_cpu_usd_million_ms": (0.02, "US$ for a million ms of CPU"),
    "cf_do_requests_usd_million": (0.15, "US$ for a million requests of Durable Objects"),
    "cf_do_duration_usd_million_gb_s": (12.50, "US$ for a million GB-seconds of Durable Objects"),
    "cf_rows_written_usd_million": (1.00, "US$ for a million rows written to SQLite"),
    "cf_rows_per_event": (2, "rows written an event: one inserted with its group, one deleted, while groups hold about one event"),
    "cf_do_gb": (0.128, "GB that a Durable Object is billed with"),
}


def round_up(value):
    return max(1, math.ceil(value))


def number(value, digits=0):
    return f"{value:,.{digits}f}"


def size(bytes_):
    for unit, factor in (("PB", 1e15), ("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if bytes_ >= factor:
            return f"{bytes_ / factor:,.1f} {unit}"
    return f"{bytes_:,.0f} B"


def interpolated(single, ten, events):
    """Events/s/core at so many events a request, from the two that were measured: a request costs a fixed part and a part an event."""
    per_ten, per_one = 10 / ten, 1 / single
    each = (per_ten - per_one) / 9
    return events / (per_one - each + each * events)


def tables(events_per_day, queries_per_day):
    m = {name: value for name, (value, _) in MEASURED.items()}
    a = {name: value for name, (value, _) in ASSUMED.items()}
    average = events_per_day / DAY_S
    peak = average * a["peak"]
    edge_rate = interpolated(m["edge_events_per_core_s_single"], m["edge_events_per_core_s_ten"], a["events_per_request"])
    edges = round_up(peak / edge_rate / a["utilisation"])
    edges_ten = round_up(peak / m["edge_events_per_core_s_ten"] / a["utilisation"])
    partitions = round_up(peak / a["partition_events_s"])
    stream_mb_s = peak * m["stream_bytes_event"] / 1e6
    clusters = round_up(stream_mb_s / m["nats_r3_mb_s"] / a["utilisation"])
    nats_cores = round_up(peak * 3 * m["nats_cpu_us_event"] / 1e6 / a["utilisation"])
    aggregator_cores = round_up(peak * (1 / m["aggregator_events_per_core_s"] + m["rollup_cpu_us_event"] / 1e6) / a["utilisation"])
    question_ms = (1 - a["repeated"]) * m["query_cpu_ms_new"] + a["repeated"] * m["query_cpu_ms_repeated"]
    queries_peak = queries_per_day / DAY_S * a["peak"]
    fold_cores = peak * m["fold_cpu_us_event"] / 1e6
    question_cores = queries_peak * question_ms / 1e3
    room = a["query_node_cores"] * a["utilisation"] - fold_cores
    nodes = max(2, round_up(question_cores / room)) if room > 0 else None
    tail = peak * a["flush_s"] * a["tail_bytes_row"]
    files_day = events_per_day * m["part_bytes_event"] * (1 + m["rollup_share"])
    archive_day = events_per_day * m["archive_bytes_event"]
    year = (files_day + archive_day) * 365
    stream_disk = events_per_day * m["stream_bytes_event"] * a["stream_days"]
    day = lambda usd: f"{usd:,.0f} US$"
    requests = events_per_day / a["events_per_request"]
    cloudflare = {
        "requests of the worker": requests / 1e6 * a["cf_requests_usd_million"],
        "CPU": requests * m["edge_cpu_us_request"] / 1e3 / 1e6 * a["cf_cpu_usd_million_ms"],
        "requests of Durable Objects": requests / 1e6 * a["cf_do_requests_usd_million"],
        "duration of Durable Objects": partitions * a["batchers_per_partition"] * a["cf_do_gb"] * DAY_S / 1e6 * a["cf_do_duration_usd_million_gb_s"],
        "rows written": events_per_day * a["cf_rows_per_event"] / 1e6 * a["cf_rows_written_usd_million"],
    }
    needs = [
        ("load", f"{number(average)} events/s on average, {number(peak)} at the peak; {number(queries_peak)} queries/s at the peak", ""),
        ("edges", f"{number(edges)} cores, one workerd each; {size(edges * m['edge_rss_mb'] * 1e6)} of memory", f"{number(edge_rate)} events/s/core at {a['events_per_request']} events a request; {number(edges_ten)} cores if all came ten at a time"),
        ("partitions (streams)", number(partitions), f"{number(a['partition_events_s'])} events/s each at the peak; at most 256"),
        ("NATS", f"{number(clusters)} clusters (or regions) of 3, {number(nats_cores)} cores altogether, {size(stream_disk / clusters)} of fast disk on each server", f"{number(stream_mb_s, 1)} MB/s at the peak, {a['stream_days']} days, three copies"),
        ("aggregators", f"{number(aggregator_cores)} cores, {size(partitions * m['aggregator_rss_mb_partition'] * 1e6)} of memory; twice that with one standing by for each", "with merging and rollups"),
        ("query nodes", (f"{number(nodes)} of {a['query_node_cores']} cores, {size(tail)} of memory for the live end of each" if nodes else f"none of {a['query_node_cores']} cores can follow the live end"), f"{number(question_cores)} cores for questions, {number(fold_cores, 1)} cores on every node to fold all live ends"),
        ("files and rollups", f"{size(files_day)} a day", f"{m['part_bytes_event']} bytes an event, {m['rollup_share']:.0%} more for rollups"),
        ("archive", f"{size(archive_day)} a day", f"{m['archive_bytes_event']} bytes an event"),
        ("bucket after a year", f"{size(year)}, {day(year / 1e9 * a['s3_usd_gb_month'])} a month", "list price"),
        ("network inside a region", f"{size(stream_mb_s * 1e6 * (1 + 2 + 1 + (nodes or 0)))}/s at the peak", "edge → NATS, two copies, aggregator, every query node"),
    ]
    lines = ["| what | how much | from |", "|---|---|---|"]
    lines += [f"| {what} | {much} | {source} |" for what, much, source in needs]
    lines += ["", "| the edge on Cloudflare instead, a day at list price | |", "|---|---|"]
    lines += [f"| {what} | {day(usd)} |" for what, usd in cloudflare.items()]
    lines += [f"| together | {day(sum(cloudflare.values()))} a day, {day(sum(cloudflare.values()) * 30.4)} a month |"]
    lines += ["", "| measured | |", "|---|---|", *[f"| {meaning} | {value:,} |" for value, meaning in MEASURED.values()]]
    lines += ["", "| assumed | |", "|---|---|", *[f"| {meaning} | {value:,} |" for value, meaning in ASSUMED.values()]]
    return "\n".join(lines)


def page(text, made):
    return re.sub(r"(?<=<!-- made by infra/tools/capacity.py -->\n).*?(?=<!-- end -->)", lambda _: made + "\n", text, flags=re.S)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--events-per-day", type=float, default=10e9)
    options.add_argument("--queries-per-day", type=float, default=100e6)
    options.add_argument("--write", action="store_true", help="put the tables into infra/capacity.md")
    options.add_argument("--check", action="store_true", help="exit status 1 when infra/capacity.md has others")
    given = options.parse_args()
    made = tables(given.events_per_day, given.queries_per_day)
    if given.write:
        PAGE.write_text(page(PAGE.read_text(), made))
    elif given.check:
        text = PAGE.read_text()
        if page(text, made) != text or made not in text:
            sys.exit("infra/capacity.md has other figures: run infra/tools/capacity.py --write")
    else:
        print(made)


if __name__ == "__main__":
    main()
