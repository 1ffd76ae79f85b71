"""What of an action's arguments people may change."""

import pytest

from proctor.approvals import check_edit, editable_schema
from proctor.core import InvalidInput

ENDLESS = {"type": "object", "properties": {"name": {"type": "string", "pattern": "^(a+)+$"}}}


def test_no_pattern_of_a_tools_schema_is_run_where_people_decide():
    schema = editable_schema(ENDLESS, {"name": "ann"}, "all")
    check_edit(schema, {"name": "a" * 40 + "!"})
    with pytest.raises(InvalidInput):
        check_edit(schema, {"name": 7})


def test_a_schema_that_asks_for_too_much_work_changes_nothing():
    schema = {"type": "object", "properties": {"items": {"type": "array", "items": {"enum": [*range(1000)]}}}}
    with pytest.raises(InvalidInput) as error:
        check_edit(editable_schema(schema, {"items": []}, "all"), {"items": [0] * 20_000})
    assert "work" in error.value.message


def test_what_may_not_be_changed_stays_as_it_is():
    schema = editable_schema(
        {"type": "object", "properties": {"order": {"type": "integer"}, "note": {"type": "string"}}},
        {"order": 7, "note": ""},
        {"note"},
    )
    check_edit(schema, {"order": 7, "note": "by hand"})
    for wrong in ({"order": 8, "note": ""}, {"note": ""}, {"order": 7, "note": "", "more": 1}):
        with pytest.raises(InvalidInput):
            check_edit(schema, wrong)
