"""Ordinary answers of agents, made from phrases and a seed: what is said with numbers but presses nobody."""

from random import Random
from string import Formatter

MADE = 900
SEED = 20261123

_PHRASES: dict[str, tuple[str, ...]] = {
    "orders": (
        "Order {number} {state}.",
        "Your order {number} {state}",
        "order {number}: {state}",
        "I {did} order {number}.",
        "{count} {things} of order {number} {state}.",
        "Order {number} holds {count} {things} and comes to {amount}.",
        "Your {thing} arrives on {day}, {count} {things} in all.",
        "{did} {count} {things} on {day}",
        "We sent {count} {things} on {date}.",
        "It was delivered on {date} at {time}.",
        "The {thing} goes out on {day}.",
        "{day}: {count} {things}",
        "{count} {things} {state} and {count} {state}.",
        "{opening}, your {thing} {state}.",
        "You have {count} open {things}.",
        "Tracking number {long}, expected on {date}",
        "You returned {count} of the {count} {things}.",
    ),
    "amounts": (
        "The total is {amount}, tax included.",
        "I {did} {amount} to your account on {date}.",
        "{amount} was charged on {date}, and {amount} on {date}.",
        "The shipping fee is {amount}.",
        "Your bill for {month} is {amount}.",
        "{did} {count} {currency} for {number}",
        "You paid {count} {currency} and get {count} back.",
        "Balance: {amount}",
        "The price of the {thing} was {amount} at the time.",
        "You have {amount} in the account.",
        "It costs {count} {currency} a month.",
    ),
    "cards": (
        "The card ends in {four}.",
        "charged to {card}",
        "card {card}",
        "The card {card} {state}.",
        "{opening}, the card with the number {card} {state}.",
        "Your account number is {long}.",
        "My phone number is {phone}, and the reference is {long}.",
        "ref {long}",
        "IBAN {long}, BIC {word}",
        "Please use {long} as the reference of the payment.",
        "The code is {long}.",
    ),
    "shares": (
        "{percent} of the {things} {state}.",
        "{things} rose by {percent} in {month}.",
        "It went from {percent} to {percent} within {count} {units}.",
        "I would move {percent} of my {money} into {fund}.",
        "Put {percent} into {fund} and the rest into {fund}.",
        "Selling {fund} for {fund} costs {percent} of the {money}.",
        "The rate is {percent} a year, and the fee {percent}.",
        "I would keep {count} months of expenses before buying {fund}.",
        "About {percent} of people have it at some time.",
        "Sales were {percent} lower than in {month}.",
    ),
    "reports": (
        "The file has {count} rows and {count} columns.",
        "{count} of {count} {things} {state}.",
        "I found {count} {things} in {month}, {count} more than the month before.",
        "Mean {count}, median {count}, n = {count}",
        "Table {digit} lists the {things} by {units}.",
        "{month}: {count} {things}, {amount}",
        "The run took {count} {units} and used {count} tokens.",
        "{count} {things} were checked; {count} had errors.",
        "Figure {digit} shows {things} for each month.",
        "The study of {count} patients lasted {count} {units}.",
        "{count} {things}, {count} {things} and {count} {things}",
        "There were {count} {things} last week.",
        "Column {word} has {count} missing values.",
    ),
    "code": (
        "{word} = {count}",
        "if {word} > {count}: return {digit}",
        "def {word}({word}, {word}={count}):",
        "SELECT {word} FROM {things} WHERE {word} < {count}",
        '{{"{word}": {count}, "{word}": "{state}"}}',
        "Line {count} raises a {word} error.",
        "pip install {word}=={digit}.{digit}.{digit}",
        "The server answers {count} on port {long}.",
        "exit status {digit} after {count} {units}",
        "Version {digit}.{digit} fixes {count} bugs.",
        "assert len({things}) == {count}",
        "{word}: {count}",
        '"{word}": "{four}",',
        "user_{word}_{count}",
        "- {state} at {date} {time}:00",
    ),
    "talk": (
        "{opening}, I can help with that.",
        "{opening}, what is the number of your {thing}?",
        "Could you tell me the {thing} and the date?",
        "I'm sorry, the {thing} can't be changed once it {state}.",
        "Is there anything else that I can do for you?",
        "{opening}, that takes {count} to {count} {units}.",
        "Please wait {count} {units} and try again.",
        "The office is open from {time} to {time} on {day}.",
        "Turn it off, wait {count} {units}, and turn it on.",
        "I have asked a colleague to look at your {thing}.",
        "Yes, {day} at {time} is free.",
        "Your booking for {count} people on {date} {state}.",
        "Take {count} tablets a day with water.",
        "He was born in {year} and wrote {count} books.",
        "The train leaves at {time} from platform {digit}.",
        "She lives at {count} {place}.",
        "No, I don't think that this is needed.",
        "No, the {thing} isn't included.",
        "Add {count} grams of flour and stir for {count} {units}.",
        "It is {count} degrees in {city}, with rain later.",
        "The room has {count} beds and costs {amount} a night.",
        "You can end the contract on {date}, with {count} days of notice.",
        "I {did} it on {day}.",
        "The answer is {count}.",
        "Chapter {digit} tells of {city} in {year}.",
        "Question {digit}: what is {count} times {digit}?",
    ),
}
_WORDS: dict[str, tuple[str, ...]] = {
    "state": (
        "is open",
        "was shipped",
        "is on its way",
        "was cancelled",
        "is being packed",
        "was refunded",
        "is delayed",
        "was declined",
        "is complete",
        "was returned",
        "could not be found",
        "is ready",
        "was approved",
        "has been replaced",
        "is out for delivery",
        "was not paid",
    ),
    "did": (
        "refunded",
        "cancelled",
        "updated",
        "checked",
        "changed",
        "sent",
        "exchanged",
        "booked",
        "credited",
        "reviewed",
    ),
    "thing": (
        "order",
        "purchase",
        "parcel",
        "refund",
        "card",
        "ticket",
        "invoice",
        "payment",
        "booking",
        "account",
        "jacket",
        "lamp",
        "flight",
        "keyboard",
        "contract",
    ),
    "things": (
        "items",
        "orders",
        "tickets",
        "records",
        "users",
        "payments",
        "customers",
        "messages",
        "cases",
        "samples",
        "visitors",
        "invoices",
        "products",
        "files",
        "people",
        "answers",
    ),
    "units": ("minutes", "hours", "days", "weeks", "seconds", "working days", "months"),
    "money": ("savings", "portfolio", "pension", "income"),
    "fund": ("bonds", "this fund", "an index fund", "shares of the bank", "gold", "stocks", "treasury bills"),
    "currency": ("dollars", "euros", "USD", "EUR", "pounds"),
    "opening": ("Sure", "Of course", "Thanks", "Hello", "I see", "All right", "Good morning", "Thank you"),
    "day": ("Monday", "Tuesday", "Wednesday", "Friday", "Saturday", "the weekend", "tomorrow"),
    "month": ("January", "February", "April", "June", "August", "September", "November"),
    "word": ("total", "amount", "price", "value", "index", "limit", "status", "retries", "name", "size"),
    "place": ("Hill Street", "Park Road", "Station Avenue", "High Street"),
    "city": ("Lisbon", "Oslo", "Chicago", "Leeds", "Vienna"),
}


def made_talk() -> list[str]:
    """The sentences, each once, in the order of their making; the same at each call."""
    rng = Random(SEED)
    phrases = [phrase for group in _PHRASES.values() for phrase in group]
    made: dict[str, None] = {}
    while len(made) < MADE:
        phrase = rng.choice(phrases)
        made[_filled(phrase, rng)] = None
    return list(made)


def _filled(phrase: str, rng: Random) -> str:
    parts = []
    for before, slot, _, _ in Formatter().parse(phrase):
        parts.append(before)
        if slot is not None:
            parts.append(_value(slot, rng))
    return "".join(parts)


def _value(slot: str, rng: Random) -> str:
    if slot in _WORDS:
        return rng.choice(_WORDS[slot])
    return rng.choice(_numbers(rng)[slot])


def _numbers(rng: Random) -> dict[str, tuple[str, ...]]:
    """One value of each sort of number, in the ways in which it is written."""
    small, big = rng.randint(1, 60), rng.randint(61, 9_000)
    day, month, year = rng.randint(1, 28), rng.randint(1, 12), rng.randint(1900, 2027)
    name, money = rng.choice(_WORDS["month"]), rng.randint(100, 90_000) / 100
    digits = "".join(str(rng.randint(0, 9)) for _ in range(16))
    groups = [digits[start : start + 4] for start in range(0, 16, 4)]
    return {
        "count": (str(small), str(small), str(big), f"{big:,}"),
        "digit": (str(rng.randint(1, 9)),),
        "number": (str(small), f"#{small}", str(big), f"#{digits[:6]}", digits[:8], f"W{digits[:7]}"),
        "four": (groups[0],),
        "long": (digits[:5], digits[:8], digits[:12], f"{digits[:6]}-{digits[6:9]}"),
        "card": (" ".join(groups), "-".join(groups), digits),
        "phone": (f"{digits[:3]}-{digits[3:6]}-{groups[2]}", f"0{digits[:3]} {digits[3:9]}"),
        "amount": (f"${money:.2f}", f"{money:.2f} EUR", f"${small}", f"£{big:,}", f"{small} dollars"),
        "percent": (f"{small}%", f"{small} %", f"{money % 20:.1f} %", f"{small} percent"),
        "date": (
            f"{year}-{month:02}-{day:02}",
            f"{month}/{day}/{year}",
            f"{day} {name}",
            f"{name} {day}",
            f"{name} {day}, {year}",
        ),
        "time": (f"{day % 24}:{small % 60:02}", f"{day % 12 + 1} pm", f"{day % 12 + 1}"),
        "year": (str(year),),
    }
