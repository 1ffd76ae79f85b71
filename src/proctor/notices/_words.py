"""Our own words to people, in each language."""

from collections.abc import Mapping
from dataclasses import dataclass

from proctor.notices._values import Language


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """Our own words in one language."""

    language: Language
    requested: str
    reminder: str
    escalated: str
    expired: str
    firing: str
    repeated: str
    resolved: str
    behind: str
    team: str
    run: str
    asks: str
    asked: str
    why: str
    action: str
    review: str
    task: str
    answer: str
    found: str
    kinds: Mapping[str, str]
    """What answers may hold; of other things their name is taken as it is."""
    budget: str
    until: str
    open_link: str
    or_command: str
    command: str
    outcome: str
    cut: str
    approve: str
    reject: str
    comment: str
    comment_hint: str
    answer_hint: str
    votes_as: str
    title: str
    approved: str
    rejected: str
    again: str
    done_title: str
    unknown_title: str
    unknown: str
    forged_title: str
    forged: str
    spent_title: str
    spent: str
    forbidden_title: str
    forbidden: str
    wrong_title: str
    wrong: str
    later_title: str
    later: str


WORDS: dict[Language, Words] = {
    "en": Words(
        language="en",
        requested="Approval needed",
        reminder="Still waiting for approval",
        escalated="Approval passed on to you",
        expired="Approval expired",
        firing="Alert",
        repeated="Still an alert",
        resolved="Resolved",
        behind="Runs behind it",
        team="Team",
        run="Run",
        asks="Who asks",
        asked="Question",
        why="Why you are asked",
        action="Exact action",
        review=(
            "A team wants to give this answer. It goes out once it is approved; "
            "at the command line it can be changed, too."
        ),
        task="What it answers",
        answer="Answer",
        found="What it may hold",
        kinds={
            "iban": "IBAN",
            "ip_address": "IP address",
            "national_id": "national ID",
            "ai_as_professional": "an AI that poses as a professional",
        },
        budget="Budget",
        until="Decide before",
        open_link="Decide here. The link works once and is meant for you alone:",
        or_command="Or at the command line:",
        command="Decide at the command line:",
        outcome="What became of it",
        cut="[cut here; the whole: {command}]",
        approve="Approve",
        reject="Reject",
        comment="Comment",
        comment_hint="Kept in the record; the agent reads it.",
        answer_hint="Kept in the record; where you reject, whoever asked reads it.",
        votes_as="Your decision is recorded as",
        title="A decision is needed",
        approved="Approved. Thank you.",
        rejected="Rejected. Thank you.",
        again="You can close this page. The link can't be used again.",
        done_title="Decided",
        unknown_title="No such link",
        unknown="This address leads to nothing. Check that it was copied whole.",
        forged_title="Link refused",
        forged="This link was changed on its way, or signed with another key. It can't be used.",
        spent_title="Link no longer valid",
        spent="It was used before, its time is over, or the question was settled in another way.",
        forbidden_title="Not allowed",
        forbidden="The rules of this approval don't let you decide it.",
        wrong_title="Not understood",
        wrong="The form was incomplete or too long. Go back and try again.",
        later_title="Please try again",
        later="The decision couldn't be stored. Nothing was decided; the link still works.",
    ),
    "zh": Words(
        language="zh",
        requested="需要审批",
        reminder="仍在等待审批",
        escalated="审批已转交给您",
        expired="审批已过期",
        firing="告警",
        repeated="告警仍在持续",
        resolved="告警已恢复",
        behind="相关运行",
        team="团队",
        run="运行",
        asks="请求者",
        asked="问题",
        why="为何需要您决定",
        action="确切操作",
        review="团队准备给出以下答复，批准后才会发出；也可通过命令行修改。",
        task="所答复的问题",
        answer="答复",
        found="其中可能包含",
        kinds={
            "payment_card": "支付卡号",
            "iban": "IBAN",
            "bank_account": "银行账号",
            "national_id": "身份证件号码",
            "passport": "护照号码",
            "driver_licence": "驾驶证号码",
            "phone": "电话号码",
            "email": "电子邮件地址",
            "address": "地址",
            "ip_address": "IP 地址",
            "date_of_birth": "出生日期",
            "person": "姓名",
            "secret": "密钥",
            "password": "密码",
            "injection": "试图操纵系统的指令",
            "investment_advice": "投资建议",
            "medical_advice": "医疗建议",
            "legal_advice": "法律建议",
            "unsupported_claim": "缺乏依据的说法",
            "ai_as_professional": "以专业人士自居的 AI",
            "fake_review": "虚假评价",
            "dark_pattern": "诱导性设计",
            "price_mismatch": "与目录不符的价格",
        },
        budget="预算",
        until="截止时间",
        open_link="请在此决定。此链接仅可使用一次，仅供您本人使用：",
        or_command="或使用命令行：",
        command="请使用命令行决定：",
        outcome="结果",
        cut="[此处截断；完整内容：{command}]",
        approve="批准",
        reject="拒绝",
        comment="备注",
        comment_hint="备注会存入记录，智能体也会读到。",
        answer_hint="备注会存入记录；若您拒绝，提问者会读到备注。",
        votes_as="您的决定将记录为",
        title="需要您的决定",
        approved="已批准，谢谢。",
        rejected="已拒绝，谢谢。",
        again="您可以关闭此页面。此链接不能再次使用。",
        done_title="已决定",
        unknown_title="链接不存在",
        unknown="此地址无效。请检查是否完整复制。",
        forged_title="链接被拒绝",
        forged="此链接在传递中被改动，或由其他密钥签名，无法使用。",
        spent_title="链接已失效",
        spent="链接已被使用、已过期，或该问题已以其他方式处理。",
        forbidden_title="不允许",
        forbidden="此审批的规则不允许您作出决定。",
        wrong_title="无法识别",
        wrong="表单不完整或过长。请返回重试。",
        later_title="请稍后重试",
        later="决定未能保存。尚未作出任何决定；链接仍然有效。",
    ),
}
