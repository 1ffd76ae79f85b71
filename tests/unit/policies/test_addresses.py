# ruff: noqa: RUF001 - Chinese has its own punctuation

import pytest

from conftest import seconds_of
from proctor.policies._reading import Reading
from proctor.policies.personal._addresses import addresses


def found(text: str) -> list[str]:
    return [text[each.start : each.end] for each in addresses(Reading(text))]


@pytest.mark.parametrize(
    ("sentence", "address"),
    [
        ("I live at {} now", "221B Baker Street"),
        ("ship it to {}", "1600 Pennsylvania Avenue NW".removesuffix(" NW")),
        ("please send to {}.", "350 Fifth Ave, Apt 5B, New York, NY 10118"),
        ("my address is {}", "12 elm street"),
        ("office: {}", "4 Privet Drive"),
        ("{}", "P.O. Box 1234"),
        ("Wir wohnen in der {}", "Bahnhofstraße 12, 10115 Berlin"),
        ("j'habite {}", "12 rue de la Paix, 75002 Paris"),
        ("地址：{}", "浙江省杭州市西湖区文三路123号"),
        ("快递寄到{}，谢谢", "北京市朝阳区建国路88号3号楼1502室"),
        ("我家住{}", "人民路15弄3号"),
        ("收件人：李静，地址：{}，电话", "江苏省兴城市朝阳武街v座"),
        ("住在{}", "河南省周口市太康县高贤乡"),
    ],
)
def test_a_postal_address_is_found(sentence: str, address: str) -> None:
    assert found(sentence.format(address)) == [address]


@pytest.mark.parametrize(
    "text",
    [
        "it is a 20 minute drive",
        "3 ways to place an order",
        "the 2 hour walk in the park",
        "I have 3 apple trees",
        "Main Street is closed",
        "how far is it to Paris?",
        "12 months to go on my way",
        "北京市的天气怎么样",
        "地铁10号线",
        "怎么修改收货地址？",
        "这条路很长",
        "第3号方案",
    ],
)
def test_talk_about_places_passes(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    "piece", ["1 ", "1 A Street ", "12 Main ", "中山路1号", "省市", "路1", "北京市", "Suite 1 ", "a"]
)
def test_hostile_text_is_read_in_linear_time(piece: str) -> None:
    reading = Reading(piece * (100_000 // len(piece)))
    assert reading.views
    assert seconds_of(lambda: list(addresses(reading))) < 2, "several times what it takes"
