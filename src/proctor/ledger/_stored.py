"""Budgets that were set at run time. They come before those of the configuration that have their name."""

from datetime import datetime

from pydantic import ValidationError
from sqlalchemy import Connection, delete, select

from proctor import audit
from proctor.core import LONGEST_NAME, BudgetRule, ConfigurationError, canonical_json
from proctor.ledger._tables import budgets
from proctor.store import insert_into


def set_budget(connection: Connection, name: str, rule: BudgetRule, *, at: datetime, by: str) -> None:
    """Sets a budget, in the place of one of its name."""
    said = canonical_json(rule.model_dump(mode="json"))
    values = {"rule": said, "set_at": at, "set_by": by[:LONGEST_NAME]}
    statement = insert_into(connection, budgets).values(name=name, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=values))
    unnamed = {"of"} if rule.scope == "user" else set()  # no user's name stands in the record
    data = rule.model_dump(mode="json", exclude_defaults=True, exclude=unnamed)
    audit.append(connection, at=at, actor=by, action="budget.set", thing=name, data=data)


def remove_budget(connection: Connection, name: str, *, at: datetime, by: str) -> bool:
    """Whether a budget of that name was set; what the configuration says of it holds again."""
    removed = connection.execute(delete(budgets).where(budgets.c.name == name)).rowcount > 0
    if removed:
        audit.append(connection, at=at, actor=by, action="budget.removed", thing=name)
    return removed


def stored_budgets(connection: Connection, *, lock: bool = False) -> dict[str, BudgetRule]:
    """The budgets that were set, by name; with `lock` nobody else changes them before the transaction ends.

    Raises:
        ConfigurationError: one of them can't be read: an older or newer Proctor may have set it.
    """
    query = select(budgets.c.name, budgets.c.rule).order_by(budgets.c.name)
    rows = connection.execute(query.with_for_update() if lock else query)
    return {row.name: _read(row.name, row.rule) for row in rows}


def _read(name: str, said: str) -> BudgetRule:
    try:
        return BudgetRule.model_validate_json(said)
    except ValidationError as error:
        first = error.errors()[0]
        where = "".join(f"{place}: " for place in first["loc"])
        raise ConfigurationError(
            f"The budget {name} that was set can't be read. {where}{first['msg']}.",
            hint=f"`proctor budget remove {name}`, then set it anew.",
        ) from None
