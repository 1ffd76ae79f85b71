import pytest

from proctor.notices._texts import write
from servers.notice_desk import matter


@pytest.mark.parametrize(("language", "head"), [("en", "Budget daily"), ("zh", "预算 daily")])
def test_a_notice_about_a_budget_names_it(language, head):
    action = {"budget": "daily", "subject": "", "period": "2026-01-01", "arguments": {"usd": 10}}
    message = write("requested", matter(action=action), link=None, language=language)
    assert message.subject.endswith(f"{head} (desk)")
    assert '"usd": 10' in message.body


ANSWER = "Yes.\n\nTake two."


def an_answer(**more):
    given = {"agent": "", "answer": ANSWER, "task": "What helps?", "why": ("rule: review",)}
    return matter(action={"arguments": {"answer": ANSWER}, "found": []}, **(given | more))


@pytest.mark.parametrize(
    ("language", "subject", "told"),
    [
        (
            "en",
            "Approval needed: Answer (desk)",
            ["What it answers:\n    What helps?", "- medical advice\n- deal"],
        ),
        ("zh", "需要审批: 答复 (desk)", ["所答复的问题:\n    What helps?", "- 医疗建议\n- deal"]),
    ],
)
def test_a_notice_about_an_answer_shows_it_as_it_would_be_read(language, subject, told):
    found = ("medical_advice", "deal")
    message = write("requested", an_answer(found=found), link=None, language=language)
    assert message.subject == f"[Proctor] {subject}"
    assert "    Yes.\n    \n    Take two.\n" in message.body
    assert all(each in message.body for each in told)
    assert "{" not in message.body
    assert message.body.count("desk") == 1, "nobody is named who doesn't ask"


def test_a_notice_about_an_answer_in_which_nothing_was_found_says_nothing_of_it():
    message = write("requested", an_answer(), link=None, language="en")
    assert "may hold" not in message.body
    assert "rule: review" in message.body


def test_what_cannot_be_seen_in_an_answer_stands_as_its_code():
    message = write("requested", an_answer(answer="a\u202eb\u200bc"), link=None, language="en")
    assert "    a\\u202eb\\u200bc\n" in message.body
