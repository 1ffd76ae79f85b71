"""What the words around a value say that it is."""

import re
from typing import Literal, TypeAlias

Label: TypeAlias = Literal[
    "card",
    "payment",
    "account",
    "iban",
    "ssn",
    "id",
    "passport",
    "licence",
    "plate",
    "phone",
    "birth",
    "address",
    "ip",
    "version",
    "other",
]
"""`other`: the number of an order, a parcel, a model… `version`: of a program, or a place in a document."""

_OF_OTHER_THINGS = frozenset({"other", "version"})
_REACH = 48
"""How far before a value its name is looked for, in characters."""
_REACHES_AFTER = {False: (32, 5), True: (56, 10)}
"""How far after it, in characters and words: further where the text goes on to say what it is."""
_SAYS_WHAT = re.compile(r",? ?(?:is|was|are|这是|是|就是)\b")

_ENGLISH: dict[Label, str] = {
    "card": (
        "card cards creditcard debit visa mastercard amex maestro unionpay discover jcb cc "
        "cardnumber cardno creditcardnumber tarjeta karte kreditkarte carte"
    ),
    "payment": "pay pays paid payment payments charge charged charges billed debited refund declined",
    "account": (
        "account acct accountnumber routing aba bsb beneficiary sortcode konto kontonummer cuenta compte"
    ),
    "iban": "iban",
    "ssn": "ssn ssns itin social soc",
    "id": (
        "identity identification citizen citizenship resident nationalid taxpayer nino nhs "
        "dni nie nif cif fiscale codice fiscal cpf cnpj aadhaar aadhar tfn medicare nric fin "
        "rrn hkid sin insurance steuer steuernummer personalausweis ausweis idnr steuerid nir "
        "bsn pesel pps ppsn curp rut idcard national tax identità identidad identité"
    ),
    "passport": "passport passports pasaporte reisepass passeport passaporto passnummer",
    "licence": (
        "licence license licenses licences licencenumber dl driver drivers driver's driving "
        "permit führerschein permis carnet patente"
    ),
    "plate": ("plate plates vrn numberplate registration matrícula kennzeichen immatriculation targa"),
    "phone": (
        "phone phones telephone tel mobile cell cellphone call calls calling called fax "
        "whatsapp viber sms mobileno phoneno text texted dial ring reach contact hotline "
        "phonenumber landline voicemail pager handy telefon telefono teléfono móvil movil "
        "celular téléphone portable telefone cellulare answering answer callback dialed "
        "dialled rang texting wechat telegram handynummer mobil ph"
    ),
    "birth": (
        "born birth birthday birthdate dob birthdays dateofbirth geboren geburtsdatum "
        "nacimiento naissance nascita"
    ),
    "address": (
        "address addresses street live lives located location postcode zip zipcode mailing "
        "shipping deliver delivered delivery residence resides residing moved adresse "
        "dirección indirizzo anschrift"
    ),
    "ip": (
        "ip ips ipv4 ipv6 server servers host hosts ping dns ssh gateway subnet client router "
        "proxy ipaddress clientip remote_addr login logged"
    ),
    "version": (
        "version versions ver v release build firmware kernel driver section chapter clause "
        "paragraph appendix rev revision upgrade upgraded update updated downgrade install "
        "oid"
    ),
    "other": (
        "order orders purchase tracking shipment parcel package invoice receipt reference ref "
        "transaction transactions ticket tickets case confirmation serial imei isbn issn ean "
        "gtin upc sku part model item product products batch lot booking reservation claim "
        "awb waybill container vin asin doi coordinates latitude longitude lat lon lng "
        "timestamp epoch unix hash commit uuid guid quantity qty barcode meter price total "
        "amount usd eur gbp cny rmb population distance size weight pnr po imsi iccid job "
        "task session request trace build message msg row line page error article catalog "
        "catalogue bestellung bestellnummer pedido commande sendung rechnung factura facture "
        "rma asset event device fedex ups usps dhl ems dpd hermes voucher coupon ein lottery "
        "score random ratio seed checksum"
    ),
}
_CHINESE: dict[Label, str] = {
    "card": (
        "银行卡 信用卡 借记卡 储蓄卡 贷记卡 卡号 银联 刷卡 工资卡 收款卡 付款卡 主卡 副卡 "
        "万事达 运通 這張卡 這卡 卡"
    ),
    "payment": "付款 支付 扣款 刷 付的 付了 退款 扣费 还款 盗刷 绑定 转账 打款",
    "account": (
        "银行账号 银行帐号 银行账户 银行帐户 收款账号 收款账户 对公账户 账号 帐号 账户 帐户 "
        "户头 存折 開戶 賬號 帳號 戶口"
    ),
    "iban": "国际银行账号",
    "ssn": "社会安全号 社安号 社会安全号码",
    "id": (
        "身份证 身分证 身份證 身分證 证件 證件 居民证 公民身份 居住证 身份号 身份号码 二代证 "
        "户口本 社保号 社保卡 纳税人"
    ),
    "passport": "护照 護照 通行证 通行證 回乡证 台胞证",
    "licence": "驾驶证 驾照 駕照 駕駛執照 驾驶执照 行驶证 驾证",
    "plate": "车牌 车牌号 牌照 車牌 号牌",
    "phone": (
        "我的号码 新号码 新号 换号 他的号码 她的号码 本机 "
        "电话 手机 联系 致电 拨打 座机 固话 传真 热线 來電 来电 回电 短信 電話 手機 聯繫 聯絡 "
        "手机号 微信 打给 呼叫 分机 回拨 接听 通话 联络"
    ),
    "birth": "出生日期 出生年月 生日 生于 出生于 出生 生於",
    "address": (
        "地址 住址 住在 寄到 送到 寄往 位于 送货 收货 邮寄 家住 住所 住处 籍贯 搬到 快递到 "
        "發貨 配送 上门 现居 居住"
    ),
    "ip": "服务器 伺服器 主机 网关 网址 登录 登陆 主機",
    "version": "版本 固件 升级 更新到 第 章节",
    "other": (
        "订单 訂單 运单 快递 顺丰 圆通 中通 韵达 申通 邮政 物流 单号 單號 流水 流水号 发票 "
        "编号 編號 序列 参考 型号 货号 批次 批号 条码 条形码 包裹 合同 交易 商品 产品 "
        "产品编号 凭证 票号 案号 工单 提单 设备号 机身 坐标 经度 纬度 时间戳 金额 总价 价格 "
        "合计 数量 串号 编码 书号 课程 项目 会议号 会议 房间号 优惠码 兑换码 验证码 取件码 "
        "群号"
    ),
}


def _by_word(names: dict[Label, str]) -> dict[str, Label]:
    return {word: label for label, words in names.items() for word in words.split()}


_WORDS = _by_word(_ENGLISH)
_TERMS = _by_word(_CHINESE)
_TERM = re.compile("|".join(sorted(map(re.escape, _TERMS), key=len, reverse=True)))
_WORD = re.compile(r"[\u3400-\u9fff]+|[^\W\d_\u3400-\u9fff]+(?:'[a-z])?|[0-9]+")
_LETTER = re.compile(r"[^\W\d_]")
_HAN = re.compile(r"[\u3400-\u9fff]")
_CARDS: dict[str, Label] = {
    **dict.fromkeys(
        ("id", "identity", "identification", "insurance", "health", "medicare", "citizen", "resident"), "id"
    ),
    **dict.fromkeys(
        ("gift", "sim", "sd", "graphics", "memory", "library", "loyalty", "sound", "video"), "other"
    ),
}
"""What is no payment card, by the word before."""
_NUMBER_OF = frozenset(("编号", "編號", "编码"))
"""Of itself it names other things; after another name it only says number."""
_NOT_ITS_LINK = re.compile(r"[^号號码碼编編為为是的了]")
_PHONE_AFTER = re.compile(r"[ ,(-]{1,3}(?:office|home|work|cell|mobile|fax)\b(?!:)", re.IGNORECASE)
_NAMES_NEXT = re.compile(r"(?: (?:number|no))?[.:# ]{1,3}(?:is )?[+(]?[0-9]|:", re.IGNORECASE)
"""After a word that names what follows it, not what it follows."""
_OWNERS = frozenset(
    {
        *("my", "his", "her", "their", "our", "your", "new", "old", "personal", "private"),
        *("government", "gov", "official", "photo"),
        *("wife's", "husband's", "我的", "他的", "她的", "本人"),
    }
)
_IDS = frozenset(("id", "ids"))
_NUMBERS = frozenset(("number", "numbers", "no", "nr"))
_LINKS = frozenset(
    [
        "to",
        "number",
        "numbers",
        "no",
        "nr",
        "num",
        "id",
        "ids",
        "code",
        "codes",
        "is",
        "was",
        "are",
        "nbr",
        "nummer",
        "número",
        "numéro",
        "numero",
        "its",
        "it's",
        "card's",
        "s",
    ]
)
"""Words that stand between a name and its value."""


def label_before(text: str, start: int) -> Label | None:
    """What the words before a place say of the value that starts there; the nearest name counts.

    Names of other things count only where they stand right before the value: a text about an order may go
    on with a phone number.
    """
    window = text[max(0, start - _REACH) : start]
    if not _LETTER.search(window):
        return None
    between: list[str] = []
    linked = True
    words = _WORD.findall(window)
    for place in range(len(words) - 1, -1, -1):
        word = words[place]
        label, links_on = _named(word)
        if label == "card" and place:
            label = _CARDS.get(words[place - 1].lower(), label)
        if label is not None and (label not in _OF_OTHER_THINGS or linked):
            return label
        if linked:
            between.append(word.lower())
            linked = links_on
    return _of_its_owner(between)


def _of_its_owner(between: list[str]) -> Label | None:
    """What `my id` and `his new number` are, where nothing else was named."""
    owned = bool(between) and between[-1] in _OWNERS
    if not _IDS.isdisjoint(between) and (owned or not _NUMBERS.isdisjoint(between)):
        return "id"
    return "phone" if owned and not _NUMBERS.isdisjoint(between) else None


def label_after(text: str, end: int) -> Label | None:
    """What the words right after a value say of it: `… is my phone number`, `(mobile)`, `-Fax`."""
    if _PHONE_AFTER.match(text, end):
        return "phone"
    reach, most = _REACHES_AFTER[_SAYS_WHAT.match(text, end) is not None]
    window = text[end : end + reach].split("\n", 1)[0]
    if not _LETTER.search(window):
        return None
    for match, _ in zip(_WORD.finditer(window), range(most), strict=False):
        word = match[0]
        label = _WORDS.get(word.lower()) if not _HAN.search(word) else _first_term(word)
        if label is not None:
            return None if label in _OF_OTHER_THINGS or _NAMES_NEXT.match(window, match.end()) else label
    return None


def word_label(word: str) -> Label | None:
    """What a word names, where it is one of the names."""
    return _WORDS.get(word.lower())


def _named(word: str) -> tuple[Label | None, bool]:
    """What a word names, and whether more may stand between a name before it and the value."""
    if _HAN.search(word):
        return _named_in_chinese(word)
    small = word.lower()
    return _WORDS.get(small) or _WORDS.get(small.removesuffix("'s")), small in _LINKS


def _named_in_chinese(word: str) -> tuple[Label | None, bool]:
    terms = list(_TERM.finditer(word))
    if len(terms) > 1 and terms[-1][0] in _NUMBER_OF and terms[-2].end() == terms[-1].start():
        terms.pop()
    if not terms:
        return None, not _NOT_ITS_LINK.search(word)
    label = _TERMS[terms[-1][0]]
    if label not in _OF_OTHER_THINGS or not _NOT_ITS_LINK.search(word, terms[-1].end()):
        return label, True
    earlier = [_TERMS[each[0]] for each in terms if _TERMS[each[0]] not in _OF_OTHER_THINGS]
    return (earlier[-1] if earlier else None), False


def _first_term(word: str) -> Label | None:
    match = _TERM.search(word)
    return _TERMS[match[0]] if match else None
