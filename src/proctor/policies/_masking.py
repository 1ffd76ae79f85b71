"""What stands in the place of what was taken out of a text."""

NAMES = {
    "secret": "secret",
    "national_id": "national id",
    "payment_card": "payment card",
    "iban": "IBAN",
    "bank_account": "bank account",
    "passport": "passport number",
    "driver_licence": "driver's licence",
    "email": "e-mail address",
    "phone": "phone number",
    "ip_address": "IP address",
    "date_of_birth": "date of birth",
    "address": "address",
    "person": "name",
    "password": "password",
    "words": "words",
}
"""How people call what is taken out. Where two find the same text, the earlier one names it."""

REPLACED: tuple[str, ...] = tuple(NAMES)


def mask(kind: str) -> str:
    """The word that stands in the place of a finding: `[payment card]`."""
    return f"[{NAMES[kind]}]"


def name_of(kind: str) -> str:
    """A kind in words."""
    return NAMES.get(kind, kind.replace("_", " "))
