"""Numbers that look like somebody's and are nobody's, and numbers that are: by a seed, in our own words."""

# ruff: noqa: RUF001 - Chinese has its own punctuation

import random
import string
import uuid
from collections.abc import Callable
from typing import TypeAlias

from benchmarks._policy._rows import STRUCTURED, Row, Value

_Maker: TypeAlias = Callable[[random.Random], str]


def _digits(rng: random.Random, count: int) -> str:
    return str(rng.randrange(1, 10)) + "".join(rng.choices(string.digits, k=count - 1))


def _luhn(body: str) -> str:
    total = 0
    for place, digit in enumerate(reversed(body)):
        doubled = int(digit) * (2 if place % 2 == 0 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return body + str(-total % 10)


def _ean(rng: random.Random, first: str) -> str:
    body = first + "".join(rng.choices(string.digits, k=12 - len(first)))
    return body + str(-sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(body)) % 10)


def _card(rng: random.Random) -> str:
    first = rng.choice(("4", "51", "55", "2221", "6011", "6222"))
    number = _luhn(first + "".join(rng.choices(string.digits, k=15 - len(first))))
    by = rng.choice(("", " ", "-"))
    return by.join(number[place : place + 4] for place in range(0, 16, 4))


def _chinese_id(rng: random.Random) -> str:
    area = rng.choice(("110101", "310104", "440305", "510107", "330106", "420111"))
    born = f"{rng.randrange(1950, 2008)}{rng.randrange(1, 13):02}{rng.randrange(1, 29):02}"
    body = f"{area}{born}{rng.randrange(1000):03}"
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return (
        body
        + "10X98765432"[sum(int(digit) * weight for digit, weight in zip(body, weights, strict=True)) % 11]
    )


def _iban(rng: random.Random) -> str:
    body = _digits(rng, 18)
    check = 98 - int(body + "131400") % 97
    return f"DE{check:02}{body}"


def _ssn(rng: random.Random) -> str:
    return f"{rng.randrange(100, 665)}-{rng.randrange(10, 99)}-{rng.randrange(1000, 9999)}"


def _phone(rng: random.Random) -> str:
    area, last = rng.choice((212, 312, 415, 503, 617)), rng.randrange(1000, 9999)
    return rng.choice(
        (f"({area}) 555-{last}", f"+1 {area} 555 {last}", f"{area}-555-{last}", f"{area}.555.{last}")
    )


def _mobile(rng: random.Random) -> str:
    number = f"1{rng.choice((38, 50, 59, 77, 86, 99))}{_digits(rng, 8)}"
    return rng.choice(
        (number, f"{number[:3]} {number[3:7]} {number[7:]}", f"{number[:3]}-{number[3:7]}-{number[7:]}")
    )


def _email(rng: random.Random) -> str:
    name = "".join(rng.choices(string.ascii_lowercase, k=rng.randrange(4, 9)))
    end = rng.choice(("", ".w", "_77", "+shop"))
    house, top = rng.choice(("mail", "post-office", "acme")), rng.choice(("com", "de", "co.uk", "cn"))
    return f"{name}{end}@{house}.{top}"


def _address(rng: random.Random) -> str:
    return ".".join(str(rng.randrange(11, 250)) for _ in range(4))


def _tracking(rng: random.Random) -> str:
    return rng.choice(
        (
            "1Z" + "".join(rng.choices(string.ascii_uppercase + string.digits, k=16)),
            f"94{_digits(rng, 20)}",
            _digits(rng, 12),
            f"SF{_digits(rng, 13)}",
            f"JD{_digits(rng, 16)}",
        )
    )


def _instant(rng: random.Random) -> str:
    month, day = f"{rng.randrange(1, 13):02}", f"{rng.randrange(1, 29):02}"
    return rng.choice(
        (
            str(rng.randrange(1_600_000_000, 1_800_000_000)),
            str(rng.randrange(1_600_000_000_000, 1_800_000_000_000)),
            f"2025-{month}-{day}T10:{rng.randrange(10, 60)}:07.{_digits(rng, 6)}Z",
            f"2025{month}{day}{_digits(rng, 6)}",
        )
    )


def _item(rng: random.Random) -> str:
    letters = "".join(rng.choices(string.ascii_uppercase, k=rng.randrange(2, 5)))
    return f"{letters}-{_digits(rng, rng.randrange(4, 9))}-{rng.choice('SMLX')}"


_ALIKE: dict[str, tuple[_Maker, tuple[str, ...]]] = {
    "order": (
        lambda rng: _digits(rng, rng.choice((9, 10, 11, 12, 14, 15, 16, 18))),
        (
            "Where is my order {}?",
            "order no. {} came without the charger",
            "Please cancel #{} today",
            "订单{}怎么还没发货",
            "订单号：{}，申请退款",
            "我的单号是{}，麻烦查一下",
        ),
    ),
    "tracking": (
        _tracking,
        (
            "tracking number {} hasn't moved since Monday",
            "The parcel {} is lost",
            "快递单号{}一直没有更新",
            "运单{}显示已签收",
        ),
    ),
    "isbn": (
        lambda rng: rng.choice(
            (_ean(rng, "978"), f"978-{_ean(rng, '978')[3]}-{_digits(rng, 4)}-{_digits(rng, 4)}-7")
        ),
        (
            "Do you have the book with ISBN {}?",
            "ISBN {} is out of print",
            "这本书的ISBN是{}",
            "书号{}还有货吗",
        ),
    ),
    "ean": (
        lambda rng: _ean(rng, rng.choice(("40", "69", "50", "30"))),
        ("The barcode reads {}", "EAN {} isn't in the system", "条形码{}扫不出来", "商品条码：{}"),
    ),
    "time": (
        _instant,
        ("The event's timestamp is {}", "logged at {} by the gateway", "时间戳是{}", "日志里写的是{}"),
    ),
    "uuid": (
        lambda rng: str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        ("request id {} failed", "session {} was closed", "请求编号{}报错了", "会话{}断开了"),
    ),
    "sku": (
        _item,
        ("Is SKU {} back in stock?", "item {} was damaged", "货号{}什么时候补货", "型号{}有蓝色的吗"),
    ),
    "version": (
        lambda rng: rng.choice(
            (
                f"{rng.randrange(1, 20)}.{rng.randrange(0, 30)}.{_digits(rng, 5)}.{_digits(rng, 3)}",
                f"{rng.randrange(1, 9)}.{rng.randrange(0, 20)}.{rng.randrange(0, 9)}.{rng.randrange(1, 9)}",
                f"{_digits(rng, 3)}.{_digits(rng, 3)}.{_digits(rng, 4)}",
            )
        ),
        (
            "I run version {} of the app",
            "since build {} it crashes",
            "升级到版本{}之后打不开",
            "固件版本{}有问题",
        ),
    ),
    "amount": (
        lambda rng: rng.choice(
            (
                f"{rng.randrange(1, 900)},{_digits(rng, 3)},{_digits(rng, 3)}.00",
                f"{_digits(rng, 8)}.{_digits(rng, 2)}",
                f"{rng.uniform(-90, 90):.6f}, {rng.uniform(-180, 180):.6f}",
            )
        ),
        ("The total reads {}", "it says {} on the map", "金额显示为{}", "坐标是{}"),
    ),
    "reference": (
        lambda rng: rng.choice(
            (
                f"{_digits(rng, 4)}-{_digits(rng, 4)}-{_digits(rng, 4)}",
                f"INV-{_digits(rng, 10)}",
                _digits(rng, 11),
            )
        ),
        ("ticket {} is still open", "invoice {} is wrong", "工单{}没有人处理", "发票号码{}开错了"),
    ),
}
_REAL: dict[str, tuple[str, _Maker, tuple[str, ...]]] = {
    "CREDIT_CARD": (
        "en",
        _card,
        (
            "Put it on {} please",
            "the number on the front is {}, exp 09/27",
            "Refund to the Visa {}",
            "i was charged twice on {}!!",
        ),
    ),
    "BANK_CARD": ("zh", _card, ("把钱退到{}吧", "卡号{}，麻烦查余额", "我用{}付的款")),
    "CN_ID": (
        "zh",
        _chinese_id,
        ("身份证{}", "实名认证填的{}对吗", "本人证件号码：{}，请核实", "乘客{}改签"),
    ),
    "US_SSN": ("en", _ssn, ("my social is {}", "SSN {} for the tax form", "the applicant ({}) wants a loan")),
    "IBAN_CODE": ("en", _iban, ("Wire it to {} by Friday", "IBAN: {}", "our account is {} at the Sparkasse")),
    "PHONE_NUMBER": (
        "en",
        _phone,
        ("ring me on {} after six", "Tel. {}", "my new cell: {}", "text {} when you're here"),
    ),
    "PHONE": ("zh", _mobile, ("打我电话{}", "手机{}收不到验证码", "联系方式：{}", "微信同号{}")),
    "EMAIL_ADDRESS": ("en", _email, ("write to {} instead", "login {} is locked", "cc {} on it, thanks")),
    "EMAIL": ("zh", _email, ("发到{}就行", "邮箱{}登不上去", "我的账号是{}")),
    "IP_ADDRESS": (
        "en",
        _address,
        ("someone logged in from {}", "{} can't reach the server", "allow {} on the firewall"),
    ),
    "IP": ("zh", _address, ("登录地址{}不是我", "服务器{}宕机了", "从{}访问被拒绝")),
}


def look_alikes(count: int, seed: int) -> list[Row]:
    """Numbers of orders, parcels, books, goods, times, versions and amounts; half of them in Chinese."""
    rng = random.Random(seed)
    names = list(_ALIKE)
    rows = []
    for place in range(count):
        name = names[place % len(names)]
        make, frames = _ALIKE[name]
        frame = rng.choice(frames)
        text = frame.format(make(rng))
        rows.append(
            Row(
                source="look-alikes",
                text=text,
                label=False,
                lang="en" if frame.isascii() else "zh",
                group=name,
            )
        )
    return rows


def real_numbers(count: int, seed: int) -> list[Row]:
    """Personal data with valid checks in sentences that no check was tuned on."""
    rng = random.Random(seed)
    names = list(_REAL)
    rows = []
    for place in range(count):
        type = names[place % len(names)]
        lang, make, frames = _REAL[type]
        before, after = rng.choice(frames).split("{}")
        value = make(rng)
        span = Value(type=type, kinds=STRUCTURED[type], start=len(before), end=len(before) + len(value))
        rows.append(
            Row(source="made numbers", text=before + value + after, label=True, lang=lang, values=(span,))
        )
    return rows
