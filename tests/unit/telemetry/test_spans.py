"""Traces as runs bear them, and what becomes of spans that a collector doesn't take."""

import logging

import pytest
from opentelemetry.trace import TraceFlags

from proctor.core import ConfigurationError, InvalidInput, MissingSetting, ModelCall, TelemetrySettings
from proctor.telemetry import Spans, Subject, here, incoming, outgoing
from proctor.telemetry._collector import Collector, SpanQueue
from proctor.telemetry._content import asked
from proctor.telemetry._otel import open_outlet
from proctor.telemetry._traceparent import parent_of, read_trace, root_of, write_trace
from proctor.testing import FakeClock, FakeScope
from servers.collector import collector

CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        CALLER[3:],
        CALLER.upper(),
        f"ff{CALLER[2:]}",
        f"{CALLER}-more",
        f"{CALLER}\n{CALLER}",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-4bf92f3577b34da6a3ce929d0e0e4736-{'0' * 16}-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0\N{ARABIC-INDIC DIGIT ONE}",
    ],
)
def test_what_is_no_traceparent_begins_no_trace_and_is_an_error_where_a_caller_says_it(text: str):
    assert incoming({"traceparent": text}) == ""
    if text:
        with pytest.raises(InvalidInput):
            Spans().identify("run_1", text)


def test_of_a_later_version_what_is_known_is_read():
    assert incoming({"traceparent": f"01{CALLER[2:]}-more"}) == CALLER
    assert incoming({"traceparent": f" {CALLER[:-2]}ff "}) == CALLER
    assert incoming({}) == ""


def test_every_process_finds_the_same_trace_by_a_runs_id():
    one, other = root_of("run_1", ""), root_of("run_2", "")
    assert one == root_of("run_1", "")
    assert one.trace_id != other.trace_id
    assert one.span_id != other.span_id
    borne = write_trace(one)
    assert (root_of("run_1", borne), parent_of("run_1", borne)) == (one, None)
    caller = read_trace(CALLER)
    assert caller is not None
    assert (root_of("run_1", CALLER).trace_id, parent_of("run_1", CALLER)) == (caller.trace_id, caller)


def test_the_share_that_is_traced_is_the_same_in_every_process():
    def traced() -> list[bool]:
        roots = [root_of(f"run_{number}", "", share=0.25) for number in range(4000)]
        return [root.trace_flags == TraceFlags.SAMPLED for root in roots]

    assert traced() == traced()
    assert 0.22 < sum(traced()) / 4000 < 0.28


def test_without_a_collector_a_run_bears_its_callers_trace_alone():
    assert Spans().identify("run_1", "") == ""
    assert Spans().identify("run_1", CALLER) == CALLER
    assert outgoing() == ""
    assert here.get() is None


def test_text_that_no_message_can_hold_is_sent_all_the_same():
    call = ModelCall(
        scope=FakeScope(),
        model="small",
        messages=({"role": "user", "content": "\ud800 broken"}, {"role": "user", "content": None}),
    )
    [(_, text)] = asked(call, str).items()
    assert "? broken" in str(text)


def test_what_the_collector_puts_off_is_sent_again(caplog: pytest.LogCaptureFixture):
    with collector() as collected:
        collected.statuses = [503, 200]
        way = Collector(collected.url, {"x-key": "k"})
        assert way.send("/v1/traces", b"", 3)
        way.close()
    assert len(collected.headers) == 2
    assert [record.getMessage() for record in caplog.records] == [
        "the collector doesn't take what is sent (HTTP 503); runs go on",
        "the collector takes what is sent again; 0 spans are lost",
    ]


@pytest.mark.parametrize("status", [301, 400, 401, 413])
def test_what_the_collector_refuses_is_not_sent_again(status: int, caplog: pytest.LogCaptureFixture):
    with collector() as collected:
        collected.statuses = [status, status]
        way = Collector(collected.url, {})
        assert not way.send("/v1/traces", b"", 3)
        assert not way.send("/v1/traces", b"", 3)
        way.close()
    assert len(collected.headers) == 2
    assert [record.getMessage() for record in caplog.records] == [
        f"the collector doesn't take what is sent (HTTP {status}); runs go on",
        "6 spans were not taken by the collector",
    ]


def test_spans_beyond_what_there_is_room_for_are_dropped_and_that_is_told_once(
    caplog: pytest.LogCaptureFixture,
):
    with collector() as collected, caplog.at_level(logging.WARNING):
        collected.hold.clear()
        settings = TelemetrySettings(endpoint=collected.url, queue=600)
        clock = FakeClock()
        outlet = open_outlet(settings, collected.url, environ={}, clock=clock, release="")
        run = Spans(settings, clock=clock, outlet=outlet).of(
            Subject(run_id="run_1", team="desk", tenant="t", attempt=1, trace="", thread="", release="")
        )
        for number in range(3000):
            turn = run.turn(f"agent {number}", None)
            assert turn is not None
            run.turn_ended(turn)
        collected.hold.set()
        outlet.close()
    kept = len(collected.spans)
    assert 600 <= kept <= 600 + 2 * 512
    assert [record.getMessage() for record in caplog.records] == [
        "the collector doesn't take what is sent (it takes spans more slowly than they come); runs go on",
        f"the collector takes what is sent again; {3000 - kept} spans are lost",
    ]


def test_a_queue_holds_at_least_one_dispatch():
    way = Collector("http://127.0.0.1:9", {})
    queue = SpanQueue(way, most=1)
    queue.shutdown()
    way.close()


def test_a_span_that_cannot_be_written_takes_only_its_dispatch_along(caplog: pytest.LogCaptureFixture):
    with collector() as collected:
        settings, clock = TelemetrySettings(endpoint=collected.url), FakeClock()
        outlet = open_outlet(settings, collected.url, environ={}, clock=clock, release="")
        run = Spans(settings, clock=clock, outlet=outlet).of(
            Subject(run_id="run_1", team="\ud800", tenant="t", attempt=1, trace="", thread="", release="")
        )
        run.ended("completed", "", clock.now(), clock.now())
        outlet.close()
    assert collected.spans == []
    told = [record.getMessage() for record in caplog.records if record.name == "proctor.telemetry"]
    assert told[0] == "the collector doesn't take what is sent (a span can't be written); runs go on"


@pytest.mark.parametrize("address", ["http://:4318", "http://a:port"])
def test_an_address_that_cannot_be_read_is_an_error_at_the_start(address: str):
    with pytest.raises(ConfigurationError):
        open_outlet(TelemetrySettings(endpoint=address), address, environ={}, clock=FakeClock(), release="")


def test_a_header_whose_variable_is_missing_is_an_error_at_the_start():
    settings = TelemetrySettings(endpoint="http://127.0.0.1:4318", headers_env={"x-key": "NO_SUCH_VARIABLE"})
    with pytest.raises(MissingSetting, match="NO_SUCH_VARIABLE"):
        open_outlet(settings, "http://127.0.0.1:4318", environ={}, clock=FakeClock(), release="")
