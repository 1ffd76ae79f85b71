"""Short runs of the replay benchmarks, as their users start them; and what they must not let pass."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from benchmarks._replay._data import DataMissing, Step, Task, load_tasks, spread
from benchmarks._replay._hashes import database_hash
from benchmarks._replay._losses import Loss, Struck, TakeOvers, take_overs
from benchmarks._replay._person import is_next_write
from proctor.deployments.support.shop import make_sample

ROOT = Path(__file__).parents[2]


def benchmark(name: str, *options: str, data: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"benchmarks.{name}", "--json", *options]
    environment = os.environ if data is None else {**os.environ, "PROCTOR_DATA": data}
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600, check=False
    )


def step(tool: str, *, writes: bool = True, fails: bool = False, **arguments: object) -> Step:
    return Step(tool=tool, arguments=arguments, writes=writes, fails=fails, result="")


def task(*steps: Step) -> Task:
    return Task(id="t", form="tau1", text="", steps=steps, patch={}, initial_hash="", final_hash="")


def asked(tool: str, **arguments: object) -> dict[str, object]:
    return {"server": "keyed", "tool": tool, "arguments": arguments}


def as_tuples(value):
    if isinstance(value, dict):
        return tuple((key, as_tuples(item)) for key, item in sorted(value.items()))
    return tuple(as_tuples(item) for item in value) if isinstance(value, list) else value


def test_a_database_has_the_hash_that_each_family_of_recordings_takes_of_it():
    shop = make_sample()
    assert database_hash(shop, "tau1") == sha256(str(as_tuples(dict(shop))).encode()).hexdigest()
    text = json.dumps(shop, sort_keys=True, default=str)
    assert database_hash(shop, "tau2") == sha256(text.encode()).hexdigest()


def test_ten_and_ten_point_zero_have_different_hashes():
    shops = [{"users": {"u": {"balance": balance}}} for balance in (10, 10.0)]
    for form in ("tau1", "tau2"):
        assert len({database_hash(shop, form) for shop in shops}) == 2


def test_a_person_approves_the_next_recorded_write_and_nothing_else():
    recorded = task(step("look", writes=False), step("cancel", order="1"), step("cancel", order="2"))
    first, second = asked("cancel", order="1"), asked("cancel", order="2")
    assert is_next_write(recorded, [], first)
    assert is_next_write(recorded, [first], second)
    assert not is_next_write(recorded, [], second)
    assert not is_next_write(recorded, [first], first)
    assert not is_next_write(recorded, [first, second], second)
    assert not is_next_write(recorded, [], asked("look"))
    assert not is_next_write(recorded, [], asked("cancel", order=1))


def test_a_write_that_fails_need_not_have_been_asked_for():
    recorded = task(step("cancel", fails=True), step("cancel", order="2"))
    assert is_next_write(recorded, [], asked("cancel"))
    assert is_next_write(recorded, [], asked("cancel", order="2"))


@pytest.mark.parametrize("name", ["tau_replay", "chaos"])
def test_absent_data_is_a_typed_error(name, tmp_path):
    ended = benchmark(name, data=str(tmp_path / "nowhere"))
    assert ended.returncode == 2, ended.stderr
    said = json.loads(ended.stdout)
    assert (said["ok"], said["error"]["code"]) == (False, "data_missing")
    assert "PROCTOR_DATA" in said["error"]["hint"]


@pytest.mark.parametrize("text", ["", "no JSON", '{"task_id": "1"}', "[]"])
def test_a_file_that_holds_no_replay_is_a_typed_error(text, tmp_path):
    file = tmp_path / "tasks.jsonl"
    file.write_text(text)
    with pytest.raises(DataMissing):
        load_tasks("retail", [file])


def test_a_task_of_another_domain_is_a_typed_error(tmp_path):
    file = tmp_path / "tasks.jsonl"
    line = {"task_id": "1", "domain": "airline", "steps": [], "initial_db_hash": "", "final_db_hash": ""}
    file.write_text(json.dumps(line))
    with pytest.raises(DataMissing, match="airline"):
        load_tasks("retail", [file])


def test_a_limit_takes_tasks_from_all_over_the_list():
    tasks = [task(step(str(number))) for number in range(10)]
    assert [one.steps[0].tool for one in spread(tasks, 3)] == ["0", "3", "6"]
    assert spread(tasks, 20) == tasks


@pytest.mark.data
def test_recorded_tasks_end_as_recorded():
    ended = benchmark("tau_replay", "--limit", "8", "--parallel", "4")
    assert ended.returncode == 0, ended.stderr
    said = json.loads(ended.stdout)
    assert (said["ok"], said["tasks"], said["right"], said["faults"]) == (True, 8, 8, [])
    assert said["writes"] == said["effects"] == said["approved"] > 0


@pytest.mark.data
def test_what_is_not_as_recorded_is_said_so(tmp_path):
    data = Path(os.environ.get("PROCTOR_DATA") or ROOT.parent / "shared" / "data")
    with (data / "tau1/retail/replay_train.jsonl").open(encoding="utf-8") as lines:
        right = json.loads(next(lines))
    other_end = {**right, "task_id": "end", "final_db_hash": right["initial_db_hash"]}
    no_write = {**right, "task_id": "write", "steps": [{**step, "error": True} for step in right["steps"]]}
    no_shop = {**right, "task_id": "shop", "initial_patch": {"cellar/1": {}}}
    file = tmp_path / "tasks.jsonl"
    file.write_text("\n".join(json.dumps(one) for one in (right, other_end, no_write, no_shop)))
    ended = benchmark("tau_replay", "--data", str(file))
    assert ended.returncode == 1, ended.stderr
    said = json.loads(ended.stdout)
    assert (said["ok"], said["tasks"], said["right"]) == (False, 4, 1)
    told = [fault.partition(":")[0] for fault in said["faults"]]
    assert told == ["tau1/end", "tau1/write", "tau1/shop"]


def test_a_take_over_is_counted_from_the_last_strike_at_its_worker():
    began = datetime(2026, 11, 22, tzinfo=UTC)

    def after(seconds: float) -> datetime:
        return began + timedelta(seconds=seconds)

    struck = [
        Struck(pid=1, blow="freeze", at=after(0), woke_at=after(6)),
        Struck(pid=1, blow="kill", at=after(30)),
        Struck(pid=2, blow="drain", at=after(0)),
    ]
    lost = [
        Loss(run_id="frozen", pid=1, at=after(4)),
        Loss(run_id="not any more", pid=1, at=after(25)),
        Loss(run_id="killed", pid=1, at=after(33)),
        Loss(run_id="drained", pid=2, at=after(3)),
        Loss(run_id="of nobody struck", pid=3, at=after(1)),
    ]
    assert take_overs(lost, struck) == TakeOvers(killed=[3.0], frozen=[4.0], drained=1, alive=2)


@pytest.mark.slow
@pytest.mark.data
def test_nothing_is_lost_or_doubled_when_the_worker_is_struck():
    ended = benchmark(
        "chaos", "--runs", "10", "--kills", "3", "--store-kills", "1", "--freezes", "0", "--drains", "1"
    )
    assert ended.stdout, ended.stderr
    said = json.loads(ended.stdout)
    # How soon a few runs go on says how busy the machine is: `ok`, which holds that too, is the full run's.
    assert (said["lost"], said["doubled"], said["wrong_hashes"], said["faults"]) == (0, 0, 0, []), (
        ended.stderr
    )
    struck = (said["kills"], said["store_kills"], said["drains"], said["completed"])
    assert struck == (3, 1, 1, 10)
    assert max(map(int, said["attempts"])) > 1


@pytest.mark.data
@pytest.mark.slow
def test_nothing_is_lost_or_doubled_when_one_of_several_workers_is_struck():
    strikes = ("--kills", "3", "--store-kills", "1", "--freezes", "1", "--drains", "1")
    more = ("--database-restarts", "1", "--provider-faults", "0.1")
    ended = benchmark("chaos", "--engine", "temporal", "--workers", "2", "--runs", "16", *strikes, *more)
    said = json.loads(ended.stdout)
    assert (said["lost"], said["doubled"], said["wrong_hashes"]) == (0, 0, 0), ended.stderr
    assert (said["kills"], said["freezes"], said["drains"], said["database_restarts"]) == (3, 1, 1, 1)
    assert (said["completed"], said["failed_runs"], said["faults"]) == (16, 0, [])
