# ruff: noqa: RUF001 - Chinese has its own punctuation

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import seconds_of
from proctor.policies._reading import Reading
from proctor.policies.personal._personal import personal


def found(text: str) -> list[tuple[str, str]]:
    return [(each.kind, text[each.start : each.end]) for each in personal(Reading(text))]


CARDS = [
    ("please charge {}", "4111 1111 1111 1111"),
    ("my card number is {} and the expiry is 09/27", "5555555555554444"),
    ("Amex {} cvv 1234", "3782-822463-10005"),
    ("pan={}", "4012888888881881"),
    ("{}", "6011111111111117"),
    ("diners: {}", "30569309025904"),
    ("JCB {}", "3530 1113 3330 0000"),
    ("maestro card {}", "6759 6498 2643 8453"),
    ("Mir {}", "2200 0000 0000 0004"),
    ("Rupay card no. {}", "6521 1111 1111 1117"),
    ("银联卡号{}，请退款", "6222021001116245702"),
    ("卡号：{}", "6228 4800 1234 5678 906"),
    ("工资打到{}这张卡", "6217001210012345676"),
    (
        "card number {} doesn't work",
        "4111 1111 1111 1112",
    ),
    ("我的银行卡{}丢了", "6222021234567890123"),
]


@pytest.mark.parametrize(("sentence", "number"), CARDS)
def test_a_payment_card_is_found(sentence: str, number: str) -> None:
    text = sentence.format(number)
    assert found(text) == [("payment_card", number)]


ACCOUNTS = [
    ("IBAN: {}", "iban", "DE89 3704 0044 0532 0130 00"),
    ("send it to {} please", "iban", "GB29NWBK60161331926819"),
    ("mon iban est {}.", "iban", "FR14 2004 1010 0505 0001 3M02 606"),
    ("iban {}", "iban", "nl91abna0417164300"),
    ("国际账号{}，收款人李明", "iban", "CH93-0076-2011-6238-5295-7"),
    ("my account number is {}", "bank_account", "000123456789"),
    ("Acct #{} at Chase", "bank_account", "8830192746"),
    ("routing number {}", "bank_account", "021000021"),
    ("sort code of the account: {}", "bank_account", "20-00-00"),
    ("开户行招商银行，账号{}", "bank_account", "755912345610902"),
    ("对公账户：{}", "bank_account", "1100 1042 5000 5300 1234"),
]


@pytest.mark.parametrize(("sentence", "kind", "number"), ACCOUNTS)
def test_a_bank_account_is_found(sentence: str, kind: str, number: str) -> None:
    assert found(sentence.format(number)) == [(kind, number)]


IDS = [
    ("my SSN is {}", "536-22-1234"),
    ("SSN {}", "536221234"),
    ("{} is my social security number", "219-09-9999"),
    ("social security: {}", "536 22 1234"),
    ("ITIN {}", "912-70-1234"),
    ("身份证号码是{}", "110101199003070097"),
    ("身份证：{}。", "11010519491231002X"),
    ("身份证号{}", "11010519491231002x"),
    ("{}这个号实名认证不通过", "440524188001010014"),
    ("老身份证号{}", "110105491231002"),
    ("身份证号{}对不上", "110101199001011234"),
    ("NI number {}", "AB 12 34 56 C"),
    ("national insurance no. {}", "QQ123456C"),
    ("NHS number: {}", "943 476 5919"),
    ("mi DNI es {}", "12345678Z"),
    ("NIE {}", "X1234567L"),
    ("codice fiscale {}", "RSSMRA85T10A562S"),
    ("numéro de sécurité sociale {}", "2 55 08 14 168 025 38"),
    ("Steuer-ID: {}", "86 095 742 719"),
    ("Aadhaar: {}", "2341 2341 2346"),
    ("PAN {}", "ABCPE1234F"),
    ("TFN {}", "123 456 782"),
    ("NRIC {}", "S1234567D"),
    ("주민등록번호 {}", "900101-1234568"),
    ("HKID {}", "A123456(3)"),
    ("台灣身分證{}", "A123456789"),
    ("meu CPF é {}", "529.982.247-25"),
    ("my SIN is {}", "046 454 286"),
    ("national ID number: {}", "29301011234567"),
    ("Citizen ID {}", "1-1002-01234-56-7"),
]


@pytest.mark.parametrize(("sentence", "number"), IDS)
def test_a_national_id_is_found(sentence: str, number: str) -> None:
    assert found(sentence.format(number)) == [("national_id", number)]


DOCUMENTS = [
    ("my passport number is {}", "passport", "X12345678"),
    ("passport no: {}", "passport", "533380006"),
    ("Reisepass {}", "passport", "C01X00T47"),
    ("护照号{}", "passport", "EA1234567"),
    ("护照：{}，下月过期", "passport", "G12345678"),
    ("driver's license {}", "driver_licence", "D1234567"),
    ("DL# {}", "driver_licence", "F255-9215-0094"),
    ("driving licence number: {}", "driver_licence", "MORGA657054SM9IJ"),
    ("驾驶证号是{}，帮我查违章", "driver_licence", "320102198001011234"),
    ("车牌{}违停了", "driver_licence", "沪A12345"),
    ("我的车是{}", "driver_licence", "粤BD12345"),
    ("my license plate is {}", "driver_licence", "7ABC123"),
]


@pytest.mark.parametrize(("sentence", "kind", "number"), DOCUMENTS)
def test_a_document_is_known_by_what_it_is_called(sentence: str, kind: str, number: str) -> None:
    assert found(sentence.format(number)) == [(kind, number)]


PHONES = [
    ("call me at {}", "(415) 555-2671"),
    ("my number is {}.", "415-555-2671"),
    ("{} is my cell", "4155552671"),
    ("tel:{}", "+1-415-555-2671"),
    ("ring {} any time", "+44 20 7946 0958"),
    ("reach me on {}", "07911 123456"),
    ("Phone: {}", "001-668-040-8670x1711"),
    ("fax {}", "555.123.4567"),
    ("{}", "212-555-0187 ext. 12"),
    ("my new mobile: {}", "0412 345 678"),
    ("Telefon {}", "030/1234567"),
    ("{} bitte zurückrufen", "+49 (0)30 901820"),
    ("appelez le {}", "06 12 34 56 78"),
    ("text {} for help", "555-0132"),
    ("whatsapp {}", "+55 11 91234-5678"),
    ("call {}", "+91-9876543210"),
    ("contact: {}", "9876543210"),
    ("电话{}", "13800138000"),
    ("{}，打我电话", "138 0013 8000"),
    ("请回电{}", "+86 138-0013-8000"),
    ("座机{}", "010-62345678"),
    ("固定电话：{}", "(0755) 2345 6789"),
    ("客服热线{}", "400-820-8820"),
    ("手机号{}", "008613912345678"),
    ("联系人王先生{}", "15912345678"),
    ("香港手机{}", "+852 9123 4567"),
    ("分机：{}", "021-87654321转802"),
    ("手機號碼{}", "0912-345-678"),
    ("加我微信{}", "18612345678"),
    ('{{"phone": "{}", "id": 7}}', "4155552671"),
    ("tel={}&x=1", "4155552671"),
    ("Bob,{},bob", "415-555-2671"),
    ("name,phone\nBob,{},NY", "4155552671"),
    ("call {} or write", "415/555-2671"),
    ("{}-张三", "13800138000"),
    ("打{}，或写信", "138-001-38000"),
    ("TEL.{}", "0532-88886666"),
    ("{} is what he left", "+447911123456"),
]


@pytest.mark.parametrize(("sentence", "number"), PHONES)
def test_a_phone_number_is_found(sentence: str, number: str) -> None:
    assert found(sentence.format(number)) == [("phone", number)]


INTERNET = [
    ("write to {}", "email", "li.ming@mail.example.com"),
    ("<{}>", "email", "o'brien+tag@sub.example.co.uk"),
    ("发到{}，谢谢", "email", "wang_hua88@163.com"),
    ("{}", "email", "用户@例子.公司"),
    ("schreib an {}!", "email", "jörg@müller-söhne.de"),
    ("reach me: {}", "email", "jane dot doe at example dot com"),
    ("mail {}", "email", "jane.doe [at] example [dot] org"),
    ("{}", "email", "first.last(at)company.io"),
    ("{}谢谢", "email", "li@163.com"),
    ("寄到{}", "email", "jing46@3x@mpl3.c0m"),
    ("我的邮箱是{}", "email", "li艾特163点com"),
    ("mailto:{}?subject=hi", "email", "joe@x.example"),
    ("from {} blocked", "ip_address", "203.0.113.45"),
    ("server {} down", "ip_address", "10.218.6.131"),
    ("服务器{}连不上", "ip_address", "36.9.241.52"),
    ("my IP is {}", "ip_address", "2001:db8:85a3::8a2e:370:7334"),
    ("ping {}", "ip_address", "fe80::1ff:fe23:4567:890a"),
    ("address {} blocked", "ip_address", "d80:e4b5:79da:6cf6:71f3:51f7:9161:c319"),
    ("http://{}:8080/x", "ip_address", "198.51.100.7"),
]


@pytest.mark.parametrize(("sentence", "kind", "value"), INTERNET)
def test_an_address_of_the_internet_is_found(sentence: str, kind: str, value: str) -> None:
    assert found(sentence.format(value)) == [(kind, value)]


BORN = [
    ("I was born on {}", "12/04/1987"),
    ("DOB: {}", "1987-04-12"),
    ("my date of birth is {}", "April 12, 1987"),
    ("birthday {}", "12th of April 1987"),
    ("出生日期：{}", "1990年3月7日"),
    ("我{}出生", "1990-03-07"),
]


@pytest.mark.parametrize(("sentence", "date"), BORN)
def test_a_date_is_personal_where_somebody_was_born_on_it(sentence: str, date: str) -> None:
    assert found(sentence.format(date)) == [("date_of_birth", date)]


ORDINARY = [
    "my card was declined, what now?",
    "the card ending in 4605 was charged $136.97",
    "I have two cards and 3 accounts",
    "my phone is broken, call me maybe",
    "how do I change my phone number?",
    "what is an IBAN and how long is it?",
    "I was born in 1987",
    "meet me at 10:30 on 2024-03-01",
    "version 10.0.19041.1 of the driver",
    "update to 1.2.3.4 first",
    "see section 3.1.2.4 of the guide",
    "Chrome/120.0.0.0 Safari/537.36",
    "ping localhost at 127.0.0.1",
    "order 4111111111111111 hasn't arrived",
    "tracking number 9400 1000 0000 0000 0000 00",
    "ISBN 978-3-16-148410-0",
    "the EAN is 4006381333931",
    "order #123-4567890-1234567",
    "invoice 2024-000123 for 1,234,567.89 EUR",
    "timestamp 1700000000123",
    "commit 3f2504e04f8911d39a0c0305e82c3301a1b2c3d4",
    "550e8400-e29b-41d4-a716-446655440000",
    "at 37.774929, -122.419416",
    "std::vector<int> and face::add are C++",
    "aa:bb:cc:dd:ee:ff at 12:34:56",
    "look at example.com for more",
    "@alice and @bob pushed to repo@v1.2.3",
    "icon@2x.png",
    "git clone git@github.com:owner/repo.git",
    "x = 1234567890",
    "1,234,567,890 people and 0,123456789",
    '{"id": 1234567890123456, "count": 12345678}',
    "the user id is 12345678",
    "call of duty sold 2,500,000 in 2019-2020",
    "phone has 5000 mAh and 1080x2340 pixels",
    "look at 1e10 and 0x1234567890",
    "meet at example.com tomorrow",
    "you get +25000 points",
    "0000123456 and 00012345678901",
    "I bought 540714704656564 last week",
    "1 2 3 4 5 6 7 8 9 10 11 12",
    "population 1400000000 in 2019-2023",
    "IMEI 356938035643809",
    "SKU AB-123456, model S1234567",
    "我的银行卡被拒了怎么办",
    "尾号4605的卡",
    "订单号815627948406151一直不更新",
    "快递单号184761250499246到哪了",
    "流水号31098696141776602844重复扣款了",
    "产品型号029343-4338有货吗",
    "共支付47531.03元，日期1970-04-30",
    "怎么修改手机号？",
    "身份证后四位1234",
    "身份证怎么办理？",
    "版本1.2.3.4有问题",
    "验证码是482913",
    "2024年3月1日下午3点",
]


@pytest.mark.parametrize("text", ORDINARY)
def test_talk_and_numbers_that_only_look_alike_pass(text: str) -> None:
    assert found(text) == []


def test_digits_abroad_are_a_phone_number_where_a_country_has_such_numbers() -> None:
    pytest.importorskip("phonenumbers")
    assert found("00447911123456") == [("phone", "00447911123456")]
    assert found("you get +100000000 points") == []


@pytest.mark.parametrize("text", ["IMEI 350587563088873", "fedex 4664 9808 5896", "Chrome/102.3.75.45"])
def test_a_number_read_from_behind_proves_nothing(text: str) -> None:
    assert found(text) == []


def test_what_is_written_backwards_is_found() -> None:
    assert [kind for kind, _ in found("my phone number is 415-555-2671"[::-1])] == ["phone"]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        (
            "卡号６２２２０２１００１１１６２４５７０２",
            "payment_card",
            "６２２２０２１００１１１６２４５７０２",
        ),
        ("call 415\u200b-555-\u200b2671", "phone", "415\u200b-555-\u200b2671"),
        (
            "身份证：１１０１０１１９９００３０７００９７。",
            "national_id",
            "１１０１０１１９９００３０７００９７",
        ),
        ("mail ｌｉ＠example.com", "email", "ｌｉ＠example.com"),
        (
            "SSN 536\u2011222\u20111234 is wrong, 536\u201122\u20111234 is right",
            "national_id",
            "536\u201122\u20111234",
        ),
    ],
)
def test_a_disguised_value_is_found_where_it_stands_in_the_original(text: str, kind: str, value: str) -> None:
    assert (kind, value) in found(text)


def test_several_values_in_one_text_are_told_apart() -> None:
    text = (
        "Hi, I'm Bob (bob@mail.example, +1 415-555-2671). Card 4111 1111 1111 1111 12/27, SSN 536-22-1234,"
        " born 12 April 1987. 电话13800138000，身份证110101199003070097。"
    )
    assert [kind for kind, _ in found(text)] == [
        *("email", "phone", "payment_card", "national_id", "date_of_birth", "phone", "national_id")
    ]


def test_a_list_of_cards_is_a_list_of_cards() -> None:
    assert len(found("4111 1111 1111 1111 5555 5555 5555 4444")) == 2


def test_how_sure_a_finding_is_depends_on_what_proves_it() -> None:
    [proven] = personal(Reading("身份证110101199003070097"))
    [mistyped] = personal(Reading("身份证110101199003070096"))
    assert (proven.confidence, proven.detail) == (1.0, "cn-resident-id")
    assert mistyped.confidence < proven.confidence


@given(st.text(max_size=80))
def test_any_text_is_read_and_what_is_found_lies_in_it(text: str) -> None:
    for finding in personal(Reading(f"{text} 1-{text}")):
        assert 0 <= finding.start < finding.end <= 2 * len(text) + 3


HOSTILE = [
    *(
        "a",
        "1",
        "1 ",
        "1234 ",
        "12-34-56 ",
        "4111 1111 1111 1111 ",
        "123-45-6789 ",
        "@",
        "a@",
        "a@b.",
        " at ",
    ),
    *(
        "1.",
        "1.1.1.1 ",
        "1:",
        "::",
        "GB29",
        "A1 ",
        "AB 12 ",
        "a1b2",
        "(1) ",
        "+1 ",
        "born on 1",
        "京A1",
        "中1",
    ),
    *("a at b dot ", "date of birth ", "1 x1", "00", '"', '1" ', "phone 1", "passport A1", "身份证1"),
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_text_is_read_in_linear_time(piece: str) -> None:
    reading = Reading(piece * (100_000 // len(piece)))
    assert reading.views
    assert seconds_of(lambda: list(personal(reading))) < 2, "several times what it takes"
