"""Secrets: tokens in the formats that providers publish, and random values under a telling name."""

import re
from collections import Counter
from collections.abc import Iterator
from math import log2

from proctor.policies._numbers import Place
from proctor.policies._placeholders import is_placeholder

_FORMATS = {
    "1password": r"ops_eyJ[\w-]{40,}"
    r"|A3-[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})(?:-[A-Z0-9]{5}){3}",
    "adobe, heroku": r"p8e-[0-9a-f]{32}|HRKU-AA[\w-]{58}",
    "age": r"AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}",
    "alibaba, tencent": r"LTAI[A-Za-z0-9]{12,24}|AKID[A-Za-z0-9]{32}",
    "anthropic": r"sk-ant-(?:api|admin|oat)[0-9]{2}-[\w-]{80,}",
    "artifactory": r"AKCp[A-Za-z0-9]{69}|cmVmdGtu[A-Za-z0-9]{56}",
    "atlassian": r"ATATT3[\w=-]{50,}|ATCTT3[\w=-]{50,}",
    "aws": r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}",
    "azure storage": r"AccountKey=[A-Za-z0-9+/]{80,90}={0,2}",
    "clojars": r"CLOJARS_[0-9a-f]{60}",
    "databricks": r"dapi[0-9a-f]{32}(?:-[0-9])?",
    "digitalocean": r"do[opr]_v1_[0-9a-f]{64}",
    "discord": r"[MNO][A-Za-z0-9_-]{23,25}\.[\w-]{6}\.[\w-]{27,38}",
    "doppler, dynatrace": r"dp\.(?:pt|st|ct|sa)\.[A-Za-z0-9]{40,44}"
    r"|dt0[a-z][0-9]{2}\.[A-Z0-9]{24}\.[A-Z0-9]{64}",
    "easypost": r"EZ[AT]K[A-Za-z0-9]{54}",
    "facebook": r"EAA[MC][A-Za-z0-9]{100,}",
    "figma": r"figd_[\w-]{40,}",
    "flutterwave": r"FLWSECK(?:_TEST)?-[0-9a-fA-F]{32}-X",
    "fly": r"f(?:o1|m1r|m1a|m2)_[A-Za-z0-9+/=_-]{40,}",
    "github": r"gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{82}",
    "gitlab": r"gl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|soat|oas|ffct|rtr)-[\w.-]{20,}|GR1348941[\w-]{20,}",
    "google": r"AIza[\w-]{35}|GOCSPX-[\w-]{28}|ya29\.[\w-]{30,}",
    "grafana": r"glsa_[A-Za-z0-9]{32}_[0-9a-fA-F]{8}"
    r"|glc_[A-Za-z0-9+/]{32,400}={0,3}|eyJrIjoi[A-Za-z0-9]{70,}",
    "groq, perplexity, replicate, xai": r"gsk_[A-Za-z0-9]{52}"
    r"|pplx-[A-Za-z0-9]{48}|r8_[A-Za-z0-9]{37}|xai-[A-Za-z0-9]{80}",
    "hashicorp": r"hv[sbr]\.[\w-]{24,}|[A-Za-z0-9]{14}\.atlasv1\.[\w=-]{60,70}",
    "hugging face": r"hf_[A-Za-z]{34}|api_org_[A-Za-z]{34}",
    "infracost": r"ico-[A-Za-z0-9]{32}",
    "json web token": r"ey[IJ][\w-]{15,}\.ey[IJ][\w-]{15,}(?:\.[\w-]{10,})?",
    "linear, notion": r"lin_api_[A-Za-z0-9]{40}|ntn_[0-9]{11}[A-Za-z0-9]{35}|secret_[A-Za-z0-9]{43}",
    "mailchimp, mailgun": r"[0-9a-f]{32}-us[0-9]{1,2}|key-[0-9a-f]{32}|pubkey-[0-9a-f]{32}",
    "new relic": r"NRAK-[A-Za-z0-9]{27}|NRII-[A-Za-z0-9-]{32}|NRJS-[a-f0-9]{19}",
    "npm, pypi, rubygems": r"npm_[A-Za-z0-9]{36}|pypi-AgEIcHlwaS5vcmc[\w-]{50,}|rubygems_[0-9a-f]{48}",
    "openai": r"sk-(?:proj|svcacct|admin|None)-[\w-]{40,}|sk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}",
    "openshift": r"sha256~[\w-]{43}",
    "other sk- keys": r"sk-(?:or-v1-)?[A-Za-z0-9]{32,64}",
    "planetscale": r"pscale_(?:tkn|oauth|pw)_[\w=.-]{32,64}",
    "postman": r"PMAK-[0-9a-f]{24}-[0-9a-f]{34}",
    "prefect, pulumi, readme": r"pnu_[A-Za-z0-9]{36}|pul-[0-9a-f]{40}|rdme_[a-z0-9]{70}",
    "private key": r"-----BEGIN (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)?-----(?:[^-]|-(?!----))*+"
    r"(?:-----END [A-Z0-9 ]{0,40}-----)?",
    "sendgrid, sendinblue": r"SG\.[\w=.-]{60,70}|xkeysib-[0-9a-f]{64}-[A-Za-z0-9]{16}",
    "sentry": r"sntrys_eyJ[\w+/=-]{60,}|sntryu_[0-9a-f]{64}",
    "shippo, shopify": r"shippo_(?:live|test)_[0-9a-fA-F]{40}|shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}",
    "slack": r"xox[abeoprs](?:\.xox[bp])?-[A-Za-z0-9-]{20,}"
    r"|xapp-[0-9]-[A-Za-z0-9-]{30,}|xwfp-[A-Za-z0-9-]{20,}",
    "slack webhook": r"hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/]{40,60}",
    "sourcegraph": r"sgp_(?:[0-9a-fA-F]{16}_|local_)?[0-9a-fA-F]{40}",
    "square": r"(?:EAAA|sq0atp-|sq0csp-)[\w\\-]{22,60}",
    "stripe": r"(?:sk|rk)_(?:test|live|prod)_[A-Za-z0-9]{10,99}|whsec_[A-Za-z0-9+/=]{24,}",
    "supabase, vercel": r"sbp_[0-9a-f]{40}|sb_secret_[\w-]{30,}|vc[apkri]_[A-Za-z0-9]{40,}",
    "telegram": r"[0-9]{8,10}:A[\w-]{34}",
    "twilio": r"SK[0-9a-f]{32}",
    "yandex": r"AQVN[\w-]{35,38}|y0_[\w-]{50,}|YCAJE[\w-]{33}|YC[a-zA-Z0-9_-]{38}",
}
"""Token formats as their providers document them. The names serve readers."""

_FORMATTED = re.compile(rf"(?<![\w-])(?:{'|'.join(_FORMATS.values())})(?![A-Za-z0-9])", re.ASCII)

_IN_ADDRESS = re.compile(r"(?<=://)[^\s:/@'\"]{0,100}:(?P<value>[^\s/@'\"]{2,200})@[\w\[]", re.ASCII)
"""`scheme://name:password@host`."""

_ON_COMMAND_LINE = re.compile(
    r"(?<=\s)(?:-u|--user)[ =]{1,3}[\"'{]{0,2}[^\s:\"']{0,60}:(?P<value>[^\s\"']{4,100})", re.ASCII
)
"""`curl --user name:password`."""

_NAMED = re.compile(
    r"(?i)(?P<name>密钥|秘钥|令牌|(?<![\w.-])"
    r"(?:(?:api|access|secret|private|auth|secret access) )?[a-z][\w.-]{1,60}+)"
    r"[\"'`\])]{0,3}(?: string)?[ \t]{0,4}(?:=>|:=|={1,3}|:|is\b|是|为|, ?(?=[\"'])|>\s{0,20})[ \t]{0,4}"
    r"(?:(?:bearer|basic|token) )?[\"'`(]{0,2}"
    r"(?P<value>(?<=[\"'`])[^\s\"'`]{10,500}+|[\w./+=~!@#$%^&*|:-]{10,500}+)",
    re.ASCII,
)
_TELLING = re.compile(
    r"(?i)(?:api|access|private|auth|signing|encryption|client|app|service|master|account|shared)[_. -]?key|"
    r"secret|token|credential|creds\b|authorization|[_-]auth$|密钥|秘钥|令牌"
)
_HARMLESS = re.compile(
    r"(?i)(?:id|url|uri|name|path|file|length|size|type|version|count|endpoint|issuer|hash|arn|tokens|expiry)$"
    r"|public|csrf|xsrf|primary|foreign"
)
_SHORTEST_RANDOM = 15
_RANDOM_BITS = 2.9
"""Identifiers and words stay below or lack digits; random hexadecimal lies near 3.5."""
_TOKEN_BITS = 2.5
"""Below it a token of the right form is a row of `x`."""


def secrets(text: str) -> Iterator[Place]:
    """Where tokens, keys and passwords inside addresses stand."""
    for match in _FORMATTED.finditer(text):
        if _bits(match[0]) >= _TOKEN_BITS:
            yield match.span()
    for match in _IN_ADDRESS.finditer(text):
        if not is_placeholder(match["value"]):
            yield match.span("value")
    for match in _ON_COMMAND_LINE.finditer(text):
        if not match["value"].isdigit() and not is_placeholder(match["value"]):
            yield match.span("value")
    for match in _NAMED.finditer(text):
        if (
            _TELLING.search(match["name"])
            and not _HARMLESS.search(match["name"])
            and _is_random(match["value"])
            and not is_placeholder(match["value"])
        ):
            yield match.span("value")


def _is_random(value: str) -> bool:
    if (
        len(value) < _SHORTEST_RANDOM
        or value.isalpha()
        or not any(character.isdigit() for character in value)
    ):
        return False
    return not value.isdigit() and _bits(value) >= _RANDOM_BITS


def _bits(value: str) -> float:
    """Shannon's entropy of a value's characters, per character."""
    size = len(value)
    return -sum(n / size * log2(n / size) for n in Counter(value).values())
