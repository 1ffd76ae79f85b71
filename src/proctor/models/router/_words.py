"""The words that the router counts: small sets, in English and as pairs of Chinese characters.

They say what a request is about and what it asks for. What each of them weighs is learned.
"""

from collections.abc import Mapping
from typing import Literal, TypeAlias

Domain: TypeAlias = Literal["legal", "medical", "finance", "code"]
"""The special domains that the shipped weights tell apart: `legal` is meant for a tier `special:legal`."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


DOMAIN_WORDS: Mapping[Domain, frozenset[str]] = {
    "legal": _words(
        "agreement appeal appellate arbitration attorney breach clause clauses compliance constitutional "
        "contract contracts convicted copyright court custody deed defendant easement eviction felony "
        "gdpr hearsay indemnity judge jurisdiction jury landlord law laws lawsuit lawsuits lawyer lease "
        "legal liability liable misdemeanor negligence patent plaintiff prosecution rent settlement "
        "statute sue sued tenant testimony tort trademark treaty 法律 律师 法院 法官 原告 被告 诉讼 起诉 "
        "合同 违约 侵权 刑法 民法 犯罪 判决 仲裁 赔偿 刑事 民事 罪名 人民 条例 继承 物权 债权 担保 著作 "
        "专利 房东 押金 租房 租赁 劳动 辞退 离婚 抚养 遗产 条款 合规"
    ),
    "medical": _words(
        "acute allergy antibiotics asthma blood cancer chronic clinical cough diabetes diagnose "
        "diagnosis disease diseases dizziness doctor dosage dose fever heart hospital infection injury "
        "insulin kidney liver lung medication mg nausea pain patient patients physician pregnancy "
        "prescription rash stroke surgery symptom symptoms syndrome tablets therapy treatment treatments "
        "tumor vaccine virus 病人 患者 症状 疾病 诊断 治疗 医生 医院 疼痛 发烧 血压 血糖 癌症 感染 手术 "
        "药物 吃药 慢性 急性 心脏 肝脏 肾脏 糖尿 怀孕 疫苗 病毒 检查 头痛 头晕 咳嗽 胃炎 高血 过敏 哮喘 "
        "肿瘤 发炎 恶心 呕吐 皮疹 中风 胰岛"
    ),
    "finance": _words(
        "accounting asset assets audit auditor balance bitcoin bond bonds budget cash crypto "
        "depreciation derivative dividend earnings ebitda equity etf fiscal forex fund funds gdp hedge "
        "heteroscedasticity inflation interest invest investing investment investments invoice invoices "
        "irr liabilities loan loans monetary mortgage npv options pension portfolio rates regression "
        "retirement revenue stock stocks tariff tax taxes valuation volatility yield 股票 基金 投资 债券 "
        "利率 通胀 货币 财政 税收 会计 审计 资产 负债 收益 分红 理财 期货 汇率 贷款 保险 退休 上市 市盈 "
        "现金 现值 估值 财报 利润 成本 预算"
    ),
    "code": _words(
        "algorithm api array async backend bash class code compile compiler concurrency css database "
        "debug deploy docker endpoint endpoints exception frontend function git golang hash html "
        "implement java javascript json kotlin kubernetes linux method migration mutex pointer postgres "
        "postgresql powershell program programming python query react recursion redis refactor regex "
        "rust schema script segfault server shell software sql stacktrace swift thread traceback "
        "typescript unittest 代码 编程 程序 函数 算法 脚本 接口 调试 报错 数据 编译 变量 线程 服务 部署 "
        "重构 正则 数组 递归 异步 并发"
    ),
}

ASK_WORDS: Mapping[str, frozenset[str]] = {
    "sequence": _words(
        "after afterwards also before both each every finally first next once second step steps then "
        "third 首先 然后 接着 最后 其次 之后 步骤 再把 并且 同时 分别 第一 第二 第三"
    ),
    "work": _words(
        "analyse analyze approach approaches architect calculate compare compute critique debug derive "
        "design detailed determine draft estimate evaluate explain forecast hypothesis identify "
        "implement investigate justify migrate model optimize outline plan proof propose prove rank "
        "recommend reconcile refactor review simulate solve strategy summarize thorough thoroughly "
        "tradeoff tradeoffs write 分析 比较 评估 设计 证明 推导 计算 优化 规划 总结 撰写 解释 预测 估计 "
        "判断 论证 归纳 求解 方案 策略 权衡 详细 建议 重构 迁移 推广 论述 制定"
    ),
    "ask": _words(
        "account cancel card change check find hello hi list order password please show status tell "
        "thank thanks track update what when where 你好 谢谢 请问 查询 查看 推荐 告诉 哪里 什么 地址 "
        "电话 多少 附近"
    ),
    "why": _words("because how reason why 为什 什么 怎么 如何 原因 为何"),
    "condition": _words(
        "assuming but depending except given however if instead only otherwise provided unless until "
        "whether without 如果 否则 除非 但是 只有 不要 要是 假如 倘若 虽然 取决 假设 除了"
    ),
}
"""What a request asks for, by kind of word."""
