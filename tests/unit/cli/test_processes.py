from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from cellstorm.errors import RuntimeUnavailable
from cellstorm_cli.processes import ProcessSpec, Supervisor


def python(name: str, program: str, **environment: str) -> ProcessSpec:
    return ProcessSpec(name, (sys.executable, "-c", program), environment)


def sleeper(name: str = "sleeper") -> ProcessSpec:
    return python(name, "import time; time.sleep(600)")


def wait_for(is_so: Callable[[], bool]) -> None:
    """Until it is; the test's own time limit ends it otherwise."""
    while not is_so():
        time.sleep(0.02)


def test_all_processes_are_gone_when_the_supervisor_is_left() -> None:
    with Supervisor() as supervisor:
        supervisor.start(sleeper("a"), sleeper("b"))
        supervisor.start(sleeper("c"))
        ids = [supervisor.process_id(name) for name in "abc"]
        assert all(psutil.pid_exists(each) for each in ids)
    assert not any(psutil.pid_exists(each) for each in ids)


def test_later_stages_end_before_earlier_ones(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys\n"
        "def end(*_):\n"
        "    with open(os.environ['LOG'], 'a') as log: log.write(os.environ['NAME'])\n"
        "    sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "open(os.environ['LOG'] + os.environ['NAME'], 'w').close()\n"
        "while True: signal.pause()"
    )
    log = tmp_path / "log"
    with Supervisor() as supervisor:
        for name in "abc":
            supervisor.start(python(name, program, LOG=str(log), NAME=name))
        wait_for(lambda: all(Path(f"{log}{name}").exists() for name in "abc"))
    assert log.read_text() == "cba"


def test_a_process_that_dies_is_started_again() -> None:
    with Supervisor() as supervisor:
        supervisor.start(sleeper())
        first = supervisor.process_id("sleeper")
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: supervisor.restarts("sleeper") == 1)
        second = supervisor.process_id("sleeper")
        assert second != first
        assert psutil.pid_exists(second)
    assert not psutil.pid_exists(second)


def test_a_process_that_refuses_its_work_is_not_started_again(tmp_path: Path) -> None:
    log_file = tmp_path / "log"
    command = (sys.executable, "-c", "import sys; print('first'); print('no GPU here'); sys.exit(2)")
    with Supervisor() as supervisor:
        supervisor.start(ProcessSpec("worker", command, log_file=log_file), sleeper())
        assert supervisor.refused.wait(60)
        assert supervisor.restarts("worker") == 0
        with pytest.raises(RuntimeUnavailable, match="worker could not go on: no GPU here"):
            supervisor.wait_until(lambda: False, "the service", 60)


def test_waiting_for_what_never_comes_has_an_end() -> None:
    with Supervisor() as supervisor, pytest.raises(RuntimeUnavailable, match="the gateway is not ready after 0 s"):
        supervisor.wait_until(lambda: False, "the gateway", 0.0)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent was killed")
def test_processes_end_with_a_supervisor_that_is_killed() -> None:
    program = (
        "import time\n"
        "from tests.unit.cli.test_processes import sleeper\n"
        "from cellstorm_cli.processes import Supervisor\n"
        "with Supervisor() as supervisor:\n"
        "    supervisor.start(sleeper())\n"
        "    print(supervisor.process_id('sleeper'), flush=True)\n"
        "    time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        wait_for(lambda: "tied" not in " ".join(child.cmdline()))  # it has become the sleeper
        parent.kill()
    child.wait(60)
