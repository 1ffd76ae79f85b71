"""Check digits: whether a number proves itself."""

from collections.abc import Sequence

_DOUBLED = bytes.maketrans(b"0123456789", bytes((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)))
_ZERO = ord("0")
_LETTERS = str.maketrans({letter: str(int(letter, 36)) for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"})

_DIHEDRAL = (
    "0123456789",
    "1234067895",
    "2340178956",
    "3401289567",
    "4012395678",
    "5987604321",
    "6598710432",
    "7659821043",
    "8765932104",
    "9876543210",
)
"""Multiplication in the dihedral group of order 10."""
_PERMUTED = "1576283094"


def luhn(digits: str) -> bool:
    """ISO/IEC 7812: cards, Canada's social insurance numbers, Swedish personal numbers."""
    raw = digits.encode()
    plain, doubled = raw[-1::-2], raw[-2::-2]
    return (sum(plain) - _ZERO * len(plain) + sum(doubled.translate(_DOUBLED))) % 10 == 0


def verhoeff(digits: str) -> bool:
    """Verhoeff's check, of India's Aadhaar numbers."""
    check = 0
    for place, digit in enumerate(reversed(digits)):
        turned = digit
        for _ in range(place % 8):
            turned = _PERMUTED[int(turned)]
        check = int(_DIHEDRAL[check][int(turned)])
    return check == 0


def mod_97(number: str) -> bool:
    """ISO 7064 as IBANs use it: letters count from 10, the first four characters go last."""
    turned = (number[4:] + number[:4]).upper().translate(_LETTERS)
    return turned.isdecimal() and int(turned) % 97 == 1


def mod_11_10(digits: str) -> bool:
    """ISO 7064 MOD 11,10: German tax ids."""
    product = 10
    for digit in digits[:-1]:
        total = (int(digit) + product) % 10 or 10
        product = total * 2 % 11
    return (11 - product) % 10 == int(digits[-1])


def weighted(digits: str, weights: Sequence[int]) -> int:
    """The sum of digits times weights, as far as the weights go."""
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))
