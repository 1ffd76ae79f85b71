"""Claims that nobody can keep, an AI that says it is a professional, and made-up reviews.

A sentence is found, not a word: questions, denials and warnings pass, and so do the guarantees of shops.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from proctor.core import Stage
from proctor.policies._reading import Finding, Reading, in_small

_SENTENCES = re.compile(r"[^.!?。!?\n;]*+(?:[.;](?!\s)[^.!?。!?\n;]*+)*+[.!?。;\n]*+")
LONGEST = 600
"""Characters that are read of one sentence."""
_BEFORE = 60
"""Characters before a claim in which a denial is looked for."""

_PROMISED = (
    r"(?:returns?|profits?|income|earnings|gains|growth|results?|cure|success|approval|approved"
    r"|weight loss|relief|yields?"
    r"|recovery|winnings?|wins?|jackpot|acceptance|visa|admission|to (?:work|cure|win|double|pass"
    r"|heal|make|lose|grow|earn))\b"
)
_ILLNESS = (
    r"(?:cancers?|tumou?rs?|diabetes|arthritis|asthma|alzheimer'?s|dementia|depression|anxiety"
    r"|insomnia|acne|eczema|psoriasis"
    r"|obesity|hypertension|high blood pressure|hiv|aids|herpes|covid(?:-19)?|flu|colds?|autism|adhd"
    r"|hair loss|baldness|pain"
    r"|allerg(?:y|ies)|infertility|migraines?|heart disease|hepatitis|tinnitus|addiction"
    r"|erectile dysfunction|wrinkles"
    r"|(?:every|any|all|most|your|chronic|incurable) (?:\w+ )?(?:disease|illness|ailment|condition)s?"
    r"|diseases?|illness(?:es)?)\b"
)
_CLAIMS = re.compile(
    rf"\bguarantee[sd]?(?: [\w%$€£.,-]+){{0,4}} {_PROMISED}"
    rf"|\b(?:returns?|profits?|results?|success|approval|income|winnings?|cure|relief"
    rf"|weight loss)(?: \w+){{0,2}} (?:is|are) (?:always |fully |100% |absolutely )?guaranteed"
    r"|\b(?:100 ?%|fully|absolutely|totally) guaranteed(?! (?:delivery|by|authentic|secure))"
    r"|\b(?:we|i) (?:can |do |personally )?guarantee(?: that)? (?:you|your (?:money|portfolio"
    r"|investment|skin|pain|weight|score|case))\b"
    r"|\bguaranteed \d[\d.,]* ?%"
    rf"|\b(?:cures?|cured|curing|heals?|reverses?|eliminates|gets? rid of)(?: \w+){{0,3}} {_ILLNESS}"
    r"|\bmiracle (?:cure|pill|drug|product|treatment|remedy|diet)|\b(?:instant|permanent|proven|sure) cure\b"
    r"|\brisk[- ]free(?= (?:\w+ )?(?:investments?|returns?|profits?|income|way|money|opportunity"
    r"|strategy|trading|yield|gains))"
    r"|\b(?:is|are|completely|totally|100 ?%|entirely|absolutely|virtually) risk[- ]free\b(?! (?:trial|rate))"
    r"|\b(?:zero|no|without(?: any)?) risk(?: at all| whatsoever| of (?:loss|losing)| to you(?:r money)?)"
    r"|\b(?:zero[- ]risk|you (?:can't|cannot|can never|won't|will never) lose(?! access| your| the)"
    r"|can't[- ]lose|foolproof|never fails)"
    r"|\b100 ?% (?:effective|success|cure|safe|proven|accurate|natural cure|win)\b|\b(?:clinically"
    r"|scientifically|medically) proven\b"
    r"|\b(?:has|have|with|causes?|zero|absolutely) (?:no|zero) side[- ]effects\b|\bfree of side[- ]effects\b"
    r"|\bworks (?:every time|for everyone|100 ?%|overnight)|\b(?:double|triple) your (?:money"
    r"|investment|savings)"
    r"|\bget[- ]rich[- ]quick|\blose \d+ ?(?:pounds|lbs|kg|kilos) in (?:\d+|one|a|two|three) (?:days?|weeks?)"
    r"|\b(?:earn|make) \$?\d[\d,]*k? (?:a|per|every) (?:day|week|month) (?:from home|without"
    r"|guaranteed|easily)"
)
_CLAIMS_ZH = re.compile(
    r"稳赚(?:不赔)?|只赚不赔|稳赢|必赚|包赚|躺赚|零风险|0风险|(?:毫|绝|完全|没有任何"
    r"|没有一点)?无(?:任何)?风险(?!提示|测评|承受|利率|评估)|保本(?:保息|高收益|收益|理财)"
    r"|(?:保证|承诺|确保|包)(?:您|你|年化|每年|每月|绝对|一定|能|可以)?[^,。!?\n]{0,6}?(?:收益|赚钱"
    r"|盈利|回报|翻倍|治愈|治好|见效|有效|通过|瘦|不反弹|不复发|中奖|录取|胜诉|打赢)"
    r"|收益(?:有|能|可以)?保证|包治|(?:彻底|一次|疗程|保证|可以?|能够?)根治|药到病除|永不复发|永不反弹|一次见效|立竿见影|(?:无|没有|零)(?:任何)?(?:毒)?副作用"
    r"|(?:百分之?百|百分百|100%)(?:有效|治愈|成功|安全|见效|通过|赚钱|中奖|胜诉)|包过"
    r"|[一三七十\d]+天(?:见效|治好|治愈|瘦\d+)|日赚(?:千|\d)|月入过万|特效药|神药|灵丹妙药"
)
_DENIED = re.compile(
    r"\b(?:not|no|never|cannot|neither|nor|nobody|nothing|none|without|unable|beware|avoid|scams?"
    r"|scammers?|fraud|fraudulent|illegal"
    r"|misleading|false|unsupported|promis(?:e|es|ing)|claim(?:s|ing)?|don'?t|doesn'?t|can'?t|won'?t"
    r"|isn'?t|aren'?t|didn'?t|if|whether|may"
    r"|might|sometimes|rarely|intended|anyone|suspicious|wary|sceptical|skeptical)\b"
    r"|[不没未非勿别莫难]|谨防|警惕|声称|宣称|号称|拒绝|禁止|虚假|骗|难以|无法|防止|所谓|如果|是否"
)
_SHOP_GUARANTEES = re.compile(
    r"\b(?:money[- ]back|satisfaction|price[- ]match|best[- ]price|lowest[- ]price|low[- ]price"
    r"|lifetime|quality|repair|delivery)[- ]+guarantee"
    r"|\brisk[- ]free (?:trial|rate)|\btry .{0,30}risk[- ]free"
)
_ASKED = re.compile(
    r"\?\s*$|[吗呢]\s*[。!?]*\s*$|是不是|有没有|是否"
    r"|^\W*(?:is|are|does|do|can|could|will|would|what|which|how|why|who|should)\b(?![^,]*,)"
)

_PROFESSION = (
    r"(?:lawyer|attorney|solicitor|barrister|doctor|physician|psychiatrist|psychologist|therapist"
    r"|nurse|pharmacist|dentist"
    r"|surgeon|cardiologist|dermatologist|paediatrician|pediatrician|accountant|cpa|(?:financial"
    r"|investment|tax|legal)"
    r" (?:advis[eo]r|planner|counsel|expert)|stockbroker|wealth manager|notary|paralegal)(?!'s| who| would)\b"
)
_FILLERS = r"(?:(?!not\b|ai\b|assistant\b|model\b|bot\b|an?\b|for\b|no\b)[\w-]+ ){0,3}?"
_PROFESSIONAL = re.compile(
    rf"\b(?:i am|i'm|i was trained as|this is|i work as) (?:an? |your |the )?(?:ai |online |virtual "
    rf"|personal )?{_FILLERS}{_PROFESSION}(?! assistant)"
    rf"|\b(?:speaking )?as (?:an?|your) {_FILLERS}{_PROFESSION}(?:,? (?:i\b|i'\w+|my\b|let me))"
    rf"|\b(?:consider|think of) me (?:as )?your {_FILLERS}{_PROFESSION}|\bi(?:'ll| will"
    rf"| can)? (?:act as|be) your {_FILLERS}{_PROFESSION}"
    r"|\bin my (?:\w+ ){0,3}(?:medical|legal|clinical|law) practice\b|\bmy (?:other )?(?:patients|clients) \w"
    r"|\bi(?:'m| am) (?:a )?(?:board[- ]certified|licensed (?:to practi[cs]e|in))"
    r"|\bi have been practi[cs]ing (?:law|medicine)"
    rf"|\b(?:robot|ai|virtual|artificial) {_PROFESSION} (?:that|you can|for you|who)"
)
_PROFESSIONAL_ZH = re.compile(
    r"(?:我|本人)(?:就)?(?:是|作为|身为)(?:您|你)?(?:的)?(?:一[名位个])?[^不非,。!?\n助]{0,10}?"
    r"(?:律师|医生|大夫|医师|药师|心理咨询师|心理医生|治疗师|理财师|理财顾问|投资顾问|会计师|税务师|法律顾问|基金经理|主任医师)(?!助理|助手|的助|朋友)"
    r"|作为(?:您|你)的(?:专属|私人|家庭)?(?:律师|医生|投资顾问|理财顾问|法律顾问)|我的(?:患者|病人|当事人|委托人)|我(?:从医|执业|行医)(?:已|了)?\d*"
)
_NOT_PROFESSIONAL = re.compile(r"\b(?:not|no|never|isn'?t|if)\b|[不非]是|并非|如果|假如")

_GOOD = r"(?:fake|false|bogus|made[- ]up|invented|fabricated|phony)"
_STARS = r"(?:five[- ]star|5[- ]?star|5[- ]stars?|positive|glowing|good|great|excellent|fake|rave)"
_REVIEWS = r"(?:reviews?|testimonials?|ratings?|customer stories)\b"
_FAKE_REVIEWS = re.compile(
    rf"\b(?:write|generate|create|make(?: up)?|post|produce|draft|invent|fabricate|give|need|want|buy"
    rf"|sell|leave|get|order|come up with)"
    rf"(?: [\w'-]+){{0,5}} {_GOOD}(?: [\w'-]+){{0,3}} {_REVIEWS}"
    rf"|\b(?:write|generate|create|post|produce|draft|invent|give me|need"
    rf"|make(?: up)?)(?: [\w'-]+){{0,3}} (?:\d+|two|three|four|five|six|ten|twelve|twenty|fifty|some"
    rf"|several|a few|a dozen|dozens of|a bunch of|multiple|hundreds of)"
    rf"(?: [\w,'-]+){{0,4}} (?:{_STARS} (?:[\w-]+ ){{0,3}}{_REVIEWS}|testimonials|{_REVIEWS} (?:from"
    rf"|by|as|under) (?:\w+ ){{0,2}}(?:customers|buyers|names|users|people|accounts|clients))"
    rf"|\b(?:write|generate|create|post|draft|invent"
    rf"|make up)(?: [\w,'-]+){{0,6}} {_REVIEWS}(?: [\w,'-]+){{0,8}} (?:as if|pretend|from fake|posing"
    rf"|although (?:i|we|they) never|without (?:having )?(?:bought|used|tried|buying|using))"
    rf"|\bpretend(?:ing)? (?:to be|you(?:'re| are)|that you)(?: [\w,'-]+){{0,6}} (?:customer|buyer"
    rf"|guest|patient|client|user)s?\b.{{0,60}}?{_REVIEWS}"
    rf"|\b(?:buy|purchase|sell|selling|order)(?:ing)?(?: [\w'-]+){{0,2}} (?:google|amazon|yelp"
    rf"|trustpilot|tripadvisor|app store|etsy|{_STARS}) (?:[\w-]+ )?{_REVIEWS}"
    rf"|\b(?:pay|paid|offer|give|get|receive|refund|gift card|discount|coupon|voucher|cashback|\$\d+"
    rf"|free)\b.{{0,60}}?\b(?:for|in exchange for|in return for|if you (?:leave|post|write|give)"
    rf"|once you (?:leave|post)|when you (?:leave|post))(?: [\w'-]+){{0,3}} {_STARS} {_REVIEWS}"
    rf"|\b(?:leave|post|write"
    rf"|give us)(?: [\w'-]+){{0,3}} {_STARS} {_REVIEWS}(?: [\w',-]+){{0,4}} (?:and|to) (?:get|receive"
    rf"|earn|we(?:'ll| will))"
    rf"|\b(?:post|leave|write|flood)(?: [\w'-]+){{0,4}} (?:bad|negative|one[- ]star"
    rf"|1[- ]star)(?: [\w'-]+){{0,2}} {_REVIEWS}(?: [\w'-]+){{0,3}} (?:competitor|rival)"
)
_FAKE_REVIEWS_ZH = re.compile(
    r"刷单(?![^。\n]{0,8}[骗诈违])|刷(?:好评|评|销量|信誉)|好评返现|(?:五星|5星"
    r"|好)评?[^。!?\n]{0,10}(?:返现|返\d|红包|有奖|送礼|领取)|(?:买|购买|代写|代刷)(?:一些|几条"
    r"|\d+条)?(?:好评|五星评价|评论)"
    r"|(?:写|编|编造|生成|捏造|伪造|来)[^。!?\n]{0,10}(?:\d+|几|多|十|百"
    r"|些)[条个篇份]?[^。!?\n]{0,8}(?:假|虚假|好评|五星|不同(?:买家|顾客|用户))[^。!?\n]{0,6}(?:评价"
    r"|评论|好评|口碑)?"
    r"|(?:假装|冒充|扮成|以)(?:\S{0,4})(?:买家|顾客|用户|消费者|患者)[^。!?\n]{0,14}(?:写|发|编|评价"
    r"|评论|好评)|(?:虚假|假)(?:好评|评价|评论)|找水军|雇水军"
)
_NO_FAKES = re.compile(
    r"\b(?:not|never|don'?t|doesn'?t|can'?t|cannot|won'?t|illegal|detect|spot|report|remove|flag"
    r"|identify|against|avoid|prohibit\w*|forbid\w*"
    r"|ban(?:s|ned)?|delete|stop|reply to|respond to|answer|summari[sz]e|analy[sz]e|classif\w+"
    r"|translate|dataset)\b"
    r"|[不勿别]|禁止|拒绝|举报|打击|识别|杜绝|谨防|警惕|被骗|诈骗|骗|什么是|违法|检测|删除|回复|处罚"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sort:
    kind: str
    stages: frozenset[Stage]
    signs: tuple[str, ...]
    """One of them stands in every text that holds such a claim."""
    patterns: tuple[re.Pattern[str], ...]
    denied: re.Pattern[str]
    questions_pass: bool
    confidence: float


_ALL: frozenset[Stage] = frozenset({"input", "tool_result", "knowledge", "output", "memory"})
_SORTS = (
    _Sort(
        kind="unsupported_claim",
        stages=frozenset({"output", "knowledge"}),
        signs=(
            *(
                "guarante",
                "cure",
                "curing",
                "heal",
                "revers",
                "eliminat",
                "rid of",
                "risk",
                "proven",
                "100",
                "side",
                "works ",
                "your ",
            ),
            *("lose", "rich", "foolproof", "never fails", "earn ", "make "),
            *(
                "赚",
                "赢",
                "风险",
                "保",
                "承诺",
                "包",
                "根治",
                "药",
                "永不",
                "见效",
                "立竿",
                "副作用",
                "百分",
                "天",
                "月入",
            ),
        ),
        patterns=(_CLAIMS, _CLAIMS_ZH),
        denied=_DENIED,
        questions_pass=True,
        confidence=0.85,
    ),
    _Sort(
        kind="ai_as_professional",
        stages=frozenset({"output"}),
        signs=(
            "i am",
            "i'm",
            "as a",
            "as your",
            "your ",
            "my ",
            "i have",
            "robot ",
            "ai ",
            "i work",
            "i was",
            "this is",
            "我",
            "本人",
            "作为",
        ),
        patterns=(_PROFESSIONAL, _PROFESSIONAL_ZH),
        denied=_NOT_PROFESSIONAL,
        questions_pass=False,
        confidence=0.9,
    ),
    _Sort(
        kind="fake_review",
        stages=_ALL,
        signs=("review", "testimonial", "rating", "customer stories", "评", "刷", "水军"),
        patterns=(_FAKE_REVIEWS, _FAKE_REVIEWS_ZH),
        denied=_NO_FAKES,
        questions_pass=False,
        confidence=0.9,
    ),
)

CLAIMED_AT = {sort.kind: sort.stages for sort in _SORTS}
"""Where each kind of claim is looked for."""


def claims(reading: Reading) -> Iterable[Finding]:
    """Sentences that claim what nobody can keep, pose as a professional, or make up reviews."""
    sorts = [sort for sort in _SORTS if reading.stage in sort.stages]
    for view in reading.views:
        lowered = in_small(view.text)
        for sort in sorts:
            if any(sign in lowered for sign in sort.signs):
                for start, end in _claimed(lowered, sort):
                    first, last = view.original(start, end)
                    yield Finding(kind=sort.kind, start=first, end=last, confidence=sort.confidence)


def _claimed(text: str, sort: _Sort) -> Iterator[tuple[int, int]]:
    for match in _SENTENCES.finditer(text):
        sentence = match[0][:LONGEST]
        if not sentence.strip() or not any(sign in sentence for sign in sort.signs):
            continue
        if any(_stands(pattern, sentence, sort) for pattern in sort.patterns):
            start = match.start() + len(match[0]) - len(match[0].lstrip())
            yield start, start + len(match[0].strip())


def _stands(pattern: re.Pattern[str], sentence: str, sort: _Sort) -> bool:
    """Whether a sentence says it: neither asks nor denies it."""
    if sort.questions_pass and _ASKED.search(sentence):
        return False
    for found in pattern.finditer(sentence):
        before = sentence[max(0, found.start() - _BEFORE) : found.start()]
        shop = sort.questions_pass and _SHOP_GUARANTEES.search(sentence)
        if not sort.denied.search(before) and not shop:
            return True
    return False
