#!/usr/bin/env bash
# A Dask future that was reported as finished is unfinished again as soon as the only worker that holds its
# answer leaves, even by an orderly retirement: status "lost", done() false, and exception(), result(),
# traceback() and wait() wait for somebody to do the task again. Callbacks are not called a second time.
#
# Packages: distributed and dask 2026.8.0. PyPI, November 2026.
#
# Jobs that write their outputs to files and answer None are usually watched by as_completed or
# add_done_callback, with a look at status or exception() of what comes out. Nothing tells that look that the
# future has changed in between: without a limit of time it does not come back while no worker is there, and
# with a new worker the task runs twice, for an answer of None. With a second worker the answer is moved there
# first and the future stays finished. Guess before it was run: what is done stays done, and exception() of it
# answers at once.
#
# Way out: ask for the exception only where status is "error"; give every wait a limit of time.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cat > "$folder/lost.py" <<'PYTHON'
import sys
import time
from pathlib import Path

from distributed import Client, LocalCluster, as_completed, wait

LOG = Path(sys.argv[1])


def work():
    with LOG.open("a") as log:
        log.write("done\n")


def asked(question):
    try:
        return repr(question(timeout=2))
    except TimeoutError:
        return "TimeoutError"


def seen(workers):
    LOG.write_text("")
    with (
        LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=False, dashboard_address=":0", silence_logs=50
        ) as cluster,
        Client(cluster) as client,
    ):
        told = []
        future = client.submit(work, pure=False)
        future.add_done_callback(lambda one: told.append(one.status))
        (first,) = as_completed([future])
        before = first.status, first.done()
        holder = next(iter(client.who_has([future]).values()))
        if workers == 1:
            cluster.scale(0)  # retired, then closed
            end = time.monotonic() + 60
            while future.status == "finished" and time.monotonic() < end:
                time.sleep(0.05)
        else:
            client.retire_workers(list(holder))
        after = future.status, future.done()
        answers = [asked(one) for one in (future.exception, future.result, future.traceback)]
        answers.append(asked(lambda timeout: wait([future], timeout=timeout).done == {future}))
        if workers == 1:
            cluster.scale(1)
        again = future.result(timeout=60)
        return before, after, answers, again, told, len(LOG.read_text().split())


if __name__ == "__main__":
    for workers in (1, 2):
        before, after, answers, again, told, runs = seen(workers)
        print(f"{workers} worker(s): {before} -> {after}, exception, result, traceback, wait: {answers};")
        print(f"    at last {again}, callbacks {told}, the task ran {runs} time(s)")
        assert before == ("finished", True) and again is None and told == ["finished"]
        if workers == 1:
            assert after == ("lost", False) and answers == ["TimeoutError"] * 4 and runs == 2
        else:
            assert after == ("finished", True) and runs == 1
            assert answers == ["None", "None", "None", "True"]
PYTHON
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet distributed==2026.8.0 dask==2026.8.0
"$folder/venv/bin/python" "$folder/lost.py" "$folder/log.txt"
# Seen: one worker: finished, done -> lost, not done; four TimeoutErrors after 2 s each; the task ran twice and its
# callback once. Two workers: finished stays finished, nothing raised, the task ran once.
