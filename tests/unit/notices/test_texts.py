import pytest

from proctor.notices._texts import write
from servers.notice_desk import matter


@pytest.mark.parametrize(("language", "head"), [("en", "Budget daily"), ("zh", "预算 daily")])
def test_a_notice_about_a_budget_names_it(language, head):
    action = {"budget": "daily", "subject": "", "period": "2026-01-01", "arguments": {"usd": 10}}
    message = write("requested", matter(action=action), link=None, language=language)
    assert message.subject.endswith(f"{head} (desk)")
    assert '"usd": 10' in message.body
