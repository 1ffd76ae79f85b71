"""No two requests that differ in anything that matters share a key; equal ones do, however written."""

import json
from copy import deepcopy
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from proctor.core import DeploymentSettings, ModelCall
from proctor.models._cache_key import key_of, shape_of
from proctor.testing import FakeScope

texts = st.text(max_size=12)
scalars = st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from([0.0, 1.0, 0.5]) | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(texts, values, max_size=3)
tools = st.fixed_dictionaries(
    {
        "type": st.just("function"),
        "function": st.fixed_dictionaries({"name": texts, "description": texts, "parameters": objects}),
    }
)
messages = st.fixed_dictionaries(
    {
        "role": st.sampled_from(["system", "user", "assistant"]),
        "content": st.none() | texts | st.lists(objects),
    },
    optional={"name": texts},
)
requests = st.fixed_dictionaries(
    {
        "model": st.sampled_from(["small", "large"]),
        "messages": st.lists(messages, min_size=1, max_size=4).map(tuple),
        "tools": st.lists(tools, max_size=3).map(tuple),
        "tool_choice": st.none() | st.sampled_from(["auto", "required", "none"]) | objects,
        "response_format": st.none() | objects,
        "options": objects,
        "tenant": st.sampled_from(["default", "acme"]),
        "shape": st.fixed_dictionaries(
            {
                "provider": st.sampled_from(["openai", "anthropic"]),
                "model": st.sampled_from(["m-1", "m-2"]),
                "base_url": st.sampled_from(["http://a/v1", "http://b/v1"]),
                "options": objects,
                "max_output": st.sampled_from([100, 200]),
                "tools": st.sampled_from(["native", "schema"]),
            }
        ),
    }
)


def key(request) -> str:
    fields = dict(request)
    scope = FakeScope(tenant=fields.pop("tenant"))
    shape = shape_of(DeploymentSettings.model_validate(fields.pop("shape")))
    return key_of(ModelCall(scope=scope, **fields), shape)


def meaning(value) -> str:
    """What a request says, with the type of every value, and without the order of keys."""
    match value:
        case dict():
            return "{" + ",".join(f"{name!r}:{meaning(value[name])}" for name in sorted(value)) + "}"
        case list() | tuple():
            return "[" + ",".join(map(meaning, value)) + "]"
        case _:
            return f"{type(value).__name__} {value!r}"


def backwards(value):
    match value:
        case dict():
            return {name: backwards(value[name]) for name in reversed(value)}
        case list():
            return [backwards(item) for item in value]
        case tuple():
            return tuple(backwards(item) for item in value)
        case _:
            return value


def places(value, path=()):
    """Every place of a request, itself included."""
    yield path
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list | tuple)
        else ()
    )
    for name, inner in items:
        yield from places(inner, (*path, name))


def with_value(value, path, new):
    if not path:
        return new
    changed = dict(value) if isinstance(value, dict) else list(value)
    changed[path[0]] = with_value(value[path[0]], path[1:], new)
    return tuple(changed) if isinstance(value, tuple) else changed


def value_at(value, path):
    for name in path:
        value = value[name]
    return value


@given(requests, requests)
def test_two_requests_share_a_key_exactly_where_they_say_the_same(one, other):
    assert (key(one) == key(other)) == (meaning(one) == meaning(other))


@given(requests, st.data())
def test_one_other_field_is_another_key(request, data):
    field = data.draw(st.sampled_from(sorted(request)))
    changed = {**request, field: data.draw(requests)[field]}
    assume(meaning(changed) != meaning(request))
    assert key(changed) != key(request)


@given(requests, scalars, st.data())
def test_one_other_value_at_any_depth_is_another_key(request, new, data):
    free = ("messages", "tools", "tool_choice", "response_format", "options")
    deep = [path for path in places(request) if len(path) > 1 and path[0] in free]
    assume(deep)
    path = data.draw(st.sampled_from(deep))
    assume(not (path[0] in ("messages", "tools") and len(path) == 2))
    assume(meaning(value_at(request, path)) != meaning(new))
    assert key(with_value(request, path, new)) != key(request)


@given(requests, st.data())
def test_a_key_more_or_less_is_another_key(request, data):
    holders = [path for path in places(request) if path and isinstance(value_at(request, path), dict)]
    path = data.draw(st.sampled_from([path for path in holders if path[0] != "shape"]))
    held = value_at(request, path)
    name = data.draw(texts.filter(lambda name: name not in held))
    assert key(with_value(request, path, {**held, name: None})) != key(request)


@given(requests)
def test_the_order_of_keys_is_no_difference(request):
    assert key(backwards(request)) == key(request)
    assert key({**deepcopy(request), "shape": json.loads(json.dumps(request["shape"]))}) == key(request)


@given(requests.filter(lambda request: len({meaning(tool) for tool in request["tools"]}) > 1))
def test_the_order_of_tools_is_a_difference(request):
    turned = {**request, "tools": request["tools"][::-1]}
    assume(meaning(turned) != meaning(request))
    assert key(turned) != key(request)


@pytest.mark.parametrize(
    "pair", [(1, 1.0), (1, True), (1, "1"), (0, False), (None, "null"), ("a", ["a"])], ids=str
)
def test_what_python_takes_for_equal_is_not_equal_on_the_wire(pair):
    scope, shape = FakeScope(), {}
    one, other = (
        key_of(ModelCall(scope=scope, model="small", messages=(), options={"seed": value}), shape)
        for value in pair
    )
    absent = key_of(ModelCall(scope=scope, model="small", messages=()), shape)
    assert len({one, other, absent}) == 3


def conversation(*ids: tuple[str, str]) -> ModelCall:
    """Calls of tools, with their ids, and the results, each with the id that it names."""
    function = {"name": "look_up", "arguments": "{}"}
    calls = [{"id": made, "type": "function", "function": function} for made, _ in ids]
    results = [
        {"role": "tool", "tool_call_id": named, "content": f"{place}"} for place, (_, named) in enumerate(ids)
    ]
    asked = {"role": "assistant", "content": None, "tool_calls": calls}
    return ModelCall(
        scope=FakeScope(), model="small", messages=({"role": "user", "content": "?"}, asked, *results)
    )


def test_ids_of_tool_calls_matter_for_what_they_connect_alone():
    straight = key_of(conversation(("a", "a"), ("b", "b")), {})
    assert straight == key_of(conversation(("call_9", "call_9"), ("x", "x")), {})
    others = [
        (("a", "b"), ("b", "a")),
        (("a", "a"), ("b", "a")),
        (("a", "a"), ("a", "a")),
        (("a", "c"), ("b", "b")),
    ]
    keys = {key_of(conversation(*ids), {}) for ids in others}
    assert len(keys | {straight}) == len(others) + 1


def test_who_asks_is_no_difference_within_a_tenant():
    one = conversation()
    other = replace(
        one, scope=FakeScope(run_id="run_2", team="sales", agent="x", key="k", requester="jo", thread="t")
    )
    assert key_of(one, {}) == key_of(other, {})


@pytest.mark.parametrize(
    "other",
    [
        {"provider": "anthropic"},
        {"model": "m-2"},
        {"base_url": "http://b/v1"},
        {"options": {"temperature": 1}},
        {"max_output": 100},
        {"tools": "schema"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_a_deployment_that_was_changed_begins_anew(other):
    given = {"model": "m-1", "base_url": "http://a/v1"}
    one, changed = (shape_of(DeploymentSettings.model_validate(each)) for each in (given, {**given, **other}))
    assert key_of(conversation(), one) != key_of(conversation(), changed)


def test_what_does_not_shape_an_answer_is_no_difference():
    given = {"model": "m-1", "api_key": "one", "timeout": 10, "price": "free", "cache": {}}
    other = {"model": "m-1", "api_key": "two", "timeout": 20, "retries": 0, "cache": {"ttl": 60}}
    one, changed = (shape_of(DeploymentSettings.model_validate(each)) for each in (given, other))
    assert key_of(conversation(), one) == key_of(conversation(), changed)
