from __future__ import annotations

from cellstorm.acquisitions import Priority
from cellstorm_server.turns import OPEN_IN_ALL, OPEN_PER_GROUP, Line, Member


def add(line: Line[str], group: str, work: str, priority: Priority = Priority.NORMAL) -> Member[str]:
    member = Member(group, priority, work)
    line.add(member)
    return member


def served(line: Line[str], turns: int, now_s: float = 0.0) -> list[str]:
    """Whose turns come one after another, each ending at once."""
    work = []
    for _ in range(turns):
        member = line.next(now_s)
        assert member is not None
        work.append(member.work)
        member.is_busy = False
    return work


def test_a_single_file_has_every_second_turn_beside_two_hundred() -> None:
    line: Line[str] = Line()
    for number in range(200):
        add(line, "batch", f"file {number}")
    add(line, "single", "mine")
    assert served(line, 10).count("mine") == 5


def test_within_a_group_files_go_in_the_order_of_their_coming() -> None:
    line: Line[str] = Line()
    members = [add(line, "batch", str(number)) for number in range(3)]
    assert served(line, 3) == ["0", "0", "0"]
    line.remove(members[0])
    assert served(line, 2) == ["1", "1"]


def test_a_file_at_work_is_given_to_nobody_else() -> None:
    line: Line[str] = Line()
    for number in range(2):
        add(line, "batch", str(number))
    first, second = line.next(0.0), line.next(0.0)
    assert first is not None
    assert second is not None
    assert (first.work, second.work) == ("0", "1")
    assert line.next(0.0) is None


def test_files_that_were_put_down_and_rest_take_nobody_s_place() -> None:
    line: Line[str] = Line()
    for number in range(OPEN_IN_ALL):
        paused = add(line, f"paused {number}", "paused")
        paused.rests_until_s = 5.0
    add(line, "going", "going")
    assert served(line, 1) == ["going"]
    assert served(line, 2, now_s=5.0) == ["paused"] * 2


def test_higher_priorities_go_first() -> None:
    line: Line[str] = Line()
    for priority in (Priority.LOW, Priority.NORMAL, Priority.HIGH):
        add(line, priority.value, priority.value, priority)
    assert served(line, 3) == ["high"] * 3
    line.rest("high", 5.0)
    assert served(line, 2) == ["normal"] * 2
    assert served(line, 1, now_s=5.0) == ["high"]


def test_few_files_of_a_group_and_not_too_many_in_all_are_open() -> None:
    line: Line[str] = Line()
    for group in range(30):
        for number in range(10):
            add(line, str(group), f"{group}/{number}")
    while line.next(0.0) is not None:
        pass
    opened = [member for member in line if member.is_open]
    assert len(opened) == OPEN_IN_ALL
    assert max(sum(member.group == str(group) for member in opened) for group in range(30)) == OPEN_PER_GROUP


def test_a_group_that_is_gone_leaves_nothing_behind() -> None:
    line: Line[str] = Line()
    member = add(line, "batch", "only")
    served(line, 1)
    line.remove(member)
    assert line == Line(_turns=1)
