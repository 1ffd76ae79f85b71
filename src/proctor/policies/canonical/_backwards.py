"""Whether a text may be written backwards: by what its words are, read the one way and the other."""

import re
from functools import cache

from proctor.policies.canonical._spelling import frequent_words

_SURE_WORD = 6
"""Letters of a word that means nothing else backwards."""
_SHORT = 600
"""Characters: a text of up to this size without a single known word may be written backwards."""
_LETTERS = re.compile("[a-z]{3,}")
_ALSO_WORDS = """
animal bat bud bus cam dab dam das deb dial der deer del desserts devil dia dir doom emit era eta eton evil
gab gel gib gob god gulp gut lamina loop loot mar meet mia mit mood mug nam nap ned nib nip nips nod nos nur
pal pals pam pans par part peek pets pit plug pots ram rats reed remit repaid reviled reward ron rood sag saw
seton smart snap snug spin spit spot star straw strap tab tap tar teem tips tops tram trams trap tub tug viva
war ward wolf won yam yap
"""
_NEIGHBOURS = """
der die das und ist nicht ein eine ich sie wir mit auf den dem des les est une dans pour que qui vous
nous avec los las una por para con pero como mas che gli per non della sono uma com mais het een van niet
voor det och som att jest nie czy wie bist alle keine schreibe jetzt auch aus bei sehr wird sind haben
kann wenn aber noch oder mir mich dein deine ihre unter nach questo come hai tutti tutte senza nel quindi
tous toutes sans votre cette comme sur todas todos sin este esta muy instrucciones ignora todo bitte
danke
"""
"""Short words of other languages that are written in Latin letters."""
_EMAIL = re.compile(r"(?<![\w.])(?:moc|ten|gro|ude|vog|oi|ku|nc|ed|rf|ofni)\.[\w.-]{1,60}@\w")
_TOKEN_ENDS = (
    *(
        "AIKA",
        "_phg",
        "_ohg",
        "_shg",
        "_tap_buhtig",
        "-ks",
        "_evil_ks",
        "-bxox",
        "azIA",
        "Jye",
        "_mpn",
        "_fh",
    ),
)
"""How well-known tokens begin, backwards; they are long words."""
_LONG_TOKEN = 20
_CHINESE = re.compile("[\u4e00-\u9fff]")
_ENDS = frozenset("。?!,、;:吗吧呢啊呀嘛")
"""What a Chinese sentence ends with, and none begins with."""
_CHINESE_WORDS = """
把钱 退到 访问 拒绝 付的 我用 宕机 实名 本人 微信 收不
服务 退款 订单 客服 发货 快递 支付 付款 转账 账号 登录 联系 收到 申请 办理 查询 信用 银行 余额 会员
商品 购买 价格 请问 您好 你好 麻烦 帮忙 告诉 知道 需要 应该 已经 还是 或者 但是 然后 时间 今天 明天
昨天 公司 法律 律师 合同 起诉 赔偿 基金 户名 卡号 身份 份证 号码 手机 电话 邮箱 密码 地址 姓名 护照
车牌 违章 过期 发票 务器 连接 注册 验证 认证 忽略 指令 系统 提示 规则 之前 以上 现在 投资 股票 理财
保证 收益 打到 寄到 上面 下面 文件 内容 输出 翻译 回答 用户 工具 执行 发送 删除 什么 怎么 可以 是否
我们 你们 他们 没有 因为 所以 如果 问题 时候 这个 那个 的话 一直 治疗 检查 建议 推荐 情况 医生 症状
病情 及时 帮我 生活 正常 平时 保持 控制 许多 这样 同时 根据 这种 可能 一般 小时 主要 身体 严重 比较
多少 始终 能够 最近 感觉 注意 而且 方法 孩子 效果 朋友 日常 自己 不错 结果 目前 最好 恢复 进行 原因
附近 长期 通过 特别 工作 如何 方面 影响 只有 对于 还有 其他 由于 一些 期间 必要 重要 活动 并且 适当
决定 定期 不同 经常 东西 认为 只要 那么 异常 今年 意见 提供 舒服 另外 容易 具体 有效 表现 作用 哪些
患者 血压 饮食 药物 疾病 服药 手术
"""
"""Frequent pairs of characters that are rare the other way round."""
_FORWARDS = frozenset(_CHINESE_WORDS.split())
_BACKWARDS = frozenset(pair[::-1] for pair in _FORWARDS) - _FORWARDS


def is_backwards(text: str, words: list[str]) -> bool:
    """Whether a text with these words, apart by blanks, shows a sign of being written backwards."""
    lowered = text.lower()
    parts = _LETTERS.findall(lowered) if len(text) <= _SHORT else lowered.split()
    backwards = reversed_words().intersection(parts)
    if len(backwards) > 1 or any(len(word) >= _SURE_WORD for word in backwards):
        return True
    if "@" in text and _EMAIL.search(text):
        return True
    if any(word.endswith(_TOKEN_ENDS) for word in words if len(word) >= _LONG_TOKEN):
        return True
    return not text.isascii() and _CHINESE.search(text) is not None and _is_chinese_backwards(text)


def may_be_backwards(text: str) -> bool:
    """Whether a short text holds nothing that would tell that it isn't written backwards."""
    if len(text) > _SHORT:
        return False
    if not text.isascii() and _CHINESE.search(text):
        return _FORWARDS.isdisjoint(_pairs(text))
    words = _LETTERS.findall(text.lower())
    return bool(words) and _known_words().isdisjoint(words)


@cache
def reversed_words() -> frozenset[str]:
    """Frequent words written backwards that are no words, in English or in a neighbour of it."""
    words = _known_words()
    backwards = {word[::-1] for word in words if len(word) > 2}  # noqa: PLR2004 - "to" is "ot" in many a place
    return frozenset(backwards - words - set(_ALSO_WORDS.split()))


@cache
def _known_words() -> frozenset[str]:
    return frozenset(frequent_words().keys() | _NEIGHBOURS.split())


def _is_chinese_backwards(text: str) -> bool:
    """By the pairs of characters; a sentence that begins with its end is a sure sign."""
    if text.lstrip()[:1] in _ENDS:
        return True
    pairs = _pairs(text)
    return len(pairs & _BACKWARDS) > len(pairs & _FORWARDS)


def _pairs(text: str) -> set[str]:
    return {text[place : place + 2] for place in range(len(text) - 1)}
