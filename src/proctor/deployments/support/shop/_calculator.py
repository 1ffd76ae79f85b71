"""Arithmetic for people's questions: numbers, + - * /, parentheses. Never Python's own evaluation."""

import ast
import operator
import re
from collections.abc import Callable

from proctor.deployments.support.shop._errors import InvalidExpression

_LONGEST = 200
"""Characters; it also bounds the depth of nesting, and no result of so few digits is beyond a float."""

_ALLOWED = re.compile(r"[0-9+\-*/(). ]+")
_BINARY: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_UNARY: dict[type[ast.unaryop], Callable[[float], float]] = {ast.UAdd: operator.pos, ast.USub: operator.neg}


def calculate(expression: str) -> str:
    """The value of a plain arithmetic expression, rounded to two decimals, such as '41.92' or '4.0'.

    Raises:
        InvalidExpression: It is too long, holds something else, or divides by zero.
    """
    if len(expression) > _LONGEST:
        raise InvalidExpression(
            f"The expression is longer than {_LONGEST} characters. Calculate it in parts."
        )
    if not _ALLOWED.fullmatch(expression):
        raise InvalidExpression("Use numbers, + - * /, parentheses and spaces only.")
    try:
        value = float(_value(ast.parse(expression.strip(), mode="eval").body))
    except SyntaxError as error:
        raise InvalidExpression(
            "The expression is incomplete or malformed. Check its parentheses."
        ) from error
    except ZeroDivisionError as error:
        raise InvalidExpression("The expression divides by zero.") from error
    return str(round(value, 2))


def _value(node: ast.expr) -> float:
    match node:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _BINARY[type(op)](_value(left), _value(right))
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
            return _UNARY[type(op)](_value(operand))
        case _:
            raise InvalidExpression("Only + - * / are known; powers and whole-number division are not.")
