"""eventsourcing: its recorder by itself. Each caller inserts one event at a time into streams of its own."""

import json
import sys
import time
from threading import Thread
from uuid import uuid4

from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from psycopg.conninfo import conninfo_to_dict

LENGTH = 10
TYPES = ["OrderPlaced", "OrderPaid", "OrderPacked", "OrderSent"]
url, data = sys.argv[1], sys.argv[2].encode()
login = conninfo_to_dict(url)
store = PostgresDatastore(
    dbname=login["dbname"],
    host=login["host"],
    port=login.get("port", "5432"),
    user=login.get("user", "postgres"),
    password=login.get("password", ""),
    pool_size=64,
    connect_timeout=30,
)
recorder = PostgresApplicationRecorder(store)
recorder.create_table()


def caller(end, times, errors):
    stream, version = uuid4(), 0
    while time.perf_counter() < end:
        if version == LENGTH:
            stream, version = uuid4(), 0
        asked = time.perf_counter()
        try:
            recorder.insert_events([StoredEvent(stream, version, TYPES[version % len(TYPES)], data)])
            times.append((time.perf_counter() - asked) * 1e6)
            version += 1
        except Exception as error:
            if not errors:
                print(error, file=sys.stderr)
            errors.append(error)
            version = LENGTH


print("ready", flush=True)
for line in sys.stdin:
    callers, milliseconds = map(int, line.split())
    times, errors = [], []
    began = time.perf_counter()
    threads = [Thread(target=caller, args=(began + milliseconds / 1e3, times, errors)) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    times.sort()
    at = lambda share: times[int(len(times) * share)] if times else 0
    load = {"calls": len(times), "errors": len(errors), "seconds": seconds, "p50": at(0.5), "p99": at(0.99)}
    print(json.dumps(load), flush=True)
store.close()
