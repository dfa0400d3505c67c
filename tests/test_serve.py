"""The nightly deployment on a real Prefect server: `careclips serve` runs it on its schedule and when it is asked
to."""

import functools
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
CONFIG = """
run: {workers: 1, plate_samples: 12}
sample_footage: {rooms: 1, clips_per_room: 1, seconds: 4.0, fps: 10, width_px: 320, height_px: 240, two_people: 0.0}
calibrate: {bootstrap_replicates: 10}
people3d: {fit: {steps: 60, last_steps: 15}}
serve: {cron: 17 2 * * *, footage: footage, store: store, order: order.yaml, count: 2, dataset: dataset}
"""
ORDER = "{events: [{event: fall, seconds: 4}, {event: walk, seconds: 3}], fps: 10, attempts_per_clip: 12}"


@pytest.fixture
def server(tmp_path):
    """A Prefect server of our own: its API's address, and the environment that points there."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
    }
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with running(command, tmp_path / "server.log", environment):
        api = functools.partial(ask, environment["PREFECT_API_URL"])
        until(lambda: api("/health"), tmp_path / "server.log")
        yield api, environment


@contextmanager
def running(command, log, environment):
    """A process in a session of its own; at the end it and all that it started go."""
    with log.open("w") as handle:
        process = subprocess.Popen(
            list(map(str, command)),
            stdout=handle,
            stderr=handle,
            env=environment,
            cwd=log.parent,
            start_new_session=True,
        )
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            pass
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def ask(address, path, body=None):
    """The server's answer; None where it does not answer, or not with what was asked for."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address + path, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)
    except OSError:
        return None


def until(look, log, seconds=240):
    """What `look` gives as soon as it gives something."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        time.sleep(0.5)
    return found


def test_the_nightly_deployment_runs_on_a_server(server, tmp_path):
    api, environment = server
    (tmp_path / "order.yaml").write_text(ORDER)
    (tmp_path / "config.yaml").write_text(CONFIG)
    careclips = [sys.executable, "-m", "pipeline.cli.main"]
    made = [*careclips, "sample-footage", "--out", "footage", "--config", "config.yaml"]
    subprocess.run(made, check=True, capture_output=True, env=environment, cwd=tmp_path, timeout=300)
    log = tmp_path / "serve.log"

    def stamps():
        """When each artefact was written, by stage and key."""
        metas = (tmp_path / "store").glob("[a-z]*/*/meta.json")
        return {f"{meta.parent.parent.name}/{meta.parent.name}": meta.stat().st_mtime_ns for meta in metas}

    def run_once(deployment):
        # A busy server may not answer in time though it has heard: asked again under the same key, it starts nothing
        # twice.
        asked = {"state": {"type": "SCHEDULED"}, "idempotency_key": uuid.uuid4().hex}
        started = until(lambda: api(f"/deployments/{deployment['id']}/create_flow_run", asked), log)

        def ended():
            run = api(f"/flow_runs/{started['id']}")
            return run if run and run["state"]["type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED") else None

        assert until(ended, log)["state"]["type"] == "COMPLETED", log.read_text()[-3000:]
        return json.loads((tmp_path / "dataset" / "summary.json").read_text())

    with running([*careclips, "serve", "--config", "config.yaml"], log, environment):
        deployment = until(lambda: api("/deployments/name/careclips-nightly/nightly"), log)
        assert [one["schedule"]["cron"] for one in deployment["schedules"]] == ["17 2 * * *"]
        made = run_once(deployment)
        assert made["requested"] == made["recomputed"] == 2 and made["accepted"] >= 1
        assert (tmp_path / "dataset" / "report.html").exists()
        before = stamps()
        assert {"ingest", "people3d", "room", "clip"} <= {name.split("/")[0] for name in before}
        assert run_once(deployment)["recomputed"] == 0
        assert stamps() == before

    # The same flow by prefect.yaml, for workers of a pool.
    assert api("/work_pools/", {"name": "default", "type": "process"})
    deploy = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
    done = subprocess.run(deploy, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr
    deployed = api("/deployments/name/careclips-nightly/nightly")
    assert (deployed["entrypoint"], deployed["work_pool_name"]) == ("flows.py:nightly", "default")
    assert [one["schedule"]["cron"] for one in deployed["schedules"]] == ["0 1 * * *"]
    asked = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"][0]["parameters"]
    assert deployed["parameters"] == asked and set(asked) <= set(deployed["parameter_openapi_schema"]["properties"])


def test_a_server_that_does_not_answer_is_named_in_one_line(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PREFECT_API_URL": "http://127.0.0.1:9/api"}
    for verb in (["nightly"], ["serve"], ["report", str(tmp_path), "--prefect"]):
        command = [sys.executable, "-m", "pipeline.cli.main", *verb]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
        assert done.returncode == 1 and len(done.stderr.splitlines()) == 1, done.stderr
        assert done.stderr.startswith("careclips: PREFECT_API_URL: is http://127.0.0.1:9/api, where no Prefect server")
