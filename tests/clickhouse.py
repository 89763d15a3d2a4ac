"""The other side of the benchmark: ClickHouse (chdb) on the same events.

usage: clickhouse.py FOLDER, then one JSON object a line on standard input, one answered on standard output:
  {"load": ["events.parquet", ...]}  -> {"events": n, "sessions": n}; does nothing when the folder is loaded already
  {"sql": "..."}                     -> {"rows": [[...]], "cpu_ms": x, "ms": y}
"""
import json
import os
import sys
import time

from chdb import session

EVENTS = """CREATE TABLE bench.events (
  site_id UInt32, timestamp DateTime64(3, 'UTC'), seq UInt64, idx UInt32, name LowCardinality(String), visitor_id UInt64, visit_id UInt64,
  hostname LowCardinality(String), pathname String, `meta.key` Array(String), `meta.value` Array(String),
  engagement_ms UInt32, scroll_depth Nullable(UInt8), interactive Bool,
  revenue_micros Nullable(Int64), revenue_currency LowCardinality(String),
  source LowCardinality(String), referrer String, channel LowCardinality(String), utm_source LowCardinality(String), utm_medium LowCardinality(String),
  utm_campaign LowCardinality(String), country LowCardinality(String), device LowCardinality(String), browser LowCardinality(String),
  browser_version LowCardinality(String), os LowCardinality(String), os_version LowCardinality(String)
) ENGINE = MergeTree PARTITION BY toYYYYMM(timestamp) ORDER BY (site_id, toDate(timestamp), name, visitor_id, timestamp)"""

SESSIONS = """CREATE TABLE bench.sessions (
  site_id UInt32, visit_id UInt64, visitor_id UInt64, start DateTime64(3, 'UTC'), last DateTime64(3, 'UTC'), pageviews UInt32, is_bounce Bool,
  duration_ms Int64, entry_page String, exit_page String,
  source LowCardinality(String), country LowCardinality(String), browser LowCardinality(String), device LowCardinality(String)
) ENGINE = MergeTree PARTITION BY toYYYYMM(start) ORDER BY (site_id, toDate(start), visitor_id, visit_id)"""

FILL_EVENTS = """INSERT INTO bench.events SELECT site_id, fromUnixTimestamp64Milli(event_ms, 'UTC'), seq, idx, name, visitor_id, visit_id, hostname, pathname,
  arrayMap(x -> x.1, JSONExtractKeysAndValues(ifNull(props, '{{}}'), 'String')),
  arrayMap(x -> x.2, JSONExtractKeysAndValues(ifNull(props, '{{}}'), 'String')),
  ifNull(engagement_ms, 0), scroll_depth, interactive, revenue_micros, ifNull(revenue_currency, ''), source, referrer, channel, utm_source, utm_medium,
  utm_campaign, country, device, browser, browser_version, os, os_version
  FROM file('{file}', Parquet)"""

FILL_SESSIONS = """INSERT INTO bench.sessions SELECT site_id, visit_id, min(visitor_id), min(timestamp), max(timestamp), countIf(name = 'pageview'),
  countIf(interactive) < 2, toUnixTimestamp64Milli(max(timestamp)) - toUnixTimestamp64Milli(min(timestamp)),
  argMinIf(pathname, (timestamp, seq, idx), name = 'pageview'), argMaxIf(pathname, (timestamp, seq, idx), name = 'pageview'),
  min(source), min(country), min(browser), min(device)
  FROM bench.events WHERE name != 'engagement' GROUP BY site_id, visit_id"""


def load(base, files):
    if not base.query("SELECT count() FROM system.tables WHERE database = 'bench' AND name = 'sessions'", "TSV").bytes().strip() == b"1":
        base.query("DROP DATABASE IF EXISTS bench")
        base.query("CREATE DATABASE bench ENGINE = Atomic")
        base.query(EVENTS)
        for file in files:
            base.query(FILL_EVENTS.format(file=file))
        base.query("OPTIMIZE TABLE bench.events FINAL")
        base.query(SESSIONS)
        base.query(FILL_SESSIONS)
        base.query("OPTIMIZE TABLE bench.sessions FINAL")
    count = lambda table: int(base.query(f"SELECT count() FROM bench.{table}", "TSV").bytes())
    return {"events": count("events"), "sessions": count("sessions")}


def run(base, sql):
    wall, cpu = time.perf_counter(), time.process_time()
    answer = base.query(sql, "JSONCompactEachRow").bytes()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    rows = [json.loads(line) for line in answer.splitlines() if line]
    return {"rows": rows, "cpu_ms": cpu * 1e3, "ms": wall * 1e3}


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    base = session.Session(folder)
    for setting in ("max_threads = 2", "output_format_json_quote_64bit_integers = 0", "use_query_cache = 0"):
        base.query("SET " + setting)
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = load(base, asked["load"]) if "load" in asked else run(base, asked["sql"])
        except Exception as error:  # noqa: BLE001 - told to the other side
            answer = {"error": str(error)}
        print(json.dumps(answer), flush=True)


main()
